"""A database in use: its transactions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine

from itopsync.store.connection import Address, reader, writer
from itopsync.store.group_commit import GroupCommit

T = TypeVar("T")


class Database:
    """A database in use, which all parts of a store share; several threads may use it."""

    fence: Callable[[Connection], None]
    """Called at the head of every transaction that writes; what it raises keeps that from being carried out."""

    def __init__(self, address: Address, engine: Engine) -> None:
        self.address, self.engine = address, engine
        self.fence = no_fence
        self._reader, self._writer = reader(engine), writer(engine)
        self._local = threading.local()
        self._group = GroupCommit(self.writing)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment."""
        if (opened := self._open()) is not None:
            yield opened
            return
        with self.address.failures(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is carried out whole or not at all; inside of :meth:`transaction` it is a part of that one.

        :raises AnotherInstance: there is a fence, and the lease that this process worked under is somebody else's
        """
        if (opened := self._open()) is not None:
            yield opened
            return
        with self.writing_unfenced() as connection:
            self.fence(connection)
            yield connection

    @contextmanager
    def writing_unfenced(self) -> Iterator[Connection]:
        """The same by itself, whoever holds the lease."""
        with self.address.failures(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make one transaction of all that this thread reads and writes inside.

        :raises AnotherInstance: as from :meth:`writing`
        """
        if self._open() is not None:
            yield
            return
        # Two that write several links, each in an order of its own, could wait for each other on PostgreSQL for ever.
        with self._group.alone(), self.writing() as connection:
            self._local.connection = connection
            try:
                yield
            finally:
                self._local.connection = None

    def write_grouped(self, work: Callable[[Connection], T]) -> T:
        """Carry out what many threads write at once: small, and in one transaction with what others write at this moment.

        It may raise a KeyError where it has changed nothing; that spoils nothing for the others.

        :raises AnotherInstance: as from :meth:`writing`; none of what went together is written then
        """
        opened = self._open()
        return self._group.run(work) if opened is None else work(opened)

    def _open(self) -> Connection | None:
        found: Connection | None = getattr(self._local, "connection", None)
        return found


def no_fence(_: Connection) -> None:
    """Anybody may write."""
