"""Links as rows and back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, delete, func, insert, select, update

from itopsync.model import FilePair, FileStatus, Link, LinkStatus, Ref, Side
from itopsync.store import codec
from itopsync.store.tables import file, link

AT_ONCE = 500
"""How many ids go into one statement."""

WORKED_ON = (LinkStatus.WAITING, LinkStatus.LINKED, LinkStatus.UNLINKING)
"""Which links are looked at when they are due."""

CLASS = {Side.EXTERNAL: link.c.external_class, Side.INTERNAL: link.c.internal_class}
ID = {Side.EXTERNAL: link.c.external_id, Side.INTERNAL: link.c.internal_id}
NUMBER = {Side.EXTERNAL: link.c.external_number, Side.INTERNAL: link.c.internal_number}
VERSION = {Side.EXTERNAL: link.c.external_version, Side.INTERNAL: link.c.internal_version}


def linked(*, live: bool) -> tuple[ColumnElement[bool], ...]:
    """Which links are linked, with tickets that can still change or, if not *live*, that cannot."""
    return (link.c.status == LinkStatus.LINKED, link.c.live if live else ~link.c.live)


def of_classes(classes: Collection[str] | None) -> tuple[ColumnElement[bool], ...]:
    """Which links are of these external classes; all of them for None.

    The column is hidden in a function from SQLite, which would take the index on it for the narrower one.
    """
    return () if classes is None else (func.coalesce(link.c.external_class, "").in_(sorted(classes)),)


def newest(table: Table, limit: int, link: int | None, since: datetime | None) -> Select[Any]:
    """The newest rows of a *table* that has times, links and ids: of one *link* only, and *since* a time only."""
    rows = select(table).order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
    if link is not None:
        rows = rows.where(table.c.link_id == link)
    return rows if since is None else rows.where(table.c.at >= since)


def batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Cut *values* into lists that fit into one statement."""
    whole = list(values)
    for start in range(0, len(whole), AT_ONCE):
        yield whole[start : start + AT_ONCE]


def read_links(connection: Connection, wanted: Select[Any]) -> tuple[Link, ...]:
    """Read the links that *wanted*, a select of the link table, finds, in its order and with their files."""
    rows = connection.execute(wanted).all()
    files: dict[int, list[FilePair]] = {}
    for ids in batches(row.id for row in rows):
        for row in connection.execute(select(file).where(file.c.link_id.in_(ids)).order_by(*file.primary_key)):
            pair = FilePair(Side(row.origin), row.original_id, row.copy_id, FileStatus(row.status), row.organisation)
            files.setdefault(row.link_id, []).append(pair)
    return tuple(_link(row, files.get(row.id, ())) for row in rows)


def _link(row: Row[Any], files: Sequence[FilePair]) -> Link:
    return Link(
        id=row.id,
        external=Ref(Side.EXTERNAL, row.external_class, row.external_id),
        internal=None if row.internal_id is None else Ref(Side.INTERNAL, row.internal_class, row.internal_id),
        status=LinkStatus(row.status),
        external_number=row.external_number,
        internal_number=row.internal_number,
        base=codec.base_from_json(row.base),
        files=tuple(files),
        obstacles=codec.obstacles_from_json(row.obstacles),
        due_at=row.due_at,
        in_doubt=row.in_doubt,
    )


def values_of(saved: Link) -> dict[str, Any]:
    """The columns of a link's row that its value decides."""
    return {
        "external_class": saved.external.cls,
        "external_id": saved.external.id,
        "external_number": saved.external_number,
        "internal_class": saved.internal.cls if saved.internal else None,
        "internal_id": saved.internal.id if saved.internal else None,
        "internal_number": saved.internal_number,
        "status": saved.status.value,
        "base": codec.base_to_json(saved.base),
        "obstacles": codec.obstacles_to_json(saved.obstacles),
        "troubled": bool(saved.obstacles) or saved.in_doubt or saved.status is LinkStatus.PARKED,
        "due_at": saved.due_at,
        "in_doubt": saved.in_doubt,
    }


_FILES = select(file).where(file.c.link_id == bindparam("link")).order_by(*file.primary_key)
_THIS_FILE = (
    file.c.link_id == bindparam("link"),
    file.c.origin == bindparam("from"),
    file.c.original_id == bindparam("original"),
)
_ADD, _CHANGE, _DROP = insert(file), update(file).where(*_THIS_FILE), delete(file).where(*_THIS_FILE)
"""Made once: to make a statement anew each time takes longer than to carry it out."""


def write_files(connection: Connection, link_id: int, pairs: Iterable[FilePair]) -> None:
    """Make a link's rows of files what *pairs* says, touching only those that differ."""
    rows = connection.execute(_FILES, {"link": link_id})
    known = {(row.origin, row.original_id): (row.copy_id, row.status, row.organisation) for row in rows}
    wanted = {(one.origin.value, one.original_id): (one.copy_id, one.status.value, one.organisation) for one in pairs}
    for origin, original in known.keys() - wanted.keys():
        connection.execute(_DROP, {"link": link_id, "from": origin, "original": original})
    for (origin, original), (copy_id, status, organisation) in wanted.items():
        now = {"copy_id": copy_id, "status": status, "organisation": organisation}
        if (origin, original) not in known:
            connection.execute(_ADD, {"link_id": link_id, "origin": origin, "original_id": original, **now})
        elif known[origin, original] != wanted[origin, original]:
            connection.execute(_CHANGE, {"link": link_id, "from": origin, "original": original, **now})
