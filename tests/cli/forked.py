"""Runs the command line in processes of their own, forked from one that has loaded its modules already: loading takes longest."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from itopsync.cli import main

_FROM = multiprocessing.get_context("forkserver")
_FROM.set_forkserver_preload(["tests.cli.loaded"])

Streams = tuple[str, Path, Path]
"""What is typed, and where the output and the errors go."""


class Process:
    """A command that runs, as :class:`subprocess.Popen` tells of one."""

    def __init__(self, arguments: list[str], folder: Path, environment: Mapping[str, str], streams: Streams) -> None:
        os.umask(mask := os.umask(0))
        self._process = _FROM.Process(target=_main, args=(arguments, folder, mask, dict(environment), streams))
        self._process.start()
        self._arguments = arguments
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return how it ended.

        :raises subprocess.TimeoutExpired: it still runs after *timeout* seconds
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._arguments, timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def run(
    arguments: list[str], folder: Path, environment: Mapping[str, str], timeout: float, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """What ``python -m itopsync`` does with *arguments* and what is *typed*, as :func:`subprocess.run` tells it.

    It may take *timeout* seconds.

    :raises subprocess.TimeoutExpired: it did not end; it was killed
    """
    with tempfile.TemporaryDirectory() as told:
        out, err = Path(told, "out"), Path(told, "err")
        process = Process(arguments, folder, environment, (typed, out, err))
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        texts = out.read_text(), err.read_text()
    return subprocess.CompletedProcess(["itopsync", *arguments], code, *texts)


def _main(arguments: list[str], folder: Path, mask: int, environment: dict[str, str], streams: Streams) -> None:
    os.chdir(folder)
    os.umask(mask)
    sys.path.insert(0, "")
    os.environ.clear()
    os.environ.update(environment)
    typed, *told = streams
    for number, path in enumerate(told, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.stdin = io.StringIO(typed)
    sys.argv = ["itopsync", *arguments]
    main()
