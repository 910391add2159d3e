"""The work of one cycle: what is due is observed and planned a piece ahead of being written, so that the writers never wait."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future, wait
from dataclasses import replace
from datetime import datetime
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Protocol

from itopsync.engine import markers
from itopsync.engine.apply import Applier, Waiting
from itopsync.engine.backlog import Backlog
from itopsync.engine.planning import Planned, Planning
from itopsync.engine.progress import Result
from itopsync.engine.report import Report
from itopsync.engine.settings import EngineSettings
from itopsync.engine.threads import Threads
from itopsync.engine.waiting import LOOK, answer_of
from itopsync.errors import AnotherInstance, RemoteError, SafetyStop, Stopped, StoreError
from itopsync.model import Link, Side
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.safety import Excess, Tally, check
from itopsync.store.store import Store


class Cycle(Protocol):
    """What the work asks of the engine."""

    @property
    def rules(self) -> Rules:
        """The rules, with what was learnt of our accounts."""

    @property
    def progress(self) -> Callable[[int, int], None] | None:
        """Called with how many links are done, of how many."""

    @property
    def stopping(self) -> Callable[[], bool]:
        """Whether we are told to stop."""

    def poll_meanwhile(self, report: Report, tally: Tally, accept: Collection[str]) -> datetime | None:
        """Poll, and store what was found; return when that was, or None where a side does not answer."""

    def account_for(self, report: Report, result: Result, loaded: Link) -> None:
        """Count a result, and tell what of a link needs a person that did not when it was *loaded*."""

    def unavailable(self, report: Report, side: Side, error: RemoteError) -> None:
        """Note that a side cannot be worked with."""


class Work:
    """What is due in one cycle, worked on until nothing is left.

    While links are written, the next ones are observed and planned; a plan is checked against the limits before any of it is
    carried out. One that takes long polls meanwhile, and what people touch comes first.
    """

    def __init__(
        self,
        cycle: Cycle,
        planning: Planning,
        applier: Applier,
        *,
        threads: Threads,
        store: Store,
        settings: EngineSettings,
        polled_at: datetime,
    ) -> None:
        self._cycle, self._planning, self._applier = cycle, planning, applier
        self._threads, self._store, self._settings = threads, store, settings
        self._backlog = Backlog(store, polled_at)
        self._polled_at, self._polled = polled_at, monotonic()
        self._ended: SimpleQueue[Future[Any]] = SimpleQueue()
        self._running: dict[Future[Any], Waiting | None] = {}
        self._loaded: dict[int, Link] = {}
        """The links that are worked on, as they were read."""
        self._ahead: tuple[tuple[Link, ...], Future[Planned]] | None = None
        self._exhausted = False
        self._done = self._total = 0

    def run(self, report: Report, tally: Tally, accept: Collection[str]) -> None:
        """Work until nothing is left, a side fails, the plan exceeds a limit, or we are told to stop.

        Whatever ends it, no link is worked on any more then. What a link's work raised meanwhile goes before the two:

        :raises SafetyStop: the plan does; what was begun before is ended first
        :raises Stopped: we are; what was begun ends between two calls
        """
        self._report, self._tally, self._accept = report, tally, accept
        self._count()
        try:
            self._look_ahead()
            while self._running or self._ahead:
                if self._ahead and len(self._running) <= self._settings.workers:
                    self._begin(*self._ahead)
                if self._running:
                    self._end(self._next_ended())
                if not self._ahead and len(self._running) <= self._settings.chunk // 2:
                    self._look_ahead()
        except (AnotherInstance, StoreError):
            self._break_off()
            raise
        except BaseException as error:
            failures = self._drain(interrupted=isinstance(error, Stopped))
            if failures and isinstance(error, Stopped | SafetyStop):
                raise failures[0] from None
            if self._applier.lost:
                markers.refuse_lossy(markers.losses(self._store))
            raise

    # one step

    def _look_ahead(self) -> None:
        """Begin to observe and plan what comes next."""
        if self._report.problems:
            return
        if monotonic() - self._polled >= self._settings.look_meanwhile.total_seconds():
            polled_at = self._cycle.poll_meanwhile(self._report, self._tally, self._accept)
            if polled_at is None:
                return
            self._polled_at, self._polled, self._exhausted = polled_at, monotonic(), False
            self._backlog.polled(polled_at)
            self._count()
        links = () if self._exhausted else self._backlog.take(self._settings.chunk)
        self._exhausted = not links
        if links and self._cycle.stopping():
            raise Stopped
        if links:
            copy = contextvars.copy_context()  # so that what is logged in a thread bears the cycle
            rules = self._cycle.rules
            self._ahead = links, self._threads.sides.submit(copy.run, self._planning.plan_work, links, rules, self._accept)

    def _begin(self, links: tuple[Link, ...], ahead: Future[Planned]) -> None:
        """Let what was planned of *links* be carried out."""
        self._ahead = None
        try:
            planned = answer_of(ahead, self._cycle.stopping)
        except RemoteError as error:
            self._cycle.unavailable(self._report, error.side, error)
            return
        if self._report.problems:
            return
        for plan, _ in planned:
            self._tally = self._tally.add(plan)
            if Excess.MARKERS not in self._accept:
                markers.note(self._store, plan.lost, self._polled_at)
        check(self._tally, self._cycle.rules.limits, self._accept)
        for link, (plan, observation) in zip(links, planned, strict=True):
            self._loaded[link.id] = link
            self._submit(None, self._threads.links, self._applier.work, plan, observation, link)

    def _submit(self, waiting: Waiting | None, pool: Executor, work: Callable[..., Result | Waiting], *arguments: object) -> None:
        future = pool.submit(contextvars.copy_context().run, work, *arguments)
        self._running[future] = waiting
        future.add_done_callback(self._ended.put)

    def _next_ended(self) -> Future[Any]:
        """Wait for a link that is done, or has come to its files.

        :raises Stopped: we are told to stop, and there is none yet
        """
        while True:
            try:
                return self._ended.get(timeout=LOOK)
            except Empty:
                if self._cycle.stopping():
                    raise Stopped from None

    def _end(self, future: Future[Any]) -> None:
        """Account for a link that is done, or send it on to its files."""
        self._running.pop(future)
        if future.cancelled():
            return
        result: Result | Waiting = future.result()
        if isinstance(result, Waiting):
            self._submit(result, self._threads.files, self._applier.go_on, result)
            return
        self._account_for(result)
        if result.interrupted or self._applier.lost:
            raise Stopped

    def _account_for(self, result: Result) -> None:
        self._done += 1
        self._backlog.done(result.link)
        if self._cycle.progress is not None:
            self._cycle.progress(self._done, max(self._total, self._done))
        self._cycle.account_for(self._report, result, self._loaded.pop(result.link.id))

    def _count(self) -> None:
        """Count what is due, and see that it is not more than the limits allow."""
        due = self._store.links.due_counts(self._polled_at)
        self._total = self._done + due.waiting + due.linked
        self._exhausted = not due.waiting and not due.linked
        self._tally = replace(self._tally, creations=self._report.counts["create"] + due.waiting)
        check(self._tally, self._cycle.rules.limits, self._accept)

    # the end

    def _drain(self, *, interrupted: bool) -> list[BaseException]:
        """Let what was begun on each link come to its end; begin nothing more. Return what was raised there."""
        self._break_off()
        failures: list[BaseException] = []
        for future, waiting in self._running.items():
            if future.cancelled():
                result: Result | Waiting | None = waiting
            elif (failure := future.exception()) is not None:
                failures.append(failure)
                continue
            else:
                result = future.result()
            if isinstance(result, Waiting):
                result = self._applier.leave(result, interrupted=interrupted)
            if result is not None:
                self._account_for(result)
        return failures

    def _break_off(self) -> None:
        """Wait for what runs: whatever comes next must find no link still being worked on."""
        if self._ahead is not None:
            self._ahead[1].cancel()
        for future in self._running:
            future.cancel()
        wait(self._running)
