"""Converts links to and from rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from itopsync.model import FilePair, FileStatus, Link, LinkStatus, Ref, Side
from itopsync.store import codec
from itopsync.store.tables import file, link

AT_ONCE = 500
"""How many ids are put into one statement."""

CLASS = {Side.EXTERNAL: link.c.external_class, Side.INTERNAL: link.c.internal_class}
ID = {Side.EXTERNAL: link.c.external_id, Side.INTERNAL: link.c.internal_id}
NUMBER = {Side.EXTERNAL: link.c.external_number, Side.INTERNAL: link.c.internal_number}
VERSION = {Side.EXTERNAL: link.c.external_version, Side.INTERNAL: link.c.internal_version}


def linked(*, live: bool) -> tuple[ColumnElement[bool], ...]:
    """The condition for linked links whose tickets can still change or, unless *live*, cannot."""
    return (link.c.status == LinkStatus.LINKED, link.c.live if live else ~link.c.live)


def in_order(classes: Collection[str] | None) -> tuple[str, ...] | None:
    """External classes in a fixed order, so that statements that depend on them are built only once."""
    return None if classes is None else tuple(sorted(classes))


@cache
def of_classes(classes: tuple[str, ...] | None) -> tuple[ColumnElement[bool], ...]:
    """The condition for links of these external classes; None means all.

    The column is wrapped in a function because SQLite would otherwise prefer its index to a more selective one.
    """
    return () if classes is None else (func.coalesce(link.c.external_class, "").in_(classes),)


def newest(
    table: Table, limit: int, link: int | None, since: datetime | None, before: tuple[datetime, int] | None
) -> Select[Any]:
    """Select the newest rows of a *table* with times, links and ids, optionally only those of one *link* or *since* a time.

    For the next page, *before* is the (time, id) of the last row that was shown.
    """
    rows = select(table).order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
    if link is not None:
        rows = rows.where(table.c.link_id == link)
    if before is not None:
        rows = rows.where(tuple_(table.c.at, table.c.id) < tuple_(literal(before[0], table.c.at.type), literal(before[1])))
    return rows if since is None else rows.where(table.c.at >= since)


def batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Cut *values* into lists that fit into one statement."""
    whole = list(values)
    for start in range(0, len(whole), AT_ONCE):
        yield whole[start : start + AT_ONCE]


_FILES_OF = select(file).where(file.c.link_id.in_(bindparam("links", expanding=True))).order_by(*file.primary_key)
"""Built once: building a statement takes longer than executing it."""


def read_links(connection: Connection, wanted: Select[Any], given: Mapping[str, object] | None = None) -> tuple[Link, ...]:
    """Read the links that *wanted*, a select on the link table, finds with parameters *given*, in its order, with their files."""
    rows = connection.execute(wanted, given).all()
    files: dict[int, list[FilePair]] = {}
    for ids in batches(row.id for row in rows):
        for row in connection.execute(_FILES_OF, {"links": ids}):
            files.setdefault(row.link_id, []).append(file_pair(row))
    return tuple(_link(row, files.get(row.id, ())) for row in rows)


def file_pair(row: Row[Any]) -> FilePair:
    """The pair in a row of the file table."""
    return FilePair(Side(row.origin), row.original_id, row.copy_id, FileStatus(row.status), row.organisation, row.born)


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
    """The columns of a row that follow from the link itself."""
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
    file.c.born == bindparam("made"),
)
_ADD, _CHANGE, _DROP = insert(file), update(file).where(*_THIS_FILE), delete(file).where(*_THIS_FILE)
"""Built once: building a statement takes longer than executing it."""


def write_files(connection: Connection, link_id: int, pairs: Iterable[FilePair]) -> None:
    """Make a link's file rows match *pairs*, writing only those that differ."""
    columns = (file.c.copy_id, file.c.status, file.c.organisation)
    rows = connection.execute(_FILES, {"link": link_id})
    known = {(row.origin, row.original_id, row.born): tuple(row._mapping[column] for column in columns) for row in rows}
    wanted = {
        (pair.origin.value, pair.original_id, pair.born): (pair.copy_id, pair.status.value, pair.organisation) for pair in pairs
    }
    for origin, original, made in known.keys() - wanted.keys():
        connection.execute(_DROP, {"link": link_id, "from": origin, "original": original, "made": made})
    for which, values in wanted.items():
        origin, original, made = which
        now = {column.name: value for column, value in zip(columns, values, strict=True)}
        if which not in known:
            connection.execute(_ADD, {"link_id": link_id, "origin": origin, "original_id": original, "born": made, **now})
        elif known[which] != values:
            connection.execute(_CHANGE, {"link": link_id, "from": origin, "original": original, "made": made, **now})
