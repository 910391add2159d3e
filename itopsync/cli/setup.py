"""The commands for setting up: init, check, demo."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itopsync import config
from itopsync.check.finding import LOSES, Finding, Level
from itopsync.cli import show_status
from itopsync.cli.session import Options, open_store, servers, store_to_read, tell_other_configuration, utc_now
from itopsync.cli.tables import plain
from itopsync.errors import ConfigurationError, Fault
from itopsync.exits import ExitCode
from itopsync.model import Side

if TYPE_CHECKING:
    from itopsync.check.probe import Probed
    from itopsync.config import Configuration
    from itopsync.demo.serve import Playing
    from itopsync.itop.server import Server

_FOR_ALL = 0o644
"""Readable by all: the service's account is not the one that writes the file, which contains no password."""


def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where to write it.")] = Path("sync.toml"),
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of sync.toml instead, for completion in editors.")
    ] = False,
) -> None:
    """Write a commented sync.toml to fill in."""
    if schema:
        from itopsync.config.docs import json_schema

        typer.echo(json_schema(), nl=False)
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(config.example())
        path.chmod(_FOR_ALL)
    except FileExistsError:
        raise ConfigurationError([Fault(str(path), "it exists already", "Name another file, or move this one away.")]) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError([Fault(str(path), f"it cannot be written: {reason}", "Name a file that can.")]) from None
    typer.echo(f"Wrote {path}. Fill it in, then run `itopsync check`.")


def check(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Write a test ticket to internal, check what the server keeps of it, and delete it.")
    ] = False,
    probe_external: Annotated[bool, typer.Option("--probe-external", help="Do the same on external.")] = False,
) -> None:
    """Check the setup of both servers and the store. Writes nothing, except with --probe or --probe-external."""
    from itopsync.check import checking
    from itopsync.engine.marker_loss import losses
    from itopsync.engine.store_guard import refuse_wrong
    from itopsync.store import migrate

    options: Options = context.obj
    configuration = options.configuration()

    with servers(configuration) as both:

        def look_at_store() -> checking.StoreLook:
            revision = migrate.check(configuration.store_url)
            with store_to_read(configuration) as store:
                tell_other_configuration(configuration, store)
                refuse_wrong(store, both, configuration.rules)
                resting = {name: sum(counts.values()) for name, counts in store.links.resting().items()}
                return checking.StoreLook(revision, losses(store), resting)

        findings = checking.check(configuration, both, look_at_store, utc_now)
        is_ours = not any(finding.level is Level.FAULT and finding.side is None for finding in findings)
        for side, asked in ((Side.INTERNAL, probe), (Side.EXTERNAL, probe_external)):
            if asked and is_ours:  # else what is written might go to another server
                findings = _with_probe(findings, _probe(configuration, both[side]), side)
    if as_json:
        typer.echo(show_status.findings_as_json(findings))
    else:
        show_status.findings(plain(), findings)
    faults = any(finding.level is Level.FAULT for finding in findings)
    raise typer.Exit(ExitCode.CONFIGURATION if faults else ExitCode.WELL)


def _with_probe(findings: tuple[Finding, ...], probed: Probed, side: Side) -> tuple[Finding, ...]:
    """The findings, with the probe's replacing what the store knew of lost markers."""
    known = tuple(finding for finding in findings if not (finding.side is side and finding.what.startswith(LOSES)))
    return (*(known if probed.keeps_markers else findings), *probed.findings)


def _probe(configuration: Configuration, server: Server) -> Probed:
    """Probe a server, and record whether it keeps our markers, which decides whether it may be written to."""
    from itopsync.check.probe import probe
    from itopsync.engine.marker_loss import forget, note
    from itopsync.store.store import Store

    found = probe(server, configuration.rules, utc_now)
    if Store.exists(configuration.store_url):
        with open_store(configuration) as store:
            if found.keeps_markers:
                forget(store, server.side)
            note(store, found.lost, utc_now())
    return found


class Itop(StrEnum):
    """The simulated versions of iTop."""

    V2_7 = "2.7"
    V3_0 = "3.0"
    V3_1 = "3.1"
    V3_2 = "3.2"
    V3_3 = "3.3"


def demo(
    once: Annotated[bool, typer.Option("--once", help="Play a shorter day.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    stay: Annotated[
        bool,
        typer.Option("--serve", help="Run two servers with sample tickets, and a page to play on, until Ctrl-C."),
    ] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The page's port; 0 picks a free one.")] = 0,
    *,
    external: Annotated[Itop, typer.Option("--external-version", help="The iTop version of external.")] = Itop.V3_2,
    internal: Annotated[Itop, typer.Option("--internal-version", help="The iTop version of internal.")] = Itop.V3_2,
) -> None:
    """Play a service desk's day on two simulated servers, and check that they agree at the end."""
    try:
        from itopsync.demo import play, serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "itopsync":
            raise
        raise typer.BadParameter(
            f"the simulated servers need {error.name}, which is not installed. Install the extra demo: pip install '.[demo]'"
        ) from None
    if stay:
        if once or as_json:
            raise typer.BadParameter("--serve plays no day: remove --once and --json")
        serve((external.value, internal.value), _playing(port))
        raise typer.Exit(ExitCode.WELL)

    agreed = play(short=once, as_json=as_json, versions=(external.value, internal.value))
    raise typer.Exit(ExitCode.WELL if agreed else ExitCode.TROUBLED)


def _playing(port: int) -> Playing | None:
    """Serve the page to play on; None if the extra ``web`` is not installed."""
    try:
        from itopsync.demo.desks import serving
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "itopsync":
            raise
        return None
    return lambda pair: serving(pair, port)
