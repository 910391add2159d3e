"""Maintenance of a store: integrity check, copy, and the lease during a migration."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, select, text

from itopsync.errors import AnotherInstance, StoreError, StoreUnavailable
from itopsync.store import migrate
from itopsync.store.connection import BUSY_TIMEOUT, Address, engine_for, reader
from itopsync.store.database import Database
from itopsync.store.leases import Leases, started_at
from itopsync.store.partial import metadata
from itopsync.store.records import Holder
from itopsync.store.rows import AT_ONCE, read_links
from itopsync.store.tables import fact, lease, link

_MIGRATING = timedelta(minutes=10)
"""How long a migration may take."""
_AT_MOST = 20
"""How many faults are reported; more than that have a common cause."""


def faults(url: str) -> list[str]:
    """Return what is wrong with a store's contents, in words; empty if it is sound. Write nothing.

    :raises StoreError: there is no store, or its schema is not this itopsync's
    """
    address = Address.parse(url)
    if migrate.check(url) is None:
        raise address.missing()
    engine = engine_for(address)
    try:
        with address.failures(), reader(engine).connect() as connection:
            found = _damage(connection) if address.is_sqlite else []
            found += [f"its schema is not as declared: {_words(difference)}" for difference in _differences(connection)]
            return (found or _unreadable(connection))[:_AT_MOST]
    finally:
        engine.dispose()


def _damage(connection: Connection) -> list[str]:
    damage = [f"SQLite finds: {row[0]}" for row in connection.execute(text("PRAGMA integrity_check")) if row[0] != "ok"]
    loose = connection.execute(text("PRAGMA foreign_key_check")).all()
    return damage + [f"row {row[1]} of {row[0]} refers to nothing" for row in loose]


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def _words(difference: object) -> str:
    """A difference's kind and the names in it."""
    if not isinstance(difference, tuple):
        return " ".join(_words(part) for part in difference) if isinstance(difference, list) else ""
    return " ".join(str(getattr(part, "name", part)) for part in difference if isinstance(getattr(part, "name", part), str))


def _unreadable(connection: Connection) -> list[str]:
    """The links that cannot be decoded."""
    found: list[str] = []
    ids = list(connection.scalars(select(link.c.id).order_by(link.c.id)))
    for start in range(0, len(ids), AT_ONCE):
        batch = ids[start : start + AT_ONCE]
        try:
            read_links(connection, select(link).where(link.c.id.in_(batch)))
        except (ValueError, KeyError, TypeError, IndexError):
            found += [f"link {number} cannot be read" for number in batch if not _is_readable(connection, number)]
    return found


def _is_readable(connection: Connection, number: int) -> bool:
    try:
        read_links(connection, select(link).where(link.c.id == number))
    except (ValueError, KeyError, TypeError, IndexError):
        return False
    return True


def copy(url: str, target: Path) -> None:
    """Copy a snapshot of an SQLite store, which may be in use, to a new file that only its owner can read.

    :raises StoreError: the store is not a file or does not exist, or the copy is corrupt
    :raises StoreUnavailable: the copy cannot be made
    """
    address = Address.parse(url)
    if address.path is None:
        raise StoreError(f"{address.name}: {_NO_FILE}")
    if not address.path.exists():
        raise address.missing()
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"{target} cannot be created: {error.strerror}. Name another file.") from None
    try:
        with closing(sqlite3.connect(address.path, timeout=BUSY_TIMEOUT, isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
        with closing(sqlite3.connect(target)) as connection:
            (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        target.unlink()
        raise address.unavailable(error) from None
    if sound != "ok":
        target.unlink()
        raise StoreError(f"{address.name}: the copy is corrupt: {sound}. Run `itopsync db check`.")


_NO_FILE = (
    "itopsync copies only SQLite files. Back up PostgreSQL at any time with `pg_dump --format=custom --file=FILE DATABASE`, and "
    "restore with `pg_restore --clean --dbname=DATABASE FILE`."
)


def fact_of(url: str, name: str) -> str | None:
    """Read a fact from a store of any revision."""
    address = Address.parse(url)
    if migrate.current(url) is None:
        return None
    engine = engine_for(address)
    try:
        with address.failures(), reader(engine).connect() as connection:
            if not inspect(connection).has_table(fact.name):
                return None
            return connection.scalar(select(fact.c.value).where(fact.c.name == name))
    finally:
        engine.dispose()


@contextmanager
def at_rest(url: str, holder: Holder) -> Iterator[None]:
    """Hold the lease of a store of any revision, so that no other process works on it meanwhile.

    :raises AnotherInstance: another process holds it
    """
    address = Address.parse(url)
    if migrate.current(url) is None:
        yield
        return
    engine = engine_for(address)
    leases = Leases(Database(address, engine), started_at)
    try:
        if not leases.acquire(holder, _MIGRATING):
            held = leases.current()
            who = f"process {held.holder.pid} on {held.holder.host}" if held else "a process that is not known"
            raise AnotherInstance(f"another itopsync works on this store: {who}. Stop it first.")
        try:
            yield
        finally:
            with address.failures(), engine.connect() as connection:
                there = inspect(connection).has_table(lease.name)
            if there:
                leases.release(holder)
    finally:
        engine.dispose()
