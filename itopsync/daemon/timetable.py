"""When the next cycle is due: quick while something moves, slower while nothing does, or by the clock."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger

from itopsync.config import Schedule
from itopsync.engine.report import CycleKind

SLOWER = 1.25
"""After a cycle in which nothing moved, the next waits so many times as long."""
_LONG = 3_600.0
"""Seconds until a cron expression is looked at again, should the clock be set meanwhile."""


class Timetable:
    """Both kinds of cycle, and when each is due next. A poll is due at once.

    Spans are measured by a clock that nobody sets, and from the start of one cycle to the start of the next; what became due
    meanwhile is due once.
    """

    def __init__(
        self,
        schedule: Schedule,
        last_sweep: datetime | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ticks: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """*last_sweep* is when the last one began, in an earlier process; *chance* gives numbers from 0 to below 1."""
        self._schedule, self._clock, self._ticks, self._chance = schedule, clock, ticks, chance
        self._pace = schedule.poll if isinstance(schedule.poll, timedelta) else timedelta()
        self._due: dict[CycleKind, float | datetime] = {CycleKind.POLL: ticks()}
        self._due[CycleKind.SWEEP] = self._after(schedule.sweep)
        if last_sweep is not None and isinstance(schedule.sweep, timedelta):
            since = min(max(clock() - last_sweep, timedelta()), schedule.sweep)
            self._due[CycleKind.SWEEP] = ticks() + (schedule.sweep - since).total_seconds()

    def next(self) -> tuple[CycleKind, float]:
        """Which kind is due next, and in how many seconds; a sweep goes first, since it is a poll too."""
        left = {kind: self._left(self._due[kind]) for kind in (CycleKind.SWEEP, CycleKind.POLL)}
        kind = min(left, key=lambda kind: max(0.0, left[kind]))
        return kind, max(0.0, min(left[kind], _LONG))

    def began(self, kind: CycleKind) -> None:
        """Note that a cycle begins: reckon from here."""
        if kind is CycleKind.SWEEP:
            self._due[CycleKind.SWEEP] = self._after(self._schedule.sweep)
        self._began = self._ticks()

    def ended(self, *, moved: bool) -> None:
        """Note that it ended, and whether anything moved on either side."""
        poll = self._schedule.poll
        if isinstance(poll, str):
            self._due[CycleKind.POLL] = self._after(poll)
            return
        self._pace = poll if moved else min(self._pace * SLOWER, self._schedule.poll_quiet)
        self._due[CycleKind.POLL] = self._began + (self._pace + self._schedule.jitter * self._chance()).total_seconds()

    def soon(self, seconds: float) -> None:
        """Let a poll be due in *seconds*."""
        self._due[CycleKind.POLL] = self._ticks() + seconds

    def _after(self, when: timedelta | str) -> float | datetime:
        if isinstance(when, timedelta):
            return self._ticks() + when.total_seconds()
        # A day that comes again only after the years that the library looks ahead is looked for again later.
        return CronTrigger.from_crontab(when, timezone="UTC").get_next_fire_time(None, self._clock()) or datetime.max.replace(
            tzinfo=UTC
        )

    def _left(self, due: float | datetime) -> float:
        return (due - self._clock()).total_seconds() if isinstance(due, datetime) else due - self._ticks()
