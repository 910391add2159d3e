"""The bridge: the process ``itopsync run``, to be killed and started again."""

from __future__ import annotations

import subprocess
import sys
import threading
from enum import StrEnum
from pathlib import Path

_PATIENCE = 15.0
"""Seconds that it may take to end."""


class Condition(StrEnum):
    """How the bridge is."""

    IDLE = "not started yet"
    RUNS = "runs"
    KILLED = "killed"
    ENDED = "ended by itself"


class Bridge:
    """One process at a time. Threads may share it."""

    def __init__(self, configuration: Path) -> None:
        self.log = configuration.parent / "bridge.log"
        """What it prints."""
        self._command = [sys.executable, "-m", "itopsync", "--config", str(configuration), "run"]
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._lock = threading.Lock()

    @property
    def condition(self) -> Condition:
        """How it is at this moment."""
        if self._process is None:
            return Condition.IDLE
        if self._process.poll() is None:
            return Condition.RUNS
        return Condition.KILLED if self._killed else Condition.ENDED

    @property
    def pid(self) -> int:
        """Its process, or that which was the last; 0: there was none."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it, unless it runs. It does not hear Ctrl-C: we end it."""
        with self._lock:
            if self.condition is Condition.RUNS:
                return
            self._killed = False
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )

    def kill(self) -> None:
        """Kill it as a power cut does: it cannot finish anything."""
        with self._lock:
            if self._process is not None and self.condition is Condition.RUNS:
                self._killed = True
                self._process.kill()
                self._process.wait(_PATIENCE)

    def end(self) -> None:
        """Let it end in good order."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                return
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(_PATIENCE)
