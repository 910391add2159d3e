"""A store that is only looked at: everything can be read, something can be asked for, and nothing else can be written."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from itopsync.errors import StoreOutdated, StoreUnavailable
from itopsync.store.records import CycleRecord, RequestKind
from itopsync.store.store import Store
from tests.store.cluster import Cluster
from tests.store.making import MINUTE, NOW, add_linked, external, internal
from tests.store.test_activity import record

WEB_PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "web.md").read_text()
CYCLE = CycleRecord(None, "poll", NOW, NOW + MINUTE, "well", {})


def test_what_is_there_is_read_and_a_request_is_added(url: str) -> None:
    store = Store.open(url)
    link = add_linked(store, external(1), internal(1))
    looking = Store.look_at(url)
    assert looking.keeping({"UserRequest"}).links.get([link.id]) == (link,)
    number = looking.keeping({"UserRequest"}).requests.ask(RequestKind.SYNC, "web:alice", NOW, link=link.id)
    (asked,) = store.requests.waiting()
    assert (asked.id, asked.actor, asked.link) == (number, "web:alice", link.id)
    looking.close()
    store.close()


WRITES: dict[str, Callable[[Store], object]] = {
    "a link": lambda store: store.links.mark_due([1], NOW, now=NOW),
    "a fact": lambda store: store.facts.put("pair", "other"),
    "a cycle": lambda store: store.history.record(CYCLE),
    "the activity": lambda store: store.activity.prune(NOW),
    "a tombstone": lambda store: store.tombstones.forget([1]),
}


@pytest.mark.parametrize("what", WRITES)
def test_nothing_else_is_written(url: str, what: str) -> None:
    store = Store.open(url)
    add_linked(store, external(1), internal(1))
    looking = Store.look_at(url)
    with pytest.raises(StoreUnavailable, match=r"read-?only"):
        WRITES[what](looking)
    looking.close()
    store.close()


@pytest.mark.parametrize("what", ["take", "prune", "recover"])
def test_a_request_is_added_and_none_is_changed(sqlite_url: str, what: str) -> None:
    """On PostgreSQL, the rights of the console's own user see to that."""
    Store.open(sqlite_url).close()
    looking = Store.look_at(sqlite_url)
    number = looking.requests.ask(RequestKind.SWEEP, "web:alice", NOW)
    does: dict[str, Callable[[], object]] = {
        "take": lambda: looking.requests.take(number, NOW),
        "prune": lambda: looking.requests.prune(NOW + MINUTE),
        "recover": lambda: looking.requests.recover(NOW),
    }
    with pytest.raises(StoreUnavailable, match="not authorized"):
        does[what]()
    assert looking.requests.any_waiting()
    looking.close()


def test_no_store_is_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no store yet"):
        Store.look_at(f"sqlite:///{tmp_path / 'none.sqlite'}")
    assert list(tmp_path.iterdir()) == []


def test_a_path_with_signs_in_it_is_the_same_path(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a b#c%20.sqlite'}"
    Store.open(url).close()
    Store.look_at(url).close()


def test_an_empty_database_is_no_store(url: str, tmp_path: Path) -> None:
    if url.startswith("sqlite"):
        (tmp_path / "store.sqlite").touch()
    with pytest.raises(StoreOutdated):
        Store.look_at(url)


# what the console counts


def test_cycles_are_counted_by_stretches_of_time(store: Store) -> None:
    for minutes, outcome in ((0, "well"), (14, "well"), (16, "stopped"), (-61, "well")):
        store.history.record(replace(CYCLE, started=NOW + minutes * MINUTE, outcome=outcome))
    found = store.history.outcomes(NOW - timedelta(hours=1), 15 * MINUTE)
    assert {at: dict(counts) for at, counts in found.items()} == {NOW: {"well": 2}, NOW + 15 * MINUTE: {"stopped": 1}}


def test_the_ages_of_the_newest_arrivals_are_told(store: Store) -> None:
    link = add_linked(store, external(1), internal(1))
    seconds = {0: 5, 1: None, 2: 7, 3: 9}
    writes = [
        replace(record(link.id, minute), age=None if age is None else timedelta(seconds=age)) for minute, age in seconds.items()
    ]
    store.links.save(link, now=NOW, live=True, activity=writes)
    assert [age.total_seconds() for age in store.activity.ages(NOW, 10)] == [9, 7, 5]
    assert [age.total_seconds() for age in store.activity.ages(NOW + MINUTE, 1)] == [9]


def test_the_consoles_own_user_adds_requests_and_nothing_else(cluster: Cluster) -> None:
    """With the very rights that the how-to grants."""
    url = cluster.new_store()
    (granted,) = re.findall(r"```sql\n(.+?)```", WEB_PAGE, re.DOTALL)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(granted.replace("…", "secret"))
    own = url.replace("postgres:@", "itopsync_web:secret@")
    assert own != url
    looking = Store.look_at(own)
    assert looking.requests.ask(RequestKind.SWEEP, "web:alice", NOW) == 1
    looking.close()
    as_it_likes = Store.open(own)
    for write in (
        lambda: as_it_likes.facts.put("pair", "other"),
        lambda: as_it_likes.links.mark_due([1], NOW, now=NOW),
        lambda: as_it_likes.requests.take(1, NOW),
        lambda: as_it_likes.requests.prune(NOW + MINUTE),
        lambda: as_it_likes.history.record(CYCLE),
    ):
        with pytest.raises(StoreUnavailable, match="permission denied"):
            write()
    as_it_likes.close()
