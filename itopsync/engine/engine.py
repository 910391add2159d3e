"""Keeps a pair of servers in step: runs cycles, and records how each ended."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from datetime import datetime

import structlog

from itopsync.engine import stops, unwritable
from itopsync.engine.availability import Availability
from itopsync.engine.cycle import Cycle
from itopsync.engine.pair import Pair
from itopsync.engine.report import Count, Report
from itopsync.errors import ItopsyncError, RemoteError, Stopped
from itopsync.model import Side
from itopsync.reconcile.safety import Accepted
from itopsync.store.records import Cause, CycleKind, CycleOutcome, CycleRecord, Lasting

log = structlog.get_logger(__name__)

_LEVELS = {CycleOutcome.UNAVAILABLE: logging.WARNING, CycleOutcome.STOPPED: logging.ERROR}
"""Outcome → a cycle's log level; otherwise INFO, since a ticket's failures are retried, or logged as parked."""


class Engine:
    """Keeps a pair of servers in step, cycle by cycle."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self._accounts_asked: set[Side] = set()
        """The sides asked for our account since this process started or its configuration was read."""
        self._begins_later = False

    def recover(self, running: Collection[int] = ()) -> None:
        """Mark the writes that were under way when an earlier process died as in doubt, to be checked once they may have landed.

        *running*: the requests that this process itself is carrying out.
        """
        now, wait = self.pair.clock(), self.pair.rules.limits.landing
        self.pair.store.requests.recover(now, running)
        found = self.pair.store.links.recover(now, now + wait)
        if found:
            log.warning("writes of unknown outcome", links=len(found), landing=str(wait))

    def _follow_clock(self) -> None:
        """Make links that are due implausibly late, as after the clock was set back, due after the landing time."""
        now, settings, landing = self.pair.clock(), self.pair.settings, self.pair.rules.limits.landing
        longest = max(landing, settings.longest_back_off, settings.overlap)
        self.pair.store.links.hasten(now + longest, now + landing)

    def cycle(
        self, kind: CycleKind = CycleKind.POLL, accept: Collection[str] = (), *, only: Collection[int] | None = None
    ) -> Report:
        """Run one cycle, and record how it ended.

        *accept* names the safety limits that this cycle may exceed. *only*: work on no other links. Told to stop, the cycle ends
        between two calls; what was due stays due.

        :raises SafetyStop: the plan exceeds a limit; what was due stays due
        :raises StoreError: the store is another pair's, or not the one that this pair had
        :raises AnotherInstance: the lease was lost; its next holder checks what was under way
        """
        report = Report(kind, self.pair.clock())
        self._heed_since(report.started)
        with structlog.contextvars.bound_contextvars(cycle=f"{report.started:%Y%m%dT%H%M%S.%f}"):
            self._run_and_keep(report, accept, only)
        return report

    def _heed_since(self, now: datetime) -> None:
        """Warn once if the scope begins in the future: the configuration or this host's clock is wrong."""
        later = self.pair.rules.begin_after(now)
        if later and not self._begins_later:
            log.warning("scope.since is in the future", since=self.pair.rules.since)
        self._begins_later = later

    def _run_and_keep(self, report: Report, accept: Collection[str], only: Collection[int] | None) -> None:
        error: str | None = None
        accepted = Accepted(accept, stops.accepted(self.pair.store))
        try:
            self._follow_clock()
            try:
                Cycle(self.pair, report, accepted, self._accounts_asked, only).run()
            except RemoteError as down:  # internal could not be asked whether it has copies of this pair (refuse_incomplete)
                Availability(self.pair, report).failed(down.side, down)
            self._see_what_waits(report)
        except Stopped:
            report.interrupted = True
        except BaseException as stop:
            error = str(stop) if isinstance(stop, ItopsyncError) else f"broken off by {type(stop).__name__}"
            raise
        finally:
            report.finished = self.pair.clock()
            outcome = report.outcome if error is None else CycleOutcome.STOPPED
            problem = error or "; ".join((*report.paused, *report.problems.values())) or None
            _tell(report, outcome, problem)
            counts = {str(count): number for count, number in report.counts.items()}
            store = self.pair.store
            with store.transaction():
                store.history.record(CycleRecord(None, report.kind, report.started, report.finished, outcome, counts, problem))
                store.history.prune(report.finished - self.pair.settings.keep_history)
                store.activity.prune(report.finished - self.pair.settings.keep_activity)
                store.requests.prune(report.finished - self.pair.settings.keep_activity)
                store.spells.prune(report.finished - self.pair.settings.keep_activity)
                if outcome is not CycleOutcome.INTERRUPTED:
                    store.spells.note(frozenset(self._lasting(report, outcome)), report.started, report.finished)

    def _lasting(self, report: Report, outcome: CycleOutcome) -> Iterator[Lasting]:
        """What holds tickets up beyond this cycle, according to its outcome and the store."""
        store = self.pair.store
        for side in report.problems:
            yield Lasting(Cause.NO_WRITES if store.polls.side(side).problem is None else Cause.DOWN, side)
        if report.paused:
            yield Lasting(Cause.PAUSED)
        if outcome is CycleOutcome.STOPPED:
            yield Lasting(Cause.STOPPED)
        for link, obstacle in store.links.troubles().lasting:
            yield Lasting(Cause.PARKED, None, link, obstacle.key)

    def _see_what_waits(self, report: Report) -> None:
        """Report sides that accept no writes, and what is parked or waits: no cycle ends well then, even if it did nothing."""
        store, now = self.pair.store, self.pair.clock()
        for side in Side:
            problem = unwritable.unwritable(store, side)
            if problem is not None:
                report.problems.setdefault(side, problem.what)
        if report.unavailable:
            unwritable.forget_idle(store, now, self.pair.settings.first_back_off)
        items = store.links.troubles().items
        report.counts[Count.PARKED], report.counts[Count.WAITING] = items.parked, items.waiting + items.in_doubt


def _tell(report: Report, outcome: CycleOutcome, problem: str | None) -> None:
    """Log a cycle on one line, omitting counts of zero."""
    seconds = (report.finished - report.started).total_seconds() if report.finished else 0.0
    counts = {count.name.lower(): number for count, number in report.counts.items() if number}
    more = {"problem": problem} if problem else {}
    level = _LEVELS.get(outcome, logging.INFO)
    log.log(level, "cycle", kind=report.kind.value, outcome=outcome.value, seconds=round(seconds, 3), **counts, **more)
