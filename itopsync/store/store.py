"""The store as the engine and the commands see it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Self

from itopsync.store import migrate
from itopsync.store.activity import Activity
from itopsync.store.attachments import Attachments
from itopsync.store.connection import Address, Use, engine_for, make_file, write_ahead
from itopsync.store.database import Database
from itopsync.store.facts import Facts
from itopsync.store.history import History
from itopsync.store.leases import Leases, started_at
from itopsync.store.links import Links
from itopsync.store.polls import Polls
from itopsync.store.requests import Requests
from itopsync.store.spells import Spells
from itopsync.store.tombstones import Tombstones


class Store:
    """An open store, safe to use from several threads. Each call is one transaction.

    :raises StoreUnavailable: from any call, when the database does not answer
    """

    def __init__(
        self,
        database: Database,
        revision: str,
        probe: Callable[[int], str] = started_at,
        classes: Collection[str] | None = None,
    ) -> None:
        """*revision*: that of the schema; *classes*: as for :meth:`keeping`."""
        self.database, self.revision, self._probe = database, revision, probe
        self.links = Links(database, classes)
        self.tombstones = Tombstones(database)
        self.attachments = Attachments(database, classes)
        self.polls = Polls(database)
        self.history = History(database)
        self.activity = Activity(database)
        self.requests = Requests(database)
        self.spells = Spells(database)
        self.facts = Facts(database)
        self.lease = Leases(database, probe)
        self._asking: Database | None = None

    @classmethod
    def open(cls, url: str, *, probe: Callable[[int], str] = started_at) -> Self:
        """Open the store at *url*, or create it.

        *probe*: as for :class:`~itopsync.store.leases.Leases`.

        :raises StoreOutdated: it has an older schema
        :raises StoreFromTheFuture: it has a newer schema
        :raises StoreUnavailable: the database does not answer, or is not a store
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

    @classmethod
    def look_at(cls, url: str) -> Self:
        """Open the store at *url* for reading and for adding requests. Nothing else can be written, and nothing is created.

        :raises StoreOutdated: it has an older schema
        :raises StoreFromTheFuture: it has a newer schema
        :raises StoreUnavailable: there is none, or the database does not answer
        """
        address = Address.parse(url)
        if address.path is not None and not address.path.exists():
            raise address.missing()
        engine = engine_for(address, use=Use.LOOK)
        try:
            revision = migrate.revision_of(address, engine)
            migrate.refuse_other(address, revision)
            looking = cls(Database(address, engine), revision)
            looking._asking = Database(address, engine_for(address, use=Use.ASK))
            looking.requests = Requests(looking._asking)
        except BaseException:
            engine.dispose()
            raise
        return looking

    @staticmethod
    def exists(url: str) -> bool:
        """Whether there is a store at *url*; creates nothing.

        :raises StoreUnavailable: the database does not answer
        """
        return migrate.current(url) is not None

    @property
    def address(self) -> Address:
        """The store's address."""
        return self.database.address

    def keeping(self, classes: Collection[str]) -> Store:
        """The same store, but with links of other external classes than *classes* at rest: kept, but neither due nor listed."""
        kept = Store(self.database, self.revision, self._probe, classes)
        kept.requests, kept._asking = self.requests, self._asking
        return kept

    def transaction(self) -> AbstractContextManager[None]:
        """Put everything that this thread does with the store inside the context into one transaction.

        :raises AnotherInstance: the store is fenced, and this process has lost its lease to another
        """
        return self.database.transaction()

    def check_revision(self) -> None:
        """Check that nobody has changed the schema since the store was opened.

        :raises StoreFromTheFuture: a newer itopsync has upgraded it
        :raises StoreOutdated: it was downgraded to an older revision
        """
        migrate.refuse_other(self.address, migrate.revision_of(self.address, self.database.engine))

    def close(self) -> None:
        """Close all connections."""
        self.database.engine.dispose()
        if self._asking is not None:
            self._asking.engine.dispose()
