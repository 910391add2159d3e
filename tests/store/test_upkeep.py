"""A store is looked after: found sound or not, copied, pruned, and left in peace while its schema is changed."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from time import sleep
from typing import Self

import pytest
from sqlalchemy import text

from itopsync.cli.app import app
from itopsync.errors import AnotherInstance, StoreError
from itopsync.model import Link, LinkStatus
from itopsync.store import migrate, upkeep
from itopsync.store.records import CycleRecord, Holder
from itopsync.store.store import Store
from tests.engine.rig import CONFIGURATION
from tests.store.cluster import Cluster
from tests.store.databases import filled, links_of, run
from tests.store.making import MINUTE, NOW, add, add_linked, carried, external, get, internal

US = Holder("here", "boot", 1, "1", "ours")
THEM = Holder("there", "boot", 2, "2", "theirs")


# sound or not


def test_a_sound_store_has_no_faults(url: str) -> None:
    filled(url)
    assert upkeep.faults(url) == []


def test_a_schema_that_somebody_changed_is_told_by_name(url: str) -> None:
    filled(url)
    run(url, "DROP INDEX ix_link_due", "ALTER TABLE fact ADD COLUMN mood TEXT")
    told = " ".join(upkeep.faults(url))
    assert "ix_link_due" in told
    assert "mood" in told


@pytest.mark.parametrize("harm", ["base = 'nonsense'", "status = 'nonsense'", "obstacles = '[{}]'"])
def test_a_link_that_cannot_be_read_is_told_by_its_number(url: str, harm: str) -> None:
    filled(url)
    run(url, f"UPDATE link SET {harm} WHERE id = 2")
    assert upkeep.faults(url) == ["link 2 cannot be read"]


def test_an_older_store_and_none_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match="there is no store yet"):
        upkeep.faults(url)
    filled(url)
    run(url, "UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(StoreError, match="0000"):
        upkeep.faults(url)


# copies


def test_a_copy_is_made_while_somebody_writes(sqlite_url: str, tmp_path: Path) -> None:
    links = filled(sqlite_url)
    store = Store.open(sqlite_url)
    with store.database.writing() as connection:
        connection.execute(text("DELETE FROM link"))
        upkeep.copy(sqlite_url, tmp_path / "copy.sqlite")
    store.close()
    assert links_of(f"sqlite:///{tmp_path}/copy.sqlite") == links
    assert upkeep.faults(f"sqlite:///{tmp_path}/copy.sqlite") == []


def test_postgresql_is_left_to_its_own_tool(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"`pg_dump --format=custom"):
        upkeep.copy(cluster.new_store(), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_copy_that_fails_leaves_nothing_behind(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"this is no database, but it is long enough" * 100)
    with pytest.raises(StoreError, match="Restore a backup"):
        upkeep.copy(sqlite_url, tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()


# at rest


def test_a_store_that_somebody_works_on_is_not_at_rest(url: str) -> None:
    filled(url)
    store = Store.open(url)
    store.lease.acquire(THEM, MINUTE)
    with pytest.raises(AnotherInstance, match=r"process 2 on there\. Stop it first"), upkeep.at_rest(url, US):
        raise AssertionError("it was let in")
    store.lease.release(THEM)
    with upkeep.at_rest(url, US):
        assert not store.lease.acquire(THEM, MINUTE)
    assert store.lease.acquire(THEM, MINUTE)
    store.close()


class Off(datetime):
    """A host whose clock is off."""

    by = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + cls.by


@pytest.mark.parametrize("minutes", [2, -11], ids=["ahead", "behind"])
def test_a_host_whose_clock_is_off_migrates_no_store_that_another_one_uses(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    url = cluster.new_store()
    configuration = CONFIGURATION.format(store="", more="").replace("sqlite:///", url.replace("postgres:@", "postgres@"))
    (tmp_path / "sync.toml").write_text(configuration)
    for module in ("itopsync.cli.session", "itopsync.store.leases"):
        monkeypatch.setattr(f"{module}.datetime", Off)
    monkeypatch.setattr(Off, "by", timedelta(minutes=minutes))
    command, upgrade, taken = ["--config", f"{tmp_path}/sync.toml", "db", "upgrade"], migrate.upgrade, list[bool]()
    with closing(Store.open(url)) as store:

        def upgrading(url: str) -> tuple[str, str]:
            taken.append(store.lease.acquire(THEM, MINUTE))
            return upgrade(url)

        monkeypatch.setattr(migrate, "upgrade", upgrading)
        app(command, standalone_mode=False)
        assert taken == [False], "it is ours while the schema changes"
        assert store.lease.acquire(THEM, MINUTE)
        with pytest.raises(AnotherInstance):
            app(command, standalone_mode=False)
        assert taken == [False]


def test_a_store_of_another_schema_and_none_can_be_at_rest(url: str) -> None:
    with upkeep.at_rest(url, US):
        migrate.upgrade(url)
    with upkeep.at_rest(url, US):
        migrate.downgrade(url, "base")
    assert not Store.exists(url)


# old things


def test_only_old_tombstones_are_offered_and_only_tombstones_go(store: Store) -> None:
    files = (carried(external(1).side, 1, 11),)
    old = add_linked(store, external(1), internal(1), status=LinkStatus.TOMBSTONE, files=files)
    alive = add_linked(store, external(2), internal(2))
    store.history.record(CycleRecord(None, "poll", NOW - timedelta(days=9), NOW, "well", {}))
    assert store.tombstones.old(NOW) == ()
    assert store.tombstones.old(NOW + MINUTE) == (old,)
    assert store.history.count_old(NOW) == {"cycles": 1, "sightings": 0}
    assert store.history.prune(NOW) == {"cycles": 1, "sightings": 0}
    assert store.tombstones.forget([old.id, alive.id]) == 1
    assert store.links.get([old.id, alive.id]) == (alive,)


# links by hand


def _pair(external_id: int, internal_id: int) -> Link:
    return Link(-1, external(external_id), internal(internal_id), LinkStatus.LINKED, due_at=NOW)


def test_two_tickets_become_a_link(store: Store) -> None:
    made = store.links.join(replace(_pair(1, 2), files=(carried(external(1).side, 5, None),)), NOW)
    assert made is not None
    assert get(store, made.id) == made


@pytest.mark.parametrize("status", [LinkStatus.TOMBSTONE, LinkStatus.UNLINKING])
def test_what_was_parted_is_joined_under_its_old_number(store: Store, status: LinkStatus) -> None:
    old = add_linked(store, external(1), internal(2), status=status, files=(carried(external(1).side, 5, 6),))
    made = store.links.join(_pair(1, 2), NOW)
    assert made is not None
    assert (made.id, get(store, made.id)) == (old.id, made)
    if status is LinkStatus.TOMBSTONE:
        add_linked(store, external(3), internal(3), status=status)
        other = store.links.join(_pair(3, 4), NOW)
        assert other is not None
        assert other.internal == internal(4)


def test_what_is_being_parted_is_joined_once_no_write_on_it_may_land_any_more(store: Store) -> None:
    old = add_linked(store, external(1), internal(2), status=LinkStatus.UNLINKING)
    store.links.save(replace(old, in_doubt=True, due_at=NOW + MINUTE), now=NOW, live=True)
    assert store.links.join(_pair(1, 2), NOW) is None
    made = store.links.join(_pair(1, 2), NOW + MINUTE)
    assert made is not None
    assert made.id == old.id


def test_a_ticket_that_waits_for_its_copy_is_joined(store: Store) -> None:
    old = add(store, external(1))
    made = store.links.join(_pair(1, 2), NOW)
    assert made is not None
    assert made.id == old.id


def test_what_is_linked_written_on_or_unsettled_is_not_joined(store: Store) -> None:
    add_linked(store, external(1), internal(1))
    add_linked(store, external(2), internal(2), status=LinkStatus.PARKED)
    add_linked(store, external(3), internal(3), status=LinkStatus.UNLINKING)
    waiting = add(store, external(4))
    store.links.begin_write(waiting.id, NOW)
    unsure = add(store, external(5))
    store.links.save(replace(unsure, in_doubt=True), now=NOW, live=True)
    for external_id, internal_id in ((1, 9), (9, 1), (2, 9), (9, 2), (3, 9), (9, 3), (4, 9), (5, 9)):
        assert store.links.join(_pair(external_id, internal_id), NOW) is None
    assert len(store.links.get(range(1, 20))) == 5


# what an operator says in between


def test_a_link_that_was_changed_since_it_was_read_is_not_written_over(store: Store) -> None:
    read = add_linked(store, external(1), internal(1))
    assert store.links.amend(read.id, lambda link: replace(link, status=LinkStatus.PARKED), NOW) is not None
    assert not store.links.begin_write(read.id, NOW, loaded=read)
    assert not store.links.save(read, now=NOW, live=True, loaded=read)
    assert get(store, read.id).status is LinkStatus.PARKED
    again = get(store, read.id)
    assert store.links.begin_write(read.id, NOW, loaded=again, saved=replace(again, internal_number="R-9"))
    assert get(store, read.id).internal_number == "R-9"


def test_a_link_that_is_being_changed_at_this_moment_is_not_written_over(store: Store) -> None:
    read = add_linked(store, external(1), internal(1))
    changing, begun = threading.Event(), list[bool]()

    def park(link: Link) -> Link:
        changing.set()
        sleep(0.3)  # time enough for the other one to come
        return replace(link, status=LinkStatus.PARKED)

    def begin() -> None:
        changing.wait(10)
        begun.append(store.links.begin_write(read.id, NOW, loaded=read))

    other = threading.Thread(target=begin)
    other.start()
    assert store.links.amend(read.id, park, NOW) is not None
    other.join(10)
    assert begun == [False]


def test_what_a_poll_has_made_due_since_it_was_read_stays_due_once_it_is_saved(store: Store) -> None:
    read = add_linked(store, external(1), internal(1), due_at=NOW)
    store.links.mark_due([read.id], NOW - MINUTE, now=NOW)
    assert store.links.begin_write(read.id, NOW, loaded=read, saved=read)
    assert get(store, read.id).due_at == NOW - MINUTE
    for then in (None, NOW + MINUTE):
        assert store.links.save(replace(read, due_at=then), now=NOW, live=True, due_when_read=NOW)
        assert get(store, read.id).due_at == NOW - MINUTE
    assert store.links.save(replace(read, due_at=NOW + MINUTE), now=NOW, live=True, due_when_read=NOW - MINUTE)
    assert get(store, read.id).due_at == NOW + MINUTE, "nobody has touched it"
    store.links.mark_due([read.id], NOW, now=NOW)
    unsure = replace(read, due_at=NOW + MINUTE, in_doubt=True)
    assert store.links.save(unsure, now=NOW, live=True, due_when_read=NOW - MINUTE)
    assert get(store, read.id) == unsure, "it is to settle"
