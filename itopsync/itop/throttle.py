"""How many calls run at once on one server: as many as it is configured for, and fewer while it is slow or refuses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SLOW, LEAST = 3.0, 0.1
"""A kind of call is slow when it takes so many times what it takes at best, and so many seconds, or more."""
FEWER = 0.7
"""What is left of the limit when the server is slow; half when it refuses."""
WEIGHT = 0.2
"""Of the latest call in the mean of its kind."""
DRIFT = 1.000_2
"""By so much the best time rises with each call, so that a server that stays slower is slow no more one day."""


@dataclass
class _Kind:
    best: float
    mean: float


class Throttle:
    """Places for calls on one server. Threads may share it.

    The limit falls by a part when calls take much longer than at best, or when one fails, at most once in the time that a call
    takes; it rises by one with each round of calls that go well. Large requests leave one place to the others.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._limit = float(most)
        self._running = self._large = 0
        self._changed = threading.Condition()
        self._kinds: dict[Hashable, _Kind] = {}
        self._fewer_at = float("-inf")

    @property
    def limit(self) -> int:
        """How many calls may run at this moment."""
        return max(1, int(self._limit))

    @contextmanager
    def place(self, *, large: bool = False) -> Iterator[None]:
        """Wait for a place and hold it."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_free(large=large))
            self._running += 1
            self._large += large
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._large -= large
                self._changed.notify_all()

    def _is_free(self, *, large: bool) -> bool:
        return self._running < self.limit and not (large and self._large >= max(1, self.limit - 1))

    def went_well(self, kind: Hashable, seconds: float) -> None:
        """A call of a *kind*, whose calls cost the server about the same, was answered."""
        with self._changed:
            known = self._kinds.setdefault(kind, _Kind(seconds, seconds))
            known.best = min(known.best * DRIFT, seconds)
            known.mean += (seconds - known.mean) * WEIGHT
            if known.mean > SLOW * known.best + LEAST:
                self._lower(FEWER, known.mean)
            elif self._limit < self._most:
                self._limit = min(self._most, self._limit + 1 / self._limit)
                self._changed.notify_all()

    def failed(self, seconds: float) -> None:
        """A call was refused by the server as a whole, or not answered."""
        with self._changed:
            self._lower(0.5, seconds)

    def _lower(self, part: float, seconds: float) -> None:
        now = self._clock()
        if now - self._fewer_at >= seconds:
            self._limit = max(1.0, self._limit * part)
            self._fewer_at = now
