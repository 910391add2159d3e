"""The cycles that ran."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, cast, delete, extract, func, insert, select

from itopsync.store import codec
from itopsync.store.database import Database
from itopsync.store.records import CycleRecord
from itopsync.store.tables import cycle, sighting

_ADD = insert(cycle).returning(cycle.c.id)
"""Built once: building a statement takes longer than executing it."""


class History:
    """The history of cycles."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, record: CycleRecord) -> int:
        """Add a cycle to the history; return its id."""
        values = {
            "kind": record.kind,
            "started": record.started,
            "finished": record.finished,
            "outcome": record.outcome,
            "counts": codec.counts_to_json(record.counts),
            "error": record.error,
        }
        with self._database.writing() as connection:
            added: int = connection.execute(_ADD, values).scalar_one()
        return added

    def cycles(self, limit: int) -> tuple[CycleRecord, ...]:
        """Return at most *limit* cycles, the latest recorded first, whatever the clock was set to."""
        newest = select(cycle).order_by(cycle.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return tuple(
                CycleRecord(
                    row.id, row.kind, row.started, row.finished, row.outcome, codec.counts_from_json(row.counts), row.error
                )
                for row in connection.execute(newest)
            )

    def outcomes(self, since: datetime, length: timedelta) -> Mapping[datetime, Mapping[str, int]]:
        """Count the cycles since a time: start of a stretch of *length* → outcome → how many cycles began in it."""
        seconds = int(length.total_seconds())
        stretch = (cast(extract("epoch", cycle.c.started), BigInteger) // seconds).label("stretch")
        counted = select(stretch, cycle.c.outcome, func.count()).where(cycle.c.started >= since)
        found: dict[datetime, dict[str, int]] = {}
        with self._database.reading() as connection:
            for number, outcome, count in connection.execute(counted.group_by(stretch, cycle.c.outcome)):
                found.setdefault(datetime.fromtimestamp(int(number) * seconds, UTC), {})[outcome] = count
        return found

    def prune(self, before: datetime) -> dict[str, int]:
        """Delete the cycles that started before a time, and the tickets last seen out of scope before it; return how many.

        Links stay: a tombstone is what keeps a ticket from being copied again.
        """
        with self._database.writing() as connection:
            return {
                "cycles": connection.execute(delete(cycle).where(cycle.c.started < before)).rowcount,
                "sightings": connection.execute(delete(sighting).where(sighting.c.seen_at < before)).rowcount,
            }

    def count_old(self, before: datetime) -> dict[str, int]:
        """Count what :meth:`prune` would delete."""
        with self._database.reading() as connection:
            return {
                "cycles": connection.scalar(select(func.count()).select_from(cycle).where(cycle.c.started < before)) or 0,
                "sightings": connection.scalar(select(func.count()).select_from(sighting).where(sighting.c.seen_at < before))
                or 0,
            }
