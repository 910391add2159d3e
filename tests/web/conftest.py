"""What the tests of the console share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser

from itopsync.web import accounts
from tests.web.browser import chromium
from tests.web.desk import STORE, Desk

REQUIRED = "ITOPSYNC_BROWSER_REQUIRED"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser | None]:
    """Chromium; None where there is none and need be none."""
    with chromium() as opened:
        assert opened is not None or REQUIRED not in os.environ, "there is no Chromium: install the package chromium"
        yield opened


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash in no time; that it takes long in earnest, the test of the command sees."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "_HASHER", quick)
    monkeypatch.setattr(accounts, "_NOBODYS", quick.hash("nobody's"))


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that has something of everything."""
    folder = tmp_path_factory.mktemp("filled")
    made = Desk(folder)
    made.fill()
    made.close()
    return folder


@pytest.fixture
def desk(tmp_path: Path, filled: Path) -> Iterator[Desk]:
    """A console behind a proxy, before a store with something of everything."""
    shutil.copy(filled / STORE, tmp_path / STORE)
    made = Desk(tmp_path)
    yield made
    made.close()
