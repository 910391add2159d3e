"""The commands that sync the two sides, or show what would be done: plan, verify, run-once, run."""

from __future__ import annotations

import faulthandler
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from itopsync import cli
from itopsync.cli import show, show_status
from itopsync.cli.progress import progress_bar
from itopsync.cli.session import (
    Options,
    WatchedEngines,
    looking,
    open_store,
    store_to_read,
    store_to_steer,
    utc_now,
    writing_engine,
)
from itopsync.cli.tables import plain
from itopsync.config import Configuration
from itopsync.engine.report import Report
from itopsync.errors import ItopsyncError
from itopsync.exits import ExitCode
from itopsync.model import LinkStatus, Side
from itopsync.reconcile.safety import Excess
from itopsync.store.records import CycleKind, CycleOutcome, RequestKind

_EXITS = {
    CycleOutcome.WELL: ExitCode.WELL,
    CycleOutcome.TROUBLED: ExitCode.TROUBLED,
    CycleOutcome.UNAVAILABLE: ExitCode.UNAVAILABLE,
    CycleOutcome.INTERRUPTED: ExitCode.TROUBLED,
    CycleOutcome.PAUSED: ExitCode.PAUSED,
}

_OF_A_PAIR = (
    "httpcore",
    "itopsync.cli.verifying",
    "itopsync.engine.engine",
    "itopsync.itop.server",
    "itopsync.store.store",
    "itopsync.watch.watch",
)
"""What each pair's process uses, loaded once before the fork: a pair then takes 35 MB, and 68 MB as its own service (`make bench
PARTS=pairs`)."""
_EXTRA = "psycopg"
"""The same, if it is installed."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def plan(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what a cycle would write, ticket by ticket; exits with 5 if a limit would stop it. Writes nothing."""
    from itopsync.engine.pauses import REMEDY, pauses
    from itopsync.engine.unwritable import unwritable

    options: Options = context.obj
    configuration = options.configuration()
    with looking(configuration, store_to_read) as inspector:
        planned, tally = inspector.preview()
        store = inspector.pair.store
        paused = [f"{pause}. {REMEDY}." for pause in pauses(store, utc_now())]
        unable = [problem.what for side in Side if (problem := unwritable(store, side)) is not None]
        if as_json:
            typer.echo(show.plans_as_json(planned))
        else:
            resting = {name: sum(counts.values()) for name, counts in store.links.resting().items()}
            problems = [*paused, *unable, *show_status.at_rest(resting)]
            show.plans(plain(), planned, store.links.troubles(), problems)
        if paused:
            raise typer.Exit(ExitCode.PAUSED)
        inspector.refuse(planned, tally)


def verify(
    context: typer.Context,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also compare files and pictures byte by byte, reading each on both sides.")
    ] = False,
    service: Annotated[
        bool, typer.Option("--service", help="Let the running process do it beside its cycles, and print the result.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare every linked ticket on both servers, item by item: with the planner, then independently of it. Writes nothing."""
    from itopsync.cli import verifying

    options: Options = context.obj
    configuration = options.configuration(servers=not service)
    if service:
        _have_verified(configuration, deep=deep)
        return
    with progress_bar() as progress, looking(configuration, store_to_read) as inspector:
        inspector.pair.progress = progress
        every = verifying.verify(inspector, deep=deep)
        notable = [verified for verified in every if not verified.agrees or verified.plan.remarks]
        copies = verifying.strays(inspector.pair)
        links = inspector.pair.store.links
        counts, troubled, resting = links.counts(), links.troubles().troubled, links.resting()
    linked = counts[LinkStatus.LINKED] - sum(by_status.get(LinkStatus.LINKED, 0) for by_status in resting.values())
    if as_json:
        typer.echo(verifying.told_as_json(notable, copies))
    else:
        verifying.tell_strays(plain(), configuration.rules, copies)
        at_rest = show_status.at_rest({name: sum(by_status.values()) for name, by_status in resting.items()})
        verifying.tell(plain(), notable, linked, parked=counts[LinkStatus.PARKED], at_rest=at_rest, troubled=troubled)
    well = not copies and all(verified.agrees for verified in notable)
    raise typer.Exit(ExitCode.WELL if well else ExitCode.TROUBLED)


def _have_verified(configuration: Configuration, *, deep: bool) -> None:
    from itopsync.cli.asked import ask_for

    with store_to_steer(configuration) as store:
        ask_for(configuration, store, RequestKind.VERIFY, arguments={"deep": "yes"} if deep else {})


def run_once(
    context: typer.Context,
    accept: Annotated[
        list[Excess] | None,
        typer.Option(help="Allow the plan to exceed this safety limit; may be repeated."),
    ] = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="Check everything, not only what changed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run one cycle and exit, for cron."""
    from itopsync.cli.asked import take_up

    options: Options = context.obj
    configuration = options.configuration()
    with progress_bar() as progress, writing_engine(configuration, progress) as (engine, watch, pausing):
        kind = CycleKind.SWEEP if take_up(engine.pair) or sweep else CycleKind.POLL
        pausing.begin()
        try:
            report = engine.cycle(kind, accept or ())
        except ItopsyncError as error:
            watch.cycle_ended(kind, error)
            raise
        watch.cycle_ended(kind, report)
    _tell(report, as_json=as_json)
    if report.interrupted and pausing.noticed:
        raise typer.Exit(ExitCode.PAUSED)
    raise typer.Exit(_EXITS[report.outcome])


def run(context: typer.Context) -> None:
    """Run cycles until stopped by SIGTERM; SIGHUP reloads the configuration."""
    from itopsync import daemon
    from itopsync.cli import verifying

    options: Options = context.obj
    configuration = options.configuration()
    faulthandler.enable()  # if the watchdog kills us, the journal shows where each thread was
    engines = WatchedEngines()
    with open_store(configuration) as store:
        daemon.run(
            configuration,
            store,
            load=options.configuration,
            working=engines.working,
            verify=verifying.found,
            listeners=[engines.hear],
        )


def run_all(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder that has a subfolder with a sync.toml for each pair.")
    ] = Path("/etc/itopsync"),
) -> None:
    """Run every pair that has a FOLDER/*/sync.toml, each in its own process, as `run` does; SIGHUP makes it look for new ones."""
    from itopsync.daemon import supervisor

    options: Options = context.obj
    if options.config is not None:
        raise typer.BadParameter("run-all takes a folder of pairs; leave --config and ITOPSYNC_CONFIG out")
    for module in (*_OF_A_PAIR, *([_EXTRA] if find_spec(_EXTRA) else [])):
        import_module(module)
    level = ["--log-level", options.log_level] if options.log_level else []

    def main(file: Path) -> None:
        sys.argv = ["itopsync", "--config", str(file), *level, "run"]
        cli.main()

    raise typer.Exit(supervisor.run_all(folder, main))


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        typer.echo(show.report_as_json(report))
    else:
        show.report(plain(), report)
