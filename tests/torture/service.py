"""The command line between two servers of a process of their own."""

from __future__ import annotations

import os
import random
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from itopsync.exits import ExitCode
from tests import tuned
from tests.engine.rig import CONFIGURATION
from tests.torture.desks import BOTH_LOGS
from tests.torture.servers import Ask

SOON = """\
[limits]
landing = "3s"
creations = 1000

[schedule]
poll = "1s"
"""
HURRY = tuned.told(look_again=2, pause=1, first_back_off=1, longest_back_off=2)
"""All that waits, waits for seconds. The simulators answer at once, so that what is on its way has long landed by then."""
PATIENCE = 30.0
"""Seconds for what takes one or two."""
FOR_ALL = 300.0
"""Seconds for a sweep that has a thousand writes to make up for."""


@dataclass
class Service:
    """The command line between two servers."""

    folder: Path
    ask: Ask

    def configure(self, store: str, more: str = "") -> None:
        external, internal = self.ask("addresses")
        since = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        text = CONFIGURATION.format(store="", more=SOON + more + BOTH_LOGS)
        text = text.replace('"sqlite:///"', f'"{store}"').replace("2026-11-20", since)
        for fixed, actual in (("http://127.0.0.1:8081", external), ("http://127.0.0.1:8082", internal)):
            text = text.replace(f'"{fixed}"', f'"{actual}"\ntimeout = "2s"')
        (self.folder / "sync.toml").write_text(text)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command; what it tells goes to a file, which :meth:`told` reads."""
        command = [*tuned.PROGRAM, HURRY, "--log-level", "warning", *arguments]
        environment = {**os.environ, "PASSWORD": "sync-password", "NO_COLOR": "1"}
        with (self.folder / "stderr").open("wb") as told:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=told, stderr=told)

    def told(self) -> str:
        """What the last command told."""
        return (self.folder / "stderr").read_text()

    def run(self, *arguments: str) -> int:
        with self.start(*arguments) as process:
            try:
                return process.wait(FOR_ALL)
            finally:
                process.kill()

    def come_to_rest(self) -> None:
        """Run cycles until two of them, a settling time apart, have nothing to write, and no second look is awaited."""
        self.run("run-once", "--sweep")
        quiet = 0
        for _ in range(60):
            before = self.ask("written")
            time.sleep(3)
            self.ask("copies")
            self.run("run-once")
            quiet = quiet + 1 if self.ask("written") == before and not self.ask("awaited") else 0
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

    def judge(self) -> list[str]:
        """The violations once all is at rest."""
        self.come_to_rest()
        found: list[str] = self.ask("judge")
        code = self.run("verify")
        return found if code == ExitCode.WELL else [*found, f"verify ends with {code}: {self.told()}"]
