"""The links: which are due, being written or in trouble."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from itopsync.errors import StoreGone
from itopsync.model import WORKED_ON, Link, LinkStatus, Obstacle, Ref, Side
from itopsync.store import codec
from itopsync.store.activity import add_activity
from itopsync.store.database import Database
from itopsync.store.records import ActivityRecord, DueCounts, TicketsPart, Troubles
from itopsync.store.rows import (
    CLASS,
    ID,
    NUMBER,
    VERSION,
    batches,
    in_order,
    linked,
    of_classes,
    read_links,
    values_of,
    write_files,
)
from itopsync.store.tables import file, link

_BY_ID = update(link).where(link.c.id == bindparam("number"))
_DUE = select(link.c.due_at).where(link.c.id == bindparam("number"))
_ADD = insert(link).returning(link.c.id)
_OF = {side: select(link).where(CLASS[side] == bindparam("cls"), ID[side] == bindparam("number")) for side in Side}
_GET = select(link).where(link.c.id.in_(bindparam("ids", expanding=True))).order_by(link.c.id)
_LOCKED = select(link).where(link.c.id == bindparam("number")).with_for_update()
_BY_STATUS = select(link.c.status, func.count()).group_by(link.c.status)
_UNDER_WAY = link.c.writing_since.is_not(None)
_WRITTEN = select(link.c.id).where(_UNDER_WAY)
_LATER = select(link.c.id).where(link.c.due_at > bindparam("after"), link.c.status.in_(WORKED_ON)).limit(1)
"""Built once: building a statement takes longer than executing it."""


class Links:
    """All links. Those of external classes that are not synced rest: they are neither due nor listed as linked or troubled."""

    def __init__(self, database: Database, classes: Collection[str] | None = None) -> None:
        """*classes*: the external classes that are synced; None for all."""
        self._database, self._classes = database, in_order(classes)
        self._kept = of_classes(self._classes)

    def due(self, now: datetime, limit: int) -> tuple[Link, ...]:
        """Return at most *limit* due links, longest due first."""
        wanted = [number for number, _ in self.due_ids(now, limit)]
        found = {due.id: due for due in self.get(wanted)}
        return tuple(found[number] for number in wanted if number in found)

    def due_ids(
        self,
        now: datetime,
        limit: int,
        *,
        since: datetime | None = None,
        before: datetime | None = None,
        after: tuple[datetime, int] | None = None,
    ) -> list[tuple[int, datetime]]:
        """Return at most *limit* due links as (id, due since), longest due first.

        *since* and *before* restrict the due times; *after* continues after the last (time, id) of an earlier answer.
        """
        at, number = after or (None, None)
        given = {"since": since, "before": before, "after": at}
        found = _due(self._classes, *(name for name, time in given.items() if time is not None))
        with self._database.reading() as connection:
            rows = connection.execute(found, given | {"now": now, "number": number, "most": limit})
            return [(row.id, row.due_at) for row in rows]

    def due_counts(self, now: datetime) -> DueCounts:
        """Count the due links."""
        with self._database.reading() as connection:
            rows = connection.execute(_due_counts(self._classes), {"now": now})
            found = {LinkStatus(status): count for status, count in rows}
        return DueCounts(found.get(LinkStatus.WAITING, 0), sum(found.values()))

    def waiting_ids(self, now: datetime) -> list[int]:
        """Return the ids of all due links without a copy."""
        meant = (link.c.due_at <= now, link.c.status == LinkStatus.WAITING, *self._kept)
        with self._database.reading() as connection:
            return list(connection.scalars(select(link.c.id).where(*meant)))

    def get(self, ids: Iterable[int]) -> tuple[Link, ...]:
        """Return the links with these *ids*, ordered by id; missing ones are left out."""
        wanted = sorted(set(ids))
        if not wanted:
            return ()
        with self._database.reading() as connection:
            return tuple(found for batch in batches(wanted) for found in _by_id(connection, batch))

    def linked_after(self, after: int, limit: int) -> list[int]:
        """Return the ids above *after* of at most *limit* links whose status is linked, in order."""
        meant = select(link.c.id).where(link.c.id > after, link.c.status == LinkStatus.LINKED, *self._kept)
        with self._database.reading() as connection:
            return list(connection.scalars(meant.order_by(link.c.id).limit(limit)))

    def first_and_last(self, limit: int) -> tuple[Link, ...]:
        """Return the *limit* first links of two tickets, linked or parked, and the *limit* last, in order."""
        linked_ids = (
            select(link.c.id)
            .where(
                link.c.id > 0,
                link.c.status.in_((LinkStatus.LINKED, LinkStatus.PARKED)),
                link.c.internal_id.is_not(None),
                *self._kept,
            )
            .limit(limit)
        )
        with self._database.reading() as connection:
            ids = {number for end in (link.c.id, link.c.id.desc()) for number in connection.scalars(linked_ids.order_by(end))}
        return self.get(sorted(ids))

    def linked_tickets(self, side: Side, limit: int, *, live: bool, after: int = 0) -> TicketsPart:
        """Return at most *limit* linked tickets of one side whose links have ids above *after*.

        *live*: only tickets that can still change; otherwise, only the others.
        """
        meant = select(link.c.id, CLASS[side], ID[side]).where(link.c.id > after, *linked(live=live), *self._kept)
        with self._database.reading() as connection:
            rows = connection.execute(meant.order_by(link.c.id).limit(limit + 1)).all()
        tickets: dict[str, list[int]] = {}
        for _, name, number in rows[:limit]:
            tickets.setdefault(name, []).append(number)
        return TicketsPart(tickets, rows[limit - 1][0] if len(rows) > limit else None)

    def of(self, ref: Ref) -> Link | None:
        """Return the link of a ticket; a tombstone only if there is no other."""
        with self._database.reading() as connection:
            found = read_links(connection, _OF[ref.side], {"cls": ref.cls, "number": ref.id})
        return min(found, key=lambda known: known.status is LinkStatus.TOMBSTONE, default=None)

    def find(self, text: str) -> tuple[Link, ...]:
        """Return the links that match an operator's *text*, ordered by id.

        *text* is a link's id (``17``), a ref (``external:UserRequest:17``, or without the side) or a ticket's number
        (``R-000017``), which may belong to a ticket on each side.
        """
        typed = text.strip()
        with self._database.reading() as connection:
            if typed.isascii() and typed.isdigit():
                return _by_id(connection, [int(typed)]) if len(typed) < _TOO_LONG else ()
            if refs := {ref for side in Side if (ref := Ref.parse(typed, side))}:
                meant = or_(*(and_(CLASS[ref.side] == ref.cls, ID[ref.side] == ref.id) for ref in sorted(refs)))
            else:
                meant = or_(*(NUMBER[side].in_({typed, typed.upper()}) for side in Side))
            return read_links(connection, select(link).where(meant).order_by(link.c.id)) if typed else ()

    def save(
        self,
        saved: Link,
        *,
        versions: Mapping[Side, str] | None = None,
        now: datetime,
        live: bool,
        loaded: Link | None = None,
        due_when_read: datetime | None = None,
        activity: Collection[ActivityRecord] = (),
    ) -> bool:
        """Save a link and its files, and record that no write on it is under way; return whether it was saved.

        *versions* are those at which each side's ticket was seen; *live* says whether the tickets can still change. If an
        operator has changed the link since it was read as *loaded*, nothing is saved. If a poll has changed the due time since
        it was read as *due_when_read*, the link stays due then, unless a write may still land. *activity* lists the writes.

        :raises StoreGone: there is no such link
        """
        seen = {VERSION[side].name: version for side, version in (versions or {}).items()}
        rest = {"live": live, "writing_since": None, "updated_at": now, "number": saved.id}
        values = values_of(saved) | seen | rest

        def write(connection: Connection) -> bool:
            if loaded is not None and _is_amended(connection, loaded):
                return False
            touched = connection.scalar(_DUE, {"number": saved.id}) if due_when_read and not saved.in_doubt else None
            still = touched is not None and touched != due_when_read and (saved.due_at is None or touched < saved.due_at)
            if not connection.execute(_BY_ID, values | {"due_at": touched} if still else values).rowcount:
                raise _gone(saved.id)
            write_files(connection, saved.id, saved.files)
            add_activity(connection, activity)
            return True

        return self._database.write_grouped(write)

    def amend(self, link_id: int, change: Callable[[Link], Link], now: datetime) -> Link | None:
        """Read a link, change it and save it in one transaction; do nothing and return None while a write on it is under way.

        :raises KeyError: there is no such link
        """
        with self._database.writing() as connection:
            row = connection.execute(select(link.c.writing_since).where(link.c.id == link_id).with_for_update()).one_or_none()
            if row is None:
                raise KeyError(link_id)
            if row.writing_since is not None:
                return None
            changed = change(_by_id(connection, [link_id])[0])
            connection.execute(update(link).where(link.c.id == link_id).values(values_of(changed) | {"updated_at": now}))
            write_files(connection, link_id, changed.files)
        return changed

    def add(self, links: Iterable[Link], now: datetime) -> None:
        """Add links in one transaction, under new ids and due immediately."""
        with self._database.writing() as connection:
            for added in links:
                values = values_of(replace(added, due_at=now))
                more = {"live": True, "created_at": now, "updated_at": now}
                number = connection.scalars(_ADD, values | more).one()
                write_files(connection, number, added.files)

    def begin_write(self, link_id: int, now: datetime, *, saved: Link | None = None, loaded: Link | None = None) -> bool:
        """Record that a write on this link is about to be sent; until the link is saved, the outcome counts as unknown.

        *saved*, if given, is the link as it should be found if the process dies now; its due time is not stored. If an operator
        has changed the link since it was read as *loaded*, nothing is recorded, and False is returned.

        :raises StoreGone: there is no such link
        """
        mark = {"number": link_id, "writing_since": now, "updated_at": now}
        values = values_of(saved) | mark if saved is not None else mark
        values.pop("due_at", None)

        def write(connection: Connection) -> bool:
            if loaded is not None and _is_amended(connection, loaded):
                return False
            if not connection.execute(_BY_ID, values).rowcount:
                raise _gone(link_id)
            if saved is not None:
                write_files(connection, link_id, saved.files)
            return True

        return self._database.write_grouped(write)

    def join(self, joined: Link, now: datetime) -> Link | None:
        """Link two tickets by hand, replacing any link that the external one had; return the link with its id.

        Do nothing and return None if one of them is in another link, or if a write on it is under way or may still land.
        """
        with self._database.writing() as connection:
            known_links = _links_of_either(connection, joined)
            if any(not _may_join(known, joined, now) for known in known_links) or _is_written(connection, joined):
                return None
            connection.execute(delete(file).where(file.c.link_id.in_(_ids_of_either(joined))))
            more = {"live": True, "external_version": None, "internal_version": None, "updated_at": now}
            of_external = (CLASS[Side.EXTERNAL] == joined.external.cls, ID[Side.EXTERNAL] == joined.external.id)
            updated = connection.scalars(update(link).where(*of_external).values(values_of(joined) | more).returning(link.c.id))
            number = updated.one_or_none()
            if number is None:
                row = values_of(joined) | more | {"created_at": now}
                number = connection.scalars(insert(link).values(row).returning(link.c.id)).one()
            write_files(connection, number, joined.files)
        return replace(joined, id=number)

    def recover(self, now: datetime, due_at: datetime) -> tuple[int, ...]:
        """Mark the links on which a process died during a write as in doubt, due at *due_at*; return their ids."""
        with self._database.writing() as connection:
            ids = tuple(sorted(connection.scalars(_WRITTEN)))
            in_doubt = {"in_doubt": True, "troubled": True, "due_at": due_at}
            ended = {"writing_since": None, "updated_at": now}
            if ids:
                connection.execute(update(link).where(_UNDER_WAY).values(in_doubt | ended))
        return ids

    def hasten(self, after: datetime, due_at: datetime) -> None:
        """Make the links that are due later than *after* due at *due_at*, and shorten the waits of their items accordingly."""
        late = (link.c.due_at > after, link.c.status.in_(WORKED_ON))
        with self._database.reading() as connection:
            if connection.execute(_LATER, {"after": after}).first() is None:
                return
        with self._database.writing() as connection:
            rows = connection.execute(select(link.c.id, link.c.obstacles).where(*late).with_for_update()).all()
            values = [
                {"number": row.id, "due_at": due_at, "obstacles": codec.obstacles_to_json(_by(due_at, row.obstacles))}
                for row in rows
            ]
            if values:
                connection.execute(_BY_ID, values)

    def land_by(self, due_at: datetime) -> int:
        """Make all links in doubt due at *due_at*, however long they have waited; return how many."""
        with self._database.writing() as connection:
            return connection.execute(update(link).where(link.c.troubled, link.c.in_doubt).values(due_at=due_at)).rowcount

    def mark_due(self, ids: Iterable[int], at: datetime, *, now: datetime) -> None:
        """Make links due at *at*, unless they are due earlier or in doubt."""
        with self._database.writing() as connection:
            make_due(connection, ids, at, now)

    def without_copy(self, cls: str) -> Mapping[int, int]:
        """Return external ticket → link, for tickets of a class that have no copy and for which no create has been sent."""
        with self._database.reading() as connection:
            rows = connection.execute(select(link.c.external_id, link.c.id).where(*_without_copy(), link.c.external_class == cls))
            return {row.external_id: row.id for row in rows}

    def drop(self, ids: Iterable[int]) -> None:
        """Delete those of these links that have no copy and for which no create has been sent; their tickets count as unseen."""
        with self._database.writing() as connection:
            for batch in batches(sorted(set(ids))):
                connection.execute(delete(link).where(*_without_copy(), link.c.id.in_(batch)))

    def mark_class_due(self, cls: str, at: datetime) -> None:
        """Make all links of an external class due at *at*, unless they are due earlier or in doubt."""
        with self._database.writing() as connection:
            meant = link.c.external_class == cls, link.c.status.in_(WORKED_ON), ~link.c.in_doubt
            later = or_(link.c.due_at.is_(None), link.c.due_at > at)
            connection.execute(update(link).where(*meant, later).values(due_at=at, updated_at=at))

    def counts(self) -> Mapping[str, int]:
        """Count the links by status."""
        with self._database.reading() as connection:
            found = {LinkStatus(status): count for status, count in connection.execute(_BY_STATUS)}
        return {status.value: found.get(status, 0) for status in LinkStatus}

    def troubles(self) -> Troubles:
        """Read the obstacles of all links, and count the links in trouble."""
        with self._database.reading() as connection:
            rows = connection.execute(_troubled(self._classes)).all()
        known = [(row.id, codec.obstacles_from_json(row.obstacles), row.in_doubt) for row in rows]
        full = [found for _, found, in_doubt in known if found and not in_doubt and all(each.is_no_trouble for each in found)]
        return Troubles(
            obstacles=tuple((number, obstacle) for number, found, _ in known for obstacle in found),
            troubled=len(known) - len(full),
            in_doubt=sum(in_doubt for _, _, in_doubt in known),
            gathering=sum(any(each.gathers for each in found) for found in full),
        )

    def troubled(self, limit: int) -> tuple[Link, ...]:
        """Return at most *limit* links that are parked, in doubt or have obstacles, ordered by id."""
        with self._database.reading() as connection:
            meant = select(link).where(link.c.troubled, *self._kept)
            return read_links(connection, meant.order_by(link.c.id).limit(limit))

    def resting(self) -> Mapping[str, Mapping[LinkStatus, int]]:
        """Count the links, except tombstones, that rest because their class is not synced, by class and status."""
        if self._classes is None:
            return {}
        counted = select(link.c.external_class, link.c.status, func.count()).where(link.c.status != LinkStatus.TOMBSTONE)
        unkept = counted.where(link.c.external_class.not_in(self._classes))
        found: dict[str, dict[LinkStatus, int]] = {}
        with self._database.reading() as connection:
            for name, status, count in connection.execute(unkept.group_by(link.c.external_class, link.c.status)):
                found.setdefault(name, {})[LinkStatus(status)] = count
        return found


def _gone(number: int) -> StoreGone:
    return StoreGone(
        f"link {number} is not in the store any more, and nothing more is written: was the store made anew or restored? "
        "Start itopsync again."
    )


_TOO_LONG = 19
"""A number with this many digits may overflow a database's integer."""


