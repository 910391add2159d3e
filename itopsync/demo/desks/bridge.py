"""The bridge: the process ``itopsync run``, which players can kill and restart."""

from __future__ import annotations

import subprocess
import sys
import threading
from enum import StrEnum
from pathlib import Path

from itopsync import programs

_PATIENCE = 15.0
"""Seconds within which it should end."""


class Condition(StrEnum):
    """The state of the bridge."""

    IDLE = "not started yet"
    RUNS = "runs"
    KILLED = "killed"
    ENDED = "ended by itself"


class Bridge:
    """Runs at most one process at a time. Thread-safe."""

    def __init__(self, configuration: Path) -> None:
        self.log = configuration.parent / "bridge.log"
        """The file with the output of the process."""
        self._command = [sys.executable, "-m", "itopsync", "--config", str(configuration), "run"]
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._lock = threading.Lock()

    @property
    def condition(self) -> Condition:
        """Its current state."""
        if self._process is None:
            return Condition.IDLE
        if self._process.poll() is None:
            return Condition.RUNS
        return Condition.KILLED if self._killed else Condition.ENDED

    @property
    def pid(self) -> int:
        """The id of the current or latest process; 0 if there was none."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it unless it is running. Ctrl-C in the terminal does not reach it, so :meth:`end` must end it."""
        with self._lock:
            if self.condition is Condition.RUNS:
                return
            self._killed = False
            with self.log.open("ab") as log:
                self._process = programs.start(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        """Kill it like a power cut: it cannot finish anything."""
        with self._lock:
            if self._process is not None and self.condition is Condition.RUNS:
                self._killed = True
                self._process.kill()
                self._process.wait(_PATIENCE)

    def end(self) -> None:
        """Ask it to end, and kill it if it takes too long."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                return
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(_PATIENCE)
