"""A way to a PostgreSQL server that can be cut: the database is lost for one process, and for nobody else."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from pathlib import Path

_PIECE = 65_536


class Way:
    """A socket in *folder*, as libpq looks for it, that leads to the server whose socket is in *target*.

    ``cut`` drops all connections and lets no new one through; ``silence`` swallows what is sent, and answers nothing.
    """

    def __init__(self, folder: Path, target: Path) -> None:
        self.folder = folder
        self._target = str(next(target.glob(".s.PGSQL.*[0-9]")))
        self._cut, self._silent = threading.Event(), threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._cut.set()

    def silence(self) -> None:
        self._silent.set()

    def mend(self) -> None:
        self._cut.clear()
        self._silent.clear()

    def close(self) -> None:
        self._cut.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._cut.is_set():
                client.close()
            else:
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._target)
            while not self._cut.is_set():
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    piece = ready.recv(_PIECE)
                    if not piece:
                        return
                    if not self._silent.is_set():
                        (server if ready is client else client).sendall(piece)
