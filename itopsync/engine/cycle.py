"""One pass over a pair: poll both sides, then observe, plan, apply and settle what is due, until nothing that was due at the
start is left.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from time import monotonic

import structlog

from itopsync.engine import marker_loss, scope, stops, unwritable
from itopsync.engine.apply import Writing, apply
from itopsync.engine.backlog import Backlog
from itopsync.engine.job import Job
from itopsync.engine.observe import observe
from itopsync.engine.pair import Pair
from itopsync.engine.pauses import pauses
from itopsync.engine.plan import PREVIEWED, Planned, missing_in, plan, refuse_out_of_sight
from itopsync.engine.poll import Findings, poll_both, record
from itopsync.engine.report import Count, CycleKind, CycleOutcome, Report, WriteKind, WriteOutcome
from itopsync.engine.settle import settle
from itopsync.engine.store_guard import claim, knows_nothing, refuse_lost
from itopsync.engine.sweep import sweep_both
from itopsync.engine.workers import Workers
from itopsync.errors import ItopsyncError, RemoteError, SafetyStop, Stopped
from itopsync.model import Link, Side
from itopsync.reconcile.safety import Accepted, Excess, Tally, check, lost_thing
from itopsync.store.records import CycleRecord
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

_BLOCKERS = "blockers"
"""The fact that names the blockers."""
_LEVELS = {CycleOutcome.UNAVAILABLE: logging.WARNING, CycleOutcome.STOPPED: logging.ERROR}
"""A cycle's log level by outcome, else INFO: a ticket's failures wait for another try, or are logged as parked."""

_NOT_WRITTEN = (WriteOutcome.READ_ONLY, WriteOutcome.SIDE_UNAVAILABLE)
"""How a write ends if the side is known to take none."""


class Engine:
    """Keeps a pair of servers in step, cycle by cycle."""

    def __init__(self, pair: Pair) -> None:
        self.pair = self._pair = pair
        self._named: set[Side] = set()
        """The sides that have told us who we are since this process began or its configuration was read."""

    def recover(self) -> None:
        """Take note of what was under way when an earlier process died: writes are let settle, then looked for."""
        now, wait = self._pair.clock(), self._pair.rules.limits.settle
        self._pair.store.requests.recover(now)
        found = self._pair.store.links.recover(now, now + wait)
        if found:
            log.warning("writes of unknown outcome", links=len(found), settle=str(wait))

    def cycle(
        self, kind: CycleKind = CycleKind.POLL, accept: Collection[str] = (), *, only: Collection[int] | None = None
    ) -> Report:
        """Run one cycle, and keep how it ended.

        *accept* names the safety limits that this one may exceed. It works on links *only*, where those are given. Where a
        server's guard raises :class:`~itopsync.errors.Stopped`, it ends between two calls; what was due stays due.

        :raises SafetyStop: the plan exceeds a limit; what was due stays due
        :raises StoreError: the store is another pair's, or not the one that this pair had
        :raises AnotherInstance: the lease was lost; its next holder looks for what was under way
        """
        report = Report(kind, self._pair.clock())
        with structlog.contextvars.bound_contextvars(cycle=f"{report.started:%Y%m%dT%H%M%S.%f}"):
            self._run_and_keep(report, accept, only)
        return report

    def _run_and_keep(self, report: Report, accept: Collection[str], only: Collection[int] | None) -> None:
        error: str | None = None
        accepted = Accepted(accept, stops.accepted(self._pair.store))
        try:
            _Cycle(self._pair, report, accepted, self._named, only).run()
            self._see_what_waits(report)
        except Stopped:
            report.interrupted = True
        except BaseException as stop:
            error = str(stop) if isinstance(stop, ItopsyncError) else f"broken off by {type(stop).__name__}"
            raise
        finally:
            report.finished = self._pair.clock()
            outcome = report.outcome if error is None else CycleOutcome.STOPPED
            problem = error or "; ".join((*report.paused, *report.problems.values())) or None
            _tell(report, outcome, problem)
            counts = {str(count): number for count, number in report.counts.items()}
            store = self._pair.store
            with store.transaction():
                store.history.record(CycleRecord(None, report.kind, report.started, report.finished, outcome, counts, problem))
                store.history.prune(report.finished - self._pair.settings.keep_history)
                store.activity.prune(report.finished - self._pair.settings.keep_activity)
                store.requests.prune(report.finished - self._pair.settings.keep_activity)

    def _see_what_waits(self, report: Report) -> None:
        """No cycle goes well while a side takes no writes, or anything is parked or waits, even if it did nothing."""
        store, now = self._pair.store, self._pair.clock()
        for side in Side:
            problem = unwritable.unwritable(store, side)
            if problem is not None:
                report.problems.setdefault(side, problem.what)
        if report.problems:
            unwritable.forget_idle(store, now, self._pair.settings.first_back_off)
        items = store.links.obstacle_counts()
        report.counts[Count.PARKED], report.counts[Count.WAITING] = items.parked, items.waiting + items.in_doubt


class _Cycle:
    """One cycle. :meth:`run` polls; the workers call the other stages, link by link."""

    def __init__(self, pair: Pair, report: Report, accepted: Accepted, named: set[Side], only: Collection[int] | None) -> None:
        self._pair, self._report, self._accepted, self._named, self._only = pair, report, accepted, named, only
        self._created: set[int] = set()
        self._planning = False
        """Whether it has come to the links that are due."""
        self._tally = Tally()
        self._done = self._total = 0
        self._blocked_by: list[int] = []
        """The links whose writes ended the work because a side seemed unavailable."""
        self._went: set[int] = set()
        """The links that no side stopped."""

    def run(self) -> None:
        """Poll, and work on what is due. What a limit stops is remembered, for a person to accept."""
        store = self._pair.store
        try:
            self._work()
        except SafetyStop as stop:
            whole = self._whole_of(stop)
            stops.note(store, stops.Stop(stop.kind, str(whole), self._pair.clock(), self._tally.things(stop.kind)))
            raise whole from None
        if self._only is None and not (self._report.problems or self._report.paused):
            stops.forget(store)

    def _work(self) -> None:
        pair = self._pair
        claim(pair.store, pair.rules)
        resting = pauses(pair.store, self._report.started)
        self._report.paused = tuple(map(str, resting))
        if resting:
            self._note_what_changes({side for pause in resting for side in pause.sides})
            return
        self._refuse_lossy()
        found = self._poll()
        if self._report.problems and knows_nothing(pair.store):
            return
        refuse_lost(pair.store, pair.servers[Side.INTERNAL], pair.rules)
        if not self._report.problems:
            self._heed_scope()
        self._record(found)
        if self._report.problems:
            return
        if self._report.kind is CycleKind.SWEEP:
            swept_up, looked_at = sweep_both(pair, self._polled_at, self._unavailable)
            self._report.counts[Count.SWEPT_UP] += swept_up
            self._report.counts[Count.LOOKED_AT] += looked_at
        if self._report.problems or not self._know_who_we_are():
            return
        began = self._report.started
        ahead = {side: each.state.cursor - began for side, each in found.items() if each.state.cursor}
        blockers = _blockers(pair.store)
        self._writing = Writing(pair, ahead, blockers=blockers)
        self._backlog, self._exhausted = Backlog(pair.store, self._polled_at, blockers, self._only), False
        self._planning = True
        self._count_due()
        try:
            Workers(self, pair).run()
        except (SafetyStop, Stopped):
            if self._writing.lost:
                marker_loss.refuse_lossy(marker_loss.losses(pair.store))
            raise
        if self._blocked_by or blockers:
            left = (number for number in blockers if number not in self._went)
            pair.store.facts.put(_BLOCKERS, ",".join(map(str, dict.fromkeys((*self._blocked_by, *left)))) or None)

    # the five stages

    def _poll(self) -> Mapping[Side, Findings]:
        return poll_both(self._pair, self._report.kind, self._unavailable)

    def prepare(self, links: Sequence[Link]) -> list[Planned]:
        """Observe and plan.

        :raises SafetyStop: what is missing may only be out of sight
        """
        observed = observe(self._pair, links)
        planned = plan(self._pair, observed)
        refuse_out_of_sight(self._pair, planned, self._accepted)
        return planned

    def carry_out(self, job: Job) -> Job:
        """Apply and settle; a job that has come to its files is settled once those are carried."""
        applied = apply(self._writing, job)
        return applied if applied.waits_for_files else self._settle(applied)

    def _settle(self, job: Job) -> Job:
        return settle(self._pair, job, self._writing.ahead, self._report.started)

    # around the stages

    def _refuse_lossy(self) -> None:
        """Check that both sides keep our markers, as far as we know."""
        store = self._pair.store
        for loss in marker_loss.losses(store):
            which = lost_thing(loss.ticket, loss.sent)
            if self._accepted.allows(Excess.MARKERS, which):
                marker_loss.forget(store, loss.side)
            else:
                self._tally = replace(self._tally, markers=self._tally.markers | {which})
        marker_loss.refuse_lossy(marker_loss.losses(store))

    def _note_what_changes(self, resting: Collection[Side]) -> None:
        """Poll the side that does not rest, if one does not: what changes there is due when the pause is over."""
        if len(resting) < len(Side) and not knows_nothing(self._pair.store):
            sides = [side for side in Side if side not in resting]
            self._record(poll_both(self._pair, CycleKind.POLL, self._unavailable, sides))

    def _whole_of(self, stop: SafetyStop) -> SafetyStop:
        """Look at all that is due, unless it is known, so that a person is told of the whole. Nothing is written.

        Where a side cannot be asked, it stays with what was seen.
        """
        store, kind = self._pair.store, stop.kind
        if kind == Excess.MARKERS:
            lost = (lost_thing(loss.ticket, loss.sent) for loss in marker_loss.losses(store))
            self._tally = replace(self._tally, markers=self._tally.markers.union(lost))
        if kind in (Excess.MARKERS, Excess.CREATIONS) or not self._planning:
            return stop
        known = stops.current(store)
        if known is not None and known.kind == kind and self._tally.things(kind) <= known.things:
            self._tally = replace(self._tally, **{kind: frozenset(each.partition(" ")[2] for each in known.things)})
            return SafetyStop(kind, known.reason)
        try:
            self._look_at_all(kind)
            if stop.counted:
                check(self._tally, self._pair.rules.limits, self._accepted)
        except (RemoteError, Stopped):
            return stop
        except SafetyStop as whole:
            return whole if whole.kind == kind else stop
        return stop

    def _look_at_all(self, kind: str) -> None:
        pair = self._pair
        links = pair.store.links.due(self._polled_at, PREVIEWED)
        for start in range(0, len(links), pair.settings.chunk):
            planned = plan(pair, observe(pair, links[start : start + pair.settings.chunk]))
            for each in planned:
                self._tally = self._tally.add(each.plan)
            if kind == Excess.MISSING:
                self._tally = replace(self._tally, missing=self._tally.missing | missing_in(planned))

    def _heed_scope(self) -> None:
        """Drop what waits for a copy and is out of scope since the scope was changed."""
        try:
            scope.heed(self._pair, self._pair.clock())
        except RemoteError as error:
            self._unavailable(error.side, error)

    def _record(self, found: Mapping[Side, Findings]) -> None:
        """Store what a poll found, unless it exceeds a limit."""
        pair, counts = self._pair, self._report.counts
        self._tally = replace(self._tally, replaced=self._tally.replaced.union(*(each.replaced for each in found.values())))
        check(self._tally, pair.rules.limits, self._accepted)
        self._polled_at, self._polled = pair.clock(), monotonic()
        with pair.store.transaction():
            for each in found.values():
                counts[Count.NEW] += len(record(pair, each, self._polled_at))
                counts[Count.CHANGED] += len(each.changed)
        for side, each in found.items():
            if each.away_since is not None:
                log.info("side available again", side=side, seconds=round((self._polled_at - each.away_since).total_seconds()))
            pair.know_account(each.state)
            self._named |= {side} if each.named else set()

    def _know_who_we_are(self) -> bool:
        """Ask who we are on each side before the first work after a start; an idle cycle need not know."""
        due = self._pair.store.links.due_counts(self._polled_at)
        if not (due.waiting or due.linked):
            return True
        for side in [side for side in Side if side not in self._named]:
            try:
                state = self._pair.ask_account(side)
            except RemoteError as error:
                self._unavailable(side, error)
                return False
            self._pair.store.polls.put_side(state)
            self._pair.know_account(state)
            self._named.add(side)
        return True

    def next_links(self) -> Sequence[Link]:
        """The next due links. A long cycle polls in between, and what people touched comes first.

        :raises SafetyStop: there are more new tickets than the limit allows
        """
        if self._report.problems:
            return ()
        if monotonic() - self._polled >= self._pair.settings.look_meanwhile.total_seconds():
            self._record(self._poll_meanwhile())
            if self._report.problems:
                return ()
            self._exhausted = False
            self._backlog.polled(self._polled_at)
            self._count_due()
        links = () if self._exhausted else self._backlog.take(self._pair.settings.chunk)
        self._exhausted = not links
        return links

    def _poll_meanwhile(self) -> Mapping[Side, Findings]:
        return poll_both(self._pair, CycleKind.POLL, self._unavailable)

    def admit(self, prepared: Future[list[Planned]]) -> Sequence[Job]:
        """Check that no more is written than the limits allow.

        :raises SafetyStop: the plan exceeds one
        """
        try:
            planned = self._pair.answer_of(prepared)
        except RemoteError as error:
            self._unavailable(error.side, error)
        if self._report.problems:
            return ()
        for each in planned:
            self._tally = self._tally.add(each.plan)
            lost = [one for one in each.plan.lost if not self._accepted.allows(Excess.MARKERS, lost_thing(one.ref, one.marker))]
            marker_loss.note(self._pair.store, lost, self._polled_at)
        check(self._tally, self._pair.rules.limits, self._accepted)
        return [Job.of(each, self._pair.rules.for_external(each.loaded.external.cls)) for each in planned]

    def leave(self, job: Job, *, interrupted: bool) -> None:
        """Settle a link that has come to its files, and leave those to a later cycle."""
        job.stop, job.interrupted, job.waits_for_files = True, interrupted, False
        self._settle(job)

    def account_for(self, job: Job) -> None:
        """Count what was done on a link, and log what newly needs a person."""
        self._done += 1
        self._backlog.done(job.link)
        if self._pair.progress is not None:
            self._pair.progress(self._done, max(self._total, self._done))
        self._report.counts.update(job.counts)
        self._report.writes += job.writes
        self._report.counts[Count.LINKS] += 1
        if job.counts[WriteKind.CREATE]:
            self._created.add(job.link.id)
        self._see_whether_written(job)
        if job.unavailable is None:
            self._went.add(job.link.id)
        elif any(written.outcome is WriteOutcome.SIDE_UNAVAILABLE for written in job.writes):
            self._blocked_by.append(job.link.id)
        _tell_parked(job)

    def _see_whether_written(self, job: Job) -> None:
        """Record whether each side takes writes: one that polls well but takes none has a problem until it does."""
        store, error = self._pair.store, job.unavailable
        for side in {written.side for written in job.writes if written.outcome is WriteOutcome.DONE}:
            if unwritable.unwritable(store, side) is not None:
                unwritable.forget(store, side)
                log.info("side takes writes again", side=side)
        if error is None:
            return
        if not any(written.side is error.side and written.outcome in _NOT_WRITTEN for written in job.writes):
            self._unavailable(error.side, error)
            return
        self._report.problems[error.side] = str(error)
        if unwritable.note(store, error.side, str(error), self._pair.clock()):  # logged once, not by every cycle
            log.warning("side unavailable", side=error.side, reason=str(error))

    def _count_due(self) -> None:
        """Count what is due, and check it against the limits."""
        due = self._pair.store.links.due_counts(self._polled_at)
        self._total = self._done + due.waiting + due.linked
        self._exhausted = not due.waiting and not due.linked
        if len(self._created) + due.waiting > self._pair.rules.limits.creations:
            waiting = self._created.union(self._pair.store.links.waiting_ids(self._polled_at))
            self._tally = replace(self._tally, creations=frozenset(map(str, waiting)))
        check(self._tally, self._pair.rules.limits, self._accepted)

    def _unavailable(self, side: Side, error: RemoteError) -> None:
        """Record that a side cannot be worked with."""
        store = self._pair.store
        self._report.problems[side] = str(error)
        state = store.polls.side(side)
        since = state.problem_since or self._pair.clock()
        store.polls.put_side(replace(state, problem=str(error), problem_since=since))
        if state.problem != str(error):  # logged once, not by every cycle
            log.warning("side unavailable", side=side, reason=str(error))


def _blockers(store: Store) -> list[int]:
    """The links whose writes ended the last cycle's work: they come last, so that others proceed whatever the cause."""
    return [int(number) for number in (store.facts.get(_BLOCKERS) or "").split(",") if number]


def _tell(report: Report, outcome: CycleOutcome, problem: str | None) -> None:
    """Log a whole cycle on one line, without its zeroes."""
    seconds = (report.finished - report.started).total_seconds() if report.finished else 0.0
    counts = {count.value.replace(" ", "_"): number for count, number in report.counts.items() if number}
    more = {"problem": problem} if problem else {}
    level = _LEVELS.get(outcome, logging.INFO)
    log.log(level, "cycle", kind=report.kind.value, outcome=outcome.value, seconds=round(seconds, 3), **counts, **more)


def _tell_parked(job: Job) -> None:
    """Log what needs a person from now on."""
    before = frozenset(_parked(job.loaded))
    for obstacle in job.link.obstacles:
        if obstacle.needs_person and (obstacle.key, obstacle.fingerprint) not in before:
            ticket, item = str(job.link.external), obstacle.key.kind
            log.warning("parked", link=job.link.id, ticket=ticket, item=item, reason=obstacle.reason)


def _parked(link: Link) -> Iterator[tuple[str, str]]:
    return ((obstacle.key, obstacle.fingerprint) for obstacle in link.obstacles if obstacle.needs_person)
