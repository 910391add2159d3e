"""What one cycle did, and what the log and metrics learn of each write: never what it contained."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from itopsync.model import ItemKey, Side


class CycleKind(StrEnum):
    """What a cycle looks at."""

    POLL = "poll"
    """What changed since the last one."""
    SWEEP = "sweep"
    """Everything."""


class CycleOutcome(StrEnum):
    """How a cycle ended."""

    WELL = "well"
    TROUBLED = "troubled"
    """Some tickets failed, or something is parked or waits, from this cycle or an earlier one."""
    UNAVAILABLE = "unavailable"
    """A side cannot be worked with."""
    INTERRUPTED = "interrupted"
    """Told to stop."""
    PAUSED = "paused"
    """A person wants a side left alone."""
    STOPPED = "stopped"
    """A safety limit or something else ended it."""


class WriteKind(StrEnum):
    """What a write does."""

    CREATE = "create"
    WRITE = "write"
    STATE = "state"
    UPLOAD = "upload"
    REMOVE = "remove"


class WriteOutcome(StrEnum):
    """How a write ended."""

    DONE = "done"
    WAITS = "waits"
    """Not sent: a picture that it shows is not there yet, or its ticket is to be looked at again."""
    UNKNOWN = "unknown"
    """No answer: it may have been carried out."""
    REFUSED = "refused"
    READ_ONLY = "read-only"
    NO_RIGHT = "no right"
    SIDE_UNAVAILABLE = "side unavailable"
    UNMARKED = "unmarked"
    """Carried out, but stored without its marker."""


class Count(StrEnum):
    """What is counted in a cycle, besides its writes by :class:`WriteKind`."""

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
    """Links left to the next cycle after many rounds."""
    PARKED = "parked"
    """Single items that need a person, from any cycle."""
    WAITING = "waiting"
    """Single items that wait for another try, or for their outcome to show, from any cycle."""


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
    """All that it carried, and by which route its defaults were chosen."""
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
    """The pauses that are in force, in words."""
    writes: list[Written] = field(default_factory=list)
    """What was sent or had to wait, link by link."""

    @property
    def unavailable(self) -> bool:
        """Whether a side cannot be worked with: nothing more is begun in this cycle."""
        return bool(self.problems)

    @property
    def outcome(self) -> CycleOutcome:
        """How it ended, unless something was raised."""
        if self.interrupted:
            return CycleOutcome.INTERRUPTED
        if self.paused:
            return CycleOutcome.PAUSED
        if self.unavailable:
            return CycleOutcome.UNAVAILABLE
        return CycleOutcome.TROUBLED if any(self.counts[count] for count in _TROUBLE) else CycleOutcome.WELL
