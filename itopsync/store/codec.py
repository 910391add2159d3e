"""Bases, obstacles and marks as JSON and back. One place, so that a change of the model is a change here and a migration.

ASCII only: PostgreSQL takes no NUL and no lone surrogate in a text, and a server's words may hold either.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from itopsync.model import Agreed, Base, Heading, NoteRecord, Obstacle, Side


def base_to_json(base: Base) -> str:
    """Write a base; what is empty is left out."""
    fields = {name: [agreed.external, agreed.internal] for name, agreed in base.fields.items()}
    notes = {
        marker: [note.origin, _time_to_json(note.carried_at), note.writes, *([1] if note.as_file else [])]
        for marker, note in base.notes.items()
    }
    return _dump(
        {
            **({"state": [base.state.external, base.state.internal]} if base.state else {}),
            **({"fields": fields} if fields else {}),
            **({"notes": notes} if notes else {}),
            **({"born": base.born} if base.born else {}),
            **({"heading": [base.heading.side, list(base.heading.states)]} if base.heading else {}),
        }
    )


def base_from_json(text: str) -> Base:
    """Read what :func:`base_to_json` wrote."""
    read = json.loads(text)
    notes = {
        marker: NoteRecord(Side(origin), _time_from_json(carried_at), writes, bool(as_file))
        for marker, (origin, carried_at, writes, *as_file) in read.get("notes", {}).items()
    }
    return Base(
        state=Agreed(*read["state"]) if "state" in read else None,
        fields=MappingProxyType({name: Agreed(*pair) for name, pair in read.get("fields", {}).items()}),
        notes=MappingProxyType(notes),
        born=read.get("born", ""),
        heading=Heading(Side(read["heading"][0]), tuple(read["heading"][1])) if "heading" in read else None,
    )


def obstacles_to_json(obstacles: Iterable[Obstacle]) -> str:
    """Write a link's obstacles in their order."""
    return _dump(
        [
            {
                "key": one.key,
                "fingerprint": one.fingerprint,
                "reason": one.reason,
                "tries": one.tries,
                "parked": one.parked,
                "not_before": _time_to_json(one.not_before),
            }
            for one in obstacles
        ]
    )


def obstacles_from_json(text: str) -> tuple[Obstacle, ...]:
    """Read what :func:`obstacles_to_json` wrote."""
    return tuple(Obstacle(**{**one, "not_before": _time_from_json(one["not_before"])}) for one in json.loads(text))


def marks_to_json(marks: Iterable[tuple[datetime, int]]) -> str:
    """Write a side's attachment marks."""
    return _dump([[_time_to_json(at), highest] for at, highest in marks])


def marks_from_json(text: str) -> tuple[tuple[datetime, int], ...]:
    """Read what :func:`marks_to_json` wrote."""
    return tuple((datetime.fromisoformat(at), highest) for at, highest in json.loads(text))


def ids_to_json(ids: Iterable[int]) -> str:
    """Write a set of ids."""
    return _dump(sorted(ids))


def ids_from_json(text: str) -> frozenset[int]:
    """Read what :func:`ids_to_json` wrote."""
    return frozenset(json.loads(text))


def counts_to_json(counts: Mapping[str, int]) -> str:
    """Write a cycle's counts."""
    return _dump(dict(counts))


def counts_from_json(text: str) -> Mapping[str, int]:
    """Read what :func:`counts_to_json` wrote."""
    read: dict[str, int] = json.loads(text)
    return read


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _time_to_json(at: datetime | None) -> str | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no timezone")
    return at.astimezone(UTC).isoformat()


def _time_from_json(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
