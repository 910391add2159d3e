"""Common formatting: counts, time spans, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta


def counted(number: int, noun: str) -> str:
    """``1 link``, ``2 links``, ``0 log entries``."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else many}"


_NOUNS = {
    "new": "new ticket",
    "changed": "changed ticket",
    "links": "link",
    "create": "creation",
    "write": "write",
    "state": "state change",
    "upload": "upload",
    "remove": "deletion",
}


def amounts(counts: Mapping[str, int]) -> str:
    """What a cycle did: ``3 new tickets, 1 creation, 2 parked``, without zeros."""
    some = ((name, count) for name, count in counts.items() if count)
    return ", ".join(counted(count, _NOUNS[name]) if name in _NOUNS else f"{count} {name}" for name, count in some)


def span(time: timedelta) -> str:
    """A time span in everyday form: ``42 s``, ``5 min``, ``3 h``, ``2 d``."""
    seconds = int(time.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def as_json(value: object, *, indent: int | None = 2) -> str:
    """*value* as JSON, without *indent* on one line: dates as ISO 8601, time spans in seconds."""

    def plain(thing: object) -> object:
        if isinstance(thing, datetime):
            return thing.isoformat()
        if isinstance(thing, timedelta):
            return thing.total_seconds()
        raise TypeError(type(thing).__name__)

    return json.dumps(value, default=plain, ensure_ascii=False, indent=indent)
