"""What to do about one link: a list of actions, made before any of them runs, and what is left undone, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from itopsync.errors import ItopsyncError
from itopsync.model import TICKET, FilePair, ItemKey, ItemKind, Link, Obstacle, Ref, Side
from itopsync.reconcile.images import PictureSource
from itopsync.reconcile.richtext import Picture, marked


@dataclass(frozen=True)
class Item:
    """What an action carries, so that a refusal is held against the right thing."""

    key: ItemKey
    fingerprint: str
    """The fingerprint of the content; once it changes, the item is tried again."""

    def names(self, obstacle: Obstacle) -> bool:
        """Whether *obstacle* is that of this very item, unchanged."""
        return (obstacle.key, obstacle.fingerprint) == (self.key, self.fingerprint)

    def parked(self, reason: str) -> Obstacle:
        """The obstacle that parks it until a person has looked, or until it changes."""
        return Obstacle(self.key, self.fingerprint, reason, tries=1, parked=True, not_before=None)


UNREAD = Item(TICKET, "unread")
"""The item for a ticket that its server fails to show, or that triggers a fault of ours; it may wait or be parked."""
ANOTHER = Item(TICKET, "another")
"""The item of a whole link if one of its tickets is not the one that was linked."""
TAKEN = Item(TICKET, "taken")
"""The item of a whole link if another pair has linked its internal ticket; only unlinking ends that."""


def file_item(origin: Side, original_id: int) -> Item:
    """The item against which trouble with a file is held."""
    return Item(ItemKey.of(ItemKind.FILE, f"{origin}:{original_id}"), "")


@dataclass(frozen=True)
class Note:
    """An entry to append: one person's, several joined, or a notice of ours."""

    log: str
    """The log's name on the target side."""
    markers: tuple[str, ...]
    at: datetime
    html: str = field(repr=False)
    """The text, with placeholders for pictures and without markers."""
    pictures: tuple[Picture, ...] = ()

    @property
    def marked(self) -> str:
        """The HTML to write, with the markers in its first line."""
        return marked(self.markers, self.html)


@dataclass(frozen=True)
class TextSource:
    """A text that is carried as a file."""

    name: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class AttachmentSource:
    """An attachment of the other side."""

    id: int


FileSource = AttachmentSource | TextSource | PictureSource


@dataclass(frozen=True)
class Create:
    """Create the internal copy."""

    fields: Mapping[str, object] = field(repr=False)
    notes: tuple[Note, ...]
    items: tuple[Item, ...]
    agrees: Mapping[str, str]
    """Attribute (external name) → fingerprint of the external value that the copy was created with."""
    routes_taken: tuple[ItemKey, ...] = ()
    """The routes that chose the defaults, and what fell back."""

    side: ClassVar = Side.INTERNAL


@dataclass(frozen=True)
class Write:
    """Change one ticket in one call: fields, one entry per log, and a stimulus."""

    side: Side
    fields: Mapping[str, object] = field(repr=False)
    notes: tuple[Note, ...]
    items: tuple[Item, ...]
    agrees: Mapping[str, str]
    stimulus: str | None = None
    leads_to: str | None = None
    routes_taken: tuple[ItemKey, ...] = ()
    """The routes that chose the defaults, and what fell back."""


@dataclass(frozen=True)
class Upload:
    """Attach a file to the ticket on *side*."""

    side: Side
    marker: str
    source: FileSource
    item: Item
    pair: FilePair | None = None
    """The file pair that this completes; None for pictures and texts."""
    others: tuple[Item, ...] = ()
    """The items of the other notes that are gathered in the file."""

    @property
    def items(self) -> tuple[Item, ...]:
        """The items that it carries."""
        return (self.item, *self.others)


@dataclass(frozen=True)
class Remove:
    """Delete the attachment on *side*: its counterpart is gone, or it is a surplus copy."""

    side: Side
    attachment_id: int
    item: Item
    pair: FilePair | None = None

    @property
    def items(self) -> tuple[Item, ...]:
        """The items that it carries."""
        return (self.item,)


Action = Create | Write | Upload | Remove


@dataclass(frozen=True)
class LostMarker:
    """Something of ours that a server stored without its marker."""

    ref: Ref
    marker: str
    kept: str
    """The tags that came back in the marker's place, without attributes or text."""
    fingerprint: str = ""
    """The fingerprint of the entry that came back, if it can be identified."""


class Kept(StrEnum):
    """Why something stays as it is. It is listed, but does not count as a difference."""

    INTERNAL_EDIT = "internal edit kept"
    INTERNAL_NOTE = "note kept in internal"
    COPY_DELETED = "copy deleted, not made again"
    COPY_LEFT = "copy without its original, left as it is"
    PARKED = "parked"
    WAITING = "waiting for another try"
    GATHERED = "gathered into one file"
    VANISHED = "entry vanished after it was carried"
    LEFT_OUT = "not carried by the rules"
    OUT_OF_SCOPE = "out of scope, so no copy is made"


@dataclass(frozen=True)
class Remark:
    """A difference that is intended, or anything else that people should know."""

    kept: Kept
    key: ItemKey
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """What to do about one link, in order."""

    link: Link
    """The link, with everything that already agrees recorded in its base."""
    actions: tuple[Action, ...] = ()
    remarks: tuple[Remark, ...] = ()
    replaced: bool = field(default=False, kw_only=True)
    """Whether one of the two tickets is not the one that was linked."""
    emptied: bool = field(default=False, kw_only=True)
    """Whether the copy's log no longer shows whose copy it is though everything else does; it then counts as unreadable."""
    rewritten: bool = field(default=False, kw_only=True)
    """Whether every carried entry looks different now: sanitising has changed, or this is another ticket."""
    vanished: frozenset[ItemKey] = field(default=frozenset(), kw_only=True)
    """Copies of files, and notes carried as files, that existed at the last look and are now missing."""
    orphaned: frozenset[FilePair] = field(default=frozenset(), kw_only=True)
    """Deleted originals whose copies will be deleted, unconfirmed by a person."""
    lost: tuple[LostMarker, ...] = field(default=(), kw_only=True)
    """What was found to have been written but stored without its marker."""
    unread: ItopsyncError | None = field(default=None, kw_only=True)
    """Why one of the two tickets cannot be read or processed, if so; nothing is decided then."""
