"""The due links: taken in batches, observed, planned and admitted; then carried out one by one, and counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta

import structlog

from itopsync.engine import marker_loss
from itopsync.engine.apply import apply
from itopsync.engine.availability import Availability
from itopsync.engine.backlog import Backlog, Blockers
from itopsync.engine.job import Ending, Job, Phase
from itopsync.engine.observe import observe
from itopsync.engine.pair import Pair
from itopsync.engine.plan import Planned, plan
from itopsync.engine.polling import Polling
from itopsync.engine.report import Count, Report
from itopsync.engine.safeguard import Safeguard
from itopsync.engine.settle import settle
from itopsync.engine.writing import Writing
from itopsync.errors import RemoteError
from itopsync.model import Link, Side
from itopsync.store.records import CycleKind, WriteKind, WriteOutcome

log = structlog.get_logger(__name__)


class DueLinks:
    """The due links and the stages that they pass. Only :meth:`prepare` and :meth:`carry_out` run in threads."""

    def __init__(
        self,
        pair: Pair,
        report: Report,
        safeguard: Safeguard,
        availability: Availability,
        polling: Polling,
        *,
        clocks_ahead: Mapping[Side, timedelta],
        polled_at: datetime,
        only: Collection[int] | None,
    ) -> None:
        """*clocks_ahead*: by how much each server's clock is ahead of ours. *only*: work on no other links."""
        self._pair, self._report, self._polling = pair, report, polling
        self._safeguard, self._availability = safeguard, availability
        self.polled_at = polled_at
        self._blockers = Blockers(pair.store)
        self._writing = Writing(pair, report.started, clocks_ahead, blockers=self._blockers.known)
        self._backlog = Backlog(pair.store, polled_at, self._blockers.known, only)
        self._exhausted = False
        self._created: set[int] = set()
        self._done = self._total = 0

    def count(self) -> None:
        """Count the due links, and check the new tickets among them against the limit.

        :raises SafetyStop: there are more new tickets than the limit allows
        """
        links = self._pair.store.links
        due = links.due_counts(self.polled_at)
        self._total = self._done + due.total
        self._exhausted = not due.total
        if len(self._created) + due.waiting > self._pair.rules.limits.creations:
            self._safeguard.check_creations(self._created.union(links.waiting_ids(self.polled_at)))

    def next_links(self, *, touched_only: bool) -> Sequence[Link]:
        """The next due links. A long cycle polls again; newly touched links then come first.

        *touched_only*: no others.

        :raises SafetyStop: there are more new tickets than the limit allows
        """
        if self._report.unavailable:
            return ()
        if self._polling.is_due_again():
            self.polled_at = self._polling.store_found(self._polling.ask_what_changed(CycleKind.POLL))
            if self._report.unavailable:
                return ()
            self._exhausted = False
            self._backlog.polled(self.polled_at)
            self.count()
        links = () if self._exhausted else self._backlog.take(self._pair.settings.chunk, touched_only=touched_only)
        self._exhausted = self._exhausted or not (links or touched_only)
        return links

    def prepare(self, links: Sequence[Link]) -> list[Planned]:
        """Observe and plan, and check that what is missing is not merely hidden from our account.

        :raises SafetyStop: what is missing may merely be hidden
        """
        observed = observe(self._pair, links)
        planned = plan(self._pair, observed)
        self._safeguard.check_sight(planned)
        return planned

    def admit(self, prepared: Future[list[Planned]]) -> Sequence[Job]:
        """Wait for the prepared plans, check them against the limits, and make the jobs.

        :raises SafetyStop: the plans exceed a limit, or a guard finds something wrong
        """
        try:
            planned = self._pair.answer_of(prepared)
            if self._report.unavailable:
                return ()
            self._safeguard.note_lost_markers(planned, self.polled_at)
            self._safeguard.check_plans(planned)
            let_through = self._safeguard.hold_vanished(planned)
        except RemoteError as error:
            self._availability.failed(error.side, error)
            return ()
        return [Job.of(each, self._pair.rules.for_external(each.loaded.external.cls)) for each in let_through]

    def carry_out(self, job: Job) -> None:
        """Apply and settle; a job that has reached its files is settled once those are carried."""
        apply(self._writing, job)
        if job.phase is not Phase.AT_FILES:
            settle(self._writing, job)

    def leave(self, job: Job, *, interrupted: bool) -> None:
        """Settle a link that has reached its files, and leave the files to a later cycle."""
        job.end(Ending.INTERRUPTED if interrupted else Ending.POSTPONED)
        settle(self._writing, job)

    def account_for(self, job: Job) -> None:
        """Add a job to the report, and log what newly needs a person."""
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

    # however the work ends

    def refuse_new_losses(self) -> None:
        """Raise a safety stop if a marker was lost during this work, even if something else ended it.

        :raises SafetyStop: a marker was lost
        """
        if self._writing.marker_lost:
            marker_loss.refuse_lossy(marker_loss.losses(self._pair.store))

    def remember_blockers(self) -> None:
        """Store which links ended the work, for the next cycle."""
        self._blockers.save()


def _log_parked(job: Job) -> None:
    """Log what newly needs a person."""
    before = {(obstacle.key, obstacle.fingerprint) for obstacle in job.loaded.obstacles if obstacle.needs_person}
    for obstacle in job.link.obstacles:
        if obstacle.needs_person and (obstacle.key, obstacle.fingerprint) not in before:
            ticket, item = str(job.link.external), obstacle.key.kind
            log.warning("parked", link=job.link.id, ticket=ticket, item=item, reason=obstacle.reason)
