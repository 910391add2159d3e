"""Pictures in texts: each becomes an attachment of the other ticket before the text that shows it is written."""

from __future__ import annotations

from collections.abc import Sequence

from itopsync.model import FileStatus, ItemKey, ItemKind, Side
from itopsync.reconcile.markers import Original, attachment_of
from itopsync.reconcile.part import Part
from itopsync.reconcile.plan import Item, Upload, file_item
from itopsync.reconcile.richtext import Picture, without_pictures
from itopsync.reconcile.situation import Situation


def illustrate(
    situation: Situation, part: Part, target: Side, html: str, pictures: Sequence[Picture]
) -> tuple[str, tuple[Upload, ...]] | None:
    """Plan the uploads that a text needs; None if it must wait for a picture that may not be tried yet.

    A picture that can never arrive (parked, or its copy was deleted) does not hold up the text: it is described in words.
    """
    uploads: list[Upload] = []
    missing: list[str] = []
    for picture, item in want_pictures(situation, part, target, pictures):
        original = attachment_of(picture.marker, situation.rules.pair)
        obstacle = situation.obstacle(item)
        if obstacle is not None and not obstacle.parked:
            return None
        if obstacle is not None or (original is not None and _stays_away(situation, original)):
            missing.append(picture.marker)
        elif original is None:
            uploads.append(Upload(target, picture.marker, picture.source, item))
    return without_pictures(html, missing), tuple(uploads)


def want_pictures(situation: Situation, part: Part, target: Side, pictures: Sequence[Picture]) -> list[tuple[Picture, Item]]:
    """Those of *pictures* that are not there yet, each with its item; all are marked as wanted."""
    found: list[tuple[Picture, Item]] = []
    for picture in pictures:
        if not situation.has_attachment(target, picture.marker):
            original = attachment_of(picture.marker, situation.rules.pair)
            found.append((picture, _picture_item(picture) if original is None else file_item(original.side, original.id)))
    part.want(*(item for _, item in found))
    return found


def _picture_item(picture: Picture) -> Item:
    return Item(ItemKey.of(ItemKind.PICTURE, picture.marker), "")


def _stays_away(situation: Situation, original: Original) -> bool:
    """Whether the copy of a file that a text shows will never be there."""
    files = situation.ticket(original.side).attachments
    known = (situation.copies.known(original.side, file) for file in files if file.id == original.id)
    away = any(pair.status in (FileStatus.COPY_DELETED, FileStatus.KEPT) for pair in known)
    return away or not situation.rules.attachments.allows(original.side)
