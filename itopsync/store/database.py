"""An open database and its transactions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine

from itopsync.errors import StoreGone
from itopsync.store.connection import Address, reader, writer
from itopsync.store.group_commit import GroupCommit

T = TypeVar("T")


class Database:
    """An open database, shared by all parts of a store and safe to use from several threads."""

    fence: Callable[[Connection], None]
    """Called at the start of every transaction that writes; if it raises, the transaction is not carried out."""

    def __init__(self, address: Address, engine: Engine) -> None:
        self.address, self.engine = address, engine
        self._file = address.identity
        self.fence = no_fence
        self._reader, self._writer = reader(engine), writer(engine)
        self._local = threading.local()
        self._group = GroupCommit(self.writing)

    @property
    def is_moved(self) -> bool:
        """Whether the file that was opened is no longer the one at the store's address: moved, deleted or replaced."""
        return self.address.identity != self._file

    def refuse_moved(self) -> None:
        """Check that the file at the store's address is the one that was opened.

        :raises StoreGone: it was moved, deleted or replaced
        """
        if self.is_moved:
            raise store_gone()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads one snapshot."""
        if (opened := self._open()) is not None:
            yield opened
            return
        with self.address.failures(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes; inside :meth:`transaction` it joins that one.

        :raises AnotherInstance: the store is fenced, and this process has lost its lease to another
        """
        if (opened := self._open()) is not None:
            yield opened
            return
        with self.writing_unfenced() as connection:
            self.fence(connection)
            yield connection

    @contextmanager
    def writing_unfenced(self) -> Iterator[Connection]:
        """A transaction that writes regardless of who holds the lease, and joins no other."""
        with self.address.failures(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Put everything that this thread reads and writes inside the context into one transaction.

        :raises AnotherInstance: as from :meth:`writing`
        """
        if self._open() is not None:
            yield
            return
        # On PostgreSQL, two transactions that write several links in different orders could deadlock.
        with self._group.alone(), self.writing() as connection:
            self._local.connection = connection
            try:
                yield
            finally:
                self._local.connection = None

    def write_grouped(self, work: Callable[[Connection], T]) -> T:
        """Run one small piece of *work* in a transaction shared with what other threads are writing.

        :raises AnotherInstance: as from :meth:`writing`; nothing of the shared transaction is written then
        """
        opened = self._open()
        return self._group.run(work) if opened is None else work(opened)

    def _open(self) -> Connection | None:
        found: Connection | None = getattr(self._local, "connection", None)
        return found


def no_fence(_: Connection) -> None:
    """Let anybody write."""


def store_gone() -> StoreGone:
    """The error of a process whose lease, or whose store file, no longer exists."""
    return StoreGone(
        "the lease on the store is gone, and nothing more is written; was its file moved or replaced? "
        "Put it back, or check store.url."
    )
