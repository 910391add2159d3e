"""One pass: poll both sides, then observe, plan, check and apply what is due, until nothing is left that stood when it began."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import structlog

from itopsync.engine import markers
from itopsync.engine import sweep as sweeping
from itopsync.engine.apply import Applier
from itopsync.engine.belonging import claim, knows_nothing, refuse_lost, refuse_wrong
from itopsync.engine.deletions import Searched, search
from itopsync.engine.planning import Planned, Planning
from itopsync.engine.poll import Findings, account_of, look, record
from itopsync.engine.progress import Result
from itopsync.engine.report import Report
from itopsync.engine.settings import EngineSettings
from itopsync.engine.sight import note_organisations
from itopsync.engine.threads import Threads
from itopsync.engine.waiting import answer_of
from itopsync.engine.work import Work
from itopsync.errors import ItopsyncError, RemoteError, Stopped
from itopsync.itop.server import Server
from itopsync.model import Link, LinkStatus, Observation, Side
from itopsync.reconcile.plan import Plan
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.safety import Excess, Tally, check
from itopsync.store.records import CycleRecord, SideState
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

POLL, SWEEP = "poll", "sweep"
"""The kinds of a cycle: what changed since the last one, or everything."""
_LEVELS = {"unavailable": logging.WARNING, "stopped": logging.ERROR}
"""How loud a cycle is told, by its outcome; else at INFO: what failed of a ticket waits for another try, or is told as parked."""


class Engine:
    """The reconciling of one pair of servers."""

    def __init__(
        self,
        rules: Rules,
        servers: Mapping[Side, Server],
        store: Store,
        settings: EngineSettings,
        *,
        clock: Callable[[], datetime],
        stopping: Callable[[], bool] = lambda: False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """*stopping* says whether to wait for a server's answer no longer; *progress* is called with how many links are done, of
        how many.
        """
        self._servers, self._store, self._settings = servers, store, settings
        self._clock, self.stopping, self.progress = clock, stopping, progress
        self._rules = rules
        self._named: set[Side] = set()
        """The sides that have told who we are since this process began, or its configuration was read."""
        self._threads = Threads.start(settings)
        self._planning = Planning(servers, store, settings, self._threads, clock=clock, stopping=stopping)

    def close(self) -> None:
        """End the threads; one whose read nobody waits for any more ends by itself."""
        self._threads.close()

    def recover(self) -> None:
        """Take note of writes that were under way when an earlier process died: they are let settle, then looked for."""
        now = self._clock()
        found = self._store.links.recover(now, now + self._rules.limits.settle)
        if found:
            log.warning("writes of unknown outcome", links=len(found), settle=str(self._rules.limits.settle))

    def cycle(self, kind: str = POLL, accept: Collection[str] = ()) -> Report:
        """Run one cycle: of kind :data:`SWEEP` over everything, else over what changed.

        *accept* names the safety limits that this one may exceed. Where a server's guard raises
        :class:`~itopsync.errors.Stopped`, it ends between two calls; what was due stays due.

        :raises SafetyStop: the plan exceeds a limit; what was due stays due
        :raises StoreError: the store is another pair's, or not the one that this pair had
        :raises AnotherInstance: the lease was lost; what was under way is looked for by the next who holds it
        """
        report = Report(kind, self._clock())
        with structlog.contextvars.bound_contextvars(cycle=f"{report.started:%Y%m%dT%H%M%S.%f}"):
            self._run_and_tell(report, accept)
        return report

    def _run_and_tell(self, report: Report, accept: Collection[str]) -> None:
        error: str | None = None
        try:
            self._run(report, accept)
        except Stopped:
            report.interrupted = True
        except BaseException as stop:
            error = str(stop) if isinstance(stop, ItopsyncError) else f"broken off by {type(stop).__name__}"
            raise
        finally:
            report.finished = self._clock()
            outcome = report.outcome if error is None else "stopped"
            problem = error or "; ".join(report.problems.values()) or None
            _tell(report, outcome, problem)
            counts = dict(report.counts)
            with self._store.transaction():
                self._store.history.record(
                    CycleRecord(None, report.kind, report.started, report.finished, outcome, counts, problem)
                )
                self._store.history.prune(report.finished - self._settings.keep_history)

    def preview(self) -> tuple[Planned, Tally]:
        """What a cycle would do now, link by link, and what it comes to. Nothing is written, to neither server nor the store.

        :raises SideUnavailable: a server cannot be asked
        :raises StoreError: the store is not this pair's own
        """
        now = self._clock()
        refuse_wrong(self._store, self._servers[Side.INTERNAL], self._rules)
        tally = Tally(creations=self._store.links.due_counts(now).waiting)
        known: set[int] = {link.id for link in self._store.links.due(now, self._settings.preview)}
        new: list[Link] = []
        for side in Side:
            found = self._look(side, POLL, now)
            self._know_account(found.state)
            known |= found.changed.keys() | found.attached | found.other.links
            new += [Link(-1 - n, one.ref, None, LinkStatus.WAITING, one.number) for n, one in enumerate(found.new)]
            tally = replace(tally, replaced=tally.replaced + found.replaced)
        links = (*self._store.links.get(sorted(known)), *new)
        planned = [
            one
            for start in range(0, len(links), self._settings.chunk)
            for one in self.plan(links[start : start + self._settings.chunk])
        ]
        tally = replace(tally, creations=tally.creations + len(new))
        for plan, _ in planned:
            tally = tally.add(plan)
        return planned, tally

    def verify(self) -> Iterator[tuple[Plan, Observation]]:
        """What every linked pair of tickets would need to agree, link by link. Nothing is written anywhere.

        :raises SideUnavailable: a server cannot be asked
        :raises StoreError: the store is not this pair's own
        """
        refuse_wrong(self._store, self._servers[Side.INTERNAL], self._rules)
        self.learn_accounts()
        total, done, after = self._store.links.counts()[LinkStatus.LINKED], 0, 0
        while ids := self._store.links.linked_after(after, self._settings.chunk):
            after = ids[-1]
            yield from self.plan(self._store.links.get(ids))
            done += len(ids)
            if self.progress is not None:
                self.progress(done, total)

    def inspect(self, links: tuple[Link, ...]) -> Planned:
        """What *links* would need to agree, whatever their status is. Nothing is written anywhere.

        :raises SideUnavailable: a server cannot be asked
        :raises StoreError: the store is not this pair's own
        """
        refuse_wrong(self._store, self._servers[Side.INTERNAL], self._rules)
        self.learn_accounts()
        return self.plan(links)

    @property
    def rules(self) -> Rules:
        """The rules, with what was learnt of our accounts."""
        return self._rules

    def learn_accounts(self) -> None:
        """Ask both servers who we are there: that tells our entries from what people pasted."""
        for side in Side:
            known = self._store.polls.side(side)
            self._know_account(known.as_account(account_of(self._servers[side], known.account)))

    def _run(self, report: Report, accept: Collection[str]) -> None:
        claim(self._store, self._rules)
        if Excess.MARKERS in accept:
            for side in Side:
                markers.forget(self._store, side)
        markers.refuse_lossy(markers.losses(self._store))
        found = self._poll(report, report.kind)
        if len(found) < len(Side) and knows_nothing(self._store):
            return
        refuse_lost(self._store, self._servers[Side.INTERNAL], self._rules)
        tally = Tally()
        now = self._record(report, found, tally, accept)
        if len(found) < len(Side):
            return
        ahead = {side: one.state.cursor - report.started for side, one in found.items() if one.state.cursor}
        if report.kind == SWEEP:
            self._sweep(report, now)
        if report.problems:
            return
        try:
            self._see_who_we_are(now)
        except RemoteError as error:
            self.unavailable(report, error.side, error)
            return
        applier = Applier(self._servers, self._store, self._rules, self._settings, clock=self._clock, ahead=ahead)
        work = Work(
            self, self._planning, applier, threads=self._threads, store=self._store, settings=self._settings, polled_at=now
        )
        work.run(report, tally, accept)

    def _record(self, report: Report, found: Mapping[Side, Findings], tally: Tally, accept: Collection[str]) -> datetime:
        """Store what a poll found, unless that is more than the limits allow; return when."""
        replaced = sum(one.replaced for one in found.values())
        check(replace(tally, replaced=tally.replaced + replaced), self._rules.limits, accept)
        now = self._clock()
        with self._store.transaction():
            for side, one in found.items():
                report.counts["new"] += len(record(self._store, one, now))
                report.counts["changed"] += len(one.changed)
                if (one.other.last or 0) != one.other.after:
                    self._store.facts.put(_searched(side), None if one.other.last is None else str(one.other.last))
        for side, one in found.items():
            if one.away_since is not None:
                log.info("side available again", side=side, seconds=round((now - one.away_since).total_seconds()))
            self._know_account(one.state)
            self._named |= {side} if one.named else set()
        return now

    def _see_who_we_are(self, now: datetime) -> None:
        """Ask who we are on each side before the first work after a start: an idle cycle needs to know nothing of it.

        :raises RemoteError: a side does not answer
        """
        due = self._store.links.due_counts(now)
        if not (due.waiting or due.linked):
            return
        for side in [side for side in Side if side not in self._named]:
            known = self._store.polls.side(side)
            self._store.polls.put_side(known.as_account(account_of(self._servers[side], known.account)))
            self._know_account(self._store.polls.side(side))
            self._named.add(side)

    def _know_account(self, state: SideState) -> None:
        """Our own accounts on a side tell our entries from what people pasted."""
        known = replace(self._rules.side(state.side), accounts=state.accounts)
        external = state.side is Side.EXTERNAL
        self._rules = replace(self._rules, external=known) if external else replace(self._rules, internal=known)

    # poll

    def _poll(self, report: Report, kind: str = POLL) -> dict[Side, Findings]:
        """Poll both sides at once. One that does not answer is noted; what the other one shows is kept."""
        now = self._clock()
        polls = {side: self._threads.sides.submit(self._look, side, kind, now) for side in Side}
        findings = {}
        for side, poll in polls.items():
            try:
                findings[side] = answer_of(poll, self.stopping)
            except RemoteError as error:
                self.unavailable(report, side, error)
        return findings

    def _look(self, side: Side, kind: str, now: datetime) -> Findings:
        server = self._servers[side]
        name = kind == SWEEP

        def deletions() -> Searched:
            after = int(self._store.facts.get(_searched(side)) or 0)
            if kind == SWEEP:  # searches everywhere itself
                return Searched(after=after, last=after or None)
            return search(side, server, self._store, self._rules, live=True, after=after)

        return look(side, server, self._store, self._rules, self._settings, self._threads.readers, deletions, now, name=name)

    def unavailable(self, report: Report, side: Side, error: RemoteError) -> None:
        report.problems[side] = str(error)
        state = self._store.polls.side(side)
        self._store.polls.put_side(replace(state, problem=str(error), problem_since=state.problem_since or self._clock()))
        if state.problem != str(error):  # each cycle says that it lasts
            log.warning("side unavailable", side=side, reason=str(error))

    def _sweep(self, report: Report, now: datetime) -> None:
        """Look at everything, and in full at the next part of it. What is found is due since *now*, when the poll was stored."""
        sweeps = {
            side: self._threads.sides.submit(sweeping.sweep, side, self._servers[side], self._store, self._rules) for side in Side
        }
        for side, running in sweeps.items():
            try:
                swept = answer_of(running, self.stopping)
                note_organisations(self._servers[side], self._store)
            except RemoteError as error:
                self.unavailable(report, side, error)
            else:
                report.counts["swept up"] += sweeping.record(self._store, swept, now)
        report.counts["looked at"] += sweeping.look_deep(self._store, self._settings.deep, now)

    # work

    def poll_meanwhile(self, report: Report, tally: Tally, accept: Collection[str]) -> datetime | None:
        """Poll while a long cycle works; return when what was found was stored, or None where a side does not answer."""
        found = self._poll(report)
        now = self._record(report, found, tally, accept)
        return None if report.problems else now

    def plan(self, links: tuple[Link, ...]) -> Planned:
        """Observe and plan *links*; write nothing.

        :raises SafetyStop: a copy is not found on a side that shows nothing at all
        """
        return self._planning.plan(links, self._rules)

    def account_for(self, report: Report, result: Result, loaded: Link) -> None:
        """Count a result, and tell what of a link needs a person that did not when it was *loaded*."""
        report.counts.update(result.counts)
        report.writes += result.writes
        report.counts["links"] += 1
        if result.unavailable is not None:
            self.unavailable(report, result.unavailable.side, result.unavailable)
        _tell_parked(result.link, frozenset(_parked(loaded)))


def _tell(report: Report, outcome: str, problem: str | None) -> None:
    """Tell all of a cycle on one line: what is none is left out."""
    seconds = (report.finished - report.started).total_seconds() if report.finished else 0.0
    counts = {name.replace(" ", "_"): count for name, count in report.counts.items() if count}
    more = {"problem": problem} if problem else {}
    log.log(
        _LEVELS.get(outcome, logging.INFO),
        "cycle",
        kind=report.kind,
        outcome=outcome,
        seconds=round(seconds, 3),
        **counts,
        **more,
    )


def _parked(link: Link) -> Iterator[tuple[str, str]]:
    return ((one.key, one.fingerprint) for one in link.obstacles if one.needs_person)


def _tell_parked(link: Link, before: Collection[tuple[str, str]]) -> None:
    """Tell what needs a person from now on."""
    for one in link.obstacles:
        if one.needs_person and (one.key, one.fingerprint) not in before:
            ticket, item = str(link.external), one.key.partition(":")[0]
            log.warning("parked", link=link.id, ticket=ticket, item=item, reason=one.reason)


def _searched(side: Side) -> str:
    """The fact that tells up to which link the last search for deleted attachments went, where one was not enough."""
    return f"deletions.{side}"
