"""An engine's threads. Work in one pool never waits for work in the same pool."""

from __future__ import annotations

import ctypes
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from itopsync.engine.settings import EngineSettings
from itopsync.model import Side

_MMAP_THRESHOLD = -3
"""``M_MMAP_THRESHOLD``: blocks of this size or more are mapped, and unmapped when freed."""
_QUESTIONS = 4
"""How many calls a poll makes to a side at once."""


@dataclass
class Threads:
    """The thread pools."""

    waiters: Executor
    """Work that waits for the readers: one thread per side, and one that plans ahead."""
    readers: Executor
    """Single reads."""
    links: Executor
    """Writes, one link per thread."""
    files: Executor
    """Writes of links that have reached their files, which may be large and must not hold up others."""

    @classmethod
    def start(cls, settings: EngineSettings) -> Threads:
        """Create the pools; threads start as they are needed."""
        _give_back_large_blocks()
        return cls(
            ThreadPoolExecutor(len(Side) + 1, thread_name_prefix="side"),
            ThreadPoolExecutor(len(Side) * _QUESTIONS, thread_name_prefix="reader"),
            ThreadPoolExecutor(settings.workers, thread_name_prefix="link"),
            ThreadPoolExecutor(settings.workers, thread_name_prefix="file"),
        )

    def close(self) -> None:
        """End all threads once pending writes have been answered; a read whose answer nobody awaits ends by itself."""
        for pool in (self.links, self.files):
            pool.shutdown()
        for pool in (self.waiters, self.readers):
            pool.shutdown(wait=False, cancel_futures=True)


def _give_back_large_blocks() -> None:
    """Return a freed file's memory to the system at once.

    Otherwise the GNU C library keeps, for each thread that ever held a file, as much as the largest of them: after 24 files of
    10 MB, `run` holds 111 MB, and 484 MB without this.
    """
    try:
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 2**20)
    except (AttributeError, OSError):
        return  # another C library
