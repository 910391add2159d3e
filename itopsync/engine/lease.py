"""The right to be the one writer: held in the store, renewed during work, checked before each write."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from itopsync.engine.host_clock import CLOCK, boot_id
from itopsync.errors import AnotherInstance, StoreError, StoreGone, StoreUnavailable
from itopsync.store.leases import started_at
from itopsync.store.records import Holder
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

_PATIENCE = 5.0
"""Seconds to wait for a renewal that is under way when the lease is given up."""
_SHARES = 4
"""The lease is renewed after one share of its time, and given up one share before its end."""


class Lease:
    """The lease on a store. As a context: we are the one writer, and every write transaction of the store is fenced.

    :raises AnotherInstance: on entering, if somebody else holds it; from :meth:`check`, if it may be somebody else's
    :raises StoreUnavailable: from :meth:`check`, if the database refused a renewal or does not answer
    """

    def __init__(self, store: Store, ttl: timedelta = timedelta(seconds=60)) -> None:
        self._store, self._ttl = store, ttl
        self._holder = this_process()
        self._good_until = 0.0
        self._trouble: StoreError | None = None
        """Why the last renewal failed."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def acquire(self) -> bool:
        """Take the lease if it is free, and keep it; say whether it is ours."""
        if not self._store.lease.acquire(self._holder, self._ttl):
            return False
        # A holder paused in the middle of a transaction may have kept us waiting: its time counts from now.
        asked = _now()
        if not self._store.lease.renew(self._holder, self._ttl):
            return False
        self._renewed(asked)
        self._store.lease.fence(self._holder)
        self._thread.start()
        return True

    def release(self) -> None:
        """Give the lease up, if it is still ours, so that nobody waits for its end.

        :raises StoreUnavailable: the database does not answer; the lease ends by itself
        """
        self._stop.set()
        self._thread.join(_PATIENCE)
        self._good_until = 0.0
        self._store.lease.fence(None)
        self._store.lease.release(self._holder)

    def __enter__(self) -> Self:
        if not self.acquire():
            raise AnotherInstance(f"another itopsync works on this store: {self.held_by()}. Wait for it to end, or stop it.")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.release()
        except StoreError:
            if error is None:
                raise

    def held_by(self) -> str:
        """The holder, in words."""
        held = self._store.lease.current()
        return f"process {held.holder.pid} on {held.holder.host}" if held else "somebody else"

    @property
    def remaining(self) -> float:
        """Seconds for which it is certainly ours without a renewal."""
        return self._good_until - _now()

    def check(self) -> None:
        """Check that we may write now; called right before each write.

        Our own clock shows that a process was paused. The database shows that a machine was paused with all its clocks, or
        that its clock runs slow.
        """
        self.check_time()
        if not self._store.lease.is_held_by(self._holder):
            self._good_until = 0.0
            raise AnotherInstance(f"the lease on the store is no longer ours: {self.held_by()} has it. Nothing more is written.")
        self.check_time()

    def check_time(self) -> None:
        """Check by our own clock alone that it cannot have run out.

        :raises AnotherInstance: this process was held up
        :raises StoreUnavailable: the database refused to renew it in time
        :raises StoreGone: the store's file was moved, deleted or replaced
        """
        if self.remaining > 0:
            return
        if isinstance(self._trouble, StoreGone):
            raise self._trouble
        if self._trouble is not None:
            raise StoreUnavailable(f"the lease on the store ran out, since it could not be renewed: {self._trouble}")
        raise AnotherInstance("the lease on the store ran out while this process was held up; it stops before it writes.")

    def _renewed(self, asked: float) -> None:
        whole = self._ttl.total_seconds()
        self._good_until = asked + whole - whole / _SHARES

    def _keep(self) -> None:
        while not self._stop.wait(self._ttl.total_seconds() / _SHARES):
            asked = _now()
            try:
                renewed = self._store.lease.renew(self._holder, self._ttl)
            except StoreGone as error:
                self._trouble, self._good_until = error, 0.0
                return
            except StoreError as error:
                log.warning("lease not renewed", reason=str(error))
                self._trouble = error
                continue
            self._trouble = None
            if not renewed:
                self._good_until = 0.0
                return
            self._renewed(asked)


def _now() -> float:
    return time.clock_gettime(CLOCK)


def this_process() -> Holder:
    """Who we are, so that another process on this host can tell whether we are alive."""
    return Holder(socket.gethostname(), _boot_and_namespace(), os.getpid(), started_at(os.getpid()), uuid.uuid4().hex)


def _boot_and_namespace() -> str:
    """This boot and process-id namespace: in two containers on one host, the same pid is not the same process."""
    try:
        return f"{boot_id()} {Path('/proc/self/ns/pid').readlink()}" if boot_id() else ""
    except OSError:
        return ""
