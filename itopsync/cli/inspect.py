"""The commands that say how things stand."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from itopsync import status as status_of
from itopsync.cli import show
from itopsync.cli.session import Options, open_store, utc_now


def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for machines.")] = False,
) -> None:
    """Say how both sides are, what waits and what failed. Asks neither server."""
    options: Options = context.obj
    configuration = options.configuration()
    with open_store(configuration) as store:
        found = status_of.status(store, configuration.rules.pair, utc_now())
    if as_json:
        typer.echo(show.status_as_json(found))
    else:
        show.status(Console(soft_wrap=True), found)
