"""Attributes each delay, from a person's save to its arrival on the other side, to a cause. Each instant counts once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from itopsync.model import ItemKey, ItemKind, Side
from itopsync.store.records import ActivityRecord, Cause, SpellRecord, WriteOutcome

Span = tuple[datetime, datetime]

REFUSED = "refused"
"""The delay from a server's first refusal of something until it accepts it."""
BRIDGE = "bridge"
"""The delay that nothing else explains."""
_NOT_TAKEN = (WriteOutcome.REFUSED, WriteOutcome.NO_RIGHT, WriteOutcome.UNKNOWN, WriteOutcome.UNMARKED)
"""Outcomes of writes for which the side written to is responsible."""
DELAYS = (
    *(f"{side} {why}" for side in Side for why in (Cause.DOWN, Cause.NO_WRITES, REFUSED)),
    Cause.PAUSED.value,
    Cause.STOPPED.value,
    BRIDGE,
)
"""The causes to which delays are attributed."""


@dataclass
class Spans:
    """Periods of a condition, merged where they overlap."""

    _spans: list[Span] = field(default_factory=list)

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Spans:
        """Merge *spans*, given in any order."""
        made = cls()
        for begin, end in sorted(spans):
            if made._spans and begin <= made._spans[-1][1]:
                made._spans[-1] = made._spans[-1][0], max(end, made._spans[-1][1])
            elif begin < end:
                made._spans.append((begin, end))
        return made

    def within(self, begin: datetime, end: datetime) -> list[Span]:
        """The parts of them between *begin* and *end*, in order."""
        found: list[Span] = []
        place = max(0, bisect_right(self._spans, begin, key=lambda span: span[0]) - 1)
        while place < len(self._spans) and self._spans[place][0] < end:
            since, until = self._spans[place]
            if until > begin:
                found.append((max(since, begin), min(until, end)))
            place += 1
        return found


class Spells:
    """When each side was down or accepted no writes, and when itopsync was paused or stopped."""

    def __init__(self, spells: Iterable[SpellRecord], now: datetime) -> None:
        """*now* ends what is still going on."""
        found: dict[tuple[Cause, Side | None], list[Span]] = {}
        for each in spells:
            end = min(each.until, now) if each.over else now
            found.setdefault((each.what.cause, each.what.side), []).append((each.since, end))
        self._spans = {key: Spans.of(spans) for key, spans in found.items()}

    def of(self, cause: Cause, side: Side | None = None) -> Spans:
        """When *cause* applied."""
        return self._spans.get((cause, side), Spans())


def shares(begin: datetime, end: datetime, side: Side, refused: datetime | None, spells: Spells) -> dict[str, float]:
    """Split the seconds from *begin* to *end* among :data:`DELAYS`, for something carried to *side*; zeros are left out.

    *refused* is when that side first refused it. Where several causes overlap, a side that was down counts first, then one that
    accepted no writes, the refusal, a pause, a stop; of the two sides, the one to be written to.
    """
    causes: list[tuple[str, Spans]] = [
        (f"{each} {cause}", spells.of(cause, each)) for cause in (Cause.DOWN, Cause.NO_WRITES) for each in (side, side.other)
    ]
    causes.append((f"{side} {REFUSED}", Spans.of([(refused, end)] if refused is not None else [])))
    causes += [(cause.value, spells.of(cause)) for cause in (Cause.PAUSED, Cause.STOPPED)]
    found: dict[str, float] = {}
    left = [(begin, end)] if begin < end else []
    for name, spans in causes:
        taken = [cut for span in left for cut in spans.within(*span)]
        if taken:
            found[name] = _seconds(taken)
            left = [rest for span in left for rest in _without(span, taken)]
    return {**found, BRIDGE: _seconds(left)} if left else found


def _without(span: Span, taken: Iterable[Span]) -> Iterator[Span]:
    at, end = span
    for since, until in taken:
        if since >= end or until <= at:
            continue
        if at < since:
            yield at, since
        at = until
    if at < end:
        yield at, end


def _seconds(spans: Iterable[Span]) -> float:
    return sum((until - since).total_seconds() for since, until in spans)


class Refusals:
    """The refused writes of a link, until what they carried arrives."""

    def __init__(self) -> None:
        self._first: dict[tuple[Side, str], datetime] = {}

    def hear(self, write: ActivityRecord) -> datetime | None:
        """Record a write, oldest first; if it arrived, return when its side first refused it."""
        keys = [(write.side, _key(item)) for item in write.items if not item.tells_how]
        if write.outcome in _NOT_TAKEN:
            for key in keys:
                self._first.setdefault(key, write.at)
        if write.outcome != WriteOutcome.DONE:
            return None
        return min((self._first.pop(key) for key in keys if key in self._first), default=None)


def _key(item: ItemKey) -> str:
    """What identifies an item across tries: a state may be reached in several steps."""
    return ItemKind.STATE if item.kind is ItemKind.STATE else item