def make_due(connection: Connection, ids: Iterable[int], at: datetime, now: datetime, *, touched: bool = False) -> None:
    """Make links due at *at*, unless they are due earlier or in doubt.

    *touched*: people are working on the tickets, so links that are already due become due at *at* too.
    """
    for batch in batches(sorted(set(ids))):
        connection.execute(_making_due(touched), {"ids": batch, "at": at, "now": now})


@cache
def _making_due(touched: bool) -> Update:
    free = and_(~link.c.in_doubt, *([] if touched else [link.c.due_at > bindparam("at")]))
    meant = (link.c.id.in_(bindparam("ids", expanding=True)), link.c.status.in_(WORKED_ON), or_(link.c.due_at.is_(None), free))
    return update(link).where(*meant).values(due_at=bindparam("at"), updated_at=bindparam("now"))


@cache
def _due(classes: tuple[str, ...] | None, *given: str) -> Select[Any]:
    """The due links, restricted by what is *given*."""
    meant = [link.c.due_at <= bindparam("now"), link.c.status.in_(WORKED_ON), *of_classes(classes)]
    if "since" in given:
        meant.append(link.c.due_at >= bindparam("since"))
    if "before" in given:
        meant.append(link.c.due_at < bindparam("before"))
    if "after" in given:
        place = tuple_(bindparam("after", type_=link.c.due_at.type), bindparam("number", type_=Integer))
        meant.append(tuple_(link.c.due_at, link.c.id) > place)
    return select(link.c.id, link.c.due_at).where(*meant).order_by(link.c.due_at, link.c.id).limit(bindparam("most"))


