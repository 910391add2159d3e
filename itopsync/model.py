"""The values that pass between the layers. All frozen; none of them does anything.

Dates are aware datetimes in UTC: the edge that talks to a server knows its timezone and its format, nobody else does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class _Nothing(Mapping[str, str]):
    """An empty mapping that may stand as a dataclass's default: a mapping proxy cannot be hashed before Python 3.12."""

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
"""Earlier than anything: when that may have been written whose time is not known."""


class Side(StrEnum):
    """One of the two servers."""

    EXTERNAL = "external"
    INTERNAL = "internal"

    @property
    def other(self) -> Side:
        return Side.INTERNAL if self is Side.EXTERNAL else Side.EXTERNAL

    def pick(self, external: T, internal: T) -> T:
        """The one of two values that is this side's."""
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
        """The same, but for the value of *side*."""
        return replace(self, external=value) if side is Side.EXTERNAL else replace(self, internal=value)


@dataclass(frozen=True, order=True)
class Ref:
    """Where a ticket is: side, class and id. Written ``external:UserRequest:17``."""

    side: Side
    cls: str
    id: int

    def __str__(self) -> str:
        return f"{self.side}:{self.cls}:{self.id}"


@dataclass(frozen=True)
class Entry:
    """One entry of a case log, as the server lists it. Entries have no id of their own."""

    author_id: str
    """The author's account (``user_id``); ``"0"`` or empty where iTop knows none."""
    author: str
    """The author's friendly name, as people read it."""
    at: datetime
    html: str
    dated: bool = True
    """Whether the server says when it was written; else *at* is a guess, by where it stands, and may change."""

    @property
    def earliest(self) -> datetime:
        """When it may have been written at the earliest."""
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
    """When it was made, by the server's own clock, as digits: ``20261124100824``. Without seconds where the server shows none;
    empty if it says nothing."""


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
    """iTop's own ``ref``, as people say it: ``R-000123``."""
    version: str
    """``last_update`` as the server wrote it: to be compared for equality only."""
    state: str
    fields: Mapping[str, str] = field(default=NOTHING, repr=False)
    """The attributes that the rules speak of. Dates are ISO 8601 in UTC; what is empty is ``""``, a key of nothing too."""
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
    """What both sides show of one link. ``None``: there is no such ticket (not yet, or not any more)."""

    def map(self, change: Callable[[Ticket], Ticket]) -> Observation:
        """The same, with *change* made to both tickets."""
        return Observation(*(None if one is None else change(one) for one in (self.external, self.internal)))


class LinkStatus(StrEnum):
    """What is to be done with a link."""

    WAITING = "waiting"
    """The external ticket is in scope; its copy is not made yet."""
    LINKED = "linked"
    UNLINKING = "unlinking"
    """A person is unlinking the two tickets: nothing is carried any more, and a notice of that is written in internal next."""
    PARKED = "parked"
    """Needs a person: the whole link rests until ``itopsync resume``."""
    TOMBSTONE = "tombstone"
    """It has ended, as its base tells: never touched again, unless a ticket that was gone is seen again."""


WORKED_ON = (LinkStatus.WAITING, LinkStatus.LINKED, LinkStatus.UNLINKING)
"""The statuses of links that are looked at when they are due."""


class End(StrEnum):
    """Why a link has ended."""

    UNLINKED = "unlinked"
    """A person has unlinked the two tickets."""
    EXTERNAL_GONE = "external gone"
    """The ticket was deleted, or out of our account's sight: a server does not say which."""
    INTERNAL_GONE = "internal gone"
    BOTH_GONE = "both gone"
    COPY = "copy"
    """The external ticket is itself a copy of what came from internal, or through the same pair before."""
    PROBE = "probe"
    """The external ticket is one that ``check --probe-external`` left there."""

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
    """The original is known, its copy is not made yet."""
    CARRIED = "carried"
    COPY_DELETED = "copy-deleted"
    """Somebody deleted the copy: it is not made again."""
    KEPT = "kept"
    """Stays where it is: what stood there when two tickets were linked by hand."""
    LEFT = "left"
    """The original is not there, and the copy stays."""


