"""The console that tables are printed to."""

from __future__ import annotations

import os

from rich.console import Console

_WHOLE = 10_000
"""Columns. No row is longer."""


def for_tables() -> Console:
    """A console as wide as the terminal, or as ``COLUMNS`` says; in a file or a pipe, each row is one line."""
    console = Console(soft_wrap=True)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = _WHOLE
    return console
