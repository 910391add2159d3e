"""If a read of many objects fails, reads less and less at once to find the object at fault, so that it holds up no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from itopsync.errors import BadQuery, RemoteError, SideUnavailable, TimedOut, TooLarge

T = TypeVar("T")

NO_ID = 2**31 - 1
"""An id that no object has: a query for it finds nothing, and fails only if the server or the query is at fault."""
MOST = 200
"""After this many failures in a row, no single object is at fault: finding one takes at most 31."""
_MAY_BE_ONE = (TooLarge, SideUnavailable, BadQuery)
"""The errors that a single object among many may cause."""


def read_piecewise(
    ids: Sequence[int], read: Callable[[Sequence[int]], list[T]], there: Callable[[Sequence[int], RemoteError], bool]
) -> tuple[list[T], dict[int, RemoteError]]:
    """Read the objects with *ids* (possibly a range); return them, and the error of each one that fails.

    What fails is halved; what was not answered in time is read one by one, so that only the one at fault takes as long again.

    *there* is called after each failure and returns whether any of those *ids* exists; if the server or the query is at fault
    rather than a single object, it fails too, and the caller gets its exception.
    """
    found: list[T] = []
    failed: dict[int, RemoteError] = {}
    left = [ids]
    in_a_row = 0
    while left:
        part = left.pop()
        try:
            found += read(part)
        except _MAY_BE_ONE as error:
            failure = error
        else:
            in_a_row = 0
            continue
        in_a_row += 1
        if in_a_row > MOST:
            raise failure
        if not there(part, failure):
            continue
        if len(part) == 1:
            failed[part[0]] = failure
        elif isinstance(failure, TimedOut) and not isinstance(part, range):
            left += [[each] for each in reversed(part)]
        else:
            half = len(part) // 2
            left += [part[half:], part[:half]]
    return found, failed
