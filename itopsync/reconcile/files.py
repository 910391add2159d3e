"""The attachments: which are originals and which copies, what to copy, and what to remove with its counterpart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from itopsync.model import Attachment, FilePair, FileStatus, ItemKey, ItemKind, Side
from itopsync.reconcile.markers import attachment_marker, attachment_of, prefix
from itopsync.reconcile.part import Part
from itopsync.reconcile.pictures import file_item
from itopsync.reconcile.plan import AttachmentSource, Item, Kept, Remove, Upload
from itopsync.reconcile.rules import Deletion
from itopsync.reconcile.situation import Situation

_ORGANISATION = "org_id"
MANY_DELETIONS = Item(ItemKey.of(ItemKind.DELETIONS), "")
"""A ticket's deletions, where they exceed the limit."""


def plan_files(situation: Situation) -> Part:
    """Compare the attachments of both tickets with the known pairs."""
    part = Part()
    pairs = tuple(pair_files(situation, part))
    _hold_many(situation, part)
    part.agree = lambda link: replace(link, files=pairs)
    return part


def _hold_many(situation: Situation, part: Part) -> None:
    """Hold deletions for a person if they exceed the limit, unless one has let them pass."""
    deletions = [action for action in part.removals if isinstance(action, Remove) and action.pair is not None]
    if len(deletions) <= situation.rules.limits.deletions:
        return
    part.want(MANY_DELETIONS)
    if any(obstacle.key == MANY_DELETIONS.key and not situation.blocks(obstacle) for obstacle in situation.link.obstacles):
        return
    part.removals = [action for action in part.removals if action not in deletions]
    reason = "more files of this ticket are gone than limits.deletions; their counterparts stay until `itopsync retry`"
    part.park(MANY_DELETIONS, reason)


def pair_files(situation: Situation, part: Part) -> Iterator[FilePair]:
    """The file pairs as they are now; *part* takes the actions they call for."""
    known = {(pair.origin, pair.original_id): pair for pair in situation.link.files}
    for origin in Side:
        originals, copies = _originals(situation, origin), _copies(situation, origin)
        candidates = {number for side, number in known if side is origin} | originals.keys() | copies.keys()
        for number in sorted(candidates):
            pair = known.get((origin, number)) or FilePair(origin, number, None, FileStatus.WAITING)
            if number in originals and not pair.organisation:
                pair = replace(pair, organisation=situation.ticket(origin).fields.get(_ORGANISATION, ""))
            kept = _plan_one(situation, part, pair, number in originals, copies.get(number, []))
            if kept is not None:
                yield kept


def _originals(situation: Situation, side: Side) -> dict[int, Attachment]:
    ours = prefix(situation.rules.pair)
    return {file.id: file for file in situation.ticket(side).attachments if not file.temp_id.startswith(ours)}


def _copies(situation: Situation, origin: Side) -> dict[int, list[int]]:
    """Original's id → ids of its copies on the other side; several only if a write landed late."""
    found: dict[int, list[int]] = {}
    for attachment in situation.ticket(origin.other).attachments:
        original = attachment_of(attachment.temp_id, situation.rules.pair)
        if original is not None and original[0] is origin:
            found.setdefault(original[1], []).append(attachment.id)
    return {number: sorted(ids) for number, ids in found.items()}


def _plan_one(situation: Situation, part: Part, pair: FilePair, original: bool, copies: list[int]) -> FilePair | None:
    """Decide about one file by what is there and what is not; None if it is to be forgotten."""
    rules, target = situation.rules, pair.origin.other
    item = file_item(pair.origin, pair.original_id)
    surplus = [Remove(target, copy, item) for copy in copies[1:]]
    if original and not copies:
        return _without_copy(situation, part, pair)
    if original:
        part.removals += surplus
        return replace(pair, copy_id=copies[0], status=FileStatus.CARRIED)
    if not copies or rules.deletion is Deletion.NEVER or not rules.attachments.allows(pair.origin):
        part.removals += surplus
        return None
    part.want(item)
    if _may_be_out_of_sight(situation, pair):
        part.park(item, "it is not shown any more, perhaps because its ticket went to another organisation")
    elif not situation.obstacle(item):
        part.removals += [Remove(target, copies[0], item, pair), *surplus]
    return replace(pair, copy_id=copies[0])


def _may_be_out_of_sight(situation: Situation, pair: FilePair) -> bool:
    """Whether an original that is not shown may still exist.

    An account that sees a ticket sees its organisation's files. A file keeps the organisation under which it was attached.
    """
    now = situation.ticket(pair.origin).fields.get(_ORGANISATION, "")
    return bool(pair.organisation) and pair.organisation != now


def _without_copy(situation: Situation, part: Part, pair: FilePair) -> FilePair:
    rules, target = situation.rules, pair.origin.other
    item = file_item(pair.origin, pair.original_id)
    marker = attachment_marker(rules.pair, pair.origin, pair.original_id)
    if pair.status is FileStatus.KEPT or marker in situation.ticket_markers.kept:
        return replace(pair, copy_id=None, status=FileStatus.KEPT)
    if pair.copy_id is not None or pair.status is FileStatus.COPY_DELETED:
        return _copy_deleted(situation, part, pair)
    if rules.attachments.allows(pair.origin):
        part.want(item)
        if not situation.obstacle(item):
            part.files.append(Upload(target, marker, AttachmentSource(pair.original_id), item, pair))
    return pair


def _copy_deleted(situation: Situation, part: Part, pair: FilePair) -> FilePair:
    """The copy was there, and somebody deleted it."""
    item = file_item(pair.origin, pair.original_id)
    if situation.rules.deletion is Deletion.BOTH and pair.status is FileStatus.CARRIED:
        part.want(item)
        if not situation.obstacle(item):
            part.removals.append(Remove(pair.origin, pair.original_id, item, pair))
        return pair
    part.remark(Kept.COPY_DELETED, item.key)
    return replace(pair, copy_id=None, status=FileStatus.COPY_DELETED)
