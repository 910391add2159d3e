"""The daemon as systemd runs it: a process of its own between two simulated servers, and a socket that hears what it says."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Desk, opened
from tests.cli.forked import Process
from tests.store.cluster import Cluster, started
from tests.store.template import fresh

PATIENCE = 60.0
"""Seconds; far more than it takes."""
QUICK = '[schedule]\npoll = "1s"\n'


def wait_for(happened: Callable[[], object], patience: float = PATIENCE) -> None:
    """Look again and again until something has happened."""
    deadline = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@dataclass
class Daemon:
    """``itopsync run``, what it said to systemd, and what it logged."""

    process: Process
    log: Path
    notices: socket.socket
    said: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Take what it says to systemd until it has ended: a few notices that nobody took would hold it up."""
        running = True
        while running:
            running = self.process.poll() is None
            while select.select([self.notices], [], [], 0.05)[0]:
                self.said += self.notices.recv(65_536).decode().split("\n")

    def hear(self) -> list[str]:
        """All that it has said to systemd so far, in order."""
        return list(self.said)

    def wait_until_it_says(self, line: str) -> None:
        wait_for(lambda: any(heard.startswith(line) for heard in self.hear()))

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """What it logged, or the events of that name."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [event for event in lines if not name or event["event"] == name]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Send a signal, wait for the end; return how long that took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        return time.monotonic() - began


@dataclass
class Host:
    """A place where daemons run."""

    desk: Desk
    folder: Path
    stack: ExitStack
    count: int = 0

    def start(self, configuration: str = "sync.toml", command: str = "run", **environment: str) -> Daemon:
        """Start a daemon, or another command, on a configuration of the desk's folder."""
        self.count += 1
        address = str(self.folder / f"{self.count}.sock")
        notices = self.stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        notices.bind(address)
        log = self.desk.folder / f"{self.count}.log"  # kept for a while after a failure; the folder of sockets is not
        words = [*(["--config", configuration] if configuration else []), *command.split()]
        given = {**os.environ, "PASSWORD": "sync-password", "NOTIFY_SOCKET": address, **environment}
        log.touch()
        process = Process(words, self.desk.folder, given, ("", Path(os.devnull), log))
        daemon = Daemon(process, log, notices)
        listener = threading.Thread(target=daemon.listen)
        listener.start()
        self.stack.callback(listener.join)
        self.stack.callback(_end, process)
        return daemon


def _end(process: Process) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Two servers, and a configuration with a cycle every second."""
    with opened(tmp_path) as made:
        made.configure(QUICK)
        fresh(f"sqlite:///{tmp_path}/store.sqlite")
        yield made


@pytest.fixture
def host(desk: Desk) -> Iterator[Host]:
    """A place for daemons; they are gone with the test."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="itopsync-")))  # a short path, for sockets
        yield Host(desk, folder, stack)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with started() as running:
        yield running
