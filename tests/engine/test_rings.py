"""Several pairs that meet on the same servers: a chain carries on what came, and a ring ends where it began."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from itopsync import config
from itopsync.check.addresses import check_rings
from itopsync.cli.verifying import verify
from itopsync.engine import linking
from itopsync.engine.engine import Engine
from itopsync.engine.inspect import Inspector
from itopsync.engine.linking import CannotLink
from itopsync.engine.pair import Pair
from itopsync.engine.story import explain
from itopsync.engine.taking_over import Row, examine
from itopsync.itop.server import Server
from itopsync.model import LinkStatus, Ref, Side
from itopsync.reconcile import by_hand
from itopsync.simulator import Simulator
from itopsync.store.records import CycleKind
from itopsync.store.store import Store
from tests.engine.rig import BEGIN, CONFIGURATION
from tests.store.template import fresh
from tests.transport import SimulatorTransport

REQUEST = "UserRequest"
OLD = "2026-11-01 00:00:00"
"""Before ``scope.since``: no copy is made of such a ticket."""


class Direction:
    """One pair between two servers, with a store of its own."""

    def __init__(self, name: str, external: Simulator, internal: Simulator, folder: Path, clock: Callable[[], datetime]) -> None:
        text = CONFIGURATION.format(store=folder / f"{name}.sqlite", more="").replace('pair = "demo"', f'pair = "{name}"')
        for address, side in (("http://127.0.0.1:8081", "EXTERNAL"), ("http://127.0.0.1:8082", "INTERNAL")):
            text = text.replace(address, side)
        text = text.replace("EXTERNAL", external.url).replace("INTERNAL", internal.url).replace("Europe/Paris", "Asia/Jakarta")
        path = folder / f"{name}.toml"
        path.write_text(text)
        loaded = config.load(path, {"PASSWORD": "sync-password"}, now=clock())
        transports = {Side.EXTERNAL: SimulatorTransport(external), Side.INTERNAL: SimulatorTransport(internal)}
        settings = (loaded.external, loaded.internal)
        self.servers = {server.side: Server(server, transports[server.side], sleep=lambda _: None) for server in settings}
        self.pair = Pair(loaded.rules, self.servers, Store.open(fresh(loaded.store_url)), loaded.engine, clock)
        self.engine = Engine(self.pair)

    def close(self) -> None:
        self.pair.close()
        self.pair.store.close()
        for server in self.servers.values():
            server.close()


class Meeting:
    """Servers and the pairs between them, on one clock."""

    def __init__(self, folder: Path, servers: int, *ways: tuple[int, int]) -> None:
        self.now, self.folder = BEGIN, folder
        self.servers = [
            Simulator(f"http://127.0.0.1:{8081 + number}", "Asia/Jakarta", lambda: self.now, chance=random.Random(number))
            for number in range(servers)
        ]
        self.ways = [
            Direction(f"way{number}", self.servers[external], self.servers[internal], folder, lambda: self.now)
            for number, (external, internal) in enumerate(ways)
        ]

    def rest(self, rounds: int = 8) -> None:
        for number in range(rounds):
            for way in self.ways:
                self.now += timedelta(minutes=2)
                way.engine.cycle(CycleKind.SWEEP if number % 3 == 2 else CycleKind.POLL)

    @property
    def tickets(self) -> list[int]:
        return [len(server.tickets()) for server in self.servers]

    def entries(self, word: str) -> list[int]:
        logs = [[entry.text for ticket in server.tickets() for entry in ticket["private_log"]] for server in self.servers]
        return [sum(word in text for text in log) for log in logs]


def _unlink(way: Direction, number: int) -> None:
    link = way.pair.store.links.of(Ref(Side.EXTERNAL, REQUEST, number))
    assert link is not None
    way.pair.store.links.amend(link.id, lambda known: by_hand.unlinked(known, way.pair.clock(), notice=True), way.pair.clock())


@pytest.fixture
def meet(tmp_path: Path) -> Iterator[Callable[..., Meeting]]:
    made: list[Meeting] = []

    def make(servers: int, *ways: tuple[int, int]) -> Meeting:
        made.append(Meeting(tmp_path, servers, *ways))
        return made[-1]

    yield make
    for each in made:
        for way in each.ways:
            way.close()


def test_two_that_are_each_others_customers_have_one_copy_of_each_ticket(meet: Callable[..., Meeting]) -> None:
    met = meet(2, (0, 1), (1, 0))
    for server, word in zip(met.servers, ("Here", "There"), strict=True):
        server.agent("agent").create(REQUEST, title=word, private_log=f"<p>{word} it is</p>")
    met.rest()
    assert (met.tickets, met.entries("Here it is"), met.entries("There it is")) == ([2, 2], [1, 1], [1, 1])
    way = met.ways[1]
    copy = next(ticket["id"] for ticket in met.servers[1].tickets() if ticket["title"] == "Here")
    link = way.pair.store.links.of(Ref(Side.EXTERNAL, REQUEST, copy))
    assert link is not None
    assert link.status is LinkStatus.TOMBSTONE
    (planned,) = Inspector(way.pair).inspect((link,))
    assert "no copy goes back" in explain(way.pair, planned).ended
    (told,) = check_rings(way.servers[Side.EXTERNAL], way.pair.rules)
    assert "copied from internal: 1;" in told.what


def test_a_chain_carries_on_what_came(meet: Callable[..., Meeting]) -> None:
    met = meet(3, (0, 1), (1, 2))
    number = met.servers[0].agent("agent").create(REQUEST, title="Printer", private_log="<p>It blinks</p>")
    met.rest()
    assert met.tickets == [1, 1, 1]
    met.servers[0].agent("agent").note(REQUEST, number, "<p>It still does</p>")
    met.servers[2].agent("agent").note(REQUEST, 1, "<p>Turn it off</p>")
    met.rest()
    assert [met.entries(word) for word in ("It blinks", "It still does", "Turn it off")] == [[1, 1, 1]] * 3
    assert list(check_rings(met.ways[1].servers[Side.EXTERNAL], met.ways[1].pair.rules)) == []


def test_what_one_pair_says_of_its_link_goes_no_further_in_a_chain(meet: Callable[..., Meeting]) -> None:
    met = meet(3, (0, 1), (1, 2))
    number = met.servers[0].agent("agent").create(REQUEST, title="Printer", private_log="<p>It blinks</p>")
    met.rest()
    first, second = met.ways
    _unlink(first, number)
    met.rest()
    assert met.entries("Unlinked by hand from") == [0, 1, 0]
    (told,) = verify(Inspector(second.pair), deep=True)
    assert told.findings is not None
    assert told.findings.differences == []
    (planned,) = Inspector(second.pair).inspect((told.plan.link,))
    said = [entry.what for entry in explain(second.pair, planned).entries if entry.side is Side.EXTERNAL]
    assert said == ["another pair's notice: carried nowhere", "written here", "another pair's notice: carried nowhere"]


def test_a_ticket_that_another_pair_has_linked_is_not_linked_before_it_is_unlinked_there(meet: Callable[..., Meeting]) -> None:
    met = meet(3, (0, 2), (1, 2))
    number = met.servers[0].agent("agent").create(REQUEST, title="Printer")
    met.rest()
    acme, beta = met.ways
    other = met.servers[1].agent("agent").create(REQUEST, title="Screen", start_date=OLD)
    met.rest()
    pair = Ref(Side.EXTERNAL, REQUEST, other), Ref(Side.INTERNAL, REQUEST, 1)
    row = Row(2, *(f"{ref.cls}:{ref.id}" for ref in pair))
    with pytest.raises(CannotLink, match=r"is linked by pair 'way0' already.*`itopsync unlink internal:UserRequest:1`"):
        linking.compare(Inspector(beta.pair), *pair, history=None)
    (flaw,) = examine(Inspector(beta.pair), [row], history=None).flaws
    assert (flaw.side, flaw.what.partition(" already")[0]) == (Side.INTERNAL, "internal:UserRequest:1 is linked by pair 'way0'")

    _unlink(acme, number)
    with pytest.raises(CannotLink):
        linking.compare(Inspector(beta.pair), *pair, history=None)
    met.rest(1)
    linking.join(beta.pair, linking.compare(Inspector(beta.pair), *pair, history=None))
    met.rest()
    met.servers[0].agent("agent").note(REQUEST, number, "<p>Between us</p>")
    met.servers[1].agent("agent").note(REQUEST, other, "<p>Hello</p>")
    met.rest()
    assert [met.entries(word) for word in ("linked by hand", "Between us", "Hello")] == [[0, 0, 1], [1, 0, 0], [0, 1, 1]]


def _both_linked(meet: Callable[..., Meeting]) -> tuple[Meeting, list[int]]:
    """Two pairs that link one ticket of their internal server by hand, before either has marked it; each server's ticket."""
    met = meet(3, (0, 2), (1, 2))
    numbers = [server.agent("agent").create(REQUEST, title="Screen", start_date=OLD) for server in met.servers]
    met.rest(2)
    internal = Ref(Side.INTERNAL, REQUEST, numbers[2])
    for number, way in zip(numbers, met.ways, strict=False):
        external = Ref(Side.EXTERNAL, REQUEST, number)
        linking.join(way.pair, linking.compare(Inspector(way.pair), external, internal, history=None))
    return met, numbers


