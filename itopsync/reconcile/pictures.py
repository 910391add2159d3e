"""Pictures in texts: each is attached to the other ticket before the text that shows it is written."""

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

    Return the text and its uploads. A picture that will not arrive (it is parked, or its copy was deleted) does not hold up the
    text: it is described in words.
    """
    absent = [picture for picture in pictures if not situation.has_attachment(target, picture.marker)]
    awaited = [(picture, attachment_of(picture.marker, situation.rules.pair)) for picture in absent]
    part.want(*(_item(*each) for each in awaited))  # all of them, even if the text waits for the first
    uploads: list[Upload] = []
    missing: list[str] = []
    for picture, original in awaited:
        item = _item(picture, original)
        obstacle = situation.obstacle(item)
        if obstacle is not None and not obstacle.parked:
            return None
        if obstacle is not None or (original is not None and _stays_away(situation, original)):
            missing.append(picture.marker)
        elif original is None:
            uploads.append(Upload(target, picture.marker, picture.source, item))
    return without_pictures(html, missing), tuple(uploads)


def _item(picture: Picture, original: Original | None) -> Item:
    if original is None:
        return Item(ItemKey.of(ItemKind.PICTURE, picture.marker), "")
    return file_item(original.side, original.id)


def _stays_away(situation: Situation, original: Original) -> bool:
    """Whether a file that a text shows will never have a copy there."""
    files = situation.ticket(original.side).attachments
    known = (situation.copies.known(original.side, file) for file in files if file.id == original.id)
    away = any(pair.status in (FileStatus.COPY_DELETED, FileStatus.KEPT) for pair in known)
    return away or not situation.rules.attachments.allows(original.side)
