"""The real process, killed with ``kill -9`` at random moments while people act; and the PostgreSQL server under it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from itopsync.exits import ExitCode
from itopsync.store import migrate
from tests.engine.rig import CONFIGURATION
from tests.torture.database import mortal_cluster
from tests.torture.servers import Ask, started

KILLS = 200
KILLS_OF_POSTGRESQL = 36
COMMANDS = (("run",), ("run",), ("run-once",), ("run-once", "--sweep"))
SOON = """\
[limits]
settle = "3s"
creations = 1000

[engine]
look_again = "2s"
pause = "1s"
first_back_off = "1s"
longest_back_off = "2s"

[schedule]
poll = "1s"
jitter = "0s"
"""
"""All that waits, waits for seconds. The simulators answer at once, so that what is on its way has long landed by then."""
PATIENCE = 30.0
"""Seconds for what takes one or two."""


@dataclass
class Service:
    """The command line between two servers."""

    folder: Path
    ask: Ask

    def configure(self, store: str) -> None:
        external, internal = self.ask("addresses")
        since = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        text = CONFIGURATION.format(store="", more=SOON).replace('"sqlite:///"', f'"{store}"').replace("2026-11-20", since)
        for fixed, actual in (("http://127.0.0.1:8081", external), ("http://127.0.0.1:8082", internal)):
            text = text.replace(f'"{fixed}"', f'"{actual}"\nwrite_timeout = "2s"')
        (self.folder / "sync.toml").write_text(text)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command; what it tells goes to a file, which :meth:`told` reads."""
        command = [sys.executable, "-m", "itopsync", "--log-level", "warning", *arguments]
        environment = {**os.environ, "PASSWORD": "sync-password", "NO_COLOR": "1"}
        with (self.folder / "stderr").open("wb") as told:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=told, stderr=told)

    def told(self) -> str:
        """What the last command told."""
        return (self.folder / "stderr").read_text()

    def run(self, *arguments: str) -> int:
        return self.start(*arguments).wait(PATIENCE)

    def come_to_rest(self) -> None:
        """Run cycles until two of them, a settling time apart, have nothing to write."""
        self.run("run-once", "--sweep")
        quiet = 0
        for _ in range(40):
            before = self.ask("written")
            time.sleep(3)
            self.run("run-once")
            quiet = quiet + 1 if self.ask("written") == before else 0
            if quiet > 1:
                return
        pytest.fail("it does not come to rest")

    def kill_at_random(self, process: subprocess.Popen[bytes], chance: random.Random) -> str | None:
        """Kill *process* as it starts, or after some requests of its work; what it had told, or None where it had ended.

        Requests are counted rather than seconds, so that a busy machine makes no difference.
        """
        last, deadline = self.ask("served") + chance.randrange(80), time.monotonic() + PATIENCE
        while process.poll() is None and self.ask("served") < last and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.04))
        alive = process.poll() is None
        process.kill()
        process.wait()
        return self.told() if alive else None


def _judge(service: Service) -> list[str]:
    """The violations once all is at rest."""
    service.come_to_rest()
    found: list[str] = service.ask("judge")
    code = service.run("verify")
    return found if code == ExitCode.WELL else [*found, f"verify ends with {code}: {service.told()}"]


@pytest.mark.torture
def test_hundreds_of_kills_of_the_process_lose_and_double_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance, killed, unknown, odd = random.Random(), 0, 0, []
    with started(chance.randrange(1_000_000)) as ask:
        service = Service(tmp_path, ask)
        service.configure(f"sqlite:///{tmp_path}/store.sqlite")
        service.run("db", "upgrade")
        ask("begin", f"sqlite:///{tmp_path}/store.sqlite")
        while killed < KILLS:
            process = service.start(*chance.choice(COMMANDS))
            told = service.kill_at_random(process, chance)
            if told is not None:
                killed += 1
                unknown += "writes of unknown outcome" in told
            elif process.returncode not in (ExitCode.WELL, ExitCode.TROUBLED):
                odd.append(f"ended with {process.returncode}: {service.told()}")
        deeds = ask("end")
        found = odd + _judge(service)
    name = f"kill -9 of the process, {unknown} times with a write under way, {deeds} deeds of people · SQLite"
    record_property("torture", (name, 0, killed, len(found)))
    assert found == []
    assert unknown > KILLS // 20, "the kills hardly ever met a write"


@pytest.mark.torture
def test_dozens_of_kills_of_the_database_lose_and_double_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance, ended = random.Random(), []
    with ExitStack() as stack:
        cluster = stack.enter_context(mortal_cluster())
        ask = stack.enter_context(started(chance.randrange(1_000_000)))
        service = Service(tmp_path, ask)
        service.configure(cluster.url)
        migrate.upgrade(cluster.url)
        ask("begin", cluster.url)
        process = service.start("run")
        for _ in range(KILLS_OF_POSTGRESQL):
            served, deadline = ask("served"), time.monotonic() + PATIENCE
            while process.poll() is None and ask("served") < served + 10 and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.6))
            cluster.kill()
            time.sleep(chance.uniform(0, 1.5))
            cluster.start()
            if process.poll() is not None:
                ended.append(process.returncode)
                process = service.start("run")
        process.kill()
        process.wait()
        deeds = ask("end")
        found = [f"ended with {code}" for code in ended if code != ExitCode.STORE] + _judge(service)
    name = f"kill -9 of PostgreSQL, {len(ended)} times the process ended with it, {deeds} deeds of people"
    record_property("torture", (name, 0, KILLS_OF_POSTGRESQL, len(found)))
    assert found == []
