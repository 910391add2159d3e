"""What the store's tests put into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from itopsync.model import STATE, FilePair, FileStatus, ItemKey, Link, LinkStatus, Obstacle, Ref, Side, Sighting
from itopsync.store.records import SideState
from itopsync.store.store import Store

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def external(number: int, cls: str = "UserRequest") -> Ref:
    return Ref(Side.EXTERNAL, cls, number)


def internal(number: int, cls: str = "UserRequest") -> Ref:
    return Ref(Side.INTERNAL, cls, number)


def sighting(ref: Ref, version: str = "v1") -> Sighting:
    return Sighting(ref, f"R-{ref.id:06d}", version)


def poll(store: Store, side: Side = Side.EXTERNAL, *, now: datetime = NOW, **found: Any) -> tuple[int, ...]:
    """Record a poll that found what is named and nothing else."""
    nothing: Mapping[str, Any] = {"versions": {}, "due": (), "new": (), "ignored": ()}
    return store.polls.record(SideState(side, cursor=now), **{**nothing, **found}, now=now)


def add(store: Store, ref: Ref, *, now: datetime = NOW) -> Link:
    """A link that waits for its copy."""
    (number,) = poll(store, new=[sighting(ref)], now=now)
    return get(store, number)


def add_linked(store: Store, ref: Ref, copy: Ref, *, live: bool = True, **changes: Any) -> Link:
    """A link whose copy is made, with nothing to do; *changes* are made to it."""
    link = replace(add(store, ref), internal=copy, internal_number=f"R-{copy.id:06d}", status=LinkStatus.LINKED, due_at=None)
    link = replace(link, **changes)
    store.links.save(link, versions={Side.EXTERNAL: "v1", Side.INTERNAL: "v1"}, now=NOW, live=live)
    return link


def get(store: Store, number: int) -> Link:
    (link,) = store.links.get([number])
    return link


def carried(origin: Side, original: int, copy: int | None, status: FileStatus = FileStatus.CARRIED) -> FilePair:
    return FilePair(origin, original, copy, status)


def obstacle(key: ItemKey = STATE, *, parked: bool = False) -> Obstacle:
    return Obstacle(key, "f1", "internal: refused", 2, parked, None if parked else NOW + MINUTE)
