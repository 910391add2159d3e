"""A day's traffic in minutes: the daemon neither grows nor leaves anything open."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from itopsync.store.store import Store
from tests.bench.measure import resident
from tests.torture import speed
from tests.torture.servers import started
from tests.torture.service import Service

POLLS = 8 * 60 * 4 + 16 * 60
"""So many a day, as long as nothing else is configured: eight hours of work, four a minute, and one a minute in quiet hours."""
TICKETS = 100
PAUSE = 1.0
"""Seconds between two deeds of people, at most: two deeds a second on average."""
GROWTH = 16.0
"""MB: less than so much more at the end of the day than after its first quarter. Tickets grow all day, and answers with them."""
MORE = """
[metrics]
listen = "127.0.0.1:{port}"
"""


@dataclass(frozen=True)
class Sample:
    """What the process holds at one moment."""

    memory: float
    """MB."""
    files: int
    """Open files and sockets."""
    threads: int


@pytest.mark.torture
def test_a_day_of_traffic_leaves_memory_and_file_handles_flat(
    tmp_path: Path, record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "sync-password")
    port, chance = _free_port(), random.Random()
    url = f"sqlite:///{tmp_path}/store.sqlite"
    with started(chance.randrange(1_000_000), tickets=TICKETS, pause=PAUSE) as ask:
        service = Service(tmp_path, ask)
        service.configure(url, more=MORE.format(port=port))
        service.run("db", "upgrade")
        ask("begin", url)
        daemon = multiprocessing.get_context("spawn").Process(target=speed.run, args=(tmp_path / "sync.toml",), daemon=True)
        daemon.start()
        samples = _watch(daemon, url, port)
        deeds = ask("end")
        assert daemon.pid is not None
        os.kill(daemon.pid, signal.SIGTERM)
        daemon.join(30)
        violations = service.judge()
    early, late = _middle(samples[len(samples) // 4 : len(samples) // 2]), _middle(samples[-len(samples) // 4 :])
    name = (
        f"a day: {POLLS} polls, {deeds} deeds of people; {early.memory:.0f} MB, {early.files} files and {early.threads} threads"
        f" after a quarter, {late.memory:.0f} MB, {late.files} and {late.threads} in the end"
    )
    record_property("torture", (name, 0, 1, len(violations)))
    assert daemon.exitcode == 0
    assert violations == []
    assert late.memory < early.memory + GROWTH, samples
    assert late.files <= early.files + 2, samples  # a connection more or less
    assert late.threads <= early.threads, samples


def _watch(daemon: BaseProcess, url: str, port: int) -> list[Sample]:
    """Look at the process again and again, and at its metrics as Prometheus does, until the day is over."""
    store, samples, done = Store.open(url), [], 0
    while done < POLLS:
        time.sleep(1)
        assert daemon.is_alive()
        done = next((cycle.id or 0 for cycle in store.history.cycles(1)), 0)
        if not done:
            continue
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert b"itopsync_cycles" in answer.read()
        samples.append(_sample(daemon.pid or 0))
    store.close()
    return samples


def _sample(pid: int) -> Sample:
    files, threads = (len(list(Path(f"/proc/{pid}/{name}").iterdir())) for name in ("fd", "task"))
    return Sample(resident(pid), files, threads)


def _middle(samples: list[Sample]) -> Sample:
    """The median of each."""
    values = [sorted(getattr(sample, name) for sample in samples)[len(samples) // 2] for name in ("memory", "files", "threads")]
    return Sample(*values)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port
