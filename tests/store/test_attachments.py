"""The attachments that are known: counted, listed and traced to their links, as a plain list of them would be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itopsync.model import FilePair, FileStatus, LinkStatus, Side
from itopsync.store.records import TicketsPart
from itopsync.store.store import Store
from tests.store.arbitrary import sides
from tests.store.making import NOW, add_linked, carried, external, internal

SMALL = st.integers(1, 12)
PAIRS = st.builds(FilePair, sides, SMALL, st.none() | SMALL, st.sampled_from(FileStatus))


@dataclass(frozen=True)
class Known:
    """One link, as the attachments see it."""

    status: LinkStatus
    live: bool
    files: tuple[FilePair, ...]

    def ids(self, side: Side) -> list[int]:
        originals = [pair.original_id for pair in self.files if pair.origin is side and pair.status is not FileStatus.LEFT]
        copies = [pair.copy_id for pair in self.files if pair.origin is not side and pair.copy_id is not None]
        return originals + copies


FILES = st.lists(PAIRS, max_size=6, unique_by=lambda pair: (pair.origin, pair.original_id)).map(tuple)
LINKS = st.lists(st.builds(Known, st.sampled_from(LinkStatus), st.booleans(), FILES), max_size=4)


@given(links=LINKS, side=sides, live=st.booleans(), limit=st.integers(1, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.slow
def test_attachments_are_counted_as_a_plain_list_would_be(
    store: Store, links: list[Known], side: Side, *, live: bool, limit: int
) -> None:
    """Each example's links replace those of the one before."""
    for number in range(1, 5):
        link = links[number - 1] if number <= len(links) else Known(LinkStatus.TOMBSTONE, live=False, files=())
        there = store.links.of(external(number)) or add_linked(store, external(number), internal(number))
        saved = type(there)(there.id, there.external, there.internal, link.status, files=link.files)
        store.links.save(saved, now=NOW, live=link.live)

    counted = {number: link for number, link in enumerate(links, 1) if link.status is LinkStatus.LINKED and link.live == live}
    expected = {number: len(link.ids(side)) for number, link in counted.items() if link.ids(side)}
    parts = [store.attachments.by_ticket(side, limit, live=live, after=0)]
    while (last := parts[-1].last) is not None:
        parts.append(store.attachments.by_ticket(side, limit, live=live, after=last))
    assert [tickets for part in parts for tickets in part.tickets.get("UserRequest", {}).items()] == list(expected.items())
    highest = max((number for link in counted.values() for number in link.ids(side)), default=0)
    assert max(part.highest for part in parts) == highest
    for number, link in counted.items():
        assert store.attachments.of(side, "UserRequest", [number]) == set(link.ids(side))


def test_the_linked_tickets_are_listed_part_by_part(store: Store) -> None:
    add_linked(store, external(3), internal(30))
    add_linked(store, external(2), internal(20))
    add_linked(store, external(4, "Incident"), internal(40, "Incident"))
    add_linked(store, external(5), internal(50), live=False)
    add_linked(store, external(6), internal(60), status=LinkStatus.TOMBSTONE)
    first = store.links.linked_tickets(Side.EXTERNAL, 2, live=True)
    assert first.tickets == {"UserRequest": [3, 2]}
    assert first.last is not None
    assert store.links.linked_tickets(Side.EXTERNAL, 2, live=True, after=first.last).tickets == {"Incident": [4]}
    assert store.links.linked_tickets(Side.INTERNAL, 3, live=True) == TicketsPart(
        {"UserRequest": [30, 20], "Incident": [40]}, None
    )
    assert store.links.linked_tickets(Side.INTERNAL, 9, live=False).tickets == {"UserRequest": [50]}


@pytest.mark.parametrize("status", list(LinkStatus))
def test_an_original_is_known_by_its_ticket_and_its_birth_whatever_its_links_status(store: Store, status: LinkStatus) -> None:
    mine = replace(carried(Side.EXTERNAL, 1, 11), born="20261124100824")
    files = (mine, carried(Side.INTERNAL, 12, None, FileStatus.WAITING))
    add_linked(store, external(3), internal(4), status=status, files=files)
    assert store.attachments.originals(Side.EXTERNAL, [1, 11, 12]) == {(1, external(3)): "20261124100824"}
    assert store.attachments.originals(Side.INTERNAL, [1, 11, 12]) == {(12, internal(4)): ""}
    assert store.attachments.originals(Side.INTERNAL, []) == {}
