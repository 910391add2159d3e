"""Two simulated servers over HTTP and the people at them, in a process of their own: only itopsync is killed.

Started by :func:`started`, which gives a connection to it: ask, and it answers.
"""

from __future__ import annotations

import multiprocessing
import random
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from itopsync.errors import StoreError
from itopsync.model import ItemKind, Side
from itopsync.simulator import Agent, Simulator
from itopsync.simulator.load import Latency
from itopsync.store.store import Store
from tests.engine.pair import Pair, Versions, usual_versions
from tests.torture.ledger import Ledger, see_to_what_is_gone
from tests.torture.people import CLASSES, People
from tests.torture.rogues import Rogues

AT_MOST = 40
"""Tickets on external."""
OF_THEIR_OWN = 5
"""Internal's own tickets."""
PAUSE = 0.25
"""Seconds between two deeds, at most."""


@dataclass
class Desk(Pair):
    """Both servers, with as little delay as leaves something to be killed in the middle of."""

    versions: Versions = field(default_factory=usual_versions)
    external: Simulator = field(init=False)
    internal: Simulator = field(init=False)
    store: Store = field(init=False)
    customer: Agent = field(init=False)
    operator: Agent = field(init=False)

    def __post_init__(self) -> None:
        external, internal = self.versions
        self.external = Simulator(timezone="Asia/Jakarta", chance=random.Random(1), version=external)
        self.internal = Simulator(timezone="Europe/Paris", chance=random.Random(2), version=internal)
        self.customer, self.operator = self.external.agent("agent"), self.internal.agent("agent")
        for side in Side:
            self.simulator(side).latency = Latency(boot=0.005, write=0.01, row=0)


class Crowd(threading.Thread):
    """People who act at random until they are told to stop."""

    def __init__(self, people: People, seed: int, tickets: int, pause: float) -> None:
        super().__init__(name="people", daemon=True)
        self._people, self._chance = people, random.Random(seed)
        self._tickets, self._pause = tickets, pause
        self._done = threading.Event()
        self.deeds = 0
        self.error: Exception | None = None

    def run(self) -> None:
        while not self._done.wait(self._chance.uniform(0, self._pause)):
            try:
                self._act()
            except StoreError:  # who asks which copy belongs to which ticket asks a database that is down
                continue
            except Exception as error:
                self.error = error
                raise
            self.deeds += 1

    def _act(self) -> None:
        chance, ledger = self._chance, self._people.ledger
        if len(ledger.tickets) < self._tickets and (len(ledger.tickets) < CLASSES.index("Problem") or chance.random() < 0.1):
            self._people.open(chance.choice(CLASSES), chance.randrange(3), chance.randrange(3))
        elif len(ledger.own) < OF_THEIR_OWN and chance.random() < 0.02:
            self._people.open_in_internal()
        else:
            deed = chance.choice(Rogues.DEEDS)
            self._people.do(deed, chance.choice(list(Side)), chance.randrange(100), chance.randrange(100))

    def end(self) -> int:
        """Stop; how many deeds there were. What went wrong among the people is raised."""
        self._done.set()
        self.join()
        if self.error is not None:
            raise self.error
        return self.deeds


def _serve(connection: Connection, seed: int, tickets: int, pause: float, versions: Versions) -> None:
    with ExitStack() as stack:
        desk = Desk(versions)
        addresses = [stack.enter_context(desk.simulator(side).serve()) for side in Side]
        ledger = Ledger(desk)
        crowd = Crowd(Rogues(desk, ledger), seed, tickets, pause)

        def begin(url: str) -> None:
            desk.store = Store.open(url)
            stack.callback(desk.store.close)
            crowd.start()

        answers: dict[str, Callable[..., Any]] = {
            "addresses": lambda: addresses,
            "begin": begin,
            "served": lambda: desk.external.served + desk.internal.served,
            "written": desk.written,
            "end": crowd.end,
            "awaited": lambda: sum(obstacle.key.kind is ItemKind.GONE for _, obstacle in desk.store.links.troubles().obstacles),
            "copies": lambda: see_to_what_is_gone(desk, desk.store, datetime.now(UTC)),
            "judge": lambda: list(ledger.violations()),
        }
        while (asked := connection.recv()) is not None:
            name, *arguments = asked
            try:
                connection.send((answers[name](*arguments), None))
            except Exception:
                connection.send((None, traceback.format_exc()))


Ask = Callable[..., Any]


@contextmanager
def started(seed: int, *, tickets: int = AT_MOST, pause: float = PAUSE, versions: Versions | None = None) -> Iterator[Ask]:
    """Both servers; gives what asks them by name: ``addresses``, ``begin``, ``served``, ``written``, ``end``, ``copies``,
    ``judge``.

    People open at most so many *tickets*, and *pause* at most so many seconds between two deeds. Without *versions* the
    servers are of those that the environment names.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, seed, tickets, pause, versions or usual_versions()), daemon=True)
    process.start()

    def ask(*question: object) -> Any:
        ours.send(question)
        answer, error = ours.recv()
        assert error is None, error
        return answer

    try:
        yield ask
    finally:
        ours.send(None)
        process.join()