@dataclass(frozen=True)
class FilePair:
    """An original attachment and its copy on the other side."""

    origin: Side
    original_id: int
    copy_id: int | None
    status: FileStatus
    organisation: str = ""
    """The id of the organisation that the original's ticket had when the original was first seen; empty where it told none."""
    born: str = ""
    """When the original was made, as its :class:`Attachment` says: a server may give its id again. Empty until it is known."""

    @property
    def key(self) -> ItemKey:
        """The item of carrying the original."""
        return ItemKey.of(ItemKind.FILE, f"{self.origin}:{self.original_id}")


class ItemKind(StrEnum):
    """What kind of thing an item is."""

    TICKET = "ticket"
    STATE = "state"
    FIELD = "field"
    NOTE = "note"
    FILE = "file"
    GONE = "gone"
    """A file that was not there at one look; what that means is decided by a later one."""
    PICTURE = "picture"
    WHOLE = "whole"
    """A whole text of which a server dropped words."""
    OVERFLOW = "overflow"
    """A whole text that did not fit."""
    LINK_NOTICE = "link-notice"
    """The entry that says that two tickets were linked, or unlinked, by hand."""
    NOTICE = "notice"
    """An entry of ours about what is parked."""
    LOG = "log"
    """A log that takes no further entry."""
    RESTORED = "restored"
    """A ticket of a side that shows itself as it was before."""
    DELETIONS = "deletions"
    """The deletion of many files of one ticket at once."""
    ROUTE = "route"
    """By which route a ticket got its defaults."""
    FALL_BACK = "fall-back"
    """What of a route was not to be had, and why."""


class ItemKey(str):
    """The name of an item: its kind, and which one it is: ``state``, ``field:title``, ``note:<marker>``, ``file:external:17``."""

    __slots__ = ()

    @classmethod
    def of(cls, kind: ItemKind, which: str = "") -> ItemKey:
        """The name of the item of *kind* that *which* tells from others of its ticket."""
        return cls(f"{kind}:{which}" if which else kind)

    @property
    def kind(self) -> ItemKind:
        """What kind of thing it is."""
        return ItemKind(self.partition(":")[0])

    @property
    def which(self) -> str:
        """What tells it from others of its kind."""
        return self.partition(":")[2]

    @property
    def tells_how(self) -> bool:
        """Whether it tells how a write was made up, and is nothing that was carried."""
        return self.kind in (ItemKind.ROUTE, ItemKind.FALL_BACK)

    @property
    def concerns_us(self) -> bool:
        """Whether it is an entry of our own, or something for which there is another way, such as a full log."""
        return self.kind in (ItemKind.LOG, ItemKind.NOTICE)


TICKET = ItemKey.of(ItemKind.TICKET)
STATE = ItemKey.of(ItemKind.STATE)


@dataclass(frozen=True)
class Obstacle:
    """Why one item of a ticket does not get across; the other items go on.

    *fingerprint* says what of the item was tried, so that a change of it makes a new trial.
    """

    key: ItemKey
    fingerprint: str
    reason: str
    tries: int
    parked: bool
    not_before: datetime | None

    @property
    def needs_person(self) -> bool:
        """Whether somebody must do something: not where a person has parked it, nor where there is another way (a full log)."""
        return self.parked and self.tries > 0 and not self.key.concerns_us

    @property
    def is_no_trouble(self) -> bool:
        """Whether nothing failed: a log is full, and what it does not take goes as files; or a second look is awaited."""
        return self.key.kind in (ItemKind.LOG, ItemKind.GONE)

    @property
    def gathers(self) -> bool:
        """Whether what a full log does not take is gathered into one file until its time."""
        return self.key.kind is ItemKind.LOG and not self.parked

    def waits(self, now: datetime) -> bool:
        """Whether it is not yet time for another try."""
        return self.not_before is not None and self.not_before > now


@dataclass(frozen=True)
class Agreed(BySide[str]):
    """Fingerprints of one value as each side returned it when both last agreed."""


