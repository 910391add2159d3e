"""A process that can be killed at every boundary of its input and output, one numbered after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec, TypeVar

import httpx
from sqlalchemy import Connection, Engine

from itopsync.simulator import Simulator
from itopsync.store.connection import Address
from itopsync.store.database import Database
from itopsync.store.store import Store
from tests.engine.rig import Crash, Rig
from tests.store.template import fresh
from tests.transport import SimulatorTransport

P = ParamSpec("P")
T = TypeVar("T")


class Inline(Executor):
    """Runs everything at once where it is asked for, so that each run crosses the same boundaries in the same order."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # raised where the result is asked for; a Crash, which is none, ends all here and now
            future.set_exception(error)
        return future


@dataclass
class Boundaries:
    """The boundaries that were crossed, by name; the process dies at number ``kill`` (from 0)."""

    kill: int | None = None
    crossed: list[str] = field(default_factory=list)
    dead: bool = False

    def cross(self, name: str) -> None:
        """Cross one more. Who is dead does nothing more, not even in its ``finally``."""
        if self.dead or self.kill == len(self.crossed):
            self.dead = True
            raise Crash(name)
        self.crossed.append(name)


class _Transport(httpx.BaseTransport):
    """Before a request, and when it was carried out but nobody has seen the answer yet."""

    def __init__(self, inner: httpx.BaseTransport, cross: Callable[[str], None]) -> None:
        self._inner, self._cross = inner, cross

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._cross("before a request")
        response = self._inner.handle_request(request)
        self._cross("carried out, before the answer")
        return response


class _Database(Database):
    """Before and after each commit."""

    def __init__(self, address: Address, engine: Engine, cross: Callable[[str], None]) -> None:
        super().__init__(address, engine)
        self._cross = cross

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with super().writing() as connection:
            yield connection
            self._cross("before a commit")
        self._cross("after a commit")


@dataclass
class MortalRig(Rig):
    """A rig whose process can be killed at a boundary; it works on one thing after the other."""

    url: str = ""
    """Of a fresh store elsewhere."""
    boundaries: Boundaries = field(default_factory=Boundaries)
    meanwhile: dict[int, Callable[[], None]] = field(default_factory=dict)
    """What people do at a boundary, by its number."""

    def start(self) -> None:
        if self.url:
            self.configuration = replace(self.configuration, store_url=self.url)
        self.probe = self._answered
        super().start()
        inline: Any = Inline()
        self.pair.threads.close()
        vars(self.pair.threads).update(dict.fromkeys(("waiters", "readers", "links", "files"), inline))

    def restart(self) -> None:
        self.boundaries = Boundaries()
        super().restart()

    def _cross(self, name: str) -> None:
        if (act := self.meanwhile.pop(len(self.boundaries.crossed), None)) is not None:
            act()
        self.boundaries.cross(name)

    def _answered(self, where: str) -> None:
        if where.startswith("after:"):
            self._cross("after the answer")

    def make_transport(self, simulator: Simulator) -> httpx.BaseTransport:
        return _Transport(SimulatorTransport(simulator), self._cross)

    def make_store(self, url: str) -> Store:
        opened = Store.open(fresh(url))
        return Store(_Database(opened.address, opened.database.engine, self._cross), opened.revision)

    def run(self, work: Callable[[], object], kill: int | None = None) -> list[str]:
        """Do *work* and return the boundaries it crossed; die at number *kill*, if there are so many, and start anew."""
        self.boundaries = boundaries = Boundaries(kill)
        try:
            work()
        except Crash:
            self.restart()
        self.boundaries, self.meanwhile = Boundaries(), {}
        return boundaries.crossed