@cache
def _due_counts(classes: tuple[str, ...] | None) -> Select[Any]:
    meant = (link.c.due_at <= bindparam("now"), link.c.status.in_(WORKED_ON), *of_classes(classes))
    return select(link.c.status, func.count()).where(*meant).group_by(link.c.status)


@cache
def _troubled(classes: tuple[str, ...] | None) -> Select[Any]:
    return select(link.c.id, link.c.obstacles, link.c.in_doubt).where(link.c.troubled, *of_classes(classes))


def _without_copy() -> tuple[ColumnElement[bool], ...]:
    """The condition for links that wait for a copy and for which no create has been sent."""
    nothing_sent = (link.c.internal_id.is_(None), ~link.c.in_doubt, link.c.writing_since.is_(None))
    return (link.c.status == LinkStatus.WAITING, *nothing_sent)


def _is_amended(connection: Connection, loaded: Link) -> bool:
    """Whether an operator has changed a link since it was *loaded*; locks it until the transaction ends."""
    (now,) = read_links(connection, _LOCKED, {"number": loaded.id}) or (None,)
    return now is not None and (now.status, now.internal, now.obstacles) != (loaded.status, loaded.internal, loaded.obstacles)


def _ids_of_either(joined: Link) -> Select[tuple[int]]:
    refs = [ref for ref in (joined.external, joined.internal) if ref is not None]
    return select(link.c.id).where(or_(*(and_(CLASS[ref.side] == ref.cls, ID[ref.side] == ref.id) for ref in refs)))


