"""Runs the command line in processes of their own, forked from one that has loaded its modules already: loading takes longest."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from itopsync.cli import main

_FROM = multiprocessing.get_context("forkserver")
_FROM.set_forkserver_preload(["itopsync.cli.app", "itopsync.cli.sync", "itopsync.engine.engine", "itopsync.check.checking"])


def run(arguments: list[str], folder: Path, environment: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """What ``python -m itopsync`` does with *arguments*, as :func:`subprocess.run` tells it; *timeout* in seconds.

    :raises subprocess.TimeoutExpired: it did not end; it was killed
    """
    os.umask(mask := os.umask(0))
    with tempfile.TemporaryDirectory() as told:
        out, err = Path(told, "out"), Path(told, "err")
        process = _FROM.Process(target=_main, args=(arguments, folder, mask, dict(environment), (out, err)))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, timeout)
        assert process.exitcode is not None
        code, texts = process.exitcode, (out.read_text(), err.read_text())
        process.close()
    return subprocess.CompletedProcess(["itopsync", *arguments], code, *texts)


def _main(arguments: list[str], folder: Path, mask: int, environment: dict[str, str], told: tuple[Path, Path]) -> None:
    os.chdir(folder)
    os.umask(mask)
    sys.path.insert(0, "")
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(told, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.argv = ["itopsync", *arguments]
    main()
