"""The command that tests the hooks: hooks test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from itopsync.cli.session import Options, utc_now
from itopsync.exits import ExitCode

if TYPE_CHECKING:
    from itopsync.config import Configuration

hooks = typer.Typer(help="Test the hooks.", no_args_is_help=True)


@hooks.command("test")
def try_them(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="command, webhook, dead_man or alerts.NAME; default: all.")
    ] = None,
) -> None:
    """Send a test notification through each configured hook, and print the results. Contacts no iTop server and uses no store."""
    from itopsync.watch.delivery import NotDelivered

    options: Options = context.obj
    errands = _errands(options.configuration(servers=False))
    if not errands:
        raise typer.BadParameter("no hook is configured; see [hooks] in sync.toml")
    if name is not None and name not in errands:
        raise typer.BadParameter(f"no hook is called '{name}'; there are: {', '.join(errands)}")
    failed = False
    for hook in errands if name is None else (name,):
        try:
            errands[hook]()
        except NotDelivered as error:
            typer.echo(f"{hook}: failed: {error}")
            failed = True
        else:
            typer.echo(f"{hook}: delivered")
    if failed:
        raise typer.Exit(ExitCode.TROUBLED)


def _errands(configuration: Configuration) -> dict[str, Callable[[], None]]:
    """A function for each hook, by name, that sends the test."""
    from itopsync.watch.hooks import trial
    from itopsync.watch.ways import dead_man, ways

    test = trial(configuration.rules.pair, utc_now())
    errands = {way.name: lambda way=way: way.send(test) for way in ways(configuration.hooks)}
    switch = dead_man(configuration.hooks)
    return errands | ({switch.name: switch.ping} if switch else {})
