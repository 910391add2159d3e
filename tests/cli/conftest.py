"""Two simulated servers on loopback, and the command line between them."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from itopsync.config import Configuration, load
from itopsync.simulator import Agent, Simulator
from tests.cli import forked
from tests.engine.rig import CONFIGURATION
from tests.store.template import fresh


@dataclass
class Desk:
    """Both servers, their people, and a folder with a sync.toml."""

    folder: Path
    external: Simulator
    internal: Simulator
    customer: Agent = field(init=False)
    operator: Agent = field(init=False)

    def __post_init__(self) -> None:
        self.customer, self.operator = self.external.agent("agent"), self.internal.agent("agent")

    def configure(self, more: str = "") -> None:
        """Write sync.toml; *more* stands at its end."""
        since = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        text = CONFIGURATION.format(store=self.folder / "store.sqlite", more=more).replace("2026-11-20", since)
        for fixed, actual in (("http://127.0.0.1:8081", self.external.url), ("http://127.0.0.1:8082", self.internal.url)):
            text = text.replace(fixed, actual)
        (self.folder / "sync.toml").write_text(text.replace('name = "IT Department"', 'name = "Demo"'))

    def configuration(self) -> Configuration:
        """What the sync.toml says, for what is called in this process."""
        return load(self.folder / "sync.toml", {"PASSWORD": "sync-password"})

    def itopsync(
        self, *arguments: str, password: str = "sync-password", columns: str = "200"
    ) -> subprocess.CompletedProcess[str]:
        """Run the command in a process of its own, in the folder.

        What people do after a cycle falls into a later second: a save in the same second waits for the second look.
        """
        environment = {**os.environ, "PASSWORD": password, "COLUMNS": columns, "NO_COLOR": "1"}
        ended = forked.run(["--log-level", "error", *arguments], self.folder, environment, timeout=60)
        if "run-once" in arguments:
            for server in (self.external, self.internal):
                server.clock_offset += timedelta(seconds=1)
        return ended


@contextmanager
def opened(folder: Path) -> Iterator[Desk]:
    """A desk whose servers answer, and which is not configured yet."""
    external, internal = (
        Simulator(timezone="Asia/Jakarta", chance=random.Random(1)),
        Simulator(timezone="Europe/Paris", chance=random.Random(2)),
    )
    with external.serve(), internal.serve():
        yield Desk(folder, external, internal)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk with nothing on it yet, and a store with nothing in it: to make one takes a process longer than the rest."""
    with opened(tmp_path) as made:
        made.configure()
        fresh(f"sqlite:///{tmp_path}/store.sqlite")
        yield made


@pytest.fixture
def no_store(desk: Desk) -> None:
    """Before the first cycle, which makes the store."""
    (desk.folder / "store.sqlite").unlink()
