"""The command that tries the hooks: hooks test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from itopsync.cli.session import Options, utc_now
from itopsync.exits import ExitCode

if TYPE_CHECKING:
    from itopsync.config import Configuration

hooks = typer.Typer(help="Look after the hooks.", no_args_is_help=True)


@hooks.command("test")
def try_them(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="command, webhook, dead_man, or alerts.NAME; else all that there are.")
    ] = None,
) -> None:
    """Send a test to each hook that is configured, and say what came of each. Asks no iTop, and uses no store."""
    from itopsync.watch.delivery import NotDelivered

    options: Options = context.obj
    errands = _errands(options.configuration())
    if not errands:
        raise typer.BadParameter("no hook is configured; see [hooks] in sync.toml")
    if name is not None and name not in errands:
        raise typer.BadParameter(f"no hook is called '{name}'; there are: {', '.join(errands)}")
    failed = False
    for each in errands if name is None else (name,):
        try:
            errands[each]()
        except NotDelivered as error:
            typer.echo(f"{each}: failed: {error}")
            failed = True
        else:
            typer.echo(f"{each}: taken")
    if failed:
        raise typer.Exit(ExitCode.TROUBLED)


def _errands(configuration: Configuration) -> dict[str, Callable[[], None]]:
    """What tries each hook, by its name."""
    from itopsync.watch.hooks import trial
    from itopsync.watch.ways import dead_man, ways

    told = trial(configuration.rules.pair, utc_now())
    errands = {way.name: lambda way=way: way.send(told) for way in ways(configuration.hooks)}
    switch = dead_man(configuration.hooks)
    return errands | ({switch.name: switch.ping} if switch else {})
