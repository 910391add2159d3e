"""How many bytes of files may be in flight at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Share:
    """A part of the budget that somebody holds."""

    def __init__(self, budget: Budget, size: int) -> None:
        self._budget, self.size = budget, size

    def shrink(self, size: int) -> None:
        """Give back what is not needed of it, once that is known."""
        if size < self.size:
            self._budget.give_back(self.size - size)
            self.size = size


class Budget:
    """Bytes that threads share, first come, first served."""

    def __init__(self, total: int) -> None:
        self._total = self._free = total
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def share(self, size: int) -> Iterator[Share]:
        """Wait for *size* bytes, or for all of them where there are fewer, and hold them."""
        held = Share(self, min(size, self._total))
        place = object()
        with self._changed:
            self._queue.append(place)
            self._changed.wait_for(lambda: self._queue[0] is place and self._free >= held.size)
            self._queue.popleft()
            self._free -= held.size
            self._changed.notify_all()
        try:
            yield held
        finally:
            self.give_back(held.size)

    def give_back(self, size: int) -> None:
        """Let others have *size* bytes."""
        with self._changed:
            self._free += size
            self._changed.notify_all()
