"""The values that pass between the layers. All are frozen, and none of them does anything.

Dates are aware datetimes in UTC: only the edge that talks to a server knows its timezone and format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class _Nothing(Mapping[str, str]):
    """An empty mapping that can be a dataclass's default: a mapping proxy is not hashable before Python 3.12."""

    def __getitem__(self, key: str) -> str:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "{}"


NOTHING: Mapping[str, str] = _Nothing()
ANY_TIME = datetime.min.replace(tzinfo=UTC)
"""Earlier than anything: the earliest time of an entry without a date."""


class Side(StrEnum):
    """One of the two servers."""

    EXTERNAL = "external"
    INTERNAL = "internal"

    @property
    def other(self) -> Side:
        return Side.INTERNAL if self is Side.EXTERNAL else Side.EXTERNAL

    def pick(self, external: T, internal: T) -> T:
        """Whichever of two values is this side's."""
        return external if self is Side.EXTERNAL else internal


@dataclass(frozen=True)
class BySide(Generic[T]):
    """One value for each side."""

    external: T
    internal: T

    def of(self, side: Side) -> T:
        """The value of *side*."""
        return side.pick(self.external, self.internal)

    def with_(self, side: Side, value: T) -> Self:
        """The same, except for the value of *side*."""
        return replace(self, external=value) if side is Side.EXTERNAL else replace(self, internal=value)


_REF = re.compile(r"(?:(external|internal):)?([A-Za-z]\w*):(\d{1,10})")


@dataclass(frozen=True, order=True)
class Ref:
    """A ticket's address: side, class and id. Written ``external:UserRequest:17``."""

    side: Side
    cls: str
    id: int

    def __str__(self) -> str:
        return f"{self.side}:{self.cls}:{self.id}"

    @classmethod
    def parse(cls, text: str, side: Side) -> Ref | None:
        """Read what is written so, on *side* if it names none; None if it is something else."""
        found = _REF.fullmatch(text)
        return Ref(Side(found[1] or side), found[2], int(found[3])) if found else None


@dataclass(frozen=True)
class Entry:
    """One entry of a case log, as the server lists it. Entries have no id of their own."""

    author_id: str
    """The author's account (``user_id``); ``"0"`` or empty if iTop knows none."""
    author: str
    """The author's friendly name, as people read it."""
    at: datetime
    html: str
    dated: bool = True
    """Whether the server says when it was written; if not, *at* is guessed from its place in the log, and may change."""

    @property
    def earliest(self) -> datetime:
        """The earliest time at which it may have been written."""
        return self.at if self.dated else ANY_TIME


@dataclass(frozen=True)
class Attachment:
    """One attachment, without its contents."""

    id: int
    temp_id: str
    """iTop's mark for a draft; on our copies it bears the marker."""
    cls: str
    item_id: int
    """The id of the ticket; 0 while it is a draft."""
    born: str = ""
    """When it was created, by the server's own clock: ``20261124100824``, or without seconds; empty if it does not say."""


@dataclass(frozen=True)
class File:
    """The contents of an attachment or of an image."""

    name: str
    mimetype: str
    data: bytes = field(repr=False)


VERSION_TIME = "last_update"
"""The attribute that is a ticket's version, and that is also read as a date."""


@dataclass(frozen=True)
class Ticket:
    """What a server shows of one ticket at one moment."""

    ref: Ref
    number: str
    """iTop's own ``ref``, which people use: ``R-000123``."""
    version: str
    """``last_update`` as the server wrote it; to be compared for equality only."""
    state: str
    fields: Mapping[str, str] = field(default=NOTHING, repr=False)
    """The attributes that the rules name. Dates are ISO 8601 in UTC; empty values, and keys that point to nothing, are ``""``."""
    logs: Mapping[str, tuple[Entry, ...]] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class Sighting:
    """What a light poll shows of a ticket."""

    ref: Ref
    number: str
    version: str


@dataclass(frozen=True)
class NewEntry:
    """An entry to be appended to a case log."""

    at: datetime
    html: str = field(repr=False)