def _all_write(met: Meeting, numbers: list[int]) -> None:
    for server, number, word in zip(met.servers, numbers, ("Hello", "Good day", "Between us"), strict=True):
        server.agent("agent").note(REQUEST, number, f"<p>{word}</p>")
    met.rest()


def test_of_two_pairs_that_link_a_ticket_unseen_by_each_other_only_the_first_carries(meet: Callable[..., Meeting]) -> None:
    """Each `link` sees no mark of the other pair: its cycle has not written it yet."""
    met, numbers = _both_linked(meet)
    met.rest(2)
    _all_write(met, numbers)
    assert [met.entries(word) for word in ("Linked by hand", "Hello", "Good day", "Between us")] == [
        *([0, 0, 1], [1, 0, 1], [0, 1, 0], [1, 0, 1]),
    ]
    acme, beta = met.ways
    (link,) = beta.pair.store.links.get([1])
    (obstacle,) = link.obstacles
    assert (link.status, obstacle.reason.partition(" already")[0]) == (
        *(LinkStatus.PARKED, "internal:UserRequest:1 is linked by pair 'way0'"),
    )

    _unlink(acme, numbers[0])
    met.rest(1)
    beta.pair.store.links.amend(link.id, lambda known: by_hand.resumed(known, met.now), met.now)
    met.rest(2)
    assert met.entries("Hello") == [1, 0, 1]
    _unlink(beta, numbers[1])
    met.rest(1)
    pair = link.external, Ref(Side.INTERNAL, REQUEST, numbers[2])
    linking.join(beta.pair, linking.compare(Inspector(beta.pair), *pair, history=None))
    met.servers[2].agent("agent").note(REQUEST, numbers[2], "<p>Among us</p>")
    met.rest()
    assert [met.entries(word) for word in ("Linked by hand", "Hello", "Good day", "Among us")] == [
        *([0, 0, 2], [1, 0, 1], [0, 1, 0], [0, 1, 1]),
    ]


