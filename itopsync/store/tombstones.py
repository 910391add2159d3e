"""Tombstones: the links that have ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import delete, func, select

from itopsync.model import Link, LinkStatus, Side
from itopsync.store.database import Database
from itopsync.store.rows import ID, VERSION, batches, read_links
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

    def gone(self, side: Side, classes: Collection[str]) -> list[int]:
        """Return the ids of one side's tickets that were gone when their links, of these external *classes*, ended."""
        meant = (link.c.status == LinkStatus.TOMBSTONE, func.coalesce(VERSION[side], "") == "", ID[side].is_not(None))
        with self._database.reading() as connection:
            found = connection.scalars(select(ID[side]).where(*meant, link.c.external_class.in_(sorted(classes))))
            return sorted(set(found))

    def forget(self, ids: Iterable[int]) -> int:
        """Delete tombstones; return how many. An external ticket that still exists will be copied again."""
        deleted = 0
        with self._database.writing() as connection:
            for batch in batches(sorted(set(ids))):
                meant = (link.c.id.in_(batch), link.c.status == LinkStatus.TOMBSTONE)
                connection.execute(delete(file).where(file.c.link_id.in_(select(link.c.id).where(*meant))))
                deleted += connection.execute(delete(link).where(*meant)).rowcount
        return deleted