@dataclass(frozen=True)
class Observation(BySide[Ticket | None]):
    """What both sides show of one link. ``None``: there is no such ticket (not yet, or no longer)."""

    def map(self, change: Callable[[Ticket], Ticket]) -> Observation:
        """The same, with *change* applied to both tickets."""
        return Observation(*(None if ticket is None else change(ticket) for ticket in (self.external, self.internal)))


class LinkStatus(StrEnum):
    """What is to be done with a link."""

    WAITING = "waiting"
    """The external ticket is in scope, but has no copy yet."""
    LINKED = "linked"
    UNLINKING = "unlinking"
    """A person has unlinked the two tickets: nothing is carried any more, and a notice in internal will be written next."""
    PARKED = "parked"
    """Needs a person: the whole link rests until ``itopsync resume``."""
    TOMBSTONE = "tombstone"
    """It has ended, for the reason in its base; it is never touched again, unless a ticket that was gone is seen again."""


WORKED_ON = (LinkStatus.WAITING, LinkStatus.LINKED, LinkStatus.UNLINKING)
"""The statuses of links that are looked at when they are due."""


class End(StrEnum):
    """Why a link has ended."""

    UNLINKED = "unlinked"
    """A person has unlinked the two tickets."""
    EXTERNAL_GONE = "external gone"
    """The ticket was deleted or hidden from our account; a server does not say which."""
    INTERNAL_GONE = "internal gone"
    BOTH_GONE = "both gone"
    COPY = "copy"
    """The external ticket is itself a copy of a ticket that came from internal, or through the same pair before."""
    PROBE = "probe"
    """``check --probe-external`` left the external ticket there."""

    @classmethod
    def of_gone(cls, sides: Collection[Side]) -> End:
        """The end of a link whose tickets on *sides* are gone."""
        return cls.BOTH_GONE if len(sides) > 1 else cls.EXTERNAL_GONE if Side.EXTERNAL in sides else cls.INTERNAL_GONE

    @property
    def gone(self) -> frozenset[Side]:
        """The sides whose tickets were gone."""
        return _GONE.get(self, frozenset())


_GONE = {
    End.EXTERNAL_GONE: frozenset({Side.EXTERNAL}),
    End.INTERNAL_GONE: frozenset({Side.INTERNAL}),
    End.BOTH_GONE: frozenset(Side),
}


class FileStatus(StrEnum):
    """How far a file has been carried."""

    WAITING = "waiting"
    """The original is known, but has no copy yet."""
    CARRIED = "carried"
    COPY_DELETED = "copy-deleted"
    """Somebody deleted the copy, which is not made again."""
    KEPT = "kept"
    """The file was there when two tickets were linked by hand, and stays where it is."""
    LEFT = "left"
    """The original is gone, and the copy stays."""


@dataclass(frozen=True)
class FilePair:
    """An original attachment and its copy on the other side."""

    origin: Side
    original_id: int
    copy_id: int | None
    status: FileStatus
    organisation: str = ""
    """The id of the organisation of the original's ticket when the original was first seen; empty if it had none."""
    born: str = ""
    """When the original was created, as in its :class:`Attachment`; a server may reuse its id. Empty until it is known."""

    @property
    def key(self) -> ItemKey:
        """The key of the item that stands for the original."""
        return ItemKey.of(ItemKind.FILE, f"{self.origin}:{self.original_id}")


class ItemKind(StrEnum):
    """What kind of thing an item is."""

    TICKET = "ticket"
    STATE = "state"
    FIELD = "field"
    NOTE = "note"
    FILE = "file"
    GONE = "gone"
    """A file that was missing at one look; a later look decides what that means."""
    PICTURE = "picture"
    WHOLE = "whole"
    """The whole of a text from which a server dropped words."""
    OVERFLOW = "overflow"
    """The whole of a text that did not fit."""
    LINK_NOTICE = "link-notice"
    """The entry that says that two tickets were linked or unlinked by hand."""
    NOTICE = "notice"
    """An entry of ours about parked items."""
    LOG = "log"
    """A log that takes no more entries."""
    RESTORED = "restored"
    """A ticket that a restored server shows in an older state."""
    DELETIONS = "deletions"
    """The deletion of many files of one ticket at once."""
    ROUTE = "route"
    """The route by which a ticket got its defaults."""
    FALL_BACK = "fall-back"
    """What a route could not supply, and why."""


