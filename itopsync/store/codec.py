"""Converts bases, obstacles and high-water marks to and from JSON, all in one place: a change to the model means a change here.

The JSON is ASCII: PostgreSQL text accepts neither NUL nor lone surrogates, and a server's messages may contain both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from itopsync.model import Agreed, Base, End, Heading, ItemKey, NoteRecord, Obstacle, Sent, Side


def base_to_json(base: Base) -> str:
    """Encode a base, leaving out what is empty."""
    fields = {name: [agreed.external, agreed.internal] for name, agreed in base.fields.items()}
    apart = {name: [agreed.external, agreed.internal] for name, agreed in base.apart.items()}
    notes = {marker: _note_to_json(note) for marker, note in base.notes.items()}
    return _dump(
        {
            **({"state": [base.state.external, base.state.internal]} if base.state else {}),
            **({"fields": fields} if fields else {}),
            **({"notes": notes} if notes else {}),
            **({"last_change": base.last_change} if base.last_change else {}),
            **({"changed": [base.changed.external, base.changed.internal]} if base.changed else {}),
            **({"began": base.began} if base.began else {}),
            **({"cut": sorted(base.cut)} if base.cut else {}),
            **({"unmarked_files": dict(base.unmarked_files)} if base.unmarked_files else {}),
            **({"apart": apart} if apart else {}),
            **({"with_history": True} if base.with_history else {}),
            **({"heading": [base.heading.side, list(base.heading.states)]} if base.heading else {}),
            **({"sent": {name: [sent.side, sent.source, sent.words] for name, sent in base.sent.items()}} if base.sent else {}),
            **({"made_at": base.made_at} if base.made_at else {}),
            **({"joined_logs": sorted(base.joined_logs)} if base.joined_logs is not None else {}),
            **({"ended": base.ended} if base.ended else {}),
        }
    )


def base_from_json(text: str) -> Base:
    """Decode what :func:`base_to_json` encoded."""
    read = json.loads(text)
    notes = {marker: _note_from_json(*note) for marker, note in read.get("notes", {}).items()}
    return Base(
        state=Agreed(*read["state"]) if "state" in read else None,
        fields=MappingProxyType({name: Agreed(*pair) for name, pair in read.get("fields", {}).items()}),
        notes=MappingProxyType(notes),
        last_change=read.get("last_change", ""),
        changed=Agreed(*read["changed"]) if "changed" in read else None,
        began=read.get("began", ""),
        cut=frozenset(read.get("cut", ())),
        unmarked_files=MappingProxyType(
            {name: (Side(side), id_) for name, (side, id_) in read.get("unmarked_files", {}).items()}
        ),
        apart=MappingProxyType({name: Agreed(*pair) for name, pair in read.get("apart", {}).items()}),
        with_history=read.get("with_history", False),
        heading=Heading(Side(read["heading"][0]), tuple(read["heading"][1])) if "heading" in read else None,
        sent=MappingProxyType({name: Sent(Side(side), *prints) for name, (side, *prints) in read.get("sent", {}).items()}),
        made_at=read.get("made_at", ""),
        joined_logs=frozenset(read["joined_logs"]) if "joined_logs" in read else None,
        ended=End(read["ended"]) if "ended" in read else None,
    )


def _note_to_json(note: NoteRecord) -> list[object]:
    known = (("f", note.as_file), ("u", note.unchecked), ("c", note.cut), ("t", note.there))
    flags = "".join(flag for flag, is_set in known if is_set)
    more = [flags, note.unmarked, note.log, note.born]
    while more and not more[-1]:
        more.pop()
    return [note.origin, _time_to_json(note.carried_at), note.writes, *more]


def _note_from_json(origin: str, carried_at: str | None, writes: int, *more: str) -> NoteRecord:
    flags, unmarked, log, born = (*more, "", "", "", "")[:4]
    as_file, unchecked, cut, there = (flag in flags for flag in "fuct")
    return NoteRecord(Side(origin), _time_from_json(carried_at), writes, as_file, unchecked, cut, unmarked, log, there, born)


def obstacles_to_json(obstacles: Iterable[Obstacle]) -> str:
    """Encode a link's obstacles in their order."""
    return _dump(
        [
            {
                "key": obstacle.key,
                "fingerprint": obstacle.fingerprint,
                "reason": obstacle.reason,
                "tries": obstacle.tries,
                "parked": obstacle.parked,
                "not_before": _time_to_json(obstacle.not_before),
                **({"no_right": True} if obstacle.no_right else {}),
            }
            for obstacle in obstacles
        ]
    )


def obstacles_from_json(text: str) -> tuple[Obstacle, ...]:
    """Decode what :func:`obstacles_to_json` encoded."""
    return tuple(
        Obstacle(**{**fields, "key": ItemKey(fields["key"]), "not_before": _time_from_json(fields["not_before"])})
        for fields in json.loads(text)
    )


def marks_to_json(marks: Iterable[tuple[datetime, int]]) -> str:
    """Encode a side's high-water marks of attachment ids."""
    return _dump([[_time_to_json(at), highest] for at, highest in marks])


def marks_from_json(text: str) -> tuple[tuple[datetime, int], ...]:
    """Decode what :func:`marks_to_json` encoded."""
    return tuple((datetime.fromisoformat(at), highest) for at, highest in json.loads(text))


def set_to_json(ids: Iterable[int] | Iterable[str]) -> str:
    """Encode a set of ids, of attachments or of accounts."""
    return _dump(sorted(ids))


def set_from_json(text: str) -> frozenset[Any]:
    """Decode what :func:`set_to_json` encoded."""
    return frozenset(json.loads(text))


def items_to_json(items: Iterable[ItemKey]) -> str:
    """Encode the keys of items in their order."""
    return _dump(list(items))


def items_from_json(text: str) -> tuple[ItemKey, ...]:
    """Decode what :func:`items_to_json` encoded."""
    return tuple(ItemKey(key) for key in json.loads(text))


def counts_to_json(counts: Mapping[str, int]) -> str:
    """Encode a cycle's counts."""
    return _dump(dict(counts))


def counts_from_json(text: str) -> Mapping[str, int]:
    """Decode what :func:`counts_to_json` encoded."""
    read: dict[str, int] = json.loads(text)
    return read


def arguments_to_json(arguments: Mapping[str, str]) -> str:
    """Encode a request's arguments."""
    return _dump(dict(arguments))


def arguments_from_json(text: str) -> Mapping[str, str]:
    """Decode what :func:`arguments_to_json` encoded; anything else counts as no arguments."""
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    return MappingProxyType({name: str(value) for name, value in read.items()} if isinstance(read, dict) else {})


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