def test_of_two_pairs_that_mark_a_ticket_in_the_same_moment_only_the_first_carries(meet: Callable[..., Meeting]) -> None:
    met, numbers = _both_linked(meet)
    acme, beta = met.ways
    update, ours = Server.update, beta.servers[Side.INTERNAL]

    def overtaken(self: Server, *arguments: Any) -> Any:
        if self is ours and not met.entries("Linked by hand")[2]:
            acme.engine.cycle(CycleKind.POLL)
        return update(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Server, "update", overtaken)
        met.now += timedelta(minutes=2)
        beta.engine.cycle(CycleKind.POLL)
    assert met.entries("Linked by hand") == [0, 0, 2]
    _all_write(met, numbers)
    assert [met.entries(word) for word in ("Hello", "Good day", "Between us")] == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


def test_a_copy_of_another_pair_is_linked_by_hand_with_a_ticket_of_the_next_server(meet: Callable[..., Meeting]) -> None:
    met = meet(3, (0, 1), (1, 2))
    number = met.servers[0].agent("agent").create(REQUEST, title="Printer")
    first, second = met.ways
    met.now += timedelta(minutes=2)
    first.engine.cycle(CycleKind.POLL)
    own = met.servers[2].agent("agent").create(REQUEST, title="Printer, told by telephone")
    pair = Ref(Side.EXTERNAL, REQUEST, 1), Ref(Side.INTERNAL, REQUEST, own)
    linking.join(second.pair, linking.compare(Inspector(second.pair), *pair, history=None))
    met.rest()
    met.servers[0].agent("agent").note(REQUEST, number, "<p>Hello</p>")
    met.rest()
    assert (met.tickets, met.entries("Hello")) == ([1, 1, 1], [1, 1, 1])


def test_a_ring_of_three_ends_where_it_began(meet: Callable[..., Meeting]) -> None:
    met = meet(3, (0, 1), (1, 2), (2, 0))
    met.servers[0].agent("agent").create(REQUEST, title="Printer", private_log="<p>It blinks</p>")
    met.rest(12)
    assert (met.tickets, met.entries("It blinks")) == ([1, 1, 1], [1, 1, 1])


def test_a_ring_between_servers_that_go_by_several_names_ends_after_one_round(meet: Callable[..., Meeting]) -> None:
    met = meet(2, (0, 1))
    aliases = [Simulator(f"http://127.0.0.1:{9081 + number}", "Asia/Jakarta", lambda: met.now) for number in range(2)]
    for alias, server in zip(aliases, met.servers, strict=True):
        alias.store = server.store
    met.ways.append(Direction("back", aliases[1], aliases[0], met.folder, lambda: met.now))
    met.servers[0].agent("agent").create(REQUEST, title="Printer", private_log="<p>It blinks</p>")
    met.rest(12)
    assert met.tickets == [2, 1]
