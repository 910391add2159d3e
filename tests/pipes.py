"""A named pipe where a file is expected."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def pipe(path: Path) -> Iterator[None]:
    """Make a pipe of one's own at *path*. Whoever reads it meanwhile finds it empty, instead of waiting for ever."""
    os.mkfifo(path, 0o600)
    over = threading.Event()

    def be_read() -> None:
        while not over.is_set():
            with suppress(OSError):  # nobody reads
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            over.wait(0.02)

    writer = threading.Thread(target=be_read)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()
