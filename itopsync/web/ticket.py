"""One link as stored: what was carried, when it arrived, and what is pending. Contains no text of a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from itopsync.model import STATE, TICKET, FilePair, FileStatus, ItemKey, ItemKind, Link, LinkStatus, Side
from itopsync.store.records import WriteOutcome

if TYPE_CHECKING:
    from itopsync.store.records import ActivityRecord

MANY = 300
"""How many writes of one ticket are examined."""


@dataclass(frozen=True)
class Item:
    """One item of a ticket."""

    kind: ItemKind
    which: str
    """What distinguishes it, in a form that people can use: an attachment's id, an attribute's name; empty for a note."""
    origin: Side | None
    """The side on which a person wrote it; None for either."""
    what: str
    """Its progress: ``carried``, ``waiting``, ``left as it is`` …"""
    arrived: datetime | None = None
    after: timedelta | None = None
    """How long after the person's save it arrived."""


@dataclass(frozen=True)
class ToCome:
    """A pending item or an obstacle."""

    what: str
    """With ``{…}`` for each value."""
    at: datetime | None = None
    put_in: str = ""


def items(link: Link, writes: Sequence[ActivityRecord]) -> list[Item]:
    """Everything on a link that was carried or is known to wait; notes in the order of their arrival."""
    done: dict[ItemKey, ActivityRecord] = {}
    for write in writes:  # the newest first
        if write.outcome in (WriteOutcome.DONE, WriteOutcome.UNMARKED):
            for key in write.items:
                done.setdefault(STATE if key.kind is ItemKind.STATE else key, write)

    def item(key: ItemKey, which: str, origin: Side | None, what: str, at: datetime | None = None) -> Item:
        write = done.get(key)
        return Item(key.kind, which, origin, what, at or (write.at if write else None), write.age if write else None)

    found = []
    if TICKET in done:
        found.append(item(TICKET, "", Side.EXTERNAL, "carried"))
    if link.base.state is not None:
        agreed = f"{link.base.state.external} / {link.base.state.internal}"
        found.append(item(STATE, agreed, None, "left as it is" if link.base.stands_apart("state") else "agreed"))
    fields = {name: ItemKey.of(ItemKind.FIELD, name) for name in sorted(link.base.fields)}
    moved = [name for name, key in fields.items() if key in done or name in link.base.apart]
    for name in moved:
        found.append(item(fields[name], name, Side.EXTERNAL, "left as it is" if link.base.stands_apart(name) else "agreed"))
    if others := ", ".join(name for name in fields if name not in moved):
        found.append(Item(ItemKind.FIELD, others, Side.EXTERNAL, "agreed"))
    notes = []
    for marker, note in link.base.notes.items():
        key = ItemKey.of(ItemKind.NOTE, marker)
        what = "carried" if note.carried_at else "left as it is"
        what = "carried as a file" if note.as_file or note.cut else "carried again" if note.writes > 1 else what
        notes.append(item(key, "", note.origin, what, note.carried_at))
    found += sorted(notes, key=lambda note: note.arrived.timestamp() if note.arrived else 0.0)
    for file in link.files:
        told = _DECIDED.get(file.status, file.status.value)
        told = "parked" if _waits(file) and link.is_parked(file.key) else told
        found.append(item(file.key, str(file.original_id), file.origin, told))
    return found


def to_come(link: Link, *, kept: bool, paused: bool, now: datetime) -> list[ToCome]:
    """What will happen next, and when; at least one line, unless there is an obstacle."""
    if link.status is LinkStatus.TOMBSTONE:
        return [ToCome("Nothing: one of the two tickets is gone, or they were unlinked.")]
    if link.status is LinkStatus.PARKED:
        return [ToCome("Nothing until it is resumed: the whole ticket is parked.")]
    if not kept:
        return [ToCome("Nothing: its class is not kept in step.")]
    told = []
    if paused:
        told.append(ToCome("Nothing during a pause."))
    if link.in_doubt:
        told.append(ToCome("The outcome of a write is unknown: first it is looked for.", link.due_at))
    if link.status is LinkStatus.WAITING and not link.is_parked(TICKET):
        told.append(ToCome("Its copy is created."))
    if link.status is LinkStatus.UNLINKING:
        told.append(ToCome("A note on internal says that the two are no longer linked."))
    if link.base.heading is not None:
        told.append(ToCome("On its way to the state {state}.", put_in=link.base.heading.states[-1]))
    if any(_waits(file) and not link.is_parked(file.key) for file in link.files):
        told.append(ToCome("Waiting files are carried."))
    if link.due_at is not None and not link.in_doubt:
        late = link.due_at <= now
        told.append(ToCome("The next cycle looks at it.", None) if late else ToCome("The next look is due:", link.due_at))
    return told if told or link.obstacles else [ToCome("Nothing: both sides agreed at the last look.")]


_DECIDED = {
    FileStatus.KEPT: "left as it is",
    FileStatus.LEFT: "left as it is",
    FileStatus.COPY_DELETED: "copy deleted",
}


def _waits(file: FilePair) -> bool:
    return file.status is FileStatus.WAITING