class ItemKey(str):
    """The name of an item, its kind and which one it is: ``state``, ``field:title``, ``note:<marker>``, ``file:external:17``."""

    __slots__ = ()

    @classmethod
    def of(cls, kind: ItemKind, which: str = "") -> ItemKey:
        """The name of an item of *kind*; *which* distinguishes it from others of its ticket."""
        return cls(f"{kind}:{which}" if which else kind)

    @property
    def kind(self) -> ItemKind:
        """What kind of thing it is."""
        return ItemKind(self.partition(":")[0])

    @property
    def which(self) -> str:
        """What distinguishes it from others of its kind; empty if nothing does."""
        return self.partition(":")[2]

    @property
    def file(self) -> tuple[Side, int]:
        """Of a file: the original's side and id."""
        side, _, number = self.which.partition(":")
        return Side(side), int(number)

    @property
    def tells_how(self) -> bool:
        """Whether it tells how a write's content was chosen, instead of naming something that was carried."""
        return self.kind in (ItemKind.ROUTE, ItemKind.FALL_BACK)

    @property
    def concerns_us(self) -> bool:
        """Whether it concerns nobody but us: an entry of our own, or a full log, which notes bypass as files."""
        return self.kind in (ItemKind.LOG, ItemKind.NOTICE)


TICKET = ItemKey.of(ItemKind.TICKET)
STATE = ItemKey.of(ItemKind.STATE)


@dataclass(frozen=True)
class Obstacle:
    """Why one item of a ticket cannot be carried; the other items are not affected.

    *fingerprint* is that of the content that was tried; once the content changes, the item is tried again.
    """

    key: ItemKey
    fingerprint: str
    reason: str
    tries: int
    parked: bool
    not_before: datetime | None
    no_right: bool = False
    """Whether our account lacks a right that it takes; it is tried again until somebody grants it."""

    @property
    def needs_person(self) -> bool:
        """Whether somebody must act: not if a person has parked it, nor if it concerns only us."""
        return self.parked and self.tries > 0 and not self.key.concerns_us

    @property
    def is_no_trouble(self) -> bool:
        """Whether nothing failed: a log is full, so its notes are sent as files, or a second look is due."""
        return self.key.kind in (ItemKind.LOG, ItemKind.GONE)

    @property
    def gathers(self) -> bool:
        """Whether notes that a full log does not take are being gathered into one file."""
        return self.key.kind is ItemKind.LOG and not self.parked

    def waits(self, now: datetime) -> bool:
        """Whether the time for another try has not come yet."""
        return self.not_before is not None and self.not_before > now


@dataclass(frozen=True)
class Agreed(BySide[str]):
    """The fingerprints of one value as each side returned it when both last agreed."""


@dataclass(frozen=True)
class NoteRecord:
    """What we know of one entry that was carried or that stays where it is."""

    origin: Side
    carried_at: datetime | None
    """``None`` if it is not to be carried: an entry from before two tickets were linked by hand, or the notice of that link,
    which is recorded under the ticket's marker."""
    writes: int = 1
    """How often it was written: more than once if an agent's save wiped it out."""
    as_file: bool = False
    """Whether it was sent as a file because the log was full; if somebody deletes that file, it is not made again."""
    unchecked: bool = False
    """Whether it is still to be checked that the server kept every word of it."""
    cut: bool = False
    """Whether the server dropped words of it, so that the whole must be sent as a file, once."""
    unmarked: str = ""
    """The fingerprint of the entry that came back, if the server stored it without its marker."""
    log: str = ""
    """The other side's log that it was written into, if its name differs from that of its own log: the pairing may change."""
    there: bool = False
    """Whether the file as which it was sent was there at the last look."""
    born: str = ""
    """When it was written, by its server's own clock: ``2026-11-24T10:08:24``; empty if that is not known."""


@dataclass(frozen=True)
class Heading:
    """The states through which we are taking one side."""

    side: Side
    states: tuple[str, ...]


