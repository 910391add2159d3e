"""The cycles that ran, and small facts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, insert, select

from itopsync.model import Link, LinkStatus
from itopsync.store import codec
from itopsync.store.connection import Database
from itopsync.store.records import CycleRecord
from itopsync.store.rows import batches, read_links
from itopsync.store.tables import cycle, fact, file, link, sighting
from itopsync.store.upsert import put


class History(Database):
    """The store's part about what was."""

    def record_cycle(self, record: CycleRecord) -> int:
        """Add a cycle to the history; return its id."""
        values = {
            "kind": record.kind,
            "started": record.started,
            "finished": record.finished,
            "outcome": record.outcome,
            "counts": codec.counts_to_json(record.counts),
            "error": record.error,
        }
        with self.writing() as connection:
            added: int = connection.execute(insert(cycle).values(values).returning(cycle.c.id)).scalar_one()
        return added

    def cycles(self, limit: int) -> tuple[CycleRecord, ...]:
        """Return the latest cycles, at most *limit*, the newest first."""
        newest = select(cycle).order_by(cycle.c.started.desc(), cycle.c.id.desc()).limit(limit)
        with self.reading() as connection:
            return tuple(
                CycleRecord(
                    row.id, row.kind, row.started, row.finished, row.outcome, codec.counts_from_json(row.counts), row.error
                )
                for row in connection.execute(newest)
            )

    def prune(self, before: datetime) -> dict[str, int]:
        """Delete the cycles that started before a time, and the tickets last seen out of scope before it; count them.

        Links are not touched: a tombstone is what keeps a ticket from being copied anew.
        """
        with self.writing() as connection:
            return {
                "cycles": connection.execute(delete(cycle).where(cycle.c.started < before)).rowcount,
                "sightings": connection.execute(delete(sighting).where(sighting.c.seen_at < before)).rowcount,
            }

    def count_old(self, before: datetime) -> dict[str, int]:
        """Count what :meth:`prune` would delete."""
        with self.reading() as connection:
            return {
                "cycles": connection.scalar(select(func.count()).select_from(cycle).where(cycle.c.started < before)) or 0,
                "sightings": connection.scalar(select(func.count()).select_from(sighting).where(sighting.c.seen_at < before))
                or 0,
            }

    def old_tombstones(self, before: datetime) -> tuple[Link, ...]:
        """Return the links that have been at their end since before a time, in the order of their ids."""
        meant = select(link).where(link.c.status == LinkStatus.TOMBSTONE, link.c.updated_at < before)
        with self.reading() as connection:
            return read_links(connection, meant.order_by(link.c.id))

    def forget_tombstones(self, ids: Iterable[int]) -> int:
        """Delete links that are at their end; count them. An external ticket that is still there is copied anew."""
        deleted = 0
        with self.writing() as connection:
            for batch in batches(sorted(set(ids))):
                meant = (link.c.id.in_(batch), link.c.status == LinkStatus.TOMBSTONE)
                connection.execute(delete(file).where(file.c.link_id.in_(select(link.c.id).where(*meant))))
                deleted += connection.execute(delete(link).where(*meant)).rowcount
        return deleted

    def fact(self, name: str) -> str | None:
        """Return what is remembered under *name*."""
        with self.reading() as connection:
            return connection.scalar(select(fact.c.value).where(fact.c.name == name))

    def put_fact(self, name: str, value: str | None) -> None:
        """Remember *value* under *name*, or forget what is there."""
        with self.writing() as connection:
            if value is None:
                connection.execute(delete(fact).where(fact.c.name == name))
            else:
                put(connection, fact, [{"name": name, "value": value}])
