"""One pass: poll both sides, then observe, plan, check and apply what is due, until nothing is left that stood when it began."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from itopsync.engine import sweep as sweeping
from itopsync.engine.apply import Applier, Result
from itopsync.engine.deletions import links_with_other_files
from itopsync.engine.observe import find_copies, observe
from itopsync.engine.poll import Findings, account_of, look, record
from itopsync.engine.rebuild import refuse_lost_store
from itopsync.engine.settings import EngineSettings
from itopsync.engine.sight import refuse_blindness
from itopsync.errors import ItopsyncError, RemoteError, SideUnavailable
from itopsync.itop import Server
from itopsync.model import Link, LinkStatus, Observation, Ref, Side
from itopsync.reconcile import agree
from itopsync.reconcile.plan import Plan
from itopsync.reconcile.planner import parted
from itopsync.reconcile.planner import plan as plan_link
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.safety import Excess, Tally, check
from itopsync.reconcile.strangers import stranger
from itopsync.store import CycleRecord, SideState, Store

log = structlog.get_logger(__name__)

POLL, SWEEP = "poll", "sweep"
"""The kinds of a cycle: what changed since the last one, or everything."""


@dataclass
class Report:
    """What one cycle did."""

    kind: str
    started: datetime
    finished: datetime | None = None
    counts: Counter[str] = field(default_factory=Counter)
    problems: dict[Side, str] = field(default_factory=dict)
    """Sides that could not be worked with, and why."""

    @property
    def outcome(self) -> str:
        """``well``, ``troubled`` (some tickets failed or wait) or ``unavailable`` (a side)."""
        if self.problems:
            return "unavailable"
        return "troubled" if any(self.counts[name] for name in ("refused", "unknown", "no right", "unfinished")) else "well"


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
        guard: Callable[[], None] = lambda: None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """*guard* is called before each write; *progress* with how many links are done, of how many."""
        self._servers, self._store, self._settings = servers, store, settings
        self._clock, self._guard, self._progress = clock, guard, progress
        self._rules = rules
        self._workers = ThreadPoolExecutor(settings.workers, thread_name_prefix="link")
        self._readers = ThreadPoolExecutor(len(Side), thread_name_prefix="side")

    def close(self) -> None:
        """End the threads."""
        self._workers.shutdown()
        self._readers.shutdown()

    def recover(self) -> None:
        """Take note of writes that were under way when an earlier process died: they are let settle, then looked for."""
        now = self._clock()
        found = self._store.recover(now, now + self._rules.limits.settle)
        if found:
            log.warning("writes of unknown outcome", links=len(found), settle=str(self._rules.limits.settle))

    def cycle(self, kind: str = POLL, accept: Collection[str] = ()) -> Report:
        """Run one cycle: of kind :data:`SWEEP` over everything, else over what changed.

        *accept* names the safety limits that this one may exceed.

        :raises SafetyStop: the plan exceeds a limit; what was due stays due
        :raises AnotherInstance: the lease was lost; what was under way is looked for by the next who holds it
        """
        report = Report(kind, self._clock())
        error: str | None = None
        try:
            with structlog.contextvars.bound_contextvars(cycle=f"{report.started:%Y%m%dT%H%M%S.%f}"):
                self._run(report, accept)
        except ItopsyncError as stop:
            error = str(stop)
            raise
        finally:
            report.finished = self._clock()
            outcome = report.outcome if error is None else "stopped"
            problem = error or "; ".join(report.problems.values()) or None
            self._store.record_cycle(
                CycleRecord(None, kind, report.started, report.finished, outcome, dict(report.counts), problem)
            )
            self._store.prune(report.finished - self._settings.keep_history)
            log.info(
                "cycle", kind=kind, outcome=outcome, **{name.replace(" ", "_"): count for name, count in report.counts.items()}
            )
        return report

    def preview(self) -> list[tuple[Plan, Observation]]:
        """What a cycle would do now, link by link. Nothing is written, neither to the servers nor to the store.

        :raises SideUnavailable: a server cannot be asked
        """
        now = self._clock()
        if self._knows_nothing():
            refuse_lost_store(self._servers[Side.INTERNAL], self._rules)
        known: set[int] = {link.id for link in self._store.due(now, self._settings.preview)}
        new: list[Link] = []
        for side in Side:
            found = look(side, self._servers[side], self._store, self._rules, self._settings, now)
            self._know_account(found.state)
            known |= found.changed.keys() | found.attached
            known |= links_with_other_files(side, self._servers[side], self._store, self._rules, live=True)
            new += [Link(-1 - n, one.ref, None, LinkStatus.WAITING, one.number) for n, one in enumerate(found.new)]
        links = (*self._store.links(sorted(known)), *new)
        return [
            planned
            for start in range(0, len(links), self._settings.chunk)
            for planned in self.plan(links[start : start + self._settings.chunk])
        ]

    def verify(self) -> Iterator[tuple[Plan, Observation]]:
        """What every linked pair of tickets would need to agree, link by link. Nothing is written anywhere.

        :raises SideUnavailable: a server cannot be asked
        """
        self.learn_accounts()
        total, done, after = self._store.counts()[LinkStatus.LINKED], 0, 0
        while ids := self._store.linked_after(after, self._settings.chunk):
            after = ids[-1]
            yield from self.plan(self._store.links(ids))
            done += len(ids)
            if self._progress is not None:
                self._progress(done, total)

    def inspect(self, links: tuple[Link, ...]) -> list[tuple[Plan, Observation]]:
        """What *links* would need to agree, whatever their status is. Nothing is written anywhere.

        :raises SideUnavailable: a server cannot be asked
        """
        self.learn_accounts()
        return self.plan(links)

    @property
    def rules(self) -> Rules:
        """The rules, with what was learnt of our accounts."""
        return self._rules

    def learn_accounts(self) -> None:
        """Ask both servers who we are there: that tells our entries from what people pasted."""
        for side in Side:
            self._know_account(replace(self._store.side(side), account=account_of(self._servers[side])))

    def _run(self, report: Report, accept: Collection[str]) -> None:
        findings = self._poll(report)
        if self._knows_nothing():
            if len(findings) < len(Side):
                return
            refuse_lost_store(self._servers[Side.INTERNAL], self._rules)
        tally = Tally(replaced=sum(found.replaced for found in findings.values()))
        check(tally, self._rules.limits, accept)
        now = self._clock()
        for found in findings.values():
            report.counts["new"] += len(record(self._store, found, now))
            report.counts["changed"] += len(found.changed)
            self._know_account(found.state)
        if len(findings) < len(Side):
            return
        ahead = {side: found.state.cursor - report.started for side, found in findings.items() if found.state.cursor}
        if report.kind == SWEEP:
            self._sweep(report)
        else:
            self._find_deletions(report)
        if report.problems:
            return
        due = self._store.due_counts(now)
        tally = replace(tally, creations=due.waiting)
        check(tally, self._rules.limits, accept)
        self._work(report, now, tally, accept, ahead)

    def _know_account(self, state: SideState) -> None:
        """Our own account on a side tells our entries from what people pasted."""
        known = replace(self._rules.side(state.side), account=state.account)
        external = state.side is Side.EXTERNAL
        self._rules = replace(self._rules, external=known) if external else replace(self._rules, internal=known)

    def _knows_nothing(self) -> bool:
        counts = self._store.counts()
        return self._store.side(Side.EXTERNAL).cursor is None and not any(counts[status] for status in LinkStatus)

    # poll

    def _poll(self, report: Report) -> dict[Side, Findings]:
        """Poll both sides at once. One that does not answer is noted; what the other one shows is kept."""
        now = report.started
        polls = {
            side: self._readers.submit(look, side, self._servers[side], self._store, self._rules, self._settings, now)
            for side in Side
        }
        findings = {}
        for side, poll in polls.items():
            try:
                findings[side] = poll.result()
            except RemoteError as error:
                self._unavailable(report, side, error)
        return findings

    def _unavailable(self, report: Report, side: Side, error: RemoteError) -> None:
        report.problems[side] = str(error)
        state = self._store.side(side)
        self._store.put_side(replace(state, problem=str(error), problem_since=state.problem_since or self._clock()))
        log.error("side unavailable", side=side, reason=str(error))

    def _find_deletions(self, report: Report) -> None:
        searches = {
            side: self._readers.submit(links_with_other_files, side, self._servers[side], self._store, self._rules, live=True)
            for side in Side
        }
        for side, search in searches.items():
            try:
                links = search.result()
            except SideUnavailable as error:
                self._unavailable(report, side, error)
            else:
                now = self._clock()
                self._store.mark_due(links, now, now=now)

    def _sweep(self, report: Report) -> None:
        """Look at everything, and in full at the next part of it."""
        sweeps = {
            side: self._readers.submit(sweeping.sweep, side, self._servers[side], self._store, self._rules) for side in Side
        }
        for side, running in sweeps.items():
            try:
                swept = running.result()
            except SideUnavailable as error:
                self._unavailable(report, side, error)
            else:
                report.counts["swept up"] += sweeping.record(self._store, swept, self._clock())
        report.counts["looked at"] += sweeping.look_deep(self._store, self._settings.deep, self._clock())

    # work

    def _work(
        self, report: Report, now: datetime, tally: Tally, accept: Collection[str], ahead: Mapping[Side, timedelta]
    ) -> None:
        counts = self._store.due_counts(now)
        total, done = counts.waiting + counts.linked, 0
        applier = Applier(
            self._servers, self._store, self._rules, self._settings, clock=self._clock, guard=self._guard, ahead=ahead
        )
        for links in self._chunks(now):
            try:
                planned = self.plan(links, accept)
                self._refuse_blindness(planned, accept)
            except SideUnavailable as error:
                self._unavailable(report, error.side, error)
                return
            for plan, _ in planned:
                tally = tally.add(plan)
            check(tally, self._rules.limits, accept)
            for result in self._apply(applier, planned):
                done += 1
                if self._progress is not None:
                    self._progress(done, max(total, done))
                self._account_for(report, result)
            if report.problems:
                return

    def _chunks(self, now: datetime) -> Iterator[tuple[Link, ...]]:
        """What is due, piece by piece; each link once."""
        seen: set[int] = set()
        while links := self._store.due(now, self._settings.chunk, skip=seen):
            seen.update(link.id for link in links)
            yield links

    def plan(self, links: tuple[Link, ...], accept: Collection[str] = ()) -> list[tuple[Plan, Observation]]:
        """Observe and plan *links*, after looking for the copies of those whose creation may have been carried out.

        :raises SafetyStop: a copy is not found on a side that shows nothing at all
        """
        links = self._adopt(links, accept)
        observed = observe(links, self._servers, self._rules, self._readers)
        now = self._clock()
        plans = []
        for link in links:
            seen = observed[link.id]
            if reason := stranger(link, seen, self._rules):
                plans.append((parted(link, reason), seen))
                continue
            apart = any(obstacle.tries for obstacle in link.obstacles)
            plans.append((plan_link(link, seen, self._rules, now, apart=apart), seen))
        return plans

    def _refuse_blindness(self, planned: list[tuple[Plan, Observation]], accept: Collection[str]) -> None:
        """A ticket that is missing is gone only where others are to be seen."""
        gone = [(plan.link, seen) for plan, seen in planned if plan.link.status is LinkStatus.TOMBSTONE]
        for side in Side:
            if Excess.MISSING not in accept and any(link.ref(side) and not seen.of(side) for link, seen in gone):
                refuse_blindness(self._servers[side], self._store)

    def _adopt(self, links: tuple[Link, ...], accept: Collection[str]) -> tuple[Link, ...]:
        unsure = [link for link in links if link.status is LinkStatus.WAITING and link.unsettled]
        if not unsure:
            return tuple(replace(link, unsettled=False) for link in links)
        copies: dict[int, Ref] = find_copies(unsure, self._servers[Side.INTERNAL], self._rules)
        if len(copies) < len(unsure) and Excess.MISSING not in accept:
            refuse_blindness(self._servers[Side.INTERNAL], self._store)
        return tuple(self._adopted(link, copies.get(link.id)) for link in links)

    def _adopted(self, link: Link, copy: Ref | None) -> Link:
        if copy is None:
            return replace(link, unsettled=False)
        log.info("copy found", link=link.id, copy=str(copy))
        return agree.adopted(replace(link, unsettled=False), copy, self._rules.for_external(link.external.cls))

    def _apply(self, applier: Applier, planned: list[tuple[Plan, Observation]]) -> Iterator[Result]:
        futures: list[Future[Result]] = [self._workers.submit(applier.work, plan, observation) for plan, observation in planned]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

    def _account_for(self, report: Report, result: Result) -> None:
        report.counts.update(result.counts)
        report.counts["links"] += 1
        if result.unavailable is not None:
            self._unavailable(report, result.unavailable.side, result.unavailable)