@dataclass(frozen=True)
class NoteRecord:
    """What we know of one entry that was carried, or that stays where it is."""

    origin: Side
    carried_at: datetime | None
    """``None``: it is not to be carried: what stood in the log when two tickets were linked by hand, and the mark of that itself,
    under the ticket's marker."""
    writes: int = 1
    """How often it was written; more than once when an agent's save wiped it out."""
    as_file: bool = False
    """It went as a file, as the log was full; one that somebody deletes then is not made again."""
    unchecked: bool = False
    """Whether the server kept every word of it is still to be looked at."""
    cut: bool = False
    """The server dropped words of it: the whole goes as a file, once."""
    unmarked: str = ""
    """Where the server stored it without its marker: the fingerprint of the entry that came back."""
    log: str = ""
    """The other side's log that it was written into, if that has another name than its own: a log may get another partner."""
    there: bool = False
    """The file that it went as was there at the last look."""


@dataclass(frozen=True)
class Heading:
    """The states through which we are taking one side."""

    side: Side
    states: tuple[str, ...]


@dataclass(frozen=True)
class Base:
    """What both sides of a link last agreed on. Fingerprints and states only: never a text."""

    state: Agreed | None = None
    """The pair of states, in clear."""
    fields: Mapping[str, Agreed] = field(default_factory=lambda: MappingProxyType({}))
    """By the external attribute's name: the form and the companions of states."""
    notes: Mapping[str, NoteRecord] = field(default_factory=lambda: MappingProxyType({}))
    """By marker."""
    last_change: str = ""
    """When the external ticket had last changed, by its server's clock, when it was last looked at: what begins later is another
    ticket, or the same one with a corrected date. ISO 8601 in UTC."""
    changed: Agreed | None = None
    """When each ticket had last changed when both were last looked at, and in which timezone that was read, as
    ``2026-11-24T08:00:07+00:00 Asia/Jakarta``: what shows an earlier time was restored. None if one was yet to come."""
    began: str = ""
    """When the copy began, by its server's clock, when it was last looked at: of all that tells it from another ticket under its
    id, people edit this least. ISO 8601 in UTC."""
    cut: frozenset[str] = frozenset()
    """Attributes of which a server dropped words, as ``internal:description``: the whole goes as a file, once."""
    unmarked_files: Mapping[str, tuple[Side, int]] = field(default_factory=lambda: MappingProxyType({}))
    """By marker: the attachments that the server stored without it."""
    heading: Heading | None = None
    """Where we were taking a side's state: kept before the first stimulus is sent, so that what we did ourselves is never
    taken for a person's move, whatever crashes in between."""
    made_at: str = ""
    """The state in which the create left the copy, if not the initial one: internal's own rules set it, and no person. Until the
    states agree."""
    apart: Mapping[str, Agreed] = field(default_factory=lambda: MappingProxyType({}))
    """What differed, and was left so, when two tickets were linked by hand or found again: ``state`` or an external attribute's
    name → what was taken for agreed then."""
    joined_logs: frozenset[str] | None = None
    """Of two tickets that were linked by hand: the logs in which what stood there then is known, as ``external:internal``, or as
    one name if both have the same. What stands in one that is paired later stays where it is, too. ``None``: itopsync made the
    copy, and all is carried."""
    ended: End | None = None
    """Why the link ended, if it did. Also ``None`` where it ended before that was noted."""


UNSAVED = 0
"""The id of a link that is not in the store yet."""


@dataclass(frozen=True)
class Link:
    """A pair of tickets: the external one, and its copy in internal."""

    id: int
    """:data:`UNSAVED`, or the store's."""
    external: Ref
    internal: Ref | None
    status: LinkStatus
    external_number: str = ""
    internal_number: str = ""
    base: Base = Base()
    files: tuple[FilePair, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    due_at: datetime | None = None
    """When to look at it next: dirty if that is past, a back-off or a second look if it is to come; ``None``: clean."""
    in_doubt: bool = False
    """A write was sent whose outcome is not known: look before anything is written."""

    def ref(self, side: Side) -> Ref | None:
        return side.pick(self.external, self.internal)

    def may_land(self, now: datetime) -> bool:
        """Whether a write whose outcome is not known may still land."""
        return self.in_doubt and self.due_at is not None and self.due_at > now

    def is_parked(self, key: ItemKey) -> bool:
        """Whether an item does not get across before a person has looked."""
        return any(obstacle.parked for obstacle in self.obstacles if obstacle.key == key)
