"""The links: what is due, written or in trouble."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itopsync.errors import StoreGone
from itopsync.model import FileStatus, ItemKey, LinkStatus, Side
from itopsync.store.records import DueCounts, ObstacleCounts
from itopsync.store.store import Store
from tests.store.arbitrary import links
from tests.store.making import MINUTE, NOW, add, add_linked, carried, external, get, internal, obstacle, sighting


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.slow
def test_a_link_is_read_as_it_was_saved_whatever_it_was_before(store: Store, data: st.DataObject) -> None:
    """Each example saves over what the one before it left."""
    if not store.links.get([1]):
        assert add(store, external(1)).id == 1
    link = data.draw(links(1))
    store.links.save(link, now=NOW, live=True)
    assert get(store, 1) == link


def test_a_link_that_is_not_there_cannot_be_saved(store: Store) -> None:
    link = replace(add(store, external(1)), id=99)
    with pytest.raises(StoreGone, match="link 99 is not in the store any more"):
        store.links.save(link, now=NOW, live=True)
    with pytest.raises(StoreGone):
        store.links.begin_write(99, NOW)


def test_what_is_due_comes_oldest_first_and_once(store: Store) -> None:
    late, early, future = (add(store, external(number)) for number in (1, 2, 3))
    store.links.save(replace(late, due_at=NOW - MINUTE), now=NOW, live=True)
    store.links.save(replace(early, due_at=NOW - 2 * MINUTE), now=NOW, live=True)
    store.links.save(replace(future, due_at=NOW + MINUTE), now=NOW, live=True)

    assert [link.id for link in store.links.due(NOW, 10)] == [early.id, late.id]
    assert [link.id for link in store.links.due(NOW, 1)] == [early.id]
    (first,) = store.links.due_ids(NOW, 1)
    assert first[0] == early.id
    assert [number for number, _ in store.links.due_ids(NOW, 1, after=(first[1], first[0]))] == [late.id]
    assert [number for number, _ in store.links.due_ids(NOW, 9, before=NOW - MINUTE)] == [early.id]
    assert [number for number, _ in store.links.due_ids(NOW, 9, since=NOW - MINUTE)] == [late.id]


def test_what_is_due_is_read_whole(store: Store) -> None:
    link = add_linked(store, external(1), internal(2), files=(carried(Side.INTERNAL, 7, 8),), due_at=NOW)
    assert store.links.due(NOW, 10) == (link,)


@pytest.mark.parametrize("status", [LinkStatus.PARKED, LinkStatus.TOMBSTONE])
def test_a_link_that_rests_is_never_due(store: Store, status: LinkStatus) -> None:
    link = add_linked(store, external(1), internal(2), status=status, due_at=NOW - MINUTE)
    store.links.mark_due([link.id], NOW - 2 * MINUTE, now=NOW)
    assert store.links.due(NOW, 10) == ()
    assert store.links.due_counts(NOW) == DueCounts(0, 0)
    assert get(store, link.id).due_at == NOW - MINUTE


def test_what_is_due_is_counted_by_what_is_to_be_done(store: Store) -> None:
    add(store, external(1))
    add(store, external(2))
    add_linked(store, external(3), internal(3), due_at=NOW)
    add_linked(store, external(4), internal(4), due_at=NOW + MINUTE)
    assert store.links.due_counts(NOW) == DueCounts(waiting=2, total=3)


def test_a_link_is_only_ever_made_due_earlier(store: Store) -> None:
    clean = add_linked(store, external(1), internal(1))
    later = add_linked(store, external(2), internal(2), due_at=NOW + MINUTE)
    earlier = add_linked(store, external(3), internal(3), due_at=NOW - MINUTE)
    store.links.mark_due([clean.id, later.id, earlier.id, 99], NOW, now=NOW)
    assert [link.due_at for link in store.links.get([clean.id, later.id, earlier.id])] == [NOW, NOW, NOW - MINUTE]


def test_a_link_that_settles_is_left_to_its_time(store: Store) -> None:
    link = add_linked(store, external(1), internal(1), due_at=NOW + 5 * MINUTE, in_doubt=True)
    store.links.mark_due([link.id], NOW, now=NOW)
    assert get(store, link.id) == link


def test_a_link_that_settles_without_a_time_is_not_forgotten(store: Store) -> None:
    link = add_linked(store, external(1), internal(1), due_at=None, in_doubt=True)
    store.links.mark_due([link.id], NOW, now=NOW)
    assert get(store, link.id).due_at == NOW


def test_very_many_links_are_made_due_at_once(store: Store) -> None:
    found = store.polls.record(
        store.polls.side(Side.EXTERNAL),
        versions={},
        due=(),
        new=[sighting(external(number)) for number in range(1, 1_202)],
        ignored=(),
        now=NOW + MINUTE,
    )
    assert len(found) == 1_201
    store.links.mark_due(found, NOW, now=NOW)
    assert store.links.due_counts(NOW) == DueCounts(waiting=1_201, total=1_201)
    assert [link.id for link in store.links.get(found)] == list(found)


# writes under way


def test_a_write_that_was_under_way_when_the_process_died_is_left_to_settle(store: Store) -> None:
    dead, alive = add(store, external(1)), add(store, external(2))
    store.links.begin_write(dead.id, NOW)
    store.links.begin_write(alive.id, NOW)
    store.links.save(replace(alive, due_at=None), now=NOW, live=True)

    assert store.links.recover(NOW + MINUTE, NOW + 6 * MINUTE) == (dead.id,)

    assert get(store, dead.id) == replace(dead, in_doubt=True, due_at=NOW + 6 * MINUTE)
    assert get(store, alive.id) == replace(alive, due_at=None)
    assert [link.id for link in store.links.troubled(10)] == [dead.id]


def test_a_write_is_recovered_from_once(store: Store) -> None:
    link = add(store, external(1))
    store.links.begin_write(link.id, NOW)
    assert store.links.recover(NOW, NOW + 5 * MINUTE) == (link.id,)
    assert store.links.recover(NOW + MINUTE, NOW + 6 * MINUTE) == ()
    assert get(store, link.id).due_at == NOW + 5 * MINUTE


# files


def test_files_come_and_go_with_the_link(store: Store) -> None:
    stays, changes, goes = (
        carried(Side.EXTERNAL, 1, 11),
        carried(Side.EXTERNAL, 2, None, FileStatus.WAITING),
        carried(Side.INTERNAL, 3, 13),
    )
    link = add_linked(store, external(1), internal(1), files=(stays, changes, goes))
    arrived, comes = carried(Side.EXTERNAL, 2, 12), carried(Side.INTERNAL, 4, None, FileStatus.KEPT)
    link = replace(link, files=(stays, arrived, comes))
    store.links.save(link, now=NOW, live=True)
    assert get(store, link.id) == link


def test_two_links_may_know_the_same_attachment(store: Store) -> None:
    """A restored server gives ids out again."""
    first = add_linked(store, external(1), internal(1), files=(carried(Side.EXTERNAL, 1, 11),))
    second = add_linked(store, external(2), internal(2), files=(carried(Side.EXTERNAL, 1, 12),))
    assert get(store, first.id) == first
    assert get(store, second.id) == second


# finding


def test_an_operator_finds_a_link_by_id_ref_or_number(store: Store) -> None:
    link = add_linked(store, external(17), internal(23))
    add_linked(store, external(18, "Incident"), internal(17, "Incident"))
    typed = [str(link.id), "external:UserRequest:17", "internal:UserRequest:23", "UserRequest:23", "r-000023", " R-000023 "]
    assert [store.links.find(text) for text in typed] == [(link,)] * len(typed)


def test_a_number_may_stand_for_one_ticket_on_each_side(store: Store) -> None:
    there, here = add_linked(store, external(17), internal(23)), add_linked(store, external(40), internal(17))
    assert store.links.find("R-000017") == (there, here)
    assert store.links.find("UserRequest:17") == (there, here)
    assert store.links.find("internal:UserRequest:17") == (here,)


@pytest.mark.parametrize(
    "text", ["", " ", "99", "9" * 40, "external:UserRequest:" + "9" * 40, "R-9", "middle:UserRequest:1", "²"]
)
def test_what_nobody_knows_is_not_found(store: Store, text: str) -> None:
    add_linked(store, external(1), internal(1))
    assert store.links.find(text) == ()


def test_a_ticket_of_a_tombstone_can_be_linked_anew(store: Store) -> None:
    gone = add_linked(store, external(1), internal(5), status=LinkStatus.TOMBSTONE)
    assert store.links.of(internal(5)) == gone
    anew = add_linked(store, external(2), internal(5))
    assert store.links.of(internal(5)) == anew
    assert store.links.of(external(1)) == gone
    assert store.links.of(external(3)) is None


# how it stands


def test_links_are_counted_by_status_and_trouble(store: Store) -> None:
    assert set(store.links.counts().values()) == {0}
    add(store, external(1))
    add_linked(store, external(2), internal(2))
    add_linked(store, external(3), internal(3), obstacles=(obstacle(),))
    add_linked(store, external(4), internal(4), in_doubt=True)
    add_linked(store, external(5), internal(5), status=LinkStatus.PARKED)
    add_linked(store, external(6), internal(6), status=LinkStatus.TOMBSTONE)
    gathers = obstacle(ItemKey("log:internal:private_log:notes"))
    add_linked(store, external(7), internal(7), obstacles=(gathers,))
    full = obstacle(ItemKey("log:internal:private_log"), parked=True)
    add_linked(store, external(8), internal(8), obstacles=(gathers, obstacle()))
    add_linked(store, external(10), internal(10), obstacles=(gathers, full))
    add_linked(store, external(11), internal(11), obstacles=(full,))
    add_linked(store, external(9), internal(9), obstacles=(gathers,), in_doubt=True)
    assert store.links.counts() == {"waiting": 1, "linked": 8, "unlinking": 0, "parked": 1, "tombstone": 1}
    found = store.links.troubles()
    assert (found.troubled, found.in_doubt, found.gathering) == (5, 2, 2)
    assert found.items == ObstacleCounts(parked=0, waiting=2, in_doubt=2)


def test_trouble_goes_when_it_is_over(store: Store) -> None:
    add_linked(store, external(1), internal(1))
    two = add_linked(store, external(2), internal(2), obstacles=(obstacle(), obstacle(ItemKey("field:title"), parked=True)))
    three = add_linked(store, external(3), internal(3), in_doubt=True)
    assert store.links.troubled(10) == (two, three)
    assert store.links.troubled(1) == (two,)
    store.links.save(replace(two, obstacles=()), now=NOW, live=True)
    store.links.save(replace(three, in_doubt=False), now=NOW, live=True)
    assert store.links.troubled(10) == ()
