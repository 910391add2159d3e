"""What was written is remembered with the link that it changed, or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from itopsync.errors import StoreGone
from itopsync.model import STATE, ItemKey, ItemKind, LinkStatus, Side
from itopsync.store.records import ActivityRecord
from itopsync.store.store import Store
from tests.store.making import MINUTE, NOW, add_linked, external, internal

NOTE = ItemKey.of(ItemKind.NOTE, "itopsync-demo-n-1")
AGE = timedelta(seconds=12.5)


def record(link: int, minute: int = 0) -> ActivityRecord:
    return ActivityRecord(NOW + minute * MINUTE, link, Side.INTERNAL, "write", "done", (NOTE, STATE), AGE, NOW - MINUTE)


def remember(store: Store, link: int, *minutes: int) -> None:
    (saved,) = store.links.get([link])
    store.links.save(saved, now=NOW, live=True, activity=[record(link, minute) for minute in minutes])


@pytest.fixture
def two(store: Store) -> Store:
    """A store with two links, three writes on the first and one on the second."""
    for number in (1, 2):
        add_linked(store, external(number), internal(number))
    remember(store, 1, 0, 1)
    remember(store, 2, 2)
    remember(store, 1, 3)
    return store


def test_what_was_written_is_read_back_as_it_was(two: Store) -> None:
    (newest,) = two.activity.latest(1)
    assert newest == replace(record(1, 3), id=4)
    assert newest.direction == "to_internal"


def test_the_latest_come_first_page_by_page(two: Store) -> None:
    first = two.activity.latest(3)
    assert [(each.link, each.id) for each in first] == [(1, 4), (2, 3), (1, 2)]
    assert [each.id for each in two.activity.latest(3, before=(first[-1].at, 2))] == [1]


def test_one_link_or_a_span_of_time_can_be_asked_for(two: Store) -> None:
    assert [each.id for each in two.activity.latest(10, link=2)] == [3]
    assert [each.id for each in two.activity.latest(10, link=1, since=NOW + MINUTE)] == [4, 2]
    assert two.activity.latest(10, since=NOW + 4 * MINUTE) == ()


def test_a_write_of_unknown_age_has_none(two: Store) -> None:
    (link,) = two.links.get([1])
    two.links.save(link, now=NOW, live=True, activity=[replace(record(1, 4), age=None, items=())])
    (newest,) = two.activity.latest(1)
    assert (newest.age, newest.items) == (None, ())


def test_nothing_is_remembered_where_the_link_is_not_stored(two: Store) -> None:
    (link,) = two.links.get([1])
    with pytest.raises(StoreGone):
        two.links.save(replace(link, id=99), now=NOW, live=True, activity=[record(99)])
    two.links.amend(1, lambda known: replace(known, obstacles=()), NOW)
    assert len(two.activity.latest(10)) == 4


def test_what_is_older_than_asked_for_is_forgotten(two: Store) -> None:
    assert two.activity.count_old(NOW + 2 * MINUTE) == 2
    assert two.activity.prune(NOW + 2 * MINUTE) == 2
    assert [each.id for each in two.activity.latest(10)] == [4, 3]


def test_it_outlives_its_link(two: Store) -> None:
    """What was carried stays true when the link is forgotten."""
    two.links.amend(2, lambda known: replace(known, status=LinkStatus.TOMBSTONE, due_at=None), NOW)
    two.tombstones.forget([2])
    assert two.links.get([2]) == ()
    assert [each.id for each in two.activity.latest(10, link=2)] == [3]


def test_a_report_reads_link_by_link_and_the_oldest_first(two: Store) -> None:
    two.links.amend(2, lambda known: replace(known, status=LinkStatus.TOMBSTONE, due_at=None), NOW)
    two.tombstones.forget([2])
    told = list(two.activity.by_link(NOW + 3 * MINUTE))
    assert [(each.id, *numbers) for each, *numbers in told] == [
        (1, "R-000001", "R-000001"),
        (2, "R-000001", "R-000001"),
        (3, "", ""),
    ]
    assert told[0][0] == replace(record(1, 0), id=1)
