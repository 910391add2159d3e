"""Distributes the work on links to threads; prepares the next batch while one is written, so that the writers never wait."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from queue import Empty, SimpleQueue
from typing import Any

from itopsync.engine.due_links import DueLinks
from itopsync.engine.job import Ending, Job, Phase
from itopsync.engine.pair import CHECK_INTERVAL, Pair
from itopsync.engine.plan import Planned
from itopsync.errors import AnotherInstance, SafetyStop, Stopped, StoreError

_MOST_BATCHES = 4
"""How many batches may be under way when another is taken: both tickets of each link that waits for its files stay in memory."""


class Workers:
    """Works until nothing is left, one link per thread, and prepares the next batch meanwhile."""

    def __init__(self, due: DueLinks, pair: Pair) -> None:
        self._due, self._pair = due, pair
        self._ended: SimpleQueue[Future[Any]] = SimpleQueue()
        self._running: dict[Future[Any], Job] = {}
        self._prepared: Future[list[Planned]] | None = None
        self._half = pair.settings.chunk // 2

    def run(self) -> None:
        """Work until nothing is left, the plan exceeds a limit, or we are told to stop.

        However it ends, no link is being worked on afterwards. An error from the work on a link takes precedence over these two:

        :raises SafetyStop: the plan exceeds a limit; work already started is finished first
        :raises Stopped: we were told to stop; work already started ends between two calls
        """
        try:
            self._look_ahead()
            while self._running or self._prepared:
                if self._prepared and self._has_room():
                    self._begin(self._prepared)
                if self._running and (ended := self._next_ended()) is not None:
                    self._end(ended)
                if not self._prepared and self._runs_low():
                    self._look_ahead()
        except (AnotherInstance, StoreError):
            self._break_off()
            raise
        except BaseException as error:
            failures = self._drain(interrupted=isinstance(error, Stopped))
            if failures and isinstance(error, Stopped | SafetyStop):
                raise failures[0] from None
            raise

    def _has_room(self) -> bool:
        """Whether no link waits for one of the threads for links."""
        return self._before_files() <= self._pair.settings.workers

    def _runs_low(self) -> bool:
        """Whether at most half a batch is left, so that the next one should be prepared now."""
        return self._before_files() <= self._half and len(self._running) <= _MOST_BATCHES * self._pair.settings.chunk

    def _before_files(self) -> int:
        return sum(job.phase is Phase.BEFORE_FILES for job in self._running.values())

    def _look_ahead(self) -> None:
        """Start preparing the next batch. While many links are transferring files, take only links that were just made due."""
        links = self._due.next_links(touched_only=len(self._running) - self._before_files() > self._half)
        if links and self._pair.stopping():
            raise Stopped
        if links:
            self._prepared = self._run_in(self._pair.threads.waiters, self._due.prepare, links)

    def _begin(self, prepared: Future[list[Planned]]) -> None:
        """Start carrying out the prepared batch."""
        self._prepared = None
        for job in self._due.admit(prepared):
            self._submit(job, self._pair.threads.links)

    def _submit(self, job: Job, pool: Executor) -> None:
        future = self._run_in(pool, self._due.carry_out, job)
        self._running[future] = job
        future.add_done_callback(self._ended.put)

    @staticmethod
    def _run_in(pool: Executor, work: Callable[..., Any], argument: object) -> Future[Any]:
        copy = contextvars.copy_context()  # so that what a thread logs bears the cycle
        return pool.submit(copy.run, work, argument)

    def _next_ended(self) -> Future[Any] | None:
        """Wait a moment for a link that is done or has reached its files.

        :raises Stopped: we were told to stop, and there is no such link yet
        """
        try:
            return self._ended.get(timeout=CHECK_INTERVAL)
        except Empty:
            if self._pair.stopping():
                raise Stopped from None
            return None

    def _end(self, future: Future[Any]) -> None:
        """Account for a link that is done, or hand it to the threads for files."""
        job = self._running.pop(future)
        if future.cancelled():
            return
        future.result()
        if job.phase is Phase.AT_FILES:
            self._submit(job, self._pair.threads.files)
            return
        self._due.account_for(job)
        if job.ended in (Ending.INTERRUPTED, Ending.UNMARKED):
            raise Stopped

    # the end

    def _drain(self, *, interrupted: bool) -> list[BaseException]:
        """Let each started link finish, and start nothing more; return the exceptions raised."""
        self._break_off()
        failures: list[BaseException] = []
        for future, job in self._running.items():
            if future.cancelled() and job.phase is Phase.BEFORE_FILES:
                continue
            if not future.cancelled() and (failure := future.exception()) is not None:
                failures.append(failure)
                continue
            if job.phase is Phase.AT_FILES:
                self._due.leave(job, interrupted=interrupted)
            self._due.account_for(job)
        return failures

    def _break_off(self) -> None:
        """Cancel what has not started, and wait for the rest: afterwards no link may still be worked on."""
        if self._prepared is not None:
            self._prepared.cancel()
        for future in self._running:
            future.cancel()
        wait(self._running)
