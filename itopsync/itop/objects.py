"""Finds the objects that a configuration names by an id, a criterion or an OQL query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from itopsync.errors import AccessRefused, BadQuery
from itopsync.itop import oql
from itopsync.itop.inquiry import Inquiry
from itopsync.itop.rows import Row


def target_of(server: Inquiry, classes: Sequence[str], name: str) -> str | None:
    """Return the class that the key *name* of one of *classes* points to, as the server reports it; None if it is no key."""
    for cls in classes:
        try:
            target = server.key_class(cls, name)
        except (BadQuery, AccessRefused):
            continue
        if target is not None:
            return target
    return None


def key_of(cls: str, value: object) -> str | int:
    """Return the key to look up: an OQL query for a criterion, which iTop compares for equality, or an id or query."""
    if isinstance(value, Mapping):
        conditions = (f"{oql.name(name)} = {oql.literal(str(text))}" for name, text in value.items())
        return f"SELECT {oql.name(cls)} WHERE {' AND '.join(conditions)}"
    text = str(value).strip()
    return int(text) if text.isdecimal() else text


def is_a(server: Inquiry, target: str, row: Row) -> bool:
    """Whether an object that a query found is of the class or a subclass. Objects of other classes may have the same id."""
    if row.cls == target:
        return True
    return any(found.cls == row.cls for found in server.get(target, row.id, ("id",)).rows)
