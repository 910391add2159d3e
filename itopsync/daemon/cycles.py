"""Schedules polls and sweeps as APScheduler jobs."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR
from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from itopsync.config import Schedule
from itopsync.store.records import CycleKind

SLOWER = 1.25
"""The factor by which the interval grows after a cycle in which nothing moved."""
_NEVER = datetime.max.replace(tzinfo=UTC)
_STEP = timedelta(seconds=1)
"""A smaller jump of the clock does not mean that somebody set it."""


class AdaptiveTrigger(BaseTrigger):
    """Fires often while changes occur and ever less often while none do; intervals run from start to start.

    While something moves they are exact: what is saved then never waits longer for the next cycle.
    """

    def __init__(self, quick: timedelta, slow: timedelta, jitter: timedelta, chance: Callable[[], float]) -> None:
        """*chance* returns random numbers in [0, 1)."""
        self._quick, self._slow, self._jitter, self._chance = quick, slow, jitter, chance
        self._pace, self._moved = quick, False

    def ended(self, *, moved: bool) -> None:
        """Record the end of a cycle, and whether anything moved on either side."""
        self._pace, self._moved = self._quick if moved else min(self._pace * SLOWER, self._slow), moved

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """When the cycle after one that began *now* is due."""
        return now + self._pace + (timedelta() if self._moved else self._jitter * self._chance())


class Cycles:
    """Runs both kinds of cycle when they are due, one at a time, in the thread that calls :meth:`run_due`.

    A cycle that became due several times runs once, and a due sweep replaces a due poll.
    """

    def __init__(self, run: Callable[[CycleKind], None], chance: Callable[[], float] = random.random) -> None:
        """*run* runs a cycle of the given kind, and calls :meth:`ended` before it returns."""
        self._run, self._chance = run, chance
        self._failure: BaseException | None = None
        self._again: datetime | None = None
        self._clock_ahead = _clock_ahead()
        self._scheduler = _Scheduler(
            timezone=UTC,
            executors={"default": DebugExecutor()},  # runs a job in the calling thread
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(self._note_failure, EVENT_JOB_ERROR)
        logging.getLogger("apscheduler.executors.default").disabled = True  # run_due raises what a cycle raises
        self._scheduler.start()

    def plan(self, schedule: Schedule, last_sweep: datetime | None = None) -> None:
        """Switch to *schedule*, with a poll due now; *last_sweep* is when the last sweep began."""
        now = datetime.now(UTC)
        poll, sweep = schedule.poll, schedule.sweep
        polls = _cron(poll) if isinstance(poll, str) else AdaptiveTrigger(poll, schedule.slowest, schedule.jitter, self._chance)
        if isinstance(sweep, str):
            sweeps = _cron(sweep)
            first_sweep = sweeps.get_next_fire_time(None, now)
        else:
            sweeps = IntervalTrigger(seconds=sweep.total_seconds(), timezone=UTC)
            first_sweep = now + min(max(sweep - (now - (last_sweep or now)), timedelta()), sweep)
        self._scheduler.remove_all_jobs()
        self._scheduler.add_job(self._run_job, polls, [CycleKind.POLL], id=CycleKind.POLL, next_run_time=now)
        self._scheduler.add_job(self._run_job, sweeps, [CycleKind.SWEEP], id=CycleKind.SWEEP, next_run_time=first_sweep)

    def run_due(self) -> float:
        """Run what is due; return the seconds until something is due again.

        :raises BaseException: what a cycle raised; nothing runs after it
        """
        self._follow_clock()
        self._scheduler.run_due()
        if self._failure is not None:
            raise self._failure
        if self._again is not None:
            self._scheduler.modify_job(CycleKind.POLL, next_run_time=self._again)
            self._again = None
        due: datetime = min(job.next_run_time for job in self._scheduler.get_jobs())
        return max(0.0, (due - datetime.now(UTC)).total_seconds())

    def ended(self, kind: CycleKind, began: datetime, *, moved: bool, again: timedelta | None = None) -> None:
        """Record the end of a cycle, and whether anything moved on either side; *again*: make a poll due after this time."""
        polls = self._scheduler.get_job(CycleKind.POLL).trigger
        if isinstance(polls, AdaptiveTrigger):
            polls.ended(moved=moved)
        if kind is CycleKind.SWEEP:
            self._scheduler.modify_job(CycleKind.POLL, next_run_time=polls.get_next_fire_time(None, began))
        if again is not None:
            self._again = datetime.now(UTC) + again

    def hasten(self, kind: CycleKind) -> None:
        """Make a cycle due now. Must not be called while one runs."""
        self._scheduler.modify_job(kind, next_run_time=datetime.now(UTC))

    def _run_job(self, kind: CycleKind) -> None:
        sweep_is_due = self._scheduler.get_job(CycleKind.SWEEP).next_run_time <= datetime.now(UTC)
        if self._failure is None and (kind is CycleKind.SWEEP or not sweep_is_due):
            self._run(kind)

    def _note_failure(self, event: Any) -> None:
        """Keep the exception, even a SystemExit, which APScheduler would swallow."""
        self._failure = event.exception

    def _follow_clock(self) -> None:
        """If somebody has set the clock, by which APScheduler works, shift the jobs so that intervals keep their length."""
        moved = timedelta(seconds=_clock_ahead() - self._clock_ahead)
        if abs(moved) < _STEP:
            return
        self._clock_ahead += moved.total_seconds()
        now = datetime.now(UTC)
        for job in self._scheduler.get_jobs():
            if isinstance(job.trigger, _CronTrigger):
                due = max(now, min(job.next_run_time, job.trigger.get_next_fire_time(None, now)))
            else:
                due = job.next_run_time + moved
            job.modify(next_run_time=due)


class _Scheduler(BlockingScheduler):
    """A scheduler that does not block: the daemon's loop handles signals and the watchdog, and calls :meth:`run_due`."""

    def _main_loop(self) -> None:
        """Return immediately."""

    def run_due(self) -> None:
        self._process_jobs()


class _CronTrigger(CronTrigger):
    """A trigger that is kept even if it does not fire again in the years that the library looks ahead."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        due = super().get_next_fire_time(previous, now)
        return due or _NEVER


def _cron(expression: str) -> Any:
    return _CronTrigger.from_crontab(expression, timezone=UTC)


def _clock_ahead() -> float:
    """How many seconds the wall clock, which people may set, is ahead of the monotonic one."""
    return time.time() - time.monotonic()
