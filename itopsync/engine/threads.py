"""The threads of an engine. Each pool waits for nothing that runs in itself."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from itopsync.engine.settings import EngineSettings
from itopsync.model import Side

_QUESTIONS = 3
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
        return cls(
            ThreadPoolExecutor(len(Side) + 1, thread_name_prefix="side"),
            ThreadPoolExecutor(len(Side) * _QUESTIONS, thread_name_prefix="reader"),
            ThreadPoolExecutor(settings.workers, thread_name_prefix="link"),
            ThreadPoolExecutor(settings.workers, thread_name_prefix="file"),
        )

    def close(self) -> None:
        """End them all, once what runs has ended."""
        for pool in (self.sides, self.links, self.files, self.readers):
            pool.shutdown()
