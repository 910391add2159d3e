"""Group commit: commits the small transactions of several threads as one, so that they share one wait for the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError

T = TypeVar("T")


@dataclass
class _Job:
    work: Callable[[Connection], Any]
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None


class GroupCommit:
    """Runs work in shared transactions: what arrives while one is being committed goes into the next."""

    def __init__(self, writing: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._writing = writing
        self._waiting: list[_Job] = []
        self._waiting_lock, self._turn = threading.Lock(), threading.Lock()

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run *work*, commit it, and return its result.

        If it raises something, the others are run again without it. If the transaction cannot be committed, every caller in it
        gets that error.
        """
        job = _Job(work)
        with self._waiting_lock:
            self._waiting.append(job)
        with self._turn:
            if not job.done.is_set():
                self._carry_out()
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold back all grouped work inside the context."""
        with self._turn:
            yield

    def _carry_out(self) -> None:
        with self._waiting_lock:
            jobs, self._waiting = self._waiting, []
        if not self._in_one(jobs):
            for job in jobs:
                self._in_one([job])
        for job in jobs:
            job.done.set()

    def _in_one(self, jobs: list[_Job]) -> bool:
        """Run *jobs* in one transaction; False if one of several is at fault, in which case nothing is written."""
        at_fault = False
        try:
            with self._writing() as connection:
                for job in jobs:
                    job.error = None
                    try:
                        job.result = job.work(connection)
                    except (OperationalError, InterfaceError):  # the database failed, so all jobs did
                        raise
                    except BaseException:
                        at_fault = True
                        raise
        except BaseException as error:
            if at_fault and len(jobs) > 1:
                return False
            for job in jobs:
                job.error = error
        return True
