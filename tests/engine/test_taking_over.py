"""Many pairs of existing tickets, examined together: every flaw is told at once, in few calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from itopsync.engine import linking
from itopsync.engine.inspect import Inspector
from itopsync.engine.taking_over import Examined, Row, examine
from itopsync.errors import Refused
from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import Ref, Side, Ticket
from itopsync.simulator import Simulator
from tests.engine.rig import Rig

OLD = "2026-11-01 00:00:00"
"""Before ``scope.since``: no copy is made of such a ticket."""


def pairs(rig: Rig, count: int, cls: str = "UserRequest") -> list[tuple[int, int]]:
    """So many old tickets on external, each with the one that people opened for it in internal."""
    titles = [f"No. {number}" for number in range(count)]
    return [(rig.customer.create(cls, title=title, start_date=OLD), rig.operator.create(cls, title=title)) for title in titles]


def rows(rig: Rig, two: list[tuple[int, int]]) -> list[Row]:
    """A row for each, from line 2 on, by their numbers."""
    return [
        Row(line, number(rig.external, external), number(rig.internal, internal))
        for line, (external, internal) in enumerate(two, start=2)
    ]


def number(simulator: Simulator, key: int, cls: str = "UserRequest") -> str:
    return str(simulator.ticket(cls, key)["ref"])


def link_all(rig: Rig, examined: Examined) -> None:
    for _, joined in examined.to_link:
        linking.join(rig.pair, joined)


def calls(rig: Rig, some: list[Row]) -> int:
    """How many calls it takes to examine *some* rows."""
    before = rig.external.requests.total + rig.internal.requests.total
    assert not examine(Inspector(rig.pair), some, history=None).flaws
    return rig.external.requests.total + rig.internal.requests.total - before


def test_as_many_calls_for_a_hundred_as_for_one(rig: Rig) -> None:
    every = rows(rig, pairs(rig, 100))
    assert calls(rig, every) == calls(rig, every[:1])


def test_more_batches_only_take_the_calls_that_read_their_tickets_and_their_files(rig: Rig) -> None:
    rig.pair.settings = replace(rig.pair.settings, chunk=10)
    every = rows(rig, pairs(rig, 30))
    assert calls(rig, every) - calls(rig, every[:10]) == 2 * 2 * len(Side)


def test_what_is_linked_already_is_passed_over_and_the_rest_is_linked(rig: Rig) -> None:
    two = pairs(rig, 5)
    link_all(rig, examine(rig.inspector, rows(rig, two)[:2], history=None))
    rig.sync()
    again = examine(rig.inspector, rows(rig, two), history=None)
    assert not again.flaws
    assert [link.external.id for link in again.linked] == [external for external, _ in two[:2]]
    assert [row.line for row, _ in again.to_link] == [4, 5, 6]
    link_all(rig, again)
    rig.sync()
    assert len(examine(rig.inspector, rows(rig, two), history=None).linked) == 5
    rig.customer.note("UserRequest", two[4][0], "<p>Hello</p>")
    rig.sync()
    assert sum("Hello" in text for text in rig.texts(Side.INTERNAL, two[4][1])) == 1


def test_every_flaw_is_told_with_its_line_its_column_and_what_to_do(rig: Rig) -> None:
    two = pairs(rig, 3)
    copied = rig.customer.create("UserRequest", title="In scope")
    rig.sync()
    incident = rig.operator.create("Incident", title="Another class")
    good = rows(rig, two)
    flawed = [
        good[0],
        Row(3, "R-999999", good[1].internal),
        Row(4, good[1].external, "UserRequest:998"),
        Row(5, f"external:UserRequest:{two[0][0]}", good[2].internal),
        Row(6, number(rig.external, copied), good[1].internal),
        Row(7, good[2].external, f"Incident:{incident}"),
        Row(8, "WorkOrder:1", "external:UserRequest:1"),
    ]
    examined = examine(rig.inspector, flawed, history=None)
    told = {(flaw.line, flaw.side): flaw.what for flaw in examined.flaws}
    link = rig.link(copied).id
    assert told == {
        (3, Side.EXTERNAL): "external has no ticket 'R-999999' of a synced class that our account may see",
        (4, Side.INTERNAL): "internal has no ticket 'UserRequest:998' of a synced class that our account may see",
        (5, Side.EXTERNAL): f"external:UserRequest:{two[0][0]} is on line 2 too",
        (6, Side.EXTERNAL): f"external:UserRequest:{copied} is linked with {rig.link(copied).internal} already (link {link})",
        (6, Side.INTERNAL): f"internal:UserRequest:{two[1][1]} is on line 3 too",
        (7, Side.INTERNAL): f"UserRequest is kept in step with UserRequest, and internal:Incident:{incident} is another class",
        (8, Side.EXTERNAL): "WorkOrder is not kept in step on external",
        (8, Side.INTERNAL): "external:UserRequest:1 is on external",
    }
    assert all(flaw.remedy for flaw in examined.flaws)
    assert [row.line for row, _ in examined.to_link] == [2]


def test_a_number_that_two_tickets_bear_is_a_flaw(rig: Rig) -> None:
    (two,) = pairs(rig, 1)
    rig.customer.create("Incident", title="The same number", ref=number(rig.external, two[0]), start_date=OLD)
    (flaw,) = examine(rig.inspector, rows(rig, [two]), history=None).flaws
    assert "may be" in flaw.what
    assert flaw.remedy == "name one of these"


def test_a_ticket_that_its_server_fails_to_show_is_a_flaw_and_the_others_are_none(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = pairs(rig, 3)
    read = Server.readable_tickets

    def failing(
        self: Server, cls: str, ids: Sequence[int], attributes: Attributes
    ) -> tuple[dict[int, Ticket], dict[int, Refused]]:
        found, failed = read(self, cls, ids, attributes)
        if self.side is Side.INTERNAL:
            del found[two[1][1]]
            failed[two[1][1]] = Refused(self.side, "the server fails on it")
        return found, failed

    monkeypatch.setattr(Server, "readable_tickets", failing)
    examined = examine(rig.inspector, rows(rig, two), history=None)
    (flaw,) = examined.flaws
    assert (flaw.line, flaw.side, flaw.what) == (3, None, "internal: the server fails on it")
    assert [row.line for row, _ in examined.to_link] == [2, 4]


def test_pairs_in_words_are_read_back() -> None:
    two = [(Ref(Side.EXTERNAL, "UserRequest", 1), Ref(Side.INTERNAL, "UserRequest", 9))] * 2
    assert linking.pairs_of(linking.told_of(two)) == two
