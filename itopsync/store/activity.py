"""The activity: what was written and when it arrived, without its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from itopsync.model import Side
from itopsync.store import codec
from itopsync.store.database import Database
from itopsync.store.records import ActivityRecord
from itopsync.store.rows import newest
from itopsync.store.tables import activity, link


class Activity:
    """The recorded writes; :meth:`~itopsync.store.links.Links.save` adds them together with the link that they changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(
        self,
        limit: int,
        *,
        link: int | None = None,
        since: datetime | None = None,
        before: tuple[datetime, int] | None = None,
    ) -> tuple[ActivityRecord, ...]:
        """Return at most *limit* writes, newest first, narrowed as by :func:`~itopsync.store.rows.newest`."""
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(newest(activity, limit, link, since, before)))

    def ages(self, since: datetime, limit: int) -> list[timedelta]:
        """Return how long writes since a time took to arrive after the person's save, for at most *limit*, newest first."""
        meant = (activity.c.at >= since, activity.c.age.is_not(None))
        ages = select(activity.c.age).where(*meant).order_by(activity.c.at.desc(), activity.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [timedelta(seconds=age) for age in connection.scalars(ages)]

    def by_link(self, before: datetime) -> Iterator[tuple[ActivityRecord, str, str]]:
        """Yield all writes that ended before a time, link by link and oldest first, with both tickets' numbers.

        The numbers of a forgotten link are empty. All rows belong to one snapshot, and are read lazily.
        """
        meant = select(activity, link.c.external_number, link.c.internal_number).outerjoin(link, link.c.id == activity.c.link_id)
        meant = meant.where(activity.c.at < before).order_by(activity.c.link_id, activity.c.at, activity.c.id)
        with self._database.reading() as connection:
            for row in connection.execute(meant.execution_options(yield_per=1_000)):
                yield _record(row), row.external_number or "", row.internal_number or ""

    def prune(self, before: datetime) -> int:
        """Delete the writes that ended before a time; return how many."""
        with self._database.writing() as connection:
            return connection.execute(delete(activity).where(activity.c.at < before)).rowcount

    def count_old(self, before: datetime) -> int:
        """Count what :meth:`prune` would delete."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(activity).where(activity.c.at < before)) or 0


def add_activity(connection: Connection, records: Iterable[ActivityRecord]) -> None:
    """Add writes in the transaction that stores their results."""
    rows = [
        {
            "at": record.at,
            "link_id": record.link,
            "side": record.side.value,
            "action": record.action,
            "outcome": record.outcome,
            "items": codec.items_to_json(record.items),
            "age": None if record.age is None else record.age.total_seconds(),
            "cycle": record.cycle,
        }
        for record in records
    ]
    if rows:
        connection.execute(_ADD, rows)


_ADD = insert(activity)
"""Built once: building a statement takes longer than executing it."""


def _record(row: Row[Any]) -> ActivityRecord:
    return ActivityRecord(
        at=row.at,
        link=row.link_id,
        side=Side(row.side),
        action=row.action,
        outcome=row.outcome,
        items=codec.items_from_json(row.items),
        age=None if row.age is None else timedelta(seconds=row.age),
        cycle=row.cycle,
        id=row.id,
    )
