"""What polls found: each side's state, and which tickets are out of scope."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from itopsync.model import UNSAVED, WORKED_ON, Link, LinkStatus, Ref, Side, Sighting
from itopsync.store import codec
from itopsync.store.database import Database
from itopsync.store.links import make_due
from itopsync.store.records import Compared, Ended, SideState
from itopsync.store.rows import CLASS, ID, NUMBER, VERSION, batches, values_of
from itopsync.store.tables import link, side_state, sighting
from itopsync.store.upsert import put

_STATE = select(side_state).where(side_state.c.side == bindparam("wanted"))
_KNOWN = {
    side: select(
        link.c.id, link.c.status, ID[side].label("ticket"), NUMBER[side].label("number"), VERSION[side].label("version")
    ).where(CLASS[side] == bindparam("cls"), ID[side].in_(bindparam("ids", expanding=True)))
    for side in Side
}
_IGNORED = select(sighting.c.id, sighting.c.version).where(
    sighting.c.side == bindparam("of"),
    sighting.c["class"] == bindparam("cls"),
    sighting.c.id.in_(bindparam("ids", expanding=True)),
)
_BY_ID = update(link).where(link.c.id == bindparam("number"))
_ADD = insert(link).returning(link.c.id, sort_by_parameter_order=True)
_NO_LONGER_IGNORED = delete(sighting).where(
    sighting.c.side == Side.EXTERNAL,
    sighting.c["class"] == bindparam("cls"),
    sighting.c.id.in_(bindparam("ids", expanding=True)),
)
"""Built once: building a statement takes longer than executing it."""


class Polls:
    """How far each side has been polled, and what that found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def side(self, side: Side) -> SideState:
        """Return one side's state, which is blank before the first poll."""
        with self._database.reading() as connection:
            row = connection.execute(_STATE, {"wanted": side}).one_or_none()
        if row is None:
            return SideState(side)
        return SideState(
            side,
            row.cursor,
            codec.marks_from_json(row.high_water_marks),
            codec.set_from_json(row.drafts),
            row.account,
            codec.set_from_json(row.former_accounts),
            row.ok_at,
            row.problem,
            row.problem_since,
        )

    def put_side(self, state: SideState) -> None:
        """Write one side's state."""
        with self._database.writing() as connection:
            _put_side(connection, state)

    def compare(self, side: Side, sightings: Sequence[Sighting], *, ignored: bool = True) -> Compared:
        """Compare *sightings* of one side with what the store knows; writes nothing.

        *ignored*: do not report tickets as unknown that were out of scope at this version.
        """
        changed: dict[int, str] = {}
        unknown: list[Sighting] = []
        renumbered: set[Ref] = set()
        ended: dict[int, Ended] = {}
        if not sightings:
            return Compared(changed, ())
        with self._database.reading() as connection:
            for name, group in _by_class(sightings).items():
                for batch in batches(group):
                    ids = [seen.ref.id for seen in batch]
                    links = _known(connection, side, name, ids)
                    passed_over = _ignored(connection, side, name, ids) if ignored else {}
                    for seen in batch:
                        rows = links.get(seen.ref.id, ())
                        if not rows and passed_over.get(seen.ref.id) != seen.version:
                            unknown.append(seen)
                        for row in rows:
                            if row.status == LinkStatus.TOMBSTONE:
                                if (side is Side.EXTERNAL or not row.version) and row.version != seen.version:
                                    ended[row.id] = Ended(seen, was_gone=not row.version)
                                continue
                            if row.status != LinkStatus.PARKED and seen.number and row.number and seen.number != row.number:
                                renumbered.add(seen.ref)
                            if row.status in WORKED_ON and row.version != seen.version:
                                changed[row.id] = seen.version
        return Compared(changed, tuple(unknown), frozenset(renumbered), ended)

    def record(
        self,
        state: SideState,
        *,
        versions: Mapping[int, str],
        due: Collection[int],
        new: Collection[Sighting],
        ignored: Collection[Sighting],
        now: datetime,
    ) -> tuple[int, ...]:
        """Store everything that one poll found together with its cursor, in one transaction; return the ids of the new links.

        *versions* are keyed by link. Each *new* ticket gets a link that is due immediately. *ignored* tickets are not read again
        at this version. The links of *due* become due *now*, even if they were already due, so that they come before links that
        have waited long; those in doubt keep their time.
        """
        with self._database.transaction(), self._database.writing() as connection:
            _put_side(connection, state)
            _note_versions(connection, state.side, versions, now)
            make_due(connection, due, now, now, touched=True)
            _ignore(connection, ignored, now)
            return _add(connection, new, now)


def _put_side(connection: Connection, state: SideState) -> None:
    values = asdict(state) | {
        "side": state.side.value,
        "high_water_marks": codec.marks_to_json(state.high_water_marks),
        "drafts": codec.set_to_json(state.drafts),
        "former_accounts": codec.set_to_json(state.former_accounts),
    }
    put(connection, side_state, [values])


def _note_versions(connection: Connection, side: Side, versions: Mapping[int, str], now: datetime) -> None:
    if versions:
        rows = [{"number": number, VERSION[side].name: version, "updated_at": now} for number, version in versions.items()]
        connection.execute(_BY_ID, rows)


def _by_class(sightings: Iterable[Sighting]) -> dict[str, list[Sighting]]:
    groups: dict[str, list[Sighting]] = {}
    for seen in sightings:
        groups.setdefault(seen.ref.cls, []).append(seen)
    return groups


def _known(connection: Connection, side: Side, name: str, ids: Sequence[int]) -> dict[int, list[Any]]:
    """Ticket id → its links' rows (id, status, ticket, number, version); there are several if one is a tombstone."""
    rows: dict[int, list[Any]] = {}
    for row in connection.execute(_KNOWN[side], {"cls": name, "ids": ids}):
        rows.setdefault(row.ticket, []).append(row)
    return rows


def _ignored(connection: Connection, side: Side, name: str, ids: Sequence[int]) -> dict[int, str]:
    """Ticket id → the version at which it was out of scope."""
    found = connection.execute(_IGNORED, {"of": side, "cls": name, "ids": ids})
    return {row.id: row.version for row in found}


def _ignore(connection: Connection, ignored: Iterable[Sighting], now: datetime) -> None:
    rows = [
        {"side": seen.ref.side.value, "class": seen.ref.cls, "id": seen.ref.id, "version": seen.version, "seen_at": now}
        for seen in ignored
    ]
    put(connection, sighting, rows)


def _add(connection: Connection, new: Iterable[Sighting], now: datetime) -> tuple[int, ...]:
    """Add a link, waiting for its copy, for each external ticket that is not yet known."""
    added: list[int] = []
    for name, group in _by_class(new).items():
        for batch in batches(group):
            ids = [seen.ref.id for seen in batch]
            known = _known(connection, Side.EXTERNAL, name, ids)
            rows = [_blank(seen, now) for seen in {seen.ref: seen for seen in batch}.values() if seen.ref.id not in known]
            if rows:
                added += connection.scalars(_ADD, rows)
            connection.execute(_NO_LONGER_IGNORED, {"cls": name, "ids": ids})
    return tuple(added)


def _blank(seen: Sighting, now: datetime) -> dict[str, Any]:
    """The row of a link that waits for its copy."""
    fresh = Link(UNSAVED, seen.ref, None, LinkStatus.WAITING, seen.number, due_at=now)
    return values_of(fresh) | {"external_version": seen.version, "live": True, "created_at": now, "updated_at": now}
