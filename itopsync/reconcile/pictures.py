"""Pictures in texts: each becomes an attachment of the other ticket before the text that shows it is written."""

from __future__ import annotations

from collections.abc import Sequence

from itopsync.model import FileStatus, ItemKey, ItemKind, Side
from itopsync.reconcile.markers import attachment_marker, attachment_of
from itopsync.reconcile.part import Part
from itopsync.reconcile.plan import Item, Upload
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
        if obstacle is not None or (original is not None and _stays_away(situation, *original)):
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
            found.append((picture, _picture_item(picture) if original is None else file_item(*original)))
    part.want(*(item for _, item in found))
    return found


def _picture_item(picture: Picture) -> Item:
    return Item(ItemKey.of(ItemKind.PICTURE, picture.marker), "")


def file_item(origin: Side, original_id: int) -> Item:
    """The item under which trouble with a file is remembered."""
    return Item(ItemKey.of(ItemKind.FILE, f"{origin}:{original_id}"), "")


def _stays_away(situation: Situation, origin: Side, original_id: int) -> bool:
    marker = attachment_marker(situation.rules.pair, origin, original_id)
    if marker in situation.ticket_markers.kept or not situation.rules.attachments.allows(origin):
        return True
    return any(
        pair.status in (FileStatus.COPY_DELETED, FileStatus.KEPT)
        for pair in situation.link.files
        if (pair.origin, pair.original_id) == (origin, original_id)
    )
