"""What all links that are written in one cycle share: what stops further writes, and the bytes of files held in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Condition, Lock

from itopsync.engine.pair import Pair
from itopsync.errors import SideUnavailable, Stopped
from itopsync.model import Side
from itopsync.reconcile.plan import Action, Upload


class FileBudget:
    """The number of bytes of files that may be held at once, shared by the threads, first come, first served."""

    def __init__(self, total: int) -> None:
        self._total = self._free = total
        self._changed = Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def share(self, size: int) -> Iterator[Callable[[int], None]]:
        """Wait for *size* bytes, or for the whole budget if it is smaller, and hold them.

        Yields a function that gives back all but a given number of bytes, for when the real size is known.
        """
        held, place = min(size, self._total), object()
        with self._changed:
            self._queue.append(place)
            self._changed.wait_for(lambda: self._queue[0] is place and self._free >= held)
            self._queue.popleft()
            self._free -= held
            self._changed.notify_all()

        def shrink(needed: int) -> None:
            nonlocal held
            if needed < held:
                self._give_back(held - needed)
                held = needed

        try:
            yield shrink
        finally:
            self._give_back(held)

    def _give_back(self, size: int) -> None:
        with self._changed:
            self._free += size
            self._changed.notify_all()


@dataclass(frozen=True)
class Keepers:
    """The sides that have kept our markers so far, either on entries or on files."""

    sides: set[Side] = field(default_factory=set)
    alone: Mapping[Side, Lock] = field(default_factory=lambda: {side: Lock() for side in Side})
    """Until a side has kept a marker, its lock admits one write at a time."""


@dataclass
class Writing:
    """What all links written in one cycle share."""

    pair: Pair
    began: datetime
    """When the cycle began."""
    clocks_ahead: Mapping[Side, timedelta]
    """How far each server's clock is ahead of ours."""
    down: SideUnavailable | None = None
    """A side that failed as a whole; no further writes are tried."""
    marker_lost: bool = False
    """A server has stored something without its marker; no further writes are tried."""
    blockers: Collection[int] = ()
    """The links whose writes ended the previous cycle."""
    sides_written: set[Side] = field(default_factory=set)
    """The sides that were written to."""
    of_entries: Keepers = field(default_factory=Keepers)
    of_files: Keepers = field(default_factory=Keepers)
    budget: FileBudget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = FileBudget(self.pair.settings.file_budget)

    def keepers_for(self, action: Action) -> Keepers:
        """The keepers for the kind of marker that *action* bears."""
        return self.of_files if isinstance(action, Upload) else self.of_entries

    def refuse_more(self) -> None:
        """Raise if nothing more may be written.

        :raises Stopped: a server has lost a marker
        :raises SideUnavailable: a side has failed
        """
        if self.marker_lost:
            raise Stopped
        if self.down is not None:
            raise self.down
