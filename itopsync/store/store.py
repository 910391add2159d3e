"""The store as the engine and the commands see it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Self

from itopsync.store import migrate
from itopsync.store.activity import Activity
from itopsync.store.attachments import Attachments
from itopsync.store.connection import Address, engine_for, make_file, write_ahead
from itopsync.store.database import Database
from itopsync.store.facts import Facts
from itopsync.store.history import History
from itopsync.store.leases import Leases, started_at
from itopsync.store.links import Links
from itopsync.store.polls import Polls
from itopsync.store.requests import Requests
from itopsync.store.tombstones import Tombstones


class Store:
    """An open store; several threads may use it. Each call is one transaction: carried out whole, or not at all.

    :raises StoreUnavailable: from any call, when the database does not answer
    """

    def __init__(
        self,
        database: Database,
        revision: str,
        probe: Callable[[int], str] = started_at,
        classes: Collection[str] | None = None,
    ) -> None:
        """*revision* is that of its schema; *classes* is as for :meth:`keeping`."""
        self.database, self.revision, self._probe = database, revision, probe
        self.links = Links(database, classes)
        self.tombstones = Tombstones(database)
        self.attachments = Attachments(database, classes)
        self.polls = Polls(database)
        self.history = History(database)
        self.activity = Activity(database)
        self.requests = Requests(database)
        self.facts = Facts(database)
        self.lease = Leases(database, probe)

    @classmethod
    def open(cls, url: str, *, probe: Callable[[int], str] = started_at) -> Self:
        """Open the store at *url*; where there is none yet, one is made.

        *probe* is that of :class:`~itopsync.store.leases.Leases`.

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
        return cls(Database(address, engine), revision, probe)

    @staticmethod
    def exists(url: str) -> bool:
        """Say whether a store, or anything else, is at *url*; makes nothing.

        :raises StoreUnavailable: the database does not answer
        """
        return migrate.current(url) is not None

    @property
    def address(self) -> Address:
        """Where it is."""
        return self.database.address

    def keeping(self, classes: Collection[str]) -> Store:
        """The same store, in which links of other external *classes* rest: nothing of them is due or listed, nothing is lost."""
        return Store(self.database, self.revision, self._probe, classes)

    def transaction(self) -> AbstractContextManager[None]:
        """Make one transaction of all that this thread does with the store inside.

        :raises AnotherInstance: there is a fence, and the lease that this process worked under is somebody else's
        """
        return self.database.transaction()

    def check_revision(self) -> None:
        """See that nobody has changed the schema since it was opened.

        :raises StoreFromTheFuture: a newer itopsync has
        :raises StoreOutdated: an older one is back
        """
        migrate.refuse_other(self.address, migrate.revision_of(self.address, self.database.engine))

    def close(self) -> None:
        """Close all connections."""
        self.database.engine.dispose()
