"""How a database is reached, and what its failures are called."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from itopsync.errors import StoreUnavailable, clip

BUSY_TIMEOUT = 15.0
"""Seconds to wait for another writer of an SQLite file."""
LOCK_TIMEOUT = 10.0
"""Seconds that a migration waits for a lock on PostgreSQL: while it waits, everybody else waits behind it."""
MIGRATING = 0x17095C
"""PostgreSQL's advisory lock of our migrations: one process at a time."""
CONNECT_TIMEOUT = 10
"""Seconds to wait for PostgreSQL."""
POOL_TIMEOUT = 15.0
"""Seconds that a thread waits for another to give its connection back."""
SESSION = {"statement_timeout": "60s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "15s"}
"""What PostgreSQL ends by itself. The last one frees what a process holds that was paused in the middle of a transaction."""
SILENCE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
"""How soon a database that went without a word is given up: after 25 seconds, not two hours."""

_WRITING = "itopsync_writing"
_OURS = (IntegrityError, ProgrammingError, DataError)
"""Failures that are our own mistake, and no state of the database."""


@dataclass(frozen=True)
class Address:
    """Where a store is."""

    url: URL = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``sqlite:///file``, ``sqlite://`` (in memory) or ``postgresql://user:password@host/database``.

        :raises StoreUnavailable: it is none of these
        """
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            raise StoreUnavailable(f"the store's URL cannot be read. {_FORMS}") from None
        match url.get_backend_name():
            case "sqlite":
                return cls(url.set(drivername="sqlite+pysqlite"))
            case "postgresql":
                return cls(url.set(drivername="postgresql+psycopg"))
            case other:
                raise StoreUnavailable(f"the store's URL names '{clip(other, 40)}', which is no store. {_FORMS}")

    @property
    def name(self) -> str:
        """What people call it: never with a password."""
        if self.path is not None:
            return f"store {self.path}"
        if self.is_sqlite:
            return "store in memory"
        hosts = self.url.host or self.url.query.get("host", "localhost")
        return f"store {self.url.database or ''} on PostgreSQL at {hosts if isinstance(hosts, str) else ','.join(hosts)}"

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for one in memory, and for PostgreSQL."""
        database = self.url.database
        return Path(database) if self.is_sqlite and database and database != ":memory:" else None

    @property
    def in_memory(self) -> bool:
        """Whether it is gone when it is closed."""
        return self.is_sqlite and self.path is None

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Turn a database that does not work into :class:`StoreUnavailable`; our own mistakes stay what they are."""
        try:
            yield
        except _OURS as error:
            if getattr(error.orig, "sqlstate", None) != _NO_PRIVILEGE:
                raise
            raise self.unavailable(error) from None
        except (DBAPIError, PoolTimeout) as error:
            raise self.unavailable(error) from None

    def unavailable(self, error: Exception) -> StoreUnavailable:
        """Name the store, what the database says of it, and the remedy."""
        cause = getattr(error, "orig", None) or error
        said = clip(str(cause)) or type(cause).__name__
        return StoreUnavailable(f"{self.name}: {said}. {self._remedy(said)}")

    def _remedy(self, said: str) -> str:
        if "lock timeout" in said or "locked" in said:
            return "Another process is at work on it; try again when that has ended."
        if not self.is_sqlite:
            return "Check that the database runs and that store.url and its password are right."
        if "not a database" in said or "malformed" in said:
            return "Restore a backup, or name another file in store.url."
        return "Check the disk, and that this account may write the file, what stands beside it (-wal, -shm), and its folder."


_FORMS = "Write sqlite:///FILE or postgresql://USER@HOST/DATABASE in store.url."
_NO_PRIVILEGE = "42501"


def engine_for(address: Address, *, foreign_keys: bool = True) -> Engine:
    """Return an engine on *address*; nothing is connected yet.

    *foreign_keys* are off while an SQLite schema is changed: to rebuild a table, which is how SQLite alters one, would
    delete everything that refers to it.

    :raises StoreUnavailable: the driver is not installed
    """
    try:
        return _sqlite(address, foreign_keys=foreign_keys) if address.is_sqlite else _postgresql(address)
    except ModuleNotFoundError:
        raise StoreUnavailable(f"{address.name}: its driver is missing. Install itopsync[postgresql].") from None
    except SQLAlchemyError as error:
        raise address.unavailable(error) from None


def _postgresql(address: Address) -> Engine:
    defaults = {"connect_timeout": CONNECT_TIMEOUT, "application_name": "itopsync", **SILENCE}
    given = {name: value for name, value in defaults.items() if name not in address.url.query}
    # A connection that broke since it was used last is replaced before the next use; those that are used most are used again.
    engine = create_engine(
        address.url, connect_args=given, pool_pre_ping=True, pool_use_lifo=True, pool_timeout=POOL_TIMEOUT, max_overflow=35
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.autocommit = True
        for name, value in SESSION.items():
            connection.execute(f"SET {name} = '{value}'")
        connection.autocommit = False

    return engine


def _sqlite(address: Address, *, foreign_keys: bool) -> Engine:
    options: dict[str, Any] = {"connect_args": {"timeout": BUSY_TIMEOUT, "check_same_thread": False}, "poolclass": QueuePool}
    if address.path is None:
        # One connection is the whole database: threads take turns, and it is never closed.
        options |= {"pool_size": 1, "max_overflow": 0}
    engine = create_engine(address.url, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own idea of transactions commits before each DDL statement
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A reader that turns writer can fail at once; a writer that asks first waits for its turn.
        writing = connection.get_execution_options().get(_WRITING, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def writer(engine: Engine) -> Engine:
    """The same engine, whose transactions are going to write."""
    return engine.execution_options(**{_WRITING: True})


def reader(engine: Engine) -> Engine:
    """The same engine, whose transactions see one moment."""
    return engine if engine.dialect.name == "sqlite" else engine.execution_options(isolation_level="REPEATABLE READ")


def write_ahead(address: Address) -> None:
    """Let readers and the writer of an SQLite file not wait for each other: from now on for good.

    :raises StoreUnavailable: the file cannot be written
    """
    if address.path is None:
        return
    patience = monotonic() + BUSY_TIMEOUT
    while True:
        try:
            with closing(sqlite3.connect(address.path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.Error as error:
            # Where two ask at once, SQLite refuses one of them without the wait that it grants elsewhere.
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY or monotonic() > patience:
                raise address.unavailable(error) from None
            sleep(0.02)
        else:
            return


def make_file(address: Address) -> None:
    """Make the SQLite file, readable by its owner alone; an existing one is left as it is.

    :raises StoreUnavailable: the folder is missing, or cannot be written
    """
    path = address.path
    if path is None or path.exists():
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except FileNotFoundError:
        raise _no_folder(address, path) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreUnavailable(f"{address.name}: it cannot be made: {reason}. Let this account write to {path.parent}.") from None


def refuse_unwritable(address: Address) -> None:
    """See that the SQLite file, and the files beside it, can be made and written. Writes nothing.

    :raises StoreUnavailable: they cannot
    """
    path = address.path
    if path is None:
        return
    if not path.parent.is_dir():
        raise _no_folder(address, path)
    for place in (path.parent, path, *(path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm"))):
        if place.exists() and not os.access(place, os.W_OK):
            raise StoreUnavailable(
                f"{address.name}: this account cannot write to {place}. Let the account that runs itopsync do so."
            )


def _no_folder(address: Address, path: Path) -> StoreUnavailable:
    return StoreUnavailable(
        f"{address.name}: the folder {path.parent} does not exist. Make it, for the account that runs itopsync."
    )
