"""Every test of the store runs on SQLite and on a real PostgreSQL, each time on a database of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itopsync.store import migrate
from itopsync.store.store import Store
from tests.store.cluster import Cluster, started
from tests.store.databases import TOMORROW
from tests.store.template import fresh


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with started() as running:
        yield running


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
        opened = Store.open(fresh(request.getfixturevalue("sqlite_url")))
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
        (folder / "versions" / "0007_tomorrow.py").write_text(TOMORROW.format(trouble=trouble))
        monkeypatch.setattr(migrate, "migrations", lambda: folder)

    return come
