"""The commands of the console, which need the extra ``web``: web, web-user."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from itopsync import config, logs
from itopsync.cli.session import Options
from itopsync.errors import ConfigurationError, Fault

WebFile = Annotated[Path | None, typer.Argument(metavar="FILE", help="The web.toml; default: one pair, for this machine only.")]


def web(context: typer.Context, file: WebFile = None) -> None:
    """Serve the console, where operators see the status and make requests in a browser. Does not contact the servers."""
    options: Options = context.obj
    logs.configure(options.log_level or "info")
    with _needing_the_extra():
        from itopsync.web import serve, settings
    serve.serve(lambda: settings.load(file, os.environ) if file else settings.of_one_pair(config.find(options.config)))


def web_user(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The web.toml that names the accounts file.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The user name.")],
    remove: Annotated[bool, typer.Option("--remove", help="Remove the account and end its sessions.")] = False,
) -> None:
    """Create a console account or change its password, which is prompted for or read from standard input."""
    with _needing_the_extra():
        from itopsync.web import settings
        from itopsync.web.accounts import LONGEST, NAME, SHORTEST, Accounts
    path = settings.load(file, os.environ).accounts
    if path is None:
        raise ConfigurationError([Fault(f"{file}: accounts", "there is no such table", "Write [accounts] with a file.")])
    accounts = Accounts(path)
    if remove and name not in accounts.all():
        raise typer.BadParameter(f"there is no account {name}")
    if not NAME.fullmatch(name):
        raise typer.BadParameter("a name is made of letters, digits and any of ._@+-")
    password = None if remove else _password()
    if password is not None and not SHORTEST <= len(password) <= LONGEST:
        raise typer.BadParameter(f"a password has {SHORTEST} to {LONGEST} characters")
    accounts.put(name, password)
    typer.echo(f"{name} {'is removed' if remove else 'may sign in'}.")


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


@contextmanager
def _needing_the_extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        remedy = "Install it with its extra: pip install 'itopsync[web]'."
        raise ConfigurationError([Fault("itopsync web", f"it needs {missing}, which is not installed", remedy)]) from None
