"""The command that shows the status."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import sleep
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from itopsync import status as status_of
from itopsync.cli import show_status
from itopsync.cli.durations import read
from itopsync.cli.session import Options, store_to_read, tell_other_configuration, utc_now
from itopsync.cli.tables import for_tables
from itopsync.exits import ExitCode
from itopsync.status import Status

_EVERY = 2.0
"""Seconds between two updates of ``--watch``."""
_INTERRUPTED = 130
_EXITS = {
    status_of.OK: ExitCode.WELL,
    status_of.STALE: ExitCode.UNAVAILABLE,
    status_of.STOPPED: ExitCode.SAFETY_STOP,
    status_of.PAUSED: ExitCode.PAUSED,
}


def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Update every two seconds, until Ctrl-C.")] = False,
    max_age: Annotated[
        timedelta | None,
        typer.Option(
            parser=read, metavar="TIME", help="For monitoring: prints one line, and exits with 4 if a side's last poll is older."
        ),
    ] = None,
) -> None:
    """Show the state of both sides, what is waiting and what failed. Does not contact the servers."""
    if as_json + watch + (max_age is not None) > 1:
        raise typer.BadParameter("give only one of --json, --watch and --max-age")
    options: Options = context.obj
    configuration = options.configuration(servers=False)
    with store_to_read(configuration) as store:

        def look() -> Status:
            return status_of.status(store, configuration.rules.pair, utc_now(), rules=configuration.rules)

        if watch:
            _watch(look)
        found = look()
        if max_age is None:
            tell_other_configuration(configuration, store)
    if max_age is not None:
        judged = status_of.freshness(found, max_age)
        typer.echo(show_status.freshness(found, judged))
        raise typer.Exit(_EXITS[judged.word])
    if as_json:
        typer.echo(show_status.status_as_json(found))
    else:
        for_tables().print(show_status.status(found))
        if store.address.in_memory:
            typer.echo(
                "There is no store yet: the first cycle creates it. If there was one, check store.url. A service that runs may "
                "have another still: restart it."
            )


def _watch(look: Callable[[], Status]) -> NoReturn:
    """Show the status repeatedly until Ctrl-C: in place on a terminal, one below the other elsewhere."""
    from rich.live import Live

    console = Console(markup=False, emoji=False)
    try:
        with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                if console.is_terminal:
                    live.update(show_status.status(look()), refresh=True)
                else:
                    console.print(show_status.status(look()))
                sleep(_EVERY)
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
