"""A PostgreSQL server that can be killed and started again, as a child of ours: nobody else reaps what is killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.store.cluster import get_server

PATIENCE = 60.0
"""Seconds that a start may take, the recovery from the log included."""


class MortalCluster:
    """The server; unlike that of the other tests, it keeps what it has committed: ``fsync`` and all are on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        server = get_server(folder / "postgresql", cleanup_mode=None, start=False)
        server.ensure_pgdata_inited()
        self._data, self._program, self._user = server.pgdata, server.bin_path / "postgres", server.system_user
        self.url = f"postgresql://postgres@/postgres?host={self._data}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            command = [str(self._program), "-D", str(self._data), "-h", "", "-k", str(self._data)]
            user = self._user if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, user=user)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None:  # what is left of the one before still holds its memory
                self.start()
                return
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """``kill -9`` its first process; the others end when they see that."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def mortal_cluster() -> Iterator[MortalCluster]:
    """A server in a temporary folder; it is gone with the context."""
    folder = Path(tempfile.mkdtemp(prefix="itopsync-"))  # a short path, for its socket
    folder.chmod(0o755)
    cluster = MortalCluster(folder)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.kill()
        shutil.rmtree(folder, ignore_errors=True)
