"""The attachments that are known on one side: originals that lie there, and copies that were made there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select, select, union_all

from itopsync.model import LinkStatus, Side
from itopsync.store.connection import Database
from itopsync.store.rows import CLASS, ID, batches
from itopsync.store.tables import file, link


class Attachments(Database):
    """The store's part about attachments.

    *live* asks for those of tickets that can still change, or else for those of the others. All of linked tickets only.
    """

    def attachment_ids(self, side: Side, *, live: bool) -> list[int]:
        """List the ids of those that should be there, in their order."""
        with self.reading() as connection:
            return sorted(connection.scalars(select(_known(side, live=live).subquery().c.id)))

    def tickets_with_attachments(self, side: Side, low: int, high: int, *, live: bool) -> Mapping[str, list[int]]:
        """List the tickets on which those with ids ``low <= id <= high`` should be: class → ids, in their order."""
        owners = _known(side, low, high, live=live).subquery()
        meant = select(CLASS[side], ID[side]).where(link.c.id.in_(select(owners.c.link_id)))
        return self._by_class(meant.order_by(CLASS[side], ID[side]))

    def ticket_ids(self, side: Side, *, live: bool) -> Mapping[str, list[int]]:
        """List the linked tickets: class → ids, in their order."""
        return self._by_class(select(CLASS[side], ID[side]).where(*_linked(live=live)).order_by(CLASS[side], ID[side]))

    def _by_class(self, tickets: Select[Any]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        with self.reading() as connection:
            for name, number in connection.execute(tickets):
                found.setdefault(name, []).append(number)
        return found

    def links_of_attachments(self, side: Side, ids: Iterable[int]) -> Mapping[int, int]:
        """Say whose the attachments are that are known: attachment → link. Of every link, whatever its status."""
        found: dict[int, int] = {}
        with self.reading() as connection:
            for batch in batches(sorted(set(ids))):
                for number, link_id in connection.execute(
                    union_all(
                        select(file.c.original_id, file.c.link_id).where(file.c.origin == side, file.c.original_id.in_(batch)),
                        select(file.c.copy_id, file.c.link_id).where(file.c.origin == side.other, file.c.copy_id.in_(batch)),
                    )
                ):
                    found[number] = link_id
        return found


def _linked(*, live: bool) -> tuple[Any, ...]:
    return (link.c.status == LinkStatus.LINKED, link.c.live if live else ~link.c.live)


def _known(side: Side, low: int | None = None, high: int | None = None, *, live: bool) -> Any:
    """A select of the ids and of whose they are."""

    def of(origin: Side, number: Any) -> Select[Any]:
        found = select(number.label("id"), file.c.link_id).join(link).where(file.c.origin == origin, *_linked(live=live))
        return found.where(number.is_not(None)) if low is None else found.where(number >= low, number <= high)

    return union_all(of(side, file.c.original_id), of(side.other, file.c.copy_id))
