"""One pass: poll both sides, then observe, plan, check and apply what is due, until nothing is left that stood when it began."""

from __future__ import annotations

import contextvars
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
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
from itopsync.engine.waiting import answer_of
from itopsync.engine.written import Written
from itopsync.errors import ItopsyncError, RemoteError, SideUnavailable, Stopped
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
_LEVELS = {"unavailable": logging.WARNING, "stopped": logging.ERROR}
"""How loud a cycle is told, by its outcome; else at INFO: what failed of a ticket waits for another try, or is told as parked."""


@dataclass
class Report:
    """What one cycle did."""

    kind: str
    started: datetime
    finished: datetime | None = None
    counts: Counter[str] = field(default_factory=Counter)
    problems: dict[Side, str] = field(default_factory=dict)
    """Sides that could not be worked with, and why."""
    interrupted: bool = False
    writes: list[Written] = field(default_factory=list)
    """What was sent, link by link."""

    @property
    def outcome(self) -> str:
        """``well``, ``troubled`` (some tickets failed or wait), ``unavailable`` (a side) or ``interrupted`` (told to stop)."""
        if self.interrupted:
            return "interrupted"
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
        stopping: Callable[[], bool] = lambda: False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """*stopping* says whether to wait for a server's answer no longer; *progress* is called with how many links are done, of
        how many.
        """
        self._servers, self._store, self._settings = servers, store, settings
        self._clock, self._stopping, self._progress = clock, stopping, progress
        self._rules = rules
        self._workers = ThreadPoolExecutor(settings.workers, thread_name_prefix="link")
        self._readers = ThreadPoolExecutor(len(Side), thread_name_prefix="side")

    def close(self) -> None:
        """End the threads; one whose read nobody waits for any more ends by itself."""
        self._workers.shutdown()
        self._readers.shutdown(wait=False, cancel_futures=True)

    def recover(self) -> None:
        """Take note of writes that were under way when an earlier process died: they are let settle, then looked for."""
        now = self._clock()
        found = self._store.recover(now, now + self._rules.limits.settle)
        if found:
            log.warning("writes of unknown outcome", links=len(found), settle=str(self._rules.limits.settle))

    def cycle(self, kind: str = POLL, accept: Collection[str] = ()) -> Report:
        """Run one cycle: of kind :data:`SWEEP` over everything, else over what changed.

        *accept* names the safety limits that this one may exceed. Where a server's guard raises
        :class:`~itopsync.errors.Stopped`, it ends between two calls; what was due stays due.

        :raises SafetyStop: the plan exceeds a limit; what was due stays due
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
            self._store.record_cycle(
                CycleRecord(None, report.kind, report.started, report.finished, outcome, dict(report.counts), problem)
            )
            self._store.prune(report.finished - self._settings.keep_history)

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
        for side, found in findings.items():
            before = self._store.side(side)
            report.counts["new"] += len(record(self._store, found, now))
            if before.problem_since is not None:
                log.info("side available again", side=side, seconds=round((now - before.problem_since).total_seconds()))
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
        now = self._clock()  # what was found until here is due
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
                findings[side] = answer_of(poll, self._stopping)
            except RemoteError as error:
                self._unavailable(report, side, error)
        return findings

    def _unavailable(self, report: Report, side: Side, error: RemoteError) -> None:
        report.problems[side] = str(error)
        state = self._store.side(side)
        self._store.put_side(replace(state, problem=str(error), problem_since=state.problem_since or self._clock()))
        if state.problem != str(error):  # each cycle says that it lasts
            log.warning("side unavailable", side=side, reason=str(error))

    def _find_deletions(self, report: Report) -> None:
        searches = {
            side: self._readers.submit(links_with_other_files, side, self._servers[side], self._store, self._rules, live=True)
            for side in Side
        }
        for side, search in searches.items():
            try:
                links = answer_of(search, self._stopping)
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
                swept = answer_of(running, self._stopping)
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
        applier = Applier(self._servers, self._store, self._rules, self._settings, clock=self._clock, ahead=ahead)
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
            before = {link.id: frozenset(_parked(link)) for link in links}
            for result in self._apply(applier, planned, links):
                done += 1
                if self._progress is not None:
                    self._progress(done, max(total, done))
                self._account_for(report, result)
                _tell_parked(result.link, before[result.link.id])
            if report.problems:
                return

    def _chunks(self, now: datetime) -> Iterator[tuple[Link, ...]]:
        """What is due, piece by piece; each link once."""
        seen: set[int] = set()
        while links := self._store.due(now, self._settings.chunk, skip=seen):
            seen.update(link.id for link in links)
            yield links

    def plan(self, links: tuple[Link, ...], accept: Collection[str] = ()) -> list[tuple[Plan, Observation]]:
        """Observe and plan *links*, after looking for copies of those that wait for one.

        There is one where a create had no answer, and where this store was restored from a time before it was made.

        :raises SafetyStop: a copy is not found on a side that shows nothing at all
        """
        links = self._adopt(links, accept)
        observed = observe(links, self._servers, self._rules, self._readers, self._stopping)
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
        waiting = [link for link in links if link.status is LinkStatus.WAITING]
        if not waiting:
            return tuple(replace(link, unsettled=False) for link in links)
        search = self._readers.submit(find_copies, waiting, self._servers[Side.INTERNAL], self._rules)
        copies: dict[int, Ref] = answer_of(search, self._stopping)
        if Excess.MISSING not in accept and any(link.unsettled and link.id not in copies for link in waiting):
            refuse_blindness(self._servers[Side.INTERNAL], self._store)
        return tuple(self._adopted(link, copies.get(link.id)) for link in links)

    def _adopted(self, link: Link, copy: Ref | None) -> Link:
        if copy is None:
            return replace(link, unsettled=False)
        log.info("copy found", link=link.id, copy=str(copy))
        return agree.adopted(replace(link, unsettled=False), copy, self._rules.for_external(link.external.cls))

    def _apply(self, applier: Applier, planned: list[tuple[Plan, Observation]], loaded: Iterable[Link]) -> Iterator[Result]:
        # Each in a copy of our context, so that what is logged in a thread bears the cycle.
        futures: list[Future[Result]] = [
            self._workers.submit(contextvars.copy_context().run, applier.work, plan, observation, link)
            for (plan, observation), link in zip(planned, loaded, strict=True)
        ]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)  # whatever comes next must find no link still being worked on

    def _account_for(self, report: Report, result: Result) -> None:
        report.counts.update(result.counts)
        report.writes += result.writes
        report.counts["links"] += 1
        if result.unavailable is not None:
            self._unavailable(report, result.unavailable.side, result.unavailable)
        if result.interrupted:
            raise Stopped


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
