"""The last day in numbers: the cycles as a strip, and how long changes took to arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from itopsync.store.records import CycleOutcome

if TYPE_CHECKING:
    from itopsync.store.records import CycleRecord
    from itopsync.store.store import Store

DAY = timedelta(hours=24)
STRETCH = timedelta(minutes=15)
NEWEST = 5_000
"""How many arrivals, the newest of the day, the figures are based on."""
_WORST_FIRST = (
    CycleOutcome.STOPPED,
    CycleOutcome.UNAVAILABLE,
    CycleOutcome.TROUBLED,
    CycleOutcome.PAUSED,
    CycleOutcome.INTERRUPTED,
    CycleOutcome.WELL,
)
NONE = "none"
"""The outcome of a stretch in which no cycle began."""


@dataclass(frozen=True)
class Stretch:
    """A quarter of an hour."""

    at: datetime
    worst: str
    """How the worst of its cycles ended, or :data:`NONE`."""
    count: int


@dataclass(frozen=True)
class Strip:
    """The last 24 hours."""

    stretches: tuple[Stretch, ...]
    outcomes: Mapping[str, int]
    """Outcome → how many cycles ended with it."""


def strip(store: Store, now: datetime) -> Strip:
    """The last 24 hours, oldest first."""
    length = int(STRETCH.total_seconds())
    last = datetime.fromtimestamp(int(now.timestamp()) // length * length, UTC)
    first = last - DAY + STRETCH
    found = store.history.outcomes(first, STRETCH)
    total: Counter[str] = Counter()
    for counts in found.values():
        total.update(counts)
    times = [first + number * STRETCH for number in range(DAY // STRETCH)]
    return Strip(tuple(Stretch(at, _worst(found.get(at, {})), sum(found.get(at, {}).values())) for at in times), total)


def _worst(counts: Mapping[str, int]) -> str:
    return next((outcome.value for outcome in _WORST_FIRST if counts.get(outcome)), NONE)


@dataclass(frozen=True)
class Run:
    """Consecutive cycles with the same outcome that did nothing, or one that did something."""

    cycles: tuple[CycleRecord, ...]
    """Newest first."""

    @property
    def longest(self) -> timedelta | None:
        """How long the longest of them took; None if it has not ended."""
        return max((each.finished - each.started for each in self.cycles if each.finished), default=None)


def runs(cycles: Iterable[CycleRecord]) -> list[Run]:
    """Group consecutive cycles that look alike to a reader."""
    found = []
    for alike, those in groupby(cycles, _alike):
        together = tuple(those)
        found += [Run(together)] if alike is not None else [Run((each,)) for each in together]
    return found


def _alike(cycle: CycleRecord) -> tuple[str, str | None] | None:
    return None if any(cycle.counts.values()) else (cycle.outcome, cycle.error)


@dataclass(frozen=True)
class Arrivals:
    """How long changes took from the person's save to their arrival."""

    count: int
    more: bool
    """Whether there may be more than were examined."""
    median: timedelta
    p95: timedelta
    longest: timedelta


def arrivals(store: Store, now: datetime) -> Arrivals | None:
    """The delays of the last 24 hours; None if nothing arrived."""
    ages = sorted(store.activity.ages(now - DAY, NEWEST))
    return Arrivals(len(ages), len(ages) == NEWEST, _at(ages, 50), _at(ages, 95), ages[-1]) if ages else None


def _at(ordered: Sequence[timedelta], percent: int) -> timedelta:
    """The smallest value that at least *percent* of the values do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
