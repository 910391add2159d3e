"""The store as the engine and the commands see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from itopsync.store import migrate
from itopsync.store.attachments import Attachments
from itopsync.store.connection import Address, engine_for, make_file, write_ahead
from itopsync.store.history import History
from itopsync.store.leases import Leases, started_at
from itopsync.store.links import Links
from itopsync.store.polling import Polling


class Store(Polling, Links, Attachments, Leases, History):
    """An open store; several threads may use it. Each call is one transaction: carried out whole, or not at all.

    :raises StoreUnavailable: from any call, when the database does not answer
    """

    revision: str
    """The revision of its schema."""

    @classmethod
    def open(cls, url: str, *, probe: Callable[[int], str] = started_at) -> Self:
        """Open the store at *url*; where there is none yet, one is made.

        *probe* says when the process with an id started, in the words of :attr:`Holder.started`, or nothing if there is none.

        :raises StoreOutdated: it has an older schema
        :raises StoreFromTheFuture: it has a newer schema
        :raises StoreUnavailable: the database does not answer, or is no store
        """
        address = Address.parse(url)
        make_file(address)
        engine = engine_for(address)
        try:
            revision = migrate.revision_of(address, engine)
            if revision == migrate.EMPTY:
                revision = migrate.raise_to_head(address, engine)
            migrate.refuse_other(address, revision)
            write_ahead(address)
        except BaseException:
            engine.dispose()
            raise
        store = cls(address, engine, probe)
        store.revision = revision
        return store

    @staticmethod
    def exists(url: str) -> bool:
        """Say whether a store, or anything else, is at *url*; makes nothing.

        :raises StoreUnavailable: the database does not answer
        """
        return migrate.current(url) is not None

    def check_revision(self) -> None:
        """See that nobody has changed the schema since it was opened.

        :raises StoreFromTheFuture: a newer itopsync has
        :raises StoreOutdated: an older one is back
        """
        migrate.refuse_other(self.address, migrate.revision_of(self.address, self._engine))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
