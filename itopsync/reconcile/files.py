"""The attachments: which are originals, which are copies, what is to be copied and what follows its counterpart."""

from __future__ import annotations

from dataclasses import dataclass, replace

from itopsync.model import Attachment, FilePair, FileStatus, Side
from itopsync.reconcile.identity import attachment_marker, attachment_of, prefix
from itopsync.reconcile.pictures import file_item
from itopsync.reconcile.plan import AttachmentSource, Kept, Remark, Remove, Upload
from itopsync.reconcile.rules import Deletion
from itopsync.reconcile.situation import Situation

_ORGANISATION = "org_id"


@dataclass(frozen=True)
class FilesPlan:
    """What becomes of the files of one link."""

    pairs: tuple[FilePair, ...] = ()
    uploads: tuple[Upload, ...] = ()
    removals: tuple[Remove, ...] = ()


def plan_files(situation: Situation) -> FilesPlan:
    """Compare the attachments of both tickets with the pairs that are known."""
    pairs: list[FilePair] = []
    uploads: list[Upload] = []
    removals: list[Remove] = []
    known = {(pair.origin, pair.original_id): pair for pair in situation.link.files}
    for origin in Side:
        originals, copies = _originals(situation, origin), _copies(situation, origin)
        candidates = {number for side, number in known if side is origin} | originals.keys() | copies.keys()
        for number in sorted(candidates):
            pair = known.get((origin, number)) or FilePair(origin, number, None, FileStatus.WAITING)
            if number in originals and not pair.organisation:
                pair = replace(pair, organisation=situation.ticket(origin).fields.get(_ORGANISATION, ""))
            outcome = _one(situation, pair, number in originals, copies.get(number, []))
            pairs += outcome.pairs
            uploads += outcome.uploads
            removals += outcome.removals
    return FilesPlan(tuple(pairs), tuple(uploads), tuple(removals))


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


def _one(situation: Situation, pair: FilePair, original: bool, copies: list[int]) -> FilesPlan:
    """Decide about one file: the table of what is there and what is not."""
    rules, target = situation.rules, pair.origin.other
    item = file_item(pair.origin, pair.original_id)
    surplus = tuple(Remove(target, copy, item) for copy in copies[1:])
    if original and copies:
        pair = replace(pair, copy_id=copies[0], status=FileStatus.CARRIED)
        return FilesPlan((pair,), removals=surplus)
    if original:
        return _without_copy(situation, pair)
    if copies and rules.deletion is not Deletion.NEVER and rules.attachments.allows(pair.origin):
        situation.want(item)
        if _may_be_out_of_sight(situation, pair):
            situation.park(item, "it is not shown any more, perhaps because its ticket went to another organisation")
        if item.key in situation.parked or situation.obstacle(item):
            return FilesPlan((replace(pair, copy_id=copies[0]),))
        return FilesPlan((replace(pair, copy_id=copies[0]),), removals=(Remove(target, copies[0], item, pair), *surplus))
    return FilesPlan(removals=surplus)


def _may_be_out_of_sight(situation: Situation, pair: FilePair) -> bool:
    """Whether an original that is not shown may still be there.

    An account that sees a ticket sees the files of the same organisation. A file keeps the one under which it was attached.
    """
    now = situation.ticket(pair.origin).fields.get(_ORGANISATION, "")
    return bool(pair.organisation) and pair.organisation != now


def _without_copy(situation: Situation, pair: FilePair) -> FilesPlan:
    rules, target = situation.rules, pair.origin.other
    item = file_item(pair.origin, pair.original_id)
    marker = attachment_marker(rules.pair, pair.origin, pair.original_id)
    if pair.status is FileStatus.KEPT or marker in situation.marks.kept:
        return FilesPlan((replace(pair, copy_id=None, status=FileStatus.KEPT),))
    if pair.copy_id is not None or pair.status is FileStatus.COPY_DELETED:
        return _copy_deleted(situation, pair)
    if not rules.attachments.allows(pair.origin):
        return FilesPlan((pair,))
    situation.want(item)
    if situation.obstacle(item):
        return FilesPlan((pair,))
    return FilesPlan((pair,), (Upload(target, marker, AttachmentSource(pair.original_id), item, pair),))


def _copy_deleted(situation: Situation, pair: FilePair) -> FilesPlan:
    """Its copy was there, and somebody deleted it."""
    item = file_item(pair.origin, pair.original_id)
    if situation.rules.deletion is Deletion.BOTH and pair.status is FileStatus.CARRIED:
        situation.want(item)
        removals = () if situation.obstacle(item) else (Remove(pair.origin, pair.original_id, item, pair),)
        return FilesPlan((pair,), removals=removals)
    situation.remarks.append(Remark(Kept.COPY_DELETED, item.key))
    return FilesPlan((replace(pair, copy_id=None, status=FileStatus.COPY_DELETED),))
