"""Limits the calls that run on one server at the same time: the configured number, and fewer while calls fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Throttle:
    """Slots for calls on one server, shared by several threads.

    The limit is halved when a call fails, at most once in the duration of a call, and rises by one with each round of
    successful calls. Large requests leave one slot to the others.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._limit = float(most)
        self._running = self._large = 0
        self._changed = threading.Condition()
        self._fewer_at = float("-inf")

    @property
    def limit(self) -> int:
        """How many calls may run at the moment."""
        return int(self._limit)

    @contextmanager
    def place(self, *, large: bool = False) -> Iterator[None]:
        """Wait for a slot and hold it."""
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

    def went_well(self) -> None:
        """Record a successful call."""
        with self._changed:
            if self._limit < self._most:
                self._limit = min(self._most, self._limit + 1 / self._limit)
                self._changed.notify_all()

    def failed(self, seconds: float) -> None:
        """Record a call that the server as a whole refused or did not answer, and the *seconds* that it took."""
        with self._changed:
            now = self._clock()
            if now - self._fewer_at >= seconds:
                self._limit = max(1.0, self._limit / 2)
                self._fewer_at = now
