"""The right to be the one writer: held in the store, renewed while we work, checked before each write."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import structlog

from itopsync.errors import AnotherInstance, StoreError
from itopsync.store import Holder, Store, started_at

log = structlog.get_logger(__name__)


class Lease:
    """A context in which we are the one writer on a store.

    :raises AnotherInstance: on entering, if somebody else is; from :meth:`check`, if the lease may have run out
    """

    def __init__(self, store: Store, clock: Callable[[], datetime], ttl: timedelta = timedelta(seconds=60)) -> None:
        self._store, self._clock, self._ttl = store, clock, ttl
        self._holder = this_process()
        self._good_until = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        asked = monotonic()
        if not self._store.acquire_lease(self._holder, self._ttl, self._clock()):
            held = self._store.lease()
            who = f"process {held.holder.pid} on {held.holder.host}" if held else "somebody else"
            raise AnotherInstance(f"another itopsync works on this store: {who}. Wait for it to end, or stop it.")
        self._renewed(asked)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._store.release_lease(self._holder)

    def check(self) -> None:
        """Say that we may write now; called before each write, so that a process that was paused gives up first."""
        if monotonic() >= self._good_until:
            raise AnotherInstance("the lease on the store ran out while this process was held up; it stops before it writes.")

    def _renewed(self, asked: float) -> None:
        margin = self._ttl.total_seconds() / 4
        self._good_until = asked + self._ttl.total_seconds() - margin

    def _keep(self) -> None:
        while not self._stop.wait(self._ttl.total_seconds() / 4):
            asked = monotonic()
            try:
                renewed = self._store.renew_lease(self._holder, self._ttl, self._clock())
            except StoreError as error:
                log.warning("lease not renewed", reason=str(error))
                continue
            if not renewed:
                self._good_until = 0.0
                return
            self._renewed(asked)


def this_process() -> Holder:
    """Who we are, so that another process on this host can tell whether we still live."""
    return Holder(socket.gethostname(), _boot_id(), os.getpid(), started_at(os.getpid()), uuid.uuid4().hex)


def _boot_id() -> str:
    """This boot and this process-id namespace: in two containers of one host, the same pid is not the same process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
