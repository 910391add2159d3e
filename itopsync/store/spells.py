"""Spells: how long a side was down, something was parked and the like, as recorded by cycles."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from itopsync.model import Side
from itopsync.store.database import Database
from itopsync.store.facts import Facts
from itopsync.store.records import Cause, Lasting, SpellRecord
from itopsync.store.rows import batches
from itopsync.store.tables import link, spell

LONGEST_GAP = timedelta(minutes=15)
"""If no cycle runs for longer than this, the state of a side meanwhile is unknown."""
_KEPT_SINCE = "spells kept since"
_LASTING = select(spell).where(~spell.c.over)
"""Built once: building a statement takes longer than executing it."""


class Spells:
    """All recorded spells."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, lasting: Collection[Lasting], started: datetime, finished: datetime) -> None:
        """Record all that lasts, as seen by a cycle from *started* to *finished*: what is new begins, what is missing is over.

        After a long gap without cycles, everything seen before it ends at the gap, except parked items, which the store keeps.
        """
        with self._database.writing() as connection:
            known = {_lasting(row): row for row in connection.execute(_LASTING)}
            cut = {what for what, row in known.items() if what.cause is not Cause.PARKED and started - row.until > LONGEST_GAP}
            ended = [row.id for what, row in known.items() if what in cut or what not in lasting]
            for batch in batches(ended):
                connection.execute(update(spell).where(spell.c.id.in_(batch)).values(over=True))
            for batch in batches(known[what].id for what in known.keys() - cut - set(lasting)):
                connection.execute(update(spell).where(spell.c.id.in_(batch)).values(until=started))
            on = [row.id for what, row in known.items() if what in lasting and what not in cut and what.cause is not Cause.PARKED]
            if on:
                connection.execute(update(spell).where(spell.c.id.in_(on)).values(until=finished))
            new = [_row(what, started, finished) for what in lasting if what not in known or what in cut]
            if new:
                connection.execute(insert(spell), new)

    def between(self, begin: datetime, end: datetime) -> Iterator[SpellRecord]:
        """Yield what lasted at some time from *begin* on and before *end*, in the order in which it began."""
        meant = select(spell, link.c.external_number, link.c.internal_number).outerjoin(link, link.c.id == spell.c.link_id)
        meant = meant.where((spell.c.until > begin) | ~spell.c.over, spell.c.since < end).order_by(spell.c.since, spell.c.id)
        with self._database.reading() as connection:
            for row in connection.execute(meant.execution_options(yield_per=1_000)):
                numbers = row.external_number or "", row.internal_number or ""
                yield SpellRecord(_lasting(row), row.since, row.until, row.over, *numbers)

    def kept_since(self) -> datetime | None:
        """Since when spells are recorded; nothing is known of the time before."""
        known = Facts(self._database).get(_KEPT_SINCE)
        return None if known is None else datetime.fromisoformat(known)

    def prune(self, before: datetime) -> int:
        """Delete the spells that were over before a time; return how many."""
        with self._database.writing() as connection:
            return connection.execute(delete(spell).where(spell.c.over, spell.c.until < before)).rowcount

    def count_old(self, before: datetime) -> int:
        """Count what :meth:`prune` would delete."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(spell).where(spell.c.over, spell.c.until < before)) or 0


def _row(what: Lasting, since: datetime, until: datetime) -> dict[str, object]:
    about = {
        "cause": what.cause.value,
        "side": what.side.value if what.side else None,
        "link_id": what.link,
        "item": str(what.item),
    }
    return {**about, "since": since, "until": until, "over": False}


def _lasting(row: Row[Any]) -> Lasting:
    return Lasting(Cause(row.cause), Side(row.side) if row.side else None, row.link_id, row.item)
