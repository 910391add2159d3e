"""The right to be the only writer: held in the store, renewed during work, checked before each write."""

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
from itopsync.exits import ExitCode
from itopsync.store.leases import started_at
from itopsync.store.records import Holder
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

_PATIENCE = 5.0
"""How many seconds to wait for a renewal that is under way when the lease is given up."""
_SHARES = 4
"""Into how many shares the lease's time is divided: it is renewed after each, and considered lost one share before its end."""
_SILENCE = 30
"""How many seconds the store may leave a call about the lease unanswered once the lease has run out."""
_UNANSWERED = 2
"""After how many seconds without an answer the store is to blame for a lease that ran out, and not a pause of this process."""


class Lease:
    """The lease on a store. As a context: we are the only writer, and every write transaction of the store is fenced.

    :raises AnotherInstance: on entering, if somebody else holds it; from :meth:`check`, if somebody else may hold it
    :raises StoreUnavailable: from :meth:`check`, if the database refused a renewal or does not answer
    """

    def __init__(self, store: Store, ttl: timedelta = timedelta(seconds=60)) -> None:
        self._store, self._ttl = store, ttl
        self._holder = this_process()
        self._good_until = 0.0
        self._trouble: StoreError | None = None
        """Why the last renewal failed."""
        self._stop, self._ended = threading.Event(), threading.Event()
        self._asking = False
        """Whether a call to the store about the lease is unanswered."""
        self._unanswered = 0
        """For how many seconds it has been so while this process ran."""
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def acquire(self) -> bool:
        """Take the lease if it is free, and keep renewing it; return whether it is ours."""
        if not self._store.lease.acquire(self._holder, self._ttl):
            return False
        # A holder that was paused in the middle of a transaction may have kept us waiting, so our time counts from now.
        asked = _now()
        if not self._store.lease.renew(self._holder, self._ttl):
            return False
        self._renewed(asked)
        self._store.lease.fence(self._holder)
        self._thread.start()
        threading.Thread(target=self._watch, name="lease watch", daemon=True).start()
        return True

    def release(self) -> None:
        """Give up the lease if it is still ours, so that nobody has to wait until it expires.

        :raises StoreUnavailable: the database does not answer; the lease then expires by itself
        """
        self._stop.set()
        self._thread.join(_PATIENCE)
        self._asking, self._good_until = True, 0.0
        try:
            self._store.lease.fence(None)
            self._store.lease.release(self._holder)
        finally:
            self._ended.set()

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
        """For how many more seconds it is certainly ours without a renewal."""
        return self._good_until - _now()

    def check(self) -> None:
        """Check that we may write now; called right before each write.

        Our own clock shows if this process was paused. The database shows if the whole machine was paused with its clocks, or if
        its clock runs slow.
        """
        self.check_time()
        if not self._store.lease.is_held_by(self._holder):
            self._good_until = 0.0
            raise AnotherInstance(f"the lease on the store is no longer ours: {self.held_by()} has it. Nothing more is written.")
        self.check_time()

    def check_time(self) -> None:
        """Check by our own clock alone that the lease cannot have run out.

        :raises AnotherInstance: this process was held up
        :raises StoreUnavailable: the database refused to renew it in time, or does not answer
        :raises StoreGone: the store's file was moved, deleted or replaced
        """
        if self.remaining > 0:
            return
        if isinstance(self._trouble, StoreGone):
            raise self._trouble
        if self._trouble is not None:
            raise StoreUnavailable(f"the lease on the store ran out, since it could not be renewed: {self._trouble}")
        if self._unanswered >= _UNANSWERED:
            raise StoreUnavailable(f"the lease on the store ran out: the database has not answered for {self._unanswered} s")
        raise AnotherInstance("the lease on the store ran out while this process was held up; it stops before it writes.")

    def _renewed(self, asked: float) -> None:
        whole = self._ttl.total_seconds()
        self._good_until = asked + whole - whole / _SHARES

    def _keep(self) -> None:
        while not self._stop.wait(self._ttl.total_seconds() / _SHARES):
            asked, self._asking = _now(), True
            try:
                renewed = self._store.lease.renew(self._holder, self._ttl)
            except StoreGone as error:
                self._trouble, self._good_until = error, 0.0
                return
            except StoreError as error:
                log.warning("lease not renewed", reason=str(error))
                self._trouble = error
                continue
            finally:
                self._asking = False
            self._trouble = None
            if not renewed:
                self._good_until = 0.0
                return
            self._renewed(asked)

    def _watch(self) -> None:
        """End the process if the lease has run out and the store does not answer: nothing else can end what waits for it.

        Such a silence comes from something in between that still accepts what we send. Time is counted in iterations, so that a
        process that was itself held up does not end here, but finds out by :meth:`check`.
        """
        silent = 0
        while not self._ended.wait(1.0):
            self._unanswered = self._unanswered + 1 if self._asking else 0
            silent = silent + 1 if self._asking and self.remaining <= 0 else 0
            if silent >= _SILENCE:
                log.error("store unavailable", reason=f"the lease ran out, and nothing was answered for {_SILENCE} s: we end")
                os._exit(ExitCode.STORE)


def _now() -> float:
    return time.clock_gettime(CLOCK)


def this_process() -> Holder:
    """Identifies this process, so that another on this host can tell whether it is alive."""
    return Holder(socket.gethostname(), _boot_and_namespace(), os.getpid(), started_at(os.getpid()), uuid.uuid4().hex)


def _boot_and_namespace() -> str:
    """This boot and process-id namespace: the same pid in two containers of a host is not the same process."""
    try:
        return f"{boot_id()} {Path('/proc/self/ns/pid').readlink()}" if boot_id() else ""
    except OSError:
        return ""
