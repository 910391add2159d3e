"""One link's plan carried out, action by action, in order. What each answer shows is what is planned from next.

Before the first write the link is marked as in flight, and after the last one what was agreed is stored: whatever happens in
between, the markers in iTop say what arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from time import perf_counter

import structlog

from itopsync.engine import markers
from itopsync.engine.again import due_again, is_live
from itopsync.engine.back_off import wait_after
from itopsync.engine.budget import Budget
from itopsync.engine.carry import Carrier, NotYet
from itopsync.engine.fault import fault_of
from itopsync.engine.fitting import fitting
from itopsync.engine.progress import Progress, Result
from itopsync.engine.settings import EngineSettings
from itopsync.engine.terms import Terms
from itopsync.engine.written import Written, changed_at, name_of
from itopsync.errors import ItopsyncError, RemoteError, SideUnavailable, Stopped
from itopsync.itop.server import Server
from itopsync.model import Heading, Link, Observation, Side
from itopsync.reconcile import agree
from itopsync.reconcile.plan import Action, Create, Plan, Upload, Write
from itopsync.reconcile.planner import UNREAD
from itopsync.reconcile.planner import plan as plan_link
from itopsync.reconcile.rules import Rules
from itopsync.store.store import Store

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Waiting:
    """A link that has come to its first file; what its plan has before that is carried."""

    progress: Progress
    turns: Iterator[None]


class Applier:
    """Carries out plans. One call of :meth:`work` at a time for each link; several links at once."""

    def __init__(
        self,
        servers: Mapping[Side, Server],
        store: Store,
        rules: Rules,
        settings: EngineSettings,
        *,
        clock: Callable[[], datetime],
        ahead: Mapping[Side, timedelta],
    ) -> None:
        """*ahead* says by how much each server's clock is ahead of ours."""
        self._store, self._rules, self._settings, self._clock, self._ahead = store, rules, settings, clock, ahead
        self._servers = servers
        self._carrier = Carrier(servers, rules, Budget(settings.file_budget), clock)
        self._terms = Terms(servers, rules.limits, settings, clock)
        self._down: SideUnavailable | None = None
        self._lost = False
        self._keeps: set[tuple[Side, bool]] = set()
        """The sides that have kept a marker so far, of entries or (True) of files."""
        self._alone = {(side, of_files): Lock() for side in Side for of_files in (False, True)}

    def work(self, plan: Plan, observation: Observation, loaded: Link) -> Result | Waiting:
        """Carry out *plan* and what follows from its answers, and store what the link has become; before a file, stand still.

        Once a side has failed as a whole, or has lost a marker, nothing more is tried: those links stay due. Nor is anything
        done about a link that an operator has changed since it was *loaded*.
        """
        if self._lost:
            return Result(plan.link, interrupted=True)
        if self._down is not None:
            return Result(plan.link, unavailable=self._down)
        cls = self._rules.for_external(plan.link.external.cls)
        progress = Progress(plan.link, cls, observation, Result(plan.link), loaded, loaded.due_at)
        return self._advance(Waiting(progress, self._turns(plan, progress)))

    @property
    def lost(self) -> bool:
        """Whether a server has lost a marker."""
        return self._lost

    def go_on(self, waiting: Waiting) -> Result:
        """Carry a link's files, and what comes after them."""
        result = self._advance(waiting)
        assert isinstance(result, Result)  # noqa: S101 - it stands still once
        return result

    def leave(self, waiting: Waiting, *, interrupted: bool) -> Result:
        """Store what was done on a link that waits for its files, and leave the rest to a later cycle.

        Where we were *interrupted*, told to stop, the rest is due at once.
        """
        progress = waiting.progress
        progress.stop, progress.result.interrupted = True, interrupted
        self._finish(progress)
        progress.result.link = progress.link
        return progress.result

    def _advance(self, waiting: Waiting) -> Result | Waiting:
        progress = waiting.progress
        link = progress.link
        with structlog.contextvars.bound_contextvars(link=link.id, ticket=str(link.external)):
            try:
                for _ in waiting.turns:
                    return waiting
            except Exception as error:
                self._fault(error, progress)
        progress.result.link = progress.link
        return progress.result

    def _fault(self, error: Exception, progress: Progress) -> None:
        """Leave a link whose tickets bring out a fault of ours: what was sent is looked for before anything else is."""
        fault, now = fault_of(error, progress.link), self._clock()
        wait = wait_after(fault, progress.link, UNREAD, self._settings, self._rules.limits)
        link = agree.refused(progress.link, UNREAD, str(fault), now, wait)
        if progress.loaded is None:
            link = replace(link, unsettled=True, due_at=now + self._rules.limits.settle)
        progress.link = link
        progress.result.counts["refused"] += 1
        progress.stop = True
        self._finish(progress)

    def _turns(self, plan: Plan, progress: Progress) -> Iterator[None]:
        """Do the work turn by turn; stop for a moment before the first file."""
        noted: Heading | None = None
        if plan.unread is not None:
            progress.result.counts["refused"] += 1
            progress.unread = True
        for _ in range(self._settings.rounds):
            if plan.actions and (progress.loaded or _is_news(plan.link.base.heading, noted)):
                if not self._begin(plan, progress):
                    return
                noted = plan.link.base.heading
            try:
                yield from self._round(plan, progress)
            except Stopped:
                progress.result.interrupted = progress.stop = True
            if progress.stop or not plan.actions:
                break
            rules = fitting(self._rules, self._servers)
            plan = plan_link(progress.link, progress.observation, rules, self._clock(), apart=progress.apart)
            progress.link = plan.link
        else:
            progress.result.counts["unfinished"] += 1
        self._finish(progress)

    def _begin(self, plan: Plan, progress: Progress) -> bool:
        """Note that writes are under way, and where to: a state that we lead a ticket through must never pass for a person's.

        False: an operator has changed the link since it was read; it is looked at again.
        """
        now, what = self._clock(), type(plan.actions[0]).__name__.lower()
        headed = plan.link if plan.link.base.heading is not None else None
        if not self._store.links.begin_write(plan.link.id, now, what, saved=headed, loaded=progress.loaded):
            return False
        progress.loaded = None
        return True

    def _round(self, plan: Plan, progress: Progress) -> Iterator[None]:
        progress.replan = False
        for action in plan.actions:
            if self._lost:
                raise Stopped
            if isinstance(action, Upload) and not progress.among_files:
                progress.among_files = True
                yield
                if self._lost:
                    raise Stopped
                if self._down is not None:
                    progress.break_off(self._down)
                    return
            with self._alone_until_kept(action):
                self._carry_out(action, progress)
            if progress.stop or progress.replan:
                return

    @contextmanager
    def _alone_until_kept(self, action: Action) -> Iterator[None]:
        """Until a side has kept a marker, one goes there at a time: if it loses them, there is one thing without, not eight."""
        kind = (action.side, isinstance(action, Upload))
        if not _bears_marker(action) or kind in self._keeps:
            yield
            return
        with self._alone[kind]:
            if self._lost:
                raise Stopped
            yield

    def _carry_out(self, action: Action, progress: Progress) -> None:
        """Carry out one action, or come to terms with what came instead; tell of it."""
        started, changed = perf_counter(), changed_at(action, progress.observation)
        error: ItopsyncError | None = None
        try:
            self._carrier.carry_out(action, progress)
        except NotYet:
            outcome = "waits"
        except RemoteError as failure:
            outcome, error = self._terms.come_to_terms(action, progress, failure), failure
            self._down = progress.result.unavailable or self._down
        except Exception as failure:
            error = fault_of(failure, progress.link)
            self._terms.leave_unknown(action, progress, error)
            outcome = "unknown"
        else:
            outcome = "done"
            if progress.result.lost:
                outcome, self._lost = "unmarked", True
                markers.note(self._store, progress.result.lost, self._clock())
            elif _bears_marker(action):
                self._keeps.add((action.side, isinstance(action, Upload)))
            progress.result.counts[name_of(action)] += 1
        written = Written(action.side, name_of(action), outcome, round(perf_counter() - started, 3))
        if outcome == "done" and changed is not None:
            at_its_origin = self._clock() + self._ahead.get(written.side.other, timedelta())
            written = replace(written, age=max(at_its_origin - changed, timedelta()))
        progress.result.writes.append(written)
        _tell(written, error)

    def _finish(self, progress: Progress) -> None:
        now = self._clock()
        link = progress.link
        if not link.unsettled or link.due_at is None or link.due_at <= now:
            due_at = due_again(progress, self._settings, self._ahead, now)
            link = replace(link, unsettled=link.unsettled and progress.unread, due_at=due_at)
        versions = {side: ticket.version for side in Side if (ticket := progress.observation.of(side)) is not None}
        self._store.links.save(
            link,
            versions=versions,
            now=now,
            live=is_live(progress.observation, progress.cls),
            loaded=progress.loaded,
            due_when_read=progress.due_when_read,
        )
        progress.link = link


def _tell(written: Written, error: ItopsyncError | None) -> None:
    more: dict[str, object] = {"age": round(written.age.total_seconds())} if written.age is not None else {}
    if error is not None:
        more["reason"] = str(error)
    log.info("write", action=written.action, side=written.side, outcome=written.outcome, seconds=written.seconds, **more)


def _bears_marker(action: Action) -> bool:
    return isinstance(action, Create | Upload) or (isinstance(action, Write) and bool(action.notes))


def _is_news(heading: Heading | None, noted: Heading | None) -> bool:
    """Whether *heading* leads a ticket through states that are not *noted* in the store."""
    if heading is None or noted is None:
        return heading is not None
    return heading.side is not noted.side or not set(heading.states) <= set(noted.states)
