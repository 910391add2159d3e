"""A side that answers polls but accepts no writes: a problem until it accepts or refuses a single write, or none is waiting."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from itopsync.model import Side

if TYPE_CHECKING:
    from itopsync.store.store import Store  # not at run time: `itopsync --help` and the like load no database


@dataclass(frozen=True)
class Problem:
    """Why a side cannot be worked with, and since when."""

    what: str
    since: datetime


def note(store: Store, side: Side, what: str, now: datetime) -> bool:
    """Record that a side accepts no writes at all; return whether that is news."""
    known = unwritable(store, side)
    store.facts.put(_fact(side), json.dumps({"what": what, "since": min(known.since if known else now, now).isoformat()}))
    return known is None or known.what != what


def forget(store: Store, side: Side) -> None:
    """Treat a side as writable again."""
    store.facts.put(_fact(side), None)


def forget_idle(store: Store, now: datetime, again: timedelta) -> None:
    """Treat both sides as writable again if nothing is due now or within *again*, after which a write is retried."""
    due = store.links.due_counts(now + again)
    if not due.total:
        for side in Side:
            forget(store, side)


def unwritable(store: Store, side: Side) -> Problem | None:
    """Why a side accepts no writes; None if it does, as far as known."""
    text = store.facts.get(_fact(side))
    if text is None:
        return None
    told = json.loads(text)
    return Problem(told["what"], datetime.fromisoformat(told["since"]))


def problem_of(store: Store, side: Side) -> Problem | None:
    """Why a side cannot be worked with: the last poll failed, or it accepts no writes. None if it can."""
    state, refusing = store.polls.side(side), unwritable(store, side)
    if state.problem is None or state.problem_since is None:
        return refusing
    return Problem(state.problem, min(state.problem_since, refusing.since) if refusing else state.problem_since)


def _fact(side: Side) -> str:
    return f"no writes:{side}"
