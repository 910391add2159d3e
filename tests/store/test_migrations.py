"""The schema's revisions: they make what is declared, lose nothing, and are whole or not at all."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from itopsync.errors import StoreError, StoreOutdated, StoreUnavailable
from itopsync.model import FileStatus, ItemKey, Obstacle
from itopsync.store import migrate
from itopsync.store.connection import MIGRATING, Address, engine_for, writer
from itopsync.store.partial import metadata
from itopsync.store.store import Store
from tests.store.cluster import Cluster
from tests.store.databases import backups, filled, links_of, rows, run
from tests.store.making import NOW, add_linked, external, internal

ROOT = Path(__file__).parents[2]

# what is declared is what is made


def test_the_migrations_make_what_is_declared(url: str) -> None:
    Store.open(url).close()
    engine = engine_for(Address.parse(url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_migrations_make_it_to_the_letter(sqlite_url: str, tmp_path: Path) -> None:
    """Conditions of indexes and checks too, which Alembic does not compare."""
    Store.open(sqlite_url).close()
    declared = f"sqlite:///{tmp_path}/declared.sqlite"
    engine = engine_for(Address.parse(declared))
    with writer(engine).begin() as connection:
        metadata.create_all(connection)
    engine.dispose()

    def schema(url: str) -> dict[object, list[str]]:
        made = rows(url, "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND sql IS NOT NULL")
        return {name: sorted(re.split(r"[,\n\t ]+", str(sql).replace('"', ""))) for name, sql in made}  # renaming quotes names

    assert schema(sqlite_url) == schema(declared)


def test_a_ticket_is_in_one_link_only(store: Store) -> None:
    add_linked(store, external(1), internal(1))
    with pytest.raises(IntegrityError):
        add_linked(store, external(2), internal(1))


# up and down


def test_an_older_store_asks_for_its_upgrade(url: str, tomorrow: Callable[..., None]) -> None:
    filled(url)
    tomorrow()
    for refused in (Store.open, migrate.check):
        with pytest.raises(StoreOutdated, match=r"it is at 0006, .* works with 0007\. .*`itopsync db upgrade`"):
            refused(url)


def test_an_upgrade_and_a_downgrade_lose_nothing(url: str, tomorrow: Callable[..., None]) -> None:
    filled(url)
    tomorrow()
    assert migrate.upgrade(url) == ("0006", "0007")
    assert migrate.check(url) == "0007"
    assert rows(url, "SELECT id, external_seen, mood FROM link ORDER BY id") == [(1, "v1", "calm"), (2, "v1", "calm")]
    assert rows(url, "SELECT link_id, original_id, copy_id FROM file ORDER BY 2") == [(1, 1, 11), (1, 2, 12)]
    assert migrate.downgrade(url, "0006") == ("0007", "0006")
    with pytest.raises(StoreOutdated):
        Store.open(url)
    assert rows(url, "SELECT id, external_version FROM link ORDER BY id") == [(1, "v1"), (2, "v1")]


def test_a_store_that_went_up_and_down_is_the_same(
    url: str, tomorrow: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    links = filled(url)
    tomorrow()
    migrate.upgrade(url)
    migrate.downgrade(url, "0006")
    monkeypatch.undo()
    assert links_of(url) == links


def test_a_write_that_is_under_way_stays_so_over_an_upgrade_from_0004(url: str) -> None:
    links = filled(url)
    store = Store.open(url)
    store.links.begin_write(links[0].id, NOW)
    store.close()
    migrate.downgrade(url, "0004")
    run(url, "UPDATE link SET writing = 'create' WHERE writing_since IS NOT NULL")
    assert migrate.upgrade(url) == ("0004", "0006")
    assert links_of(url) == links
    store = Store.open(url)
    assert store.links.recover(NOW, NOW) == (links[0].id,)
    store.close()


def test_an_older_program_gets_no_word_that_it_does_not_know(url: str) -> None:
    first, second = filled(url)
    full = Obstacle(ItemKey("log:private_log"), "", "full", tries=0, parked=False, not_before=None)
    store = Store.open(url)
    gone = replace(full, key=ItemKey("gone:external:1"), reason="it is gone")
    restored = replace(full, key=ItemKey("restored:internal"), reason="it went back", parked=True)
    files = (replace(first.files[0], status=FileStatus.LEFT), *first.files[1:])
    store.links.save(replace(first, files=files, obstacles=(gone, restored, full)), now=NOW, live=True)
    store.close()
    assert migrate.downgrade(url, "0005") == ("0006", "0005")
    assert migrate.upgrade(url) == ("0005", "0006")
    assert links_of(url) == (replace(first, files=first.files[1:], obstacles=(full,)), second)


def test_a_store_that_is_up_to_date_is_left_alone(url: str, tmp_path: Path) -> None:
    links = filled(url)
    assert migrate.upgrade(url) == ("0006", "0006")
    assert links_of(url) == links
    assert backups(tmp_path) == []


def test_an_upgrade_makes_a_store_where_there_is_none(url: str, tmp_path: Path) -> None:
    assert migrate.upgrade(url) == (migrate.EMPTY, "0006")
    assert links_of(url) == ()
    assert backups(tmp_path) == []


def test_a_store_can_be_taken_down_to_nothing(url: str) -> None:
    filled(url)
    assert migrate.downgrade(url, "base") == ("0006", migrate.EMPTY)
    assert not Store.exists(url)
    assert links_of(url) == ()


@pytest.mark.parametrize("revision", ["0006", "0007", "head", "-1", "nonsense"])
def test_a_downgrade_goes_to_an_older_revision_only(url: str, revision: str) -> None:
    links = filled(url)
    with pytest.raises(StoreError, match=f"'{revision}' is not an older revision"):
        migrate.downgrade(url, revision)
    assert links_of(url) == links


@pytest.mark.parametrize("trouble", ["raise OSError('the disk is full')", "op.execute('SELECT nonsense FROM nowhere')"])
def test_a_migration_that_fails_changes_nothing(url: str, tomorrow: Callable[..., None], trouble: str) -> None:
    filled(url)
    tomorrow(trouble)
    with pytest.raises(Exception, match=r"the disk is full|nowhere"):
        migrate.upgrade(url)
    assert rows(url, "SELECT version_num FROM alembic_version") == [("0006",)]
    assert rows(url, "SELECT id, external_version FROM link ORDER BY id") == [(1, "v1"), (2, "v1")]


def test_a_migration_that_loses_what_others_refer_to_changes_nothing(sqlite_url: str, tomorrow: Callable[..., None]) -> None:
    """While a file is migrated, nothing else sees to that."""
    filled(sqlite_url)
    tomorrow("op.execute('DELETE FROM link WHERE id = 1')")
    with pytest.raises(RuntimeError, match="left rows of file that refer to nothing"):
        migrate.upgrade(sqlite_url)
    assert rows(sqlite_url, "SELECT count(*) FROM link") == [(2,)]


def test_a_migration_does_not_wait_for_long(url: str, tomorrow: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """While it waits on PostgreSQL, everybody else waits behind it."""
    filled(url)
    tomorrow()
    monkeypatch.setattr("itopsync.store.connection.LOCK_TIMEOUT", 0.1)
    monkeypatch.setattr("itopsync.store.connection.BUSY_TIMEOUT", 0.1)
    engine = engine_for(Address.parse(url))
    with writer(engine).begin() as connection:
        connection.execute(text("UPDATE link SET external_version = 'v7'"))
        with pytest.raises(StoreUnavailable, match=r"lock.*Another process is using it; try again"):
            migrate.upgrade(url)
    engine.dispose()
    assert migrate.upgrade(url) == ("0006", "0007")


def test_one_process_migrates_at_a_time(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite its transaction sees to that."""
    url = cluster.new_database()
    monkeypatch.setattr("itopsync.store.connection.LOCK_TIMEOUT", 0.1)
    engine = engine_for(Address.parse(url))
    with writer(engine).begin() as other:
        other.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATING})"))
        with pytest.raises(StoreUnavailable, match="Another process is using it"):
            Store.open(url)
    engine.dispose()
    Store.open(url).close()


# where they are


def test_a_developer_runs_alembic_itself(url: str) -> None:
    for command in (["upgrade", "head"], ["check"]):
        subprocess.run([sys.executable, "-m", "alembic", "-x", f"url={url}", *command], cwd=ROOT, check=True, capture_output=True)
    assert links_of(url) == ()


def test_the_migrations_are_found_in_an_installed_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    code = (
        "import itopsync; from itopsync.store import migrate; from itopsync.store.store import Store; "
        "print(itopsync.__file__, migrate.migrations(), Store.open('sqlite://').revision)"
    )
    run = [sys.executable, "-c", code]
    installed = tmp_path / "installed" / "itopsync"
    done = subprocess.run(run, cwd=installed.parent, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(installed / "__init__.py"), str(installed / "store" / "migrations"), migrate.head()]
