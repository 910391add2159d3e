"""What PostgreSQL must not do to us, nor we to it: hang, stay cut off, hold locks for ever, or use up its connections."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import pytest
from sqlalchemy import text

from itopsync.errors import StoreUnavailable
from itopsync.store import connection
from itopsync.store.store import Store
from tests.store.cluster import Cluster
from tests.store.making import MINUTE, NOW, add, external
from tests.store.test_leases import ONE, TWO


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little of it, so that a test need not wait."""
    short = {"statement_timeout": "300ms", "lock_timeout": "200ms", "idle_in_transaction_session_timeout": "1s"}
    monkeypatch.setattr(connection, "SESSION", short)


@pytest.fixture
def store(cluster: Cluster) -> Iterator[Store]:
    opened = Store.open(cluster.new_store())
    yield opened
    opened.close()


def test_each_connection_has_its_bounds(store: Store) -> None:
    with store.database.reading() as reader:
        bounds = {name: reader.scalar(text(f"SHOW {name}")) for name in connection.SESSION}
    assert bounds == {"statement_timeout": "1min", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "15s"}


def test_a_statement_that_takes_for_ever_is_ended(patience: None, cluster: Cluster) -> None:
    store = Store.open(cluster.new_store())
    with pytest.raises(StoreUnavailable, match="statement timeout"), store.database.reading() as reader:
        reader.execute(text("SELECT pg_sleep(30)"))
    assert store.links.troubles().troubled == 0
    store.close()


def test_a_lock_that_somebody_holds_is_not_waited_for_for_ever(patience: None, cluster: Cluster) -> None:
    url = cluster.new_store()
    first, second = Store.open(url), Store.open(url)
    link = add(first, external(1))
    with first.database.writing() as busy:
        busy.execute(text("UPDATE link SET external_version = 'v2'"))
        with pytest.raises(StoreUnavailable, match=r"lock timeout.*Another process is using it"):
            second.links.begin_write(link.id, NOW)
    first.close()
    second.close()


def test_a_process_that_is_paused_in_the_middle_of_a_transaction_does_not_keep_the_lease(
    patience: None, cluster: Cluster
) -> None:
    """The database ends that transaction, and its locks with it."""
    url = cluster.new_store()
    paused, standby = Store.open(url), Store.open(url)
    paused.lease.acquire(ONE, MINUTE, NOW)
    paused.lease.fence(ONE)

    def pause() -> None:
        with paused.database.writing() as transaction:
            sleep(2)
            assert standby.lease.acquire(TWO, MINUTE, NOW + MINUTE)
            transaction.execute(text("UPDATE link SET external_version = 'v2'"))

    with pytest.raises(StoreUnavailable, match="idle-in-transaction"):
        pause()
    paused.close()
    standby.close()


def test_connections_that_the_database_dropped_are_made_again(store: Store, cluster: Cluster) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: add(store, external(number)), range(1, 9)))
    cluster.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{store.address.url.database}'")
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: store.links.counts()["waiting"], range(8))) == [8] * 8


def test_a_database_that_is_not_there_is_said_at_once_and_without_the_password(cluster: Cluster) -> None:
    began = monotonic()
    with pytest.raises(StoreUnavailable, match="Check that the database is running") as caught:
        Store.open("postgresql://itopsync:pw-of-store@127.0.0.1:9/itopsync")
    assert monotonic() - began < 5
    assert "pw-of-store" not in str(caught.value)


def test_a_session_from_when_the_database_was_read_only_is_not_kept(cluster: Cluster) -> None:
    """As from a standby before it is promoted."""
    url = cluster.new_store()
    before = Store.open(url)

    def make_read_only(setting: str) -> None:
        with before.database.writing() as transaction:
            name = transaction.scalar(text("SELECT current_database()"))
            transaction.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {setting}'))

    make_read_only("on")
    store = Store.open(url)
    with pytest.raises(StoreUnavailable, match="read-only transaction"):
        add(store, external(1))
    make_read_only("off")
    assert add(store, external(1)).external == external(1)
    store.close()
    before.close()
