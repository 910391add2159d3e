"""Opening a store: a fresh one is made, a wrong one is refused in one clear line."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from itopsync.errors import StoreFromTheFuture, StoreUnavailable
from itopsync.model import Side
from itopsync.store import migrate
from itopsync.store.connection import Address
from itopsync.store.records import SideState
from itopsync.store.store import Store
from tests.store.cluster import Cluster
from tests.store.databases import run
from tests.store.making import NOW, add, external


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# a fresh one


def test_a_fresh_store_is_made_at_head(url: str) -> None:
    assert not Store.exists(url)
    store = Store.open(url)
    assert store.revision == migrate.head()
    store.close()
    assert Store.exists(url)
    assert migrate.check(url) == migrate.head()


def test_what_was_stored_is_there_when_it_is_opened_again(url: str) -> None:
    store = Store.open(url)
    link = add(store, external(1))
    store.close()
    again = Store.open(url)
    assert again.links.due(NOW, 10) == (link,)
    again.close()


def test_to_ask_whether_a_store_exists_makes_none(sqlite_url: str, tmp_path: Path) -> None:
    assert not Store.exists(sqlite_url)
    assert migrate.check(sqlite_url) is None
    assert not list(tmp_path.iterdir())


def test_a_store_in_memory_is_one_store_for_all_threads() -> None:
    store = Store.open("sqlite://")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: add(store, external(number)), range(1, 21)))
    assert store.links.counts()["waiting"] == 20
    assert not Store.exists("sqlite://")
    store.close()


def test_only_its_owner_may_read_the_file(sqlite_url: str, tmp_path: Path) -> None:
    store = Store.open(sqlite_url)
    add(store, external(1))
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["store.sqlite", "store.sqlite-shm", "store.sqlite-wal"]
    assert {mode(path) for path in files} == {0o600}
    store.close()


def test_what_is_committed_is_on_the_disk(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)
    add(store, external(1))
    with store.database.reading() as connection:
        pragmas = {name: connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    store.close()


def test_processes_that_start_at_once_make_one_store(url: str) -> None:
    code = "import sys; from itopsync.store.store import Store; Store.open(sys.argv[1]).close()"
    started = [subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate()[1] for process in started] == [""] * 4
    assert migrate.check(url) == migrate.head()


# a wrong one


def refusal(url: str) -> str:
    """What is said when the store cannot be opened: one line."""
    with pytest.raises(StoreUnavailable) as caught:
        Store.open(url)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_store_from_the_future_is_refused(url: str) -> None:
    Store.open(url).close()
    run(url, "UPDATE alembic_version SET version_num = '9999'")
    for refused in (Store.open, migrate.check, migrate.upgrade):
        with pytest.raises(StoreFromTheFuture, match=r"9999.*[Ii]nstall the newer itopsync"):
            refused(url)
    assert Store.exists(url)


def test_somebody_elses_database_is_refused_and_left_alone(url: str) -> None:
    run(url, "CREATE TABLE customers (id INTEGER)")
    assert "Give itopsync its own database" in refusal(url)
    with pytest.raises(StoreUnavailable):
        Store.exists(url)
    with pytest.raises(StoreUnavailable):
        migrate.upgrade(url)
    run(url, "INSERT INTO customers VALUES (1)")


def test_somebody_elses_file_is_left_byte_for_byte(sqlite_url: str, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (id INTEGER)")
    connection.close()
    before = path.read_bytes()
    refusal(sqlite_url)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("pair = 'demo'\n" * 100)
    message = refusal(sqlite_url)
    assert str(tmp_path / "store.sqlite") in message
    assert "not a database" in message


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    message = refusal(f"sqlite:///{tmp_path}/nowhere/store.sqlite")
    assert f"the folder {tmp_path}/nowhere does not exist" in message
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Not a directory" in refusal(f"sqlite:///{tmp_path}/file/store.sqlite")


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    assert str(tmp_path) in refusal(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    "url", ["mysql://user:secret@localhost/itopsync", "store.sqlite", "", "postgresql://user:secret@host:port/x"]
)
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    message = refusal(url)
    assert "sqlite:///FILE or postgresql://USER@HOST/DATABASE" in message
    assert "secret" not in message


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_database_that_does_not_answer_is_told_without_its_password(scheme: str) -> None:
    message = refusal(f"{scheme}://itopsync:secret@127.0.0.1:1/itopsync?sslpassword=secret")
    assert message.startswith("store itopsync on PostgreSQL at 127.0.0.1: ")
    assert message.endswith(
        "Check that the database is running and that store.url and its password are right; a new password needs a restart."
    )
    assert "secret" not in message
    assert "secret" not in repr(Address.parse(f"{scheme}://itopsync:secret@localhost/x?password=secret"))


def test_a_database_that_is_not_there_is_told(cluster: Cluster) -> None:
    url = cluster.new_database().replace("/store", "/nostore")
    assert "does not exist" in refusal(url)


def test_a_role_without_rights_is_told(cluster: Cluster) -> None:
    url = cluster.new_database()
    run(url, "CREATE ROLE nobody LOGIN")
    assert "permission denied" in refusal(url.replace("postgres:@", "nobody:@"))


# an open one that fails


def test_a_store_that_goes_away_is_unavailable(sqlite_url: str, tmp_path: Path) -> None:
    store = Store.open(sqlite_url)
    store.close()
    (tmp_path / "store.sqlite").unlink()
    tmp_path.rmdir()
    with pytest.raises(StoreUnavailable, match="unable to open database file"):
        store.polls.put_side(SideState(Side.EXTERNAL))


def test_a_database_that_was_made_anew_meanwhile_is_told(url: str) -> None:
    store = Store.open(url)
    add(store, external(1))
    with store.database.writing() as connection:
        connection.execute(text("DROP TABLE file"))
    with pytest.raises(StoreUnavailable, match=r"was it made anew or restored\? Start itopsync again"):
        store.links.get([1])
    store.close()


def test_a_connection_that_was_cut_heals(cluster: Cluster) -> None:
    store = Store.open(cluster.new_store())
    add(store, external(1))
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'store%' AND pid <> pg_backend_pid()"
    cluster.execute(cut)
    assert store.links.counts()["waiting"] == 1
    store.close()


def test_a_file_that_another_process_holds_is_told(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itopsync.store.connection.BUSY_TIMEOUT", 0.05)
    store = Store.open(sqlite_url)
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"database is locked\. Another process is using it"):
        store.polls.put_side(SideState(Side.EXTERNAL, cursor=NOW))
    assert store.polls.side(Side.EXTERNAL).cursor is None
    other.execute("COMMIT")
    other.close()
    store.polls.put_side(SideState(Side.EXTERNAL, cursor=NOW))
    store.close()
