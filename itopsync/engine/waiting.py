"""Waiting for what a server answers, unless we are told to stop: a read that nobody waits for any more does no harm."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from itopsync.errors import Stopped

T = TypeVar("T")

LOOK = 0.2
"""Seconds after which we look whether we are to stop."""


def answer_of(reading: Future[T], stopping: Callable[[], bool]) -> T:
    """Wait for what *reading* returns or raises.

    :raises Stopped: *stopping* says so, and there is no answer yet
    """
    while True:
        try:
            return reading.result(LOOK)
        except TimeoutError:
            if reading.done():
                raise
            if stopping():
                raise Stopped from None
