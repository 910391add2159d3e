"""What one cycle did, and what is told of each write: to the log, to metrics, and to nobody what stood in it."""

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
    """Some tickets failed, or something is parked or waits, since this cycle or an earlier one."""
    UNAVAILABLE = "unavailable"
    """A side cannot be worked with."""
    INTERRUPTED = "interrupted"
    """Told to stop."""
    PAUSED = "paused"
    """A person wants a side left alone."""
    STOPPED = "stopped"
    """By a safety limit, or by what else ended it."""


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
    """Not sent: a picture that it shows is not there yet."""
    UNKNOWN = "unknown"
    """No answer: it may have been carried out."""
    REFUSED = "refused"
    READ_ONLY = "read-only"
    NO_RIGHT = "no right"
    SIDE_UNAVAILABLE = "side unavailable"
    UNMARKED = "unmarked"
    """Carried out, and stored without its marker."""


class Count(StrEnum):
    """What is counted in a cycle beside its writes, by :class:`WriteKind`."""

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
    """Links that were left to the next cycle after many rounds."""
    PARKED = "parked"
    """Single things that need a person, since whatever cycle."""
    WAITING = "waiting"
    """Single things that wait for another try, or for their outcome to show, since whatever cycle."""


Counts = Counter[Count | WriteKind]

_TROUBLE = (Count.REFUSED, Count.UNKNOWN, Count.NO_RIGHT, Count.UNFINISHED, Count.PARKED, Count.WAITING)


@dataclass(frozen=True, slots=True)
class Written:
    """One write, and how it ended."""

    side: Side
    """Where to."""
    kind: WriteKind
    outcome: WriteOutcome
    seconds: float
    at: datetime
    """When it ended."""
    items: tuple[ItemKey, ...] = ()
    """All that it carried."""
    age: timedelta | None = None
    """How old what it carried was once it was there; None where nothing was carried, or nobody knows its time."""


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
    """What was sent, link by link."""

    @property
    def outcome(self) -> CycleOutcome:
        """How it ended, unless something was raised."""
        if self.interrupted:
            return CycleOutcome.INTERRUPTED
        if self.paused:
            return CycleOutcome.PAUSED
        if self.problems:
            return CycleOutcome.UNAVAILABLE
        return CycleOutcome.TROUBLED if any(self.counts[count] for count in _TROUBLE) else CycleOutcome.WELL
