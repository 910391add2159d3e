"""``itopsync demo --serve`` in a process of its own, for the tests that use it as a newcomer would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

END = "Ctrl-C stops both servers"


@dataclass(frozen=True)
class Playground:
    """A pair that is up."""

    process: subprocess.Popen[str]
    told: str
    """What it printed."""

    @property
    def configuration(self) -> Path:
        (path,) = re.findall(r"export ITOPSYNC_CONFIG=(\S+)", self.told)
        return Path(path)

    def curls(self) -> list[str]:
        """The commands that it shows for what people do."""
        return re.findall(r"^  (curl .+\\\n.+)$", self.told, re.MULTILINE)

    def itopsync(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command in another process."""
        return self._run([sys.executable, "-m", "itopsync", *arguments])

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line as typed, with `itopsync` found where this Python's is."""
        return self._run(["bash", "-c", line])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ITOPSYNC_CONFIG": str(self.configuration),
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def playground(without: str = "") -> Iterator[Playground]:
    """Start one, as if a package were not installed; it is ended with the context if it runs still."""
    program = f"import sys; sys.modules[{without!r}] = None; from itopsync.cli import main; main()"
    command = [sys.executable, "-u", "-c", program, "demo", "--serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = ""
        for line in process.stdout:
            told += line
            if line.startswith(END):
                break
        yield Playground(process, told)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)
