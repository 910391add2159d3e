"""The command line: the commands by name, and how each ends the process."""

from __future__ import annotations

import errno
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import structlog
import typer

from itopsync import __version__, logs
from itopsync.cli import activity, by_hand, console, hooks, inspect, links, report, setup, steering, sync, upkeep
from itopsync.cli.session import Options
from itopsync.errors import ConfigurationError, ItopsyncError
from itopsync.exits import ExitCode, exit_code_of

log = structlog.get_logger(__name__)

_STDOUT, _STDERR = 1, 2
_FULL = (errno.ENOSPC, errno.EDQUOT)

app = typer.Typer(
    name="itopsync",
    help="Keep two Combodo iTop servers in step.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from itopsync.store import migrate

        typer.echo(f"itopsync {__version__} (store schema {migrate.head()})")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar="ITOPSYNC_CONFIG",
            metavar="FILE",
            readable=False,  # an unreadable file is reported like any other fault in it
            help="The configuration file; default: ./sync.toml, else /etc/itopsync/sync.toml.",
            show_default=False,
        ),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(
            "--log-level",
            help="The minimum level to log to stderr.",
            show_default=False,
        ),
    ] = None,
    _version: Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Keep two Combodo iTop servers in step."""
    context.obj = Options(config, log_level)


for command in (
    setup.init,
    setup.check,
    sync.plan,
    sync.verify,
    sync.run_once,
    sync.run,
    sync.run_all,
    inspect.status,
    setup.demo,
):
    app.command()(command)
app.command("show")(links.show_link)
app.command()(activity.activity)
app.command()(report.report)
app.command()(links.rebuild)
app.command()(links.retry)
app.command()(links.park)
app.command()(links.resume)
app.command()(by_hand.link)
app.command()(by_hand.unlink)
app.command()(steering.pause)
app.command()(steering.unpause)
app.command()(steering.accept)
app.command("sync")(steering.sync)
app.command()(steering.sweep)
app.command()(console.web)
app.command("web-user")(console.web_user)
app.add_typer(hooks.hooks, name="hooks")
app.add_typer(upkeep.db, name="db")


def main() -> None:
    """Run the command line and exit with a documented code."""
    _have_streams()
    logs.configure()
    threading.excepthook = lambda failure: _tell_internal_error(failure.exc_value)
    try:
        app()
    except ItopsyncError as error:
        _tell_error(error)
        _end(exit_code_of(error))
    except Exception as error:  # Python would exit with 1, which means that tickets failed
        if isinstance(error, OSError) and error.errno in _FULL:
            _tell_full(error)
            _end(ExitCode.TROUBLED)
        _tell_internal_error(error)
        _end(ExitCode.INTERNAL_ERROR)
    except SystemExit as end:
        _end(end.code)


def _have_streams() -> None:
    """Replace a standard stream that was closed before we began by the null device, so that no file of ours gets its number."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(_STDOUT, "w")
    sys.stderr = sys.stderr or os.fdopen(_STDERR, "w")


def _end(code: int | str | None) -> NoReturn:
    """End the process without waiting for reads that a server has not answered: everything is stored already."""
    reading = any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
    if reading and not isinstance(code, str):
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code or ExitCode.WELL)
    sys.exit(code)


def _tell_error(error: ItopsyncError) -> None:
    lines = str(error).splitlines()
    if logs.are_of_one_of_several():
        for line in lines:
            log.error("pair fails", reason=line)
        return
    prefix = logs.priority("error", sys.stderr) + ("" if isinstance(error, ConfigurationError) else "itopsync: ")
    with suppress(OSError):
        typer.echo("\n".join(f"{prefix}{line}" for line in lines), err=True)


def _tell_full(error: OSError) -> None:
    """Report that the output's disk is full, and discard the rest of the output, which would fail again at exit."""
    with suppress(OSError):
        typer.echo(f"itopsync: the output cannot be written: {error.strerror}.", err=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)


def _tell_internal_error(error: BaseException | None) -> None:
    log.error("internal error", exc_info=error)
