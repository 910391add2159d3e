"""Before what cannot be undone, a person is asked; where there is none, ``--yes`` must have been said."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from itopsync.exits import ExitCode

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def ask(question: str, *, yes: bool) -> None:
    """Go on if the operator wants to.

    :raises typer.Exit: with 1 if not, with 2 where nobody can be asked
    """
    if yes:
        return
    if not sys.stdin.isatty():
        typer.echo(f"itopsync: {question} There is no terminal to ask at: say --yes if that is right.", err=True)
        raise typer.Exit(ExitCode.USAGE)
    if not typer.confirm(f"{question} Go on?", err=True):
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(ExitCode.TROUBLED)
