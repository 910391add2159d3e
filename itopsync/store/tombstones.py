"""Tombstones: the links that have ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select

from itopsync.model import Link, LinkStatus
from itopsync.store.database import Database
from itopsync.store.rows import batches, read_links
from itopsync.store.tables import file, link


class Tombstones:
    """All tombstones."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def old(self, before: datetime) -> tuple[Link, ...]:
        """Return the tombstones last changed before a time, ordered by id."""
        meant = select(link).where(link.c.status == LinkStatus.TOMBSTONE, link.c.updated_at < before)
        with self._database.reading() as connection:
            return read_links(connection, meant.order_by(link.c.id))

    def forget(self, ids: Iterable[int]) -> int:
        """Delete tombstones; return how many. An external ticket that still exists will be copied again."""
        deleted = 0
        with self._database.writing() as connection:
            for batch in batches(sorted(set(ids))):
                meant = (link.c.id.in_(batch), link.c.status == LinkStatus.TOMBSTONE)
                connection.execute(delete(file).where(file.c.link_id.in_(select(link.c.id).where(*meant))))
                deleted += connection.execute(delete(link).where(*meant)).rowcount
        return deleted
