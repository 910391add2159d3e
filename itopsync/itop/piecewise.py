"""A read of many objects that fails is cut in halves until the one that does it is found, so that it holds up no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from itopsync.errors import BadQuery, RemoteError, SideUnavailable, TooLarge

T = TypeVar("T")

NO_ID = 2**31 - 1
"""An id that no object has: a query for it finds nothing, and fails only where the server or the query is at fault."""
MOST = 200
"""So many failures without anything read in between, and it is no single object: to find one among all takes 31 at most."""
_MAY_BE_ONE = (TooLarge, SideUnavailable, BadQuery)
"""What may come of one object among many, whatever else it may mean."""


def read_piecewise(
    ids: Sequence[int], read: Callable[[Sequence[int]], list[T]], there: Callable[[Sequence[int], RemoteError], bool]
) -> tuple[list[T], dict[int, RemoteError]]:
    """Read the objects with *ids* (a range of them, perhaps); return them, and why each one that fails does so.

    *there* is asked after each failure whether any of those *ids* is there at all; where no single object is at fault, but the
    server or the query, it fails as well, and what it raises goes to the caller.
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
        else:
            half = len(part) // 2
            left += [part[half:], part[:half]]
    return found, failed
