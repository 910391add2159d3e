"""The schema's revisions: reads a store's revision, creates stores, and upgrades older ones."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Engine, inspect, text

from itopsync.errors import StoreError, StoreFromTheFuture, StoreOutdated, StoreUnavailable
from itopsync.store.connection import BUSY_TIMEOUT, Address, engine_for, make_file, reader, refuse_unwritable, writer

if TYPE_CHECKING:
    from itopsync.store.revisions import Revisions

log = structlog.get_logger(__name__)

EMPTY = "empty"
"""The revision of an empty database."""

_alembic = threading.Lock()
"""Alembic keeps its context in a global, so it is used by one thread at a time."""


def migrations() -> Path:
    """Return the folder of the migrations: in the installed package, or at the top of a source tree."""
    installed = Path(__file__).with_name("migrations")
    return installed if (installed / "env.py").is_file() else Path(__file__).parents[2] / "migrations"


def head() -> str:
    """The revision that this itopsync works with, from the names of the migration files, which sort by revision."""
    found = sorted(path.name for path in (migrations() / "versions").glob("[0-9]*_*.py"))
    if not found:
        raise StoreError(f"the migrations are missing from {migrations()}. Install itopsync again.")
    return found[-1].partition("_")[0]


def current(url: str) -> str | None:
    """Return the revision of the store at *url*, known or not; None if there is no store. Creates nothing.

    :raises StoreUnavailable: it does not answer, or is not a store
    """
    address = Address.parse(url)
    if address.is_sqlite and (address.path is None or not address.path.exists()):
        return None
    engine = engine_for(address)
    try:
        found = revision_of(address, engine)
    finally:
        engine.dispose()
    return None if found == EMPTY else found


def check(url: str) -> str | None:
    """Return the store's revision if this itopsync can work with it, or None if there is no store yet. Writes nothing.

    :raises StoreOutdated: it is older
    :raises StoreFromTheFuture: it is newer, or at least unknown here
    :raises StoreUnavailable: it does not answer, is not a store, or this account cannot write to it
    """
    found = current(url)
    address = Address.parse(url)
    if found is not None:
        refuse_other(address, found)
    refuse_unwritable(address)
    return found


def upgrade(url: str) -> tuple[str, str]:
    """Upgrade a store to this itopsync's schema, or create it; return the revisions before and after.

    An SQLite store is copied first (:func:`backup`).

    :raises StoreFromTheFuture: it is newer
    :raises StoreUnavailable: it does not answer, or another process is using it
    """
    address = Address.parse(url)
    make_file(address)
    engine = engine_for(address, foreign_keys=False)
    try:
        before = revision_of(address, engine)
        if before not in (EMPTY, head()):
            _refuse_unknown(address, before)
            backup(url)
        return before, raise_to_head(address, engine)
    finally:
        engine.dispose()


def downgrade(url: str, revision: str) -> tuple[str, str]:
    """Downgrade a store to an older *revision* (``base``: drop everything); return the revisions before and after.

    Data that only the newer schema can hold is lost. An SQLite store is copied first.

    :raises StoreFromTheFuture: the store's revision is unknown here
    :raises StoreError: there is no such older revision
    """
    address = Address.parse(url)
    engine = engine_for(address, foreign_keys=False)
    try:
        before = _refuse_downgrade(address, revision_of(address, engine), revision)
        backup(url)
        with _alembic, address.failures(), writer(engine).begin() as connection:
            _revisions().downgrade(connection, revision)
        return before, revision_of(address, engine)
    finally:
        engine.dispose()


def refuse_downgrade(url: str, revision: str) -> None:
    """Check that a store can be downgraded to *revision*. Writes nothing.

    :raises StoreError: there is no store, or no such older revision
    """
    found = current(url)
    address = Address.parse(url)
    if found is None:
        raise address.missing()
    _refuse_downgrade(address, found, revision)


def _refuse_downgrade(address: Address, before: str, revision: str) -> str:
    _refuse_unknown(address, before)
    if revision != "base" and revision not in _older(before):
        older = ", ".join((*sorted(_older(before), reverse=True), "base"))
        raise StoreError(f"{address.name}: it is at {before}, and '{revision}' is not an older revision. Name one of: {older}.")
    return before


def backup(url: str) -> Path | None:
    """Copy an SQLite store to a file beside it that only its owner can read; return the copy.

    None if there is no file to copy: the store is in memory, or on PostgreSQL, which has its own tools (``pg_dump``).

    :raises StoreUnavailable: the copy cannot be made
    """
    address = Address.parse(url)
    if address.path is None or not address.path.exists():
        return None
    copy = _new_file(address.path, current(url) or EMPTY)
    try:
        with closing(sqlite3.connect(address.path, timeout=BUSY_TIMEOUT, isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
    except sqlite3.Error as error:
        copy.unlink()
        raise address.unavailable(error) from None
    log.info("store copied", copy=str(copy))
    return copy


def revision_of(address: Address, engine: Engine) -> str:
    """Read the store's revision, :data:`EMPTY` for an empty database.

    :raises StoreUnavailable: it does not answer, or the database is used for something else
    """
    with address.failures(), reader(engine).connect() as connection:
        there = set(inspect(connection).get_table_names())
        found = connection.scalar(text("SELECT version_num FROM alembic_version")) if "alembic_version" in there else None
        if found is None and there - {"alembic_version"}:
            raise StoreUnavailable(f"{address.name}: it contains other tables. Give itopsync its own database in store.url.")
    return str(found or EMPTY)


def refuse_other(address: Address, revision: str) -> None:
    """Refuse a store at another revision than this itopsync's.

    :raises StoreOutdated: it is older
    :raises StoreFromTheFuture: it is newer, or at least unknown here
    """
    if revision != head():
        _refuse_unknown(address, revision)
        raise StoreOutdated(
            f"{address.name}: it is at {revision}, and this itopsync works with {head()}. "
            "Stop the daemon and run `itopsync db upgrade`."
        )


def raise_to_head(address: Address, engine: Engine) -> str:
    """Run the missing migrations in one transaction; return the store's new revision."""
    with _alembic, address.failures(), writer(engine).begin() as connection:
        _revisions().upgrade(connection)
    return revision_of(address, engine)


def _refuse_unknown(address: Address, revision: str) -> None:
    if revision != EMPTY and revision not in _revisions().known():
        raise StoreFromTheFuture(
            f"{address.name}: it is at {revision}, which this itopsync does not know. "
            "Install the newer itopsync that made it, or restore an older backup."
        )


def _older(revision: str) -> set[str]:
    known = _revisions().known()
    return set(known[known.index(revision) + 1 :]) if revision in known else set()


def _revisions() -> Revisions:
    from itopsync.store.revisions import Revisions

    return Revisions(migrations())


def _new_file(store: Path, revision: str) -> Path:
    """Create an empty file beside a store for its copy: SQLite writes into an empty file, which keeps its mode.

    :raises StoreUnavailable: it cannot be created
    """
    number = 1
    while True:
        copy = store.with_name(f"{store.name}.{revision}-{number}.backup")
        try:
            os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            number += 1
        except OSError as error:
            raise StoreUnavailable(f"store {store}: no copy can be created beside it: {error.strerror}.") from None
        else:
            return copy
