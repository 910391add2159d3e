"""The threads of an engine. Each pool waits for nothing that runs in itself."""

from __future__ import annotations

import ctypes
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from itopsync.engine.settings import EngineSettings
from itopsync.model import Side

_MMAP_THRESHOLD = -3
"""``M_MMAP_THRESHOLD``: blocks from this size on are mapped, and unmapped when they are freed."""
_QUESTIONS = 4
"""So many things a poll asks of a side at once."""


@dataclass
class Threads:
    """What runs beside what."""

    sides: Executor
    """One for each side, or for what is planned ahead: these wait for the readers."""
    readers: Executor
    """Single reads."""
    links: Executor
    """What is written, one link each."""
    files: Executor
    """The same for links that have come to their files: those may be large, and hold up no others."""

    @classmethod
    def start(cls, settings: EngineSettings) -> Threads:
        """Start none before it is needed."""
        _give_back_large_blocks()
        return cls(
            ThreadPoolExecutor(len(Side) + 1, thread_name_prefix="side"),
            ThreadPoolExecutor(len(Side) * _QUESTIONS, thread_name_prefix="reader"),
            ThreadPoolExecutor(settings.workers, thread_name_prefix="link"),
            ThreadPoolExecutor(settings.workers, thread_name_prefix="file"),
        )

    def close(self) -> None:
        """End them all, once what is written has been answered; a read that nobody waits for any more ends by itself."""
        for pool in (self.links, self.files):
            pool.shutdown()
        for pool in (self.sides, self.readers):
            pool.shutdown(wait=False, cancel_futures=True)


def _give_back_large_blocks() -> None:
    """Let a freed file go back to the system at once.

    The GNU C library would otherwise keep as much as the largest file of each thread that ever held one: `run` holds 111 MB
    after 24 files of 10 MB, and 484 MB without this.
    """
    try:
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 2**20)
    except (AttributeError, OSError):
        return  # another C library
