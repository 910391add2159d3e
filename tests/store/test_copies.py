"""A file is copied before its schema is changed."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from itopsync.errors import StoreUnavailable
from itopsync.store import migrate
from itopsync.store.store import Store
from tests.store.databases import backups, filled, links_of, rows


def test_a_file_is_copied_before_it_is_upgraded(sqlite_url: str, tomorrow: Callable[..., None], tmp_path: Path) -> None:
    filled(sqlite_url)
    tomorrow()
    migrate.upgrade(sqlite_url)
    assert backups(tmp_path) == ["store.sqlite.0006-1.backup"]
    copy = tmp_path / "store.sqlite.0006-1.backup"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert rows(f"sqlite:///{copy}", "SELECT id, external_version FROM link ORDER BY id") == [(1, "v1"), (2, "v1")]
    migrate.downgrade(sqlite_url, "0006")
    migrate.upgrade(sqlite_url)
    assert backups(tmp_path) == [f"store.sqlite.000{name}.backup" for name in ("6-1", "6-2", "7-1")]


def test_a_copy_is_a_whole_store_even_while_it_is_written_to(sqlite_url: str) -> None:
    links = filled(sqlite_url)
    store = Store.open(sqlite_url)
    with store.database.writing() as connection:
        connection.execute(text("DELETE FROM link"))
        copy = migrate.backup(sqlite_url)
        connection.rollback()
    store.close()
    assert links_of(f"sqlite:///{copy}") == links


def test_a_copy_that_cannot_be_made_leaves_nothing_behind(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(sqlite_url)
    monkeypatch.setattr("itopsync.store.migrate.BUSY_TIMEOUT", 0.05)
    with sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(migrate, "current", lambda _url: "0006")
        with pytest.raises(StoreUnavailable, match="locked"):
            migrate.backup(sqlite_url)
    other.close()
    assert backups(tmp_path) == []


def test_what_is_no_file_is_not_copied(url: str, tmp_path: Path) -> None:
    assert migrate.backup(f"sqlite:///{tmp_path}/nothing.sqlite") is None
    assert migrate.backup("sqlite://") is None
    filled(url)
    assert (migrate.backup(url) is None) == url.startswith("postgresql")
