"""One pass over a pair: poll both sides, then observe, plan, apply and settle, until nothing that is due is left."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from time import monotonic

import structlog

from itopsync.engine import host_clock, marker_loss, scope, stops
from itopsync.engine.apply import Writing, apply
from itopsync.engine.availability import Availability
from itopsync.engine.backlog import Backlog, Blockers
from itopsync.engine.job import Ending, Job, Phase
from itopsync.engine.observe import observe
from itopsync.engine.pair import Pair
from itopsync.engine.pauses import pauses
from itopsync.engine.plan import Planned, plan
from itopsync.engine.poll import Findings, poll_both, store_findings
from itopsync.engine.report import Count, CycleKind, Report, WriteKind, WriteOutcome
from itopsync.engine.safeguard import Safeguard
from itopsync.engine.settle import settle
from itopsync.engine.store_guard import claim, knows_nothing, refuse_incomplete
from itopsync.engine.sweep import sweep_both
from itopsync.engine.workers import Workers
from itopsync.errors import RemoteError, SafetyStop, Stopped
from itopsync.model import Link, Side
from itopsync.reconcile.safety import Accepted

log = structlog.get_logger(__name__)


class Cycle:
    """What one cycle needs, and how far it is."""

    def __init__(
        self, pair: Pair, report: Report, accepted: Accepted, accounts_asked: set[Side], only: Collection[int] | None
    ) -> None:
        """*accounts_asked*: the sides that were asked who we are; this cycle adds to them.

        *only*: of the due links, no others are worked on.
        """
        self.pair, self.report, self.only = pair, report, only
        self.safeguard, self.availability = Safeguard(pair, accepted), Availability(pair, report)
        self.polling = _Polling(self, accounts_asked)

    def run(self) -> None:
        """Poll, and work on what is due. What a limit stops is stored, for a person to accept.

        :raises SafetyStop: a limit is exceeded
        :raises Stopped: we were told to stop
        """
        store = self.pair.store
        try:
            self._poll_and_work()
        except SafetyStop as stop:
            self.safeguard.remember(stop)
            raise
        if self.only is None and not (self.report.unavailable or self.report.paused):
            stops.forget(store)

    def _poll_and_work(self) -> None:
        pair, report = self.pair, self.report
        claim(pair.store, pair.rules)
        resting = pauses(pair.store, report.started)
        report.paused = tuple(map(str, resting))
        if resting:
            self._note_what_changes({side for pause in resting for side in pause.sides})
            return
        self.safeguard.check_markers()
        found = self.polling.poll(report.kind)
        if report.unavailable and knows_nothing(pair.store):  # with a stored cursor, refuse_incomplete would not look
            self.availability.answered(found)
            return
        refuse_incomplete(pair.store, pair.servers[Side.INTERNAL], pair.rules)
        if not report.unavailable:
            self._heed_scope()
        polled_at = self.polling.take_note(found)
        if report.unavailable:
            return
        if report.kind is CycleKind.SWEEP:
            swept_up, looked_at = sweep_both(pair, polled_at, self.availability.failed)
            report.counts[Count.SWEPT_UP] += swept_up
            report.counts[Count.LOOKED_AT] += looked_at
        if report.unavailable or not self.polling.ask_who_we_are(polled_at):
            return
        clocks_ahead = {side: each.state.cursor - report.started for side, each in found.items() if each.state.cursor}
        _DueLinks(self, clocks_ahead, polled_at).work()

    def _note_what_changes(self, resting: Collection[Side]) -> None:
        """Poll the side that does not rest, if one does not: what changes there is due when the pause is over."""
        if len(resting) < len(Side) and not knows_nothing(self.pair.store):
            sides = [side for side in Side if side not in resting]
            self.polling.take_note(self.polling.poll(CycleKind.POLL, sides))

    def _heed_scope(self) -> None:
        """Drop what waits for a copy and is out of scope since the scope was changed."""
        try:
            scope.heed(self.pair, self.pair.clock())
        except RemoteError as error:
            self.availability.failed(error.side, error)


class _Polling:
    """Polls, at the start of a cycle and within a long one, and records what was found."""

    def __init__(self, cycle: Cycle, accounts_asked: set[Side]) -> None:
        self._pair, self._report, self._accounts_asked = cycle.pair, cycle.report, accounts_asked
        self._safeguard, self._availability = cycle.safeguard, cycle.availability
        self._recorded = monotonic()

    def poll(self, kind: CycleKind, sides: Collection[Side] = tuple(Side)) -> Mapping[Side, Findings]:
        """Ask *sides* what changed."""
        return poll_both(self._pair, kind, self._availability.failed, sides)

    def is_due_again(self) -> bool:
        """Whether the last poll was so long ago that a long cycle polls in between."""
        return monotonic() - self._recorded >= self._pair.settings.look_meanwhile.total_seconds()

    def take_note(self, found: Mapping[Side, Findings]) -> datetime:
        """Store what a poll found; return the time of that.

        :raises SafetyStop: known tickets are others now
        """
        pair, counts = self._pair, self._report.counts
        self._safeguard.check_replaced(ticket for each in found.values() for ticket in each.renumbered)
        now, self._recorded = pair.clock(), monotonic()
        if (boot := pair.boot()) is not None:
            host_clock.heed(pair.store, boot, pair.clock, pair.rules.limits.landing)
        with pair.store.transaction():
            for each in found.values():
                counts[Count.NEW] += len(store_findings(pair, each, now))
                counts[Count.CHANGED] += len(each.changed)
        for side, each in found.items():
            if each.away_since is not None:
                log.info("side available again", side=side, seconds=round((now - each.away_since).total_seconds()))
            pair.know_account(each.state)
            self._accounts_asked |= {side} if each.account_asked else set()
        return now

    def ask_who_we_are(self, polled_at: datetime) -> bool:
        """Ask who we are on each side before the first work after a start; an idle cycle need not know.

        False: a side cannot be asked.
        """
        due = self._pair.store.links.due_counts(polled_at)
        if not due.total:
            return True
        for side in [side for side in Side if side not in self._accounts_asked]:
            try:
                state = self._pair.ask_account(side)
            except RemoteError as error:
                self._availability.failed(side, error)
                return False
            self._pair.store.polls.put_side(state)
            self._pair.know_account(state)
            self._accounts_asked.add(side)
        return True


class _DueLinks:
    """The links that are due, and what the workers do with them."""

    def __init__(self, cycle: Cycle, clocks_ahead: Mapping[Side, timedelta], polled_at: datetime) -> None:
        """*clocks_ahead*: by how much each server's clock is ahead of ours."""
        self._pair, self._report, self._polling = cycle.pair, cycle.report, cycle.polling
        self._safeguard, self._availability = cycle.safeguard, cycle.availability
        self._polled_at = polled_at
        self._blockers = Blockers(self._pair.store)
        self._writing = Writing(self._pair, clocks_ahead, blockers=self._blockers.known)
        self._backlog = Backlog(self._pair.store, polled_at, self._blockers.known, cycle.only)
        self._exhausted = False
        self._created: set[int] = set()
        self._done = self._total = 0

    def work(self) -> None:
        """Work until nothing that was due is left.

        :raises SafetyStop: a limit is exceeded, or a server has lost a marker
        :raises Stopped: we were told to stop
        """
        try:
            self._count_due()
            Workers(self, self._pair).run()
        except SafetyStop as stop:
            self._refuse_new_losses()
            raise self._safeguard.whole_of(stop, self._polled_at) from None
        except Stopped:
            self._refuse_new_losses()
            raise
        self._blockers.save()

    def _refuse_new_losses(self) -> None:
        """Stop for a marker that was lost meanwhile, whatever else ended the work."""
        if self._writing.marker_lost:
            marker_loss.refuse_lossy(marker_loss.losses(self._pair.store))

    # what the workers call, in order

    def next_links(self, *, touched_only: bool) -> Sequence[Link]:
        """The next due links. A long cycle polls in between, and what people touched comes first, or alone.

        :raises SafetyStop: there are more new tickets than the limit allows
        """
        if self._report.unavailable:
            return ()
        if self._polling.is_due_again():
            self._polled_at = self._polling.take_note(self._polling.poll(CycleKind.POLL))
            if self._report.unavailable:
                return ()
            self._exhausted = False
            self._backlog.polled(self._polled_at)
            self._count_due()
        links = () if self._exhausted else self._backlog.take(self._pair.settings.chunk, touched_only=touched_only)
        self._exhausted = self._exhausted or not (links or touched_only)
        return links

    def prepare(self, links: Sequence[Link]) -> list[Planned]:
        """Observe and plan, and check that what is missing is not only out of sight.

        :raises SafetyStop: what is missing may merely be out of sight
        """
        observed = observe(self._pair, links)
        planned = plan(self._pair, observed)
        self._safeguard.check_sight(planned)
        return planned

    def admit(self, prepared: Future[list[Planned]]) -> Sequence[Job]:
        """Wait for what was prepared, check that no more is written than the limits allow, and make the jobs.

        :raises SafetyStop: the plan exceeds one
        """
        try:
            planned = self._pair.answer_of(prepared)
        except RemoteError as error:
            self._availability.failed(error.side, error)
            return ()
        if self._report.unavailable:
            return ()
        self._safeguard.note_lost_markers(planned, self._polled_at)
        self._safeguard.check_plans(planned)
        let_through = self._safeguard.hold_vanished(planned)
        return [Job.of(each, self._pair.rules.for_external(each.loaded.external.cls)) for each in let_through]

    def carry_out(self, job: Job) -> None:
        """Apply and settle; a job that has come to its files is settled once those are carried."""
        apply(self._writing, job)
        if job.phase is not Phase.AT_FILES:
            self._settle(job)

    def leave(self, job: Job, *, interrupted: bool) -> None:
        """Settle a link that has come to its files, and leave those to a later cycle."""
        job.end(Ending.INTERRUPTED if interrupted else Ending.POSTPONED)
        self._settle(job)

    def _settle(self, job: Job) -> None:
        settle(self._pair, job, self._writing.clocks_ahead, self._report.started)

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
        self._availability.note_writes(job)
        if job.unavailable is None:
            self._blockers.went(job.link.id)
        elif any(written.outcome is WriteOutcome.SIDE_UNAVAILABLE for written in job.writes):
            self._blockers.blocked(job.link.id)
        _log_parked(job)

    def _count_due(self) -> None:
        """Count what is due, and check it against the limit for new tickets."""
        links = self._pair.store.links
        due = links.due_counts(self._polled_at)
        self._total = self._done + due.total
        self._exhausted = not due.total
        if len(self._created) + due.waiting > self._pair.rules.limits.creations:
            self._safeguard.check_creations(self._created.union(links.waiting_ids(self._polled_at)))


def _log_parked(job: Job) -> None:
    """Log what needs a person from now on."""
    before = {(obstacle.key, obstacle.fingerprint) for obstacle in job.loaded.obstacles if obstacle.needs_person}
    for obstacle in job.link.obstacles:
        if obstacle.needs_person and (obstacle.key, obstacle.fingerprint) not in before:
            ticket, item = str(job.link.external), obstacle.key.kind
            log.warning("parked", link=job.link.id, ticket=ticket, item=item, reason=obstacle.reason)
