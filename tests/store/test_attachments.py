"""The attachments that are known: counted, listed and traced to their links, as a plain list of them would be."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itopsync.model import FilePair, FileStatus, LinkStatus, Side
from itopsync.store import Store
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
        originals = [pair.original_id for pair in self.files if pair.origin is side]
        copies = [pair.copy_id for pair in self.files if pair.origin is not side and pair.copy_id is not None]
        return originals + copies


FILES = st.lists(PAIRS, max_size=6, unique_by=lambda pair: (pair.origin, pair.original_id)).map(tuple)
LINKS = st.lists(st.builds(Known, st.sampled_from(LinkStatus), st.booleans(), FILES), max_size=4)


@given(links=LINKS, side=sides, live=st.booleans(), low=st.integers(0, 12), high=st.integers(0, 12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_attachments_are_counted_as_a_plain_list_would_be(
    store: Store, links: list[Known], side: Side, *, live: bool, low: int, high: int
) -> None:
    """Each example's links replace those of the one before."""
    for number in range(1, 5):
        link = links[number - 1] if number <= len(links) else Known(LinkStatus.TOMBSTONE, live=False, files=())
        there = store.link_of(external(number)) or add_linked(store, external(number), internal(number))
        saved = type(there)(there.id, there.external, there.internal, link.status, files=link.files)
        store.save(saved, now=NOW, live=link.live)

    counted = [link for link in links if link.status is LinkStatus.LINKED and link.live == live]
    ids = sorted(number for link in counted for number in link.ids(side))
    assert store.attachment_ids(side, live=live) == ids
    owners = {
        (external if side is Side.EXTERNAL else internal)(number).id
        for number, link in enumerate(links, 1)
        if link in counted and any(low <= one <= high for one in link.ids(side))
    }
    found = store.tickets_with_attachments(side, low, high, live=live)
    assert found == ({"UserRequest": sorted(owners)} if owners else {})
    known = {number for link in links for number in link.ids(side)}
    assert store.links_of_attachments(side, range(13)).keys() == known


def test_the_tickets_are_those_that_the_attachments_are_counted_on(store: Store) -> None:
    add_linked(store, external(3), internal(30))
    add_linked(store, external(2), internal(20))
    add_linked(store, external(4, "Incident"), internal(40, "Incident"))
    add_linked(store, external(5), internal(50), live=False)
    add_linked(store, external(6), internal(60), status=LinkStatus.TOMBSTONE)
    assert store.ticket_ids(Side.EXTERNAL, live=True) == {"UserRequest": [2, 3], "Incident": [4]}
    assert store.ticket_ids(Side.INTERNAL, live=True) == {"UserRequest": [20, 30], "Incident": [40]}
    assert store.ticket_ids(Side.INTERNAL, live=False) == {"UserRequest": [50]}


@pytest.mark.parametrize("status", list(LinkStatus))
def test_an_attachment_is_traced_to_its_link_whatever_its_status(store: Store, status: LinkStatus) -> None:
    files = (carried(Side.EXTERNAL, 1, 11), carried(Side.INTERNAL, 12, None, FileStatus.WAITING))
    link = add_linked(store, external(1), internal(1), status=status, files=files)
    assert store.links_of_attachments(Side.EXTERNAL, [1, 11, 12]) == {1: link.id}
    assert store.links_of_attachments(Side.INTERNAL, [1, 11, 12]) == {11: link.id, 12: link.id}
    assert store.links_of_attachments(Side.INTERNAL, []) == {}
