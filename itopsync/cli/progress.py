"""A progress bar for long operations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OnProgress = Callable[[int, int], None]
"""Takes the number of tickets done and the total."""


@contextmanager
def progress_bar() -> Iterator[OnProgress | None]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True, markup=False, emoji=False), transient=True) as bar:
        task = bar.add_task("tickets", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
