"""What one cycle did, and what the log and the metrics say about each write, which is never its content."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from itopsync.model import ItemKey, Side
from itopsync.store.records import CycleKind, CycleOutcome, WriteKind, WriteOutcome


class Count(StrEnum):
    """What a cycle counts, besides its writes by :class:`WriteKind`."""

    NEW = "new"
    CHANGED = "changed"
    SWEPT_UP = "swept up"
    LOOKED_AT = "looked at"
    LINKS = "links"
    BYTES = "bytes"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NO_RIGHT = "no right"
    UNFINISHED = "unfinished"
    """Links left to the next cycle after the most rounds allowed."""
    PARKED = "parked"
    """Items that need a person, from any cycle."""
    WAITING = "waiting"
    """Items that wait for another try, and links in doubt, from any cycle."""


Counts = Counter[Count | WriteKind]

_TROUBLE = (Count.REFUSED, Count.UNKNOWN, Count.NO_RIGHT, Count.UNFINISHED, Count.PARKED, Count.WAITING)


@dataclass(frozen=True, slots=True)
class Written:
    """One write, and how it ended."""

    side: Side
    """The side written to."""
    kind: WriteKind
    outcome: WriteOutcome
    seconds: float
    at: datetime
    """When it ended."""
    items: tuple[ItemKey, ...] = ()
    """What it carried, and the routes that chose its defaults."""
    age: timedelta | None = None
    """How old the content was on arrival; None if nothing was carried or its time is unknown."""


@dataclass
class Report:
    """What one cycle did."""

    kind: CycleKind
    started: datetime
    finished: datetime | None = None
    counts: Counts = field(default_factory=Counter)
    problems: dict[Side, str] = field(default_factory=dict)
    """Sides that could not be worked with, and why."""
    interrupted: bool = False
    paused: tuple[str, ...] = ()
    """The pauses in force, in words."""
    writes: list[Written] = field(default_factory=list)
    """What was sent or had to wait, grouped by link."""

    @property
    def unavailable(self) -> bool:
        """Whether a side cannot be worked with; this cycle then begins nothing more."""
        return bool(self.problems)

    @property
    def outcome(self) -> CycleOutcome:
        """How the cycle ended, unless an exception ended it."""
        if self.interrupted:
            return CycleOutcome.INTERRUPTED
        if self.paused:
            return CycleOutcome.PAUSED
        if self.unavailable:
            return CycleOutcome.UNAVAILABLE
        return CycleOutcome.TROUBLED if any(self.counts[count] for count in _TROUBLE) else CycleOutcome.WELL
