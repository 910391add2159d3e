"""Asks for confirmation before anything that cannot be undone; without a terminal, ``--yes`` is required."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from itopsync.exits import ExitCode

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation prompt.")]


def ask(question: str, *, yes: bool) -> None:
    """Return if the operator agrees.

    :raises typer.Exit: with 1 if not, with 2 if there is no terminal
    """
    if yes:
        return
    if not sys.stdin.isatty():
        typer.echo(f"itopsync: {question} There is no terminal to ask on: add --yes to go ahead.", err=True)
        raise typer.Exit(ExitCode.USAGE)
    if not typer.confirm(f"{question} Continue?", err=True):
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(ExitCode.TROUBLED)