def _links_of_either(connection: Connection, joined: Link) -> tuple[Link, ...]:
    """The links of both tickets, locked until the transaction ends."""
    return read_links(connection, select(link).where(link.c.id.in_(_ids_of_either(joined))).with_for_update())


def _is_written(connection: Connection, joined: Link) -> bool:
    under_way = select(link.c.id).where(link.c.id.in_(_ids_of_either(joined)), link.c.writing_since.is_not(None))
    return connection.execute(under_way).first() is not None


def _may_join(known: Link, joined: Link, now: datetime) -> bool:
    """Whether a *known* link of one of the two tickets lets them be *joined*: it is unlinked, or has no copy yet."""
    if known.status is LinkStatus.TOMBSTONE:
        return True
    if known.external != joined.external:
        return False
    if known.internal is None:
        return not known.in_doubt
    return known.status is LinkStatus.UNLINKING and known.internal == joined.internal and not known.may_land(now)


def _by(latest: datetime, obstacles: str) -> Iterator[Obstacle]:
    """A row's obstacles, none of which waits beyond *latest*."""
    for known in codec.obstacles_from_json(obstacles):
        yield replace(known, not_before=known.not_before and min(known.not_before, latest))


def _by_id(connection: Connection, ids: list[int]) -> tuple[Link, ...]:
    return read_links(connection, _GET, {"ids": ids})
