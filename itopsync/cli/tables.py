"""The consoles that are printed to. Square brackets are no markup: what is printed holds people's words."""

from __future__ import annotations

import os

from rich.console import Console

_WHOLE = 10_000
"""Columns. No row is longer."""


def plain() -> Console:
    """A console that breaks no line."""
    return Console(soft_wrap=True, markup=False, emoji=False)


def for_tables() -> Console:
    """A console as wide as the terminal, or as ``COLUMNS`` says; in a file or a pipe, each row is one line."""
    console = plain()
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = _WHOLE
    return console
