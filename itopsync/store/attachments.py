"""The known attachments of each side: the originals there, and the copies made there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, func, select

from itopsync.model import FilePair, FileStatus, LinkStatus, Ref, Side
from itopsync.store.database import Database
from itopsync.store.records import FilesPart
from itopsync.store.rows import CLASS, ID, batches, file_pair, in_order, linked, of_classes
from itopsync.store.tables import file, link


def _expected(side: Side) -> ColumnElement[int | None]:
    """The id of the attachment that a pair is expected to have on *side*, if any."""
    left = (file.c.origin == side) & (file.c.status == FileStatus.LEFT)
    return case((left, None), (file.c.origin == side, file.c.original_id), else_=file.c.copy_id)


@cache
def _counted(side: Side, classes: tuple[str, ...] | None, *, live: bool) -> Select[Any]:
    """Built once: building a statement takes longer than executing it."""
    of_side = _expected(side)
    counted = select(link.c.id, CLASS[side].label("cls"), ID[side].label("ticket"), func.count(of_side), func.max(of_side))
    found = counted.join(file, file.c.link_id == link.c.id).where(
        link.c.id > bindparam("after"), *linked(live=live), *of_classes(classes)
    )
    return found.group_by(link.c.id).order_by(link.c.id).limit(bindparam("most"))


class Attachments:
    """All attachments.

    The methods that list expected attachments cover linked tickets only, in parts, so an answer does not grow with the history.
    """

    def __init__(self, database: Database, classes: Collection[str] | None = None) -> None:
        """*classes*: as for :class:`~itopsync.store.links.Links`."""
        self._database, self._classes = database, in_order(classes)

    def by_ticket(self, side: Side, limit: int, *, live: bool, after: int) -> FilesPart:
        """Count the expected attachments of at most *limit* tickets whose links have ids above *after*.

        *live*: only tickets that can still change; otherwise, only the others.
        """
        found = _counted(side, self._classes, live=live)
        with self._database.reading() as connection:
            rows = connection.execute(found, {"after": after, "most": limit + 1}).all()
        tickets: dict[str, dict[int, int]] = {}
        highest = 0
        for _, name, ticket, count, top in rows[:limit]:
            if count:
                tickets.setdefault(name, {})[ticket] = count
                highest = max(highest, top)
        return FilesPart(tickets, highest, rows[limit - 1][0] if len(rows) > limit else None)

    def of(self, side: Side, cls: str, tickets: Iterable[int]) -> frozenset[int]:
        """Return the ids of the attachments expected on linked tickets of a class."""
        found: set[int] = set()
        with self._database.reading() as connection:
            for batch in batches(sorted(set(tickets))):
                meant = select(_expected(side)).join_from(link, file, file.c.link_id == link.c.id)
                meant = meant.where(CLASS[side] == cls, ID[side].in_(batch), link.c.status == LinkStatus.LINKED)
                found.update(number for number in connection.scalars(meant) if number is not None)
        return frozenset(found)

    def youngest(self, side: Side, most: int, *, below: int | None = None) -> Mapping[int, FilePair]:
        """Return the pairs whose original or copy is on *side*, keyed by its id there: at most *most*, with the highest ids.

        *below*: only ids below this one.
        """
        found: dict[int, FilePair] = {}
        with self._database.reading() as connection:
            for number, of_side in (
                (file.c.original_id, (file.c.origin == side, file.c.status != FileStatus.LEFT)),
                (file.c.copy_id, (file.c.origin == side.other, file.c.copy_id.is_not(None))),
            ):
                known = select(file).where(*of_side).order_by(number.desc()).limit(most)
                for row in connection.execute(known if below is None else known.where(number < below)):
                    found[row._mapping[number]] = file_pair(row)
        return {number: found[number] for number in sorted(found, reverse=True)[:most]}

    def left_between(self, side: Side, low: int, high: int) -> frozenset[tuple[int, int]]:
        """Return (link, id) of each original on *side*, with an id from *low* to *high*, that is gone and whose copy was left."""
        meant = select(file.c.link_id, file.c.original_id).where(
            file.c.origin == side, file.c.original_id.between(low, high), file.c.status == FileStatus.LEFT
        )
        with self._database.reading() as connection:
            return frozenset((number, original) for number, original in connection.execute(meant))

    def originals(self, side: Side, ids: Iterable[int]) -> Mapping[tuple[int, Ref], str]:
        """Return (id, ticket) → creation time, for the known originals on *side* with these *ids*, whatever the link's status."""
        found: dict[tuple[int, Ref], str] = {}
        with self._database.reading() as connection:
            for batch in batches(sorted(set(ids))):
                known = select(file.c.original_id, CLASS[side], ID[side], file.c.born)
                known = known.join_from(file, link).where(file.c.origin == side, file.c.original_id.in_(batch))
                for number, cls, ticket, born in connection.execute(known):
                    if ticket is not None:
                        found[number, Ref(side, cls, ticket)] = born
        return found
