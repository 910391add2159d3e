"""Many links at once: copies of one that the engine made, as a store holds them after years."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from itopsync.model import Link
from itopsync.store.rows import values_of
from itopsync.store.store import Store
from itopsync.store.tables import file, link

AT_ONCE = 10_000


def fill(store: Store, like: Link, numbers: range, *, live: bool, version: str) -> None:
    """Add a link for each of *numbers*, which are its tickets' ids on both sides and its attachments'."""
    pair = like.files[0]
    now = datetime.now(UTC)
    common = values_of(like) | {"live": live, "created_at": now, "updated_at": now}
    common |= {"external_version": version, "internal_version": version, "due_at": None}
    for start in range(numbers.start, numbers.stop, AT_ONCE):
        part = range(start, min(start + AT_ONCE, numbers.stop))
        with store.database.writing() as connection:
            connection.execute(insert(link), list(_links(common, part)))
            columns = {"origin": pair.origin.value, "status": pair.status.value, "organisation": pair.organisation, "born": ""}
            connection.execute(insert(file), [columns | {"link_id": n, "original_id": n, "copy_id": n} for n in part])


def _links(common: dict[str, Any], numbers: range) -> Iterator[dict[str, Any]]:
    for number in numbers:
        ids = {"id": number, "external_id": number, "internal_id": number}
        yield common | ids | {"external_number": f"R-{number:06d}", "internal_number": f"R-{number:06d}"}
