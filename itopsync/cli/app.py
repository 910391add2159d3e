"""The command line itself: the commands by name, and how a run of one ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import click
import typer

from itopsync import __version__
from itopsync.cli import inspect, setup, sync
from itopsync.cli.session import Options
from itopsync.errors import ConfigurationError, ItopsyncError
from itopsync.exits import ExitCode, exit_code_of

app = typer.Typer(
    name="itopsync",
    help="Keep two Combodo iTop servers in step.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar="ITOPSYNC_CONFIG",
            help="The configuration; else ./sync.toml, else /etc/itopsync/sync.toml.",
            show_default=False,
        ),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            "--log-level",
            click_type=click.Choice(["debug", "info", "warning", "error"]),
            help="The least that is logged to stderr.",
            show_default=False,
        ),
    ] = None,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Say which itopsync this is.")] = False,
) -> None:
    """Keep two Combodo iTop servers in step."""
    if version:
        typer.echo(f"itopsync {__version__}")
        raise typer.Exit
    context.obj = Options(config, log_level)


for command in (setup.init, setup.check, sync.plan, sync.run_once, sync.run, inspect.status, setup.demo):
    app.command()(command)
app.add_typer(setup.db, name="db")


def main() -> None:
    """Run the command line and end the process with a documented exit code."""
    try:
        app(standalone_mode=False)
    except ItopsyncError as error:
        prefix = "" if isinstance(error, ConfigurationError) else "itopsync: "
        typer.echo("\n".join(f"{prefix}{line}" for line in str(error).splitlines()), err=True)
        sys.exit(exit_code_of(error))
    except click.exceptions.Abort:
        typer.echo("itopsync: stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
