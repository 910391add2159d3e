"""What costs time: measured against itself, so that neither the machine nor what else it does decides a test."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable

_TIMES = 8
_NOISE = 3
_SHORTEST = 0.005
"""Seconds; what takes less cannot be told from nothing."""
_TRIES = 3
_AT_MOST = 15.0
"""Seconds of processor time for the whole, on any machine."""


def grows_with_length(work: Callable[[str], object], hostile: Callable[[int], str], count: int) -> bool:
    """Whether *work* on the text of *count* repetitions takes about eight times as long as on an eighth of them.

    What takes the square of the length takes 64 times as long.
    """
    short, long = hostile(count // _TIMES), hostile(count)
    for _ in range(_TRIES):
        part, whole = _processor_time(work, short), _processor_time(work, long)
        if whole < _TIMES * _NOISE * max(part, _SHORTEST) and whole < _AT_MOST:
            return True
    return False


def _processor_time(work: Callable[[str], object], text: str) -> float:
    """The process's own, in seconds: how long the kernel takes to find memory depends on what other tests have left."""
    gc.disable()
    try:
        begun = _spent()
        work(text)
        return _spent() - begun
    finally:
        gc.enable()


def _spent() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime
