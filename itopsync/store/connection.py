"""How to connect to a database, and how its failures are reported."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from itopsync.errors import StoreUnavailable, clip

BUSY_TIMEOUT = 15.0
"""Seconds to wait while another process writes to an SQLite file."""
LOCK_TIMEOUT = 10.0
"""How many seconds a migration waits for a lock on PostgreSQL; meanwhile, everybody else queues behind it."""
MIGRATING = 0x17095C
"""The PostgreSQL advisory lock that keeps migrations to one process at a time."""
CONNECT_TIMEOUT = 10
"""Seconds to wait for PostgreSQL to accept a connection."""
POOL_TIMEOUT = 15.0
"""How many seconds a thread waits for a free connection."""
SESSION = {"statement_timeout": "60s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "15s"}
"""PostgreSQL's own time-outs. The last one frees the locks of a process that was paused in the middle of a transaction."""
SILENCE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
"""Give up a silent database after 25 seconds rather than two hours."""

_WRITING = "itopsync_writing"
_OURS = (IntegrityError, ProgrammingError, DataError)
"""Failures caused by a mistake of ours rather than by the database's state."""


@dataclass(frozen=True)
class Address:
    """The address of a store."""

    url: URL = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``sqlite:///file``, ``sqlite://`` (in memory) or ``postgresql://user:password@host/database``.

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
                raise StoreUnavailable(f"the store's URL names '{clip(other, 40)}', which is not supported. {_FORMS}")

    @property
    def name(self) -> str:
        """Its name in messages, without the password."""
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
        """The SQLite file; None for a store in memory or on PostgreSQL."""
        database = self.url.database
        return Path(database) if self.is_sqlite and database and database != ":memory:" else None

    @property
    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the SQLite file; None if there is no such file."""
        try:
            found = self.path.stat() if self.path is not None else None
        except OSError:
            return None
        return None if found is None else (found.st_dev, found.st_ino)

    @property
    def in_memory(self) -> bool:
        """Whether the store vanishes when it is closed."""
        return self.is_sqlite and self.path is None

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Raise the database's failures as :class:`StoreUnavailable`, and let our own mistakes pass unchanged."""
        try:
            yield
        except _OURS as error:
            if getattr(error.orig, "sqlstate", None) not in (_NO_PRIVILEGE, _NO_TABLE):
                raise
            raise self.unavailable(error) from None
        except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
            raise self.unavailable(error) from None

    def missing(self) -> StoreUnavailable:
        """Return an error that says that there is no store here, and how a running process may have another one."""
        return StoreUnavailable(
            f"{self.name}: there is no store yet. The first cycle creates it. If the service runs, it uses another: check "
            "store.url, and restart it."
        )

    def unavailable(self, error: Exception) -> StoreUnavailable:
        """Return an error that names the store, what the database reported, and the remedy."""
        cause = getattr(error, "orig", None) or error
        report = clip(str(cause)) or type(cause).__name__
        return StoreUnavailable(f"{self.name}: {report}. {self._remedy(report)}")

    def _remedy(self, report: str) -> str:
        if "lock timeout" in report or "locked" in report:
            return "Another process is using it; try again when it has finished."
        if report.startswith(("no such table", 'relation "')):
            return "It is not the store that was opened: was it made anew or restored? Start itopsync again."
        if not self.is_sqlite:
            return (
                "Check that the database is running and that store.url and its password are right; "
                "a new password needs a restart."
            )
        if "not a database" in report or "malformed" in report:
            return "Restore a backup, or name another file in store.url."
        return "Check the disk, and that this account may write to the file, the files beside it (-wal, -shm) and their folder."


_FORMS = "Write sqlite:///FILE or postgresql://USER@HOST/DATABASE in store.url."
_NO_PRIVILEGE = "42501"
_NO_TABLE = "42P01"
_READ_ONLY = "25006"


class Use(StrEnum):
    """What a store is opened for."""

    ALL = "all"
    LOOK = "look"
    """To read it; nothing can be written, whatever is tried."""
    ASK = "ask"
    """To add requests. On SQLite, nothing else can be written; on PostgreSQL, the database user's rights ensure that."""


def engine_for(address: Address, *, foreign_keys: bool = True, use: Use = Use.ALL) -> Engine:
    """Return an engine for *address*, not yet connected.

    Turn *foreign_keys* off while changing an SQLite schema: SQLite alters a table by rebuilding it, which would delete every row
    that refers to it.

    :raises StoreUnavailable: the driver is not installed
    """
    try:
        return _sqlite(address, use, foreign_keys=foreign_keys) if address.is_sqlite else _postgresql(address, use)
    except ModuleNotFoundError:
        raise StoreUnavailable(f"{address.name}: its driver is missing. Install itopsync[postgresql].") from None
    except SQLAlchemyError as error:
        raise address.unavailable(error) from None


def _postgresql(address: Address, use: Use) -> Engine:
    defaults = {"connect_timeout": CONNECT_TIMEOUT, "application_name": "itopsync", **SILENCE}
    given = {name: value for name, value in defaults.items() if name not in address.url.query}
    # Replace a broken connection before its next use, and prefer the most recently used ones.
    engine = create_engine(
        address.url, connect_args=given, pool_pre_ping=True, pool_use_lifo=True, pool_timeout=POOL_TIMEOUT, max_overflow=35
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.autocommit = True
        for name, value in SESSION.items():
            connection.execute(f"SET {name} = '{value}'")
        if use is Use.LOOK:
            connection.execute("SET default_transaction_read_only = on")
        connection.autocommit = False

    @event.listens_for(engine, "handle_error")
    def drop_read_only(context: ExceptionContext) -> None:
        # A session opened while the database was a standby stays read-only after a failover: only a new one may write.
        if use is not Use.LOOK and getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True

    return engine


def _sqlite(address: Address, use: Use, *, foreign_keys: bool) -> Engine:
    options: dict[str, Any] = {"connect_args": {"timeout": BUSY_TIMEOUT, "check_same_thread": False}, "poolclass": QueuePool}
    if address.path is None:
        # The database lives in its only connection: threads take turns, and it is never closed.
        options |= {"pool_size": 1, "max_overflow": 0}
    url = address.url
    if use is not Use.ALL and address.path is not None:
        mode = "ro" if use is Use.LOOK else "rw"
        url = url.set(database=f"file:{quote(str(address.path))}", query={"mode": mode, "uri": "true"})
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # by default, the driver commits before each DDL statement
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()
        if use is Use.ASK:
            connection.set_authorizer(_only_requests)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that begins as a reader may fail without waiting at its first write; one that begins as a writer waits.
        writing = connection.get_execution_options().get(_WRITING, False)
        # Directly to the driver: as a statement of SQLAlchemy, it would take longer than most reads.
        begun = connection.connection.cursor()
        begun.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
        begun.close()

    return engine


_READS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_TRANSACTION)


def _only_requests(action: int, table: str | None, *_: object) -> int:
    """Authorize one part of a statement: reading, and inserting a request."""
    counting = table == "sqlite_sequence" and action in (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE)
    asking = table == "request" and action == sqlite3.SQLITE_INSERT
    return sqlite3.SQLITE_OK if action in _READS or counting or asking else sqlite3.SQLITE_DENY


def writer(engine: Engine) -> Engine:
    """The same engine, for transactions that write."""
    return engine.execution_options(**{_WRITING: True})


def reader(engine: Engine) -> Engine:
    """The same engine, for transactions that read one snapshot."""
    return engine if engine.dialect.name == "sqlite" else engine.execution_options(isolation_level="REPEATABLE READ")


def write_ahead(address: Address) -> None:
    """Put an SQLite file permanently into WAL mode, so that readers and the writer do not block each other.

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
            # If two processes ask at the same time, SQLite refuses one of them without honouring the busy time-out.
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY or monotonic() > patience:
                raise address.unavailable(error) from None
            sleep(0.02)
        else:
            return


def make_file(address: Address) -> None:
    """Create the SQLite file, readable only by its owner, unless it exists.

    :raises StoreUnavailable: the folder is missing or not writable
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
        raise StoreUnavailable(
            f"{address.name}: it cannot be created: {reason}. Let this account write to {path.parent}."
        ) from None


def refuse_unwritable(address: Address) -> None:
    """Refuse an SQLite file that this account cannot create or write, or whose companion files it cannot. Writes nothing.

    :raises StoreUnavailable: it cannot
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
        f"{address.name}: the folder {path.parent} does not exist. Create it for the account that runs itopsync."
    )
