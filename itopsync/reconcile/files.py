"""The attachments: which are originals, which are copies, what is to be copied and what follows its counterpart."""

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
"""The deletions of one ticket, where they are many."""


def plan_files(situation: Situation) -> Part:
    """Compare the attachments of both tickets with the pairs that are known."""
    part = Part()
    pairs = tuple(pair_files(situation, part))
    _hold_many(situation, part)
    part.agree = lambda link: replace(link, files=pairs)
    return part


def _hold_many(situation: Situation, part: Part) -> None:
    """Let deletions wait for a person where they are more than the limit, unless one has let them pass."""
    deletions = [one for one in part.removals if isinstance(one, Remove) and one.pair is not None]
    if len(deletions) <= situation.rules.limits.deletions:
        return
    part.want(MANY_DELETIONS)
    if any(one.key == MANY_DELETIONS.key and not situation.blocks(one) for one in situation.link.obstacles):
        return
    part.removals = [one for one in part.removals if one not in deletions]
    reason = "more files of this ticket are gone than limits.deletions; their counterparts stay until `itopsync retry`"
    part.park(MANY_DELETIONS, reason)


def pair_files(situation: Situation, part: Part) -> Iterator[FilePair]:
    """The pairs of files as they are now; *part* takes what is to be done about them."""
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
    return {one.id: one for one in situation.ticket(side).attachments if not one.temp_id.startswith(ours)}


def _copies(situation: Situation, origin: Side) -> dict[int, list[int]]:
    """Original's id → the ids of its copies on the other side; more than one only where a write landed late."""
    found: dict[int, list[int]] = {}
    for attachment in situation.ticket(origin.other).attachments:
        original = attachment_of(attachment.temp_id, situation.rules.pair)
        if original is not None and original[0] is origin:
            found.setdefault(original[1], []).append(attachment.id)
    return {number: sorted(ids) for number, ids in found.items()}


def _plan_one(situation: Situation, part: Part, pair: FilePair, original: bool, copies: list[int]) -> FilePair | None:
    """Decide about one file by the table of what is there and what is not; None if it is to be forgotten."""
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
    """Whether an original that is not shown may still be there.

    An account that sees a ticket sees the files of the same organisation. A file keeps the one under which it was attached.
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
    """Its copy was there, and somebody deleted it."""
    item = file_item(pair.origin, pair.original_id)
    if situation.rules.deletion is Deletion.BOTH and pair.status is FileStatus.CARRIED:
        part.want(item)
        if not situation.obstacle(item):
            part.removals.append(Remove(pair.origin, pair.original_id, item, pair))
        return pair
    part.remark(Kept.COPY_DELETED, item.key)
    return replace(pair, copy_id=None, status=FileStatus.COPY_DELETED)
