"""Which sides can be worked with in a cycle, and what is recorded about one that cannot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import structlog

from itopsync.engine import unwritable
from itopsync.engine.job import Job
from itopsync.engine.pair import Pair
from itopsync.engine.report import Report
from itopsync.errors import RemoteError
from itopsync.model import Side
from itopsync.store.records import WriteOutcome

log = structlog.get_logger(__name__)

_NOT_WRITTEN = (WriteOutcome.READ_ONLY, WriteOutcome.SIDE_UNAVAILABLE)
"""Outcomes that show the side accepts no writes."""
_DECIDED = (WriteOutcome.DONE, WriteOutcome.REFUSED, WriteOutcome.NO_RIGHT)
"""Outcomes that show the side accepts writes, even if it refused this one."""


class Availability:
    """Records in the report and the store that a side cannot be worked with, and logs it once rather than every cycle."""

    def __init__(self, pair: Pair, report: Report) -> None:
        self._pair, self._report = pair, report

    def failed(self, side: Side, error: RemoteError) -> None:
        """Record that a side cannot be worked with."""
        polls, reason = self._pair.store.polls, str(error)
        self._report.problems[side] = reason
        state = polls.side(side)
        now = self._pair.clock()
        polls.put_side(replace(state, problem=reason, problem_since=min(state.problem_since or now, now)))
        if state.problem != reason:
            log.warning("side unavailable", side=side, reason=reason)

    def ended(self) -> None:
        """Record the end of a cycle: what failed in none of its stages counts as new if it fails again."""
        polls = self._pair.store.polls
        for state in map(polls.side, set(Side) - self._report.problems.keys()):
            if state.problem is None and state.problem_since is not None:
                polls.put_side(replace(state, problem_since=None))

    def answered(self, sides: Iterable[Side]) -> None:
        """Record that *sides* answer again, though nothing that they showed is stored yet."""
        polls = self._pair.store.polls
        for state in map(polls.side, sides):
            if state.problem is not None:
                polls.put_side(replace(state, problem=None, problem_since=None))

    def note_writes(self, job: Job) -> None:
        """Record whether each side accepts writes: one that answers polls but no writes has a problem until it does."""
        store, error = self._pair.store, job.unavailable
        for side in {written.side for written in job.writes if written.outcome in _DECIDED}:
            if unwritable.unwritable(store, side) is not None:
                unwritable.forget(store, side)
                log.info("side takes writes again", side=side)
        if error is None:
            return
        if not any(written.side is error.side and written.outcome in _NOT_WRITTEN for written in job.writes):
            self.failed(error.side, error)
            return
        self._report.problems[error.side] = str(error)
        if unwritable.note(store, error.side, str(error), self._pair.clock()):
            log.warning("side unavailable", side=error.side, reason=str(error))
