"""The real process, killed with ``kill -9`` at random moments while people act; and the PostgreSQL server under it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from itopsync.exits import ExitCode
from itopsync.store import migrate
from tests.torture.database import mortal_cluster
from tests.torture.servers import started
from tests.torture.service import PATIENCE, Service

KILLS = 200
KILLS_OF_POSTGRESQL = 36
COMMANDS = (("run",), ("run",), ("run-once",), ("run-once", "--sweep"))


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
        found = odd + service.judge()
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
        found = [f"ended with {code}" for code in ended if code != ExitCode.STORE] + service.judge()
    name = f"kill -9 of PostgreSQL, {len(ended)} times the process ended with it, {deeds} deeds of people"
    record_property("torture", (name, 0, KILLS_OF_POSTGRESQL, len(found)))
    assert found == []