@dataclass(frozen=True)
class Sent:
    """A value on its way to *side*: the fingerprint of the other side's value, and that of the words that are written."""

    side: Side
    source: str
    words: str


@dataclass(frozen=True)
class Base:
    """What both sides of a link last agreed on: fingerprints and states, never a text."""

    state: Agreed | None = None
    """The pair of states, in plain text."""
    fields: Mapping[str, Agreed] = field(default_factory=lambda: MappingProxyType({}))
    """External attribute's name → its fingerprints, for the form and the companions of states."""
    notes: Mapping[str, NoteRecord] = field(default_factory=lambda: MappingProxyType({}))
    """Marker → what is known of the entry."""
    last_change: str = ""
    """The external ticket's last change as of the last look, by its server's clock, as ISO 8601 in UTC."""
    changed: Agreed | None = None
    """Each ticket's last change as of the last look at both, as ``2026-11-24T08:00:07+00:00 Asia/Jakarta``, with the timezone in
    which it was read: one that shows an earlier time was restored. None if either was unknown or in the future."""
    began: str = ""
    """When the copy began, by its server's clock, as of the last look, as ISO 8601 in UTC: what people edit least of it."""
    cut: frozenset[str] = frozenset()
    """Attributes from which a server dropped words, as ``internal:description``; the whole text is sent as a file, once."""
    unmarked_files: Mapping[str, tuple[Side, int]] = field(default_factory=lambda: MappingProxyType({}))
    """Marker → the attachment that the server stored without it, as (side, id)."""
    heading: Heading | None = None
    """The states through which we are taking a side, recorded before the first stimulus is sent, so that our own writes are never
    taken for a person's change, whatever crashes in between."""
    sent: Mapping[str, Sent] = field(default_factory=lambda: MappingProxyType({}))
    """External attribute's name → what is being written, recorded before it is sent, for the same reason."""
    made_at: str = ""
    """The state in which the create left the copy, if not the initial one: internal's own rules set it, not a person. Empty once
    the states agree."""
    apart: Mapping[str, Agreed] = field(default_factory=lambda: MappingProxyType({}))
    """What differed when two tickets were linked by hand or found again, and was left so: ``state`` or an external attribute's
    name → the values that then counted as agreed."""
    with_history: bool = False
    """For two tickets that were linked by hand: whether the entries and files that only one of them had are carried, too."""
    joined_logs: frozenset[str] | None = None
    """For two tickets that were linked by hand: the logs whose entries from before are known, as ``external:internal``, or as one
    name if both are the same; those of a log that is paired later stay, too. ``None``: itopsync made the copy."""
    ended: End | None = None
    """Why the link ended; ``None`` if it has not, or if it ended before reasons were recorded."""

    def stands_apart(self, name: str) -> bool:
        """Whether what :attr:`apart` names so has not been agreed on since."""
        agreed = self.state if name == ItemKind.STATE else self.fields.get(name)
        return agreed is not None and self.apart.get(name) == agreed


UNSAVED = 0
"""The id of a link that is not in the store yet."""


@dataclass(frozen=True)
class Link:
    """A pair of tickets: the external one, and its copy in internal."""

    id: int
    """The store's id, or :data:`UNSAVED`."""
    external: Ref
    internal: Ref | None
    status: LinkStatus
    external_number: str = ""
    internal_number: str = ""
    base: Base = Base()
    files: tuple[FilePair, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    due_at: datetime | None = None
    """When to look at it next: dirty if that has passed, waiting or to be looked at again if not; ``None`` if it is clean."""
    in_doubt: bool = False
    """Whether the outcome of a write is unknown; then both tickets are read before anything is written."""

    def ref(self, side: Side) -> Ref | None:
        return side.pick(self.external, self.internal)

    def may_land(self, now: datetime) -> bool:
        """Whether a write of unknown outcome may still land."""
        return self.in_doubt and self.due_at is not None and self.due_at > now

    def is_parked(self, key: ItemKey) -> bool:
        """Whether an item is parked."""
        return any(obstacle.parked for obstacle in self.obstacles if obstacle.key == key)
