"""The attachments: which are originals and which copies, what to copy, and what to remove with its counterpart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from itopsync.model import Attachment, FilePair, FileStatus, ItemKey, ItemKind, Side
from itopsync.reconcile.markers import attachment_marker, prefix
from itopsync.reconcile.part import Part
from itopsync.reconcile.plan import AttachmentSource, Item, Kept, Plan, Remark, Remove, Upload, file_item
from itopsync.reconcile.rules import Deletion
from itopsync.reconcile.situation import Situation

_ORGANISATION = "org_id"
MANY_DELETIONS = Item(ItemKey.of(ItemKind.DELETIONS), "")
"""A ticket's deletions, where they exceed the limit."""


COPY_GONE = Item(ItemKey.of(ItemKind.FILE), "").parked(
    "its copy is gone, as are copies on other tickets; was the server restored? `itopsync retry` has it made again"
)
COPIES_GONE = COPY_GONE.reason


def plan_files(situation: Situation) -> Part:
    """Compare the attachments of both tickets with the known pairs."""
    part = Part()
    pairs = tuple(pair_files(situation, part))
    _hold_many(situation, part)
    part.record = lambda link: replace(link, files=pairs)
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
        originals, copies = _originals(situation, origin), situation.copies
        candidates = {number for side, number in known if side is origin} | originals.keys() | copies.ids(origin)
        for number in sorted(candidates):
            original = originals.get(number)
            if original is None:
                pair = known.get((origin, number)) or FilePair(origin, number, None, FileStatus.WAITING)
                kept = _without_original(situation, part, pair, [copy.id for copy in copies.under(origin, number)])
            else:
                kept = _with_original(situation, part, original, origin)
            if kept is not None:
                yield kept


def _originals(situation: Situation, side: Side) -> dict[int, Attachment]:
    ours = prefix(situation.rules.pair)
    return {file.id: file for file in situation.ticket(side).attachments if not file.temp_id.startswith(ours)}


def _with_original(situation: Situation, part: Part, original: Attachment, origin: Side) -> FilePair:
    """Decide about a file that is there, and remove the copies of one that bore its id before."""
    pair = situation.copies.known(origin, original)
    if not pair.organisation:
        pair = replace(pair, organisation=situation.ticket(origin).fields.get(_ORGANISATION, ""))
    target, item = origin.other, file_item(origin, original.id)
    copies = [copy.id for copy in situation.copies.of(origin, original)]
    if _follows(situation, origin):
        former = (copy.id for copy in situation.copies.under(origin, original.id) if copy.id not in copies)
        part.removals += [Remove(target, copy, item) for copy in former]
    if not copies:
        return _without_copy(situation, part, pair)
    part.removals += [Remove(target, surplus, item) for surplus in copies[1:]]
    return replace(pair, copy_id=copies[0], status=FileStatus.CARRIED)


def _without_original(situation: Situation, part: Part, pair: FilePair, copies: list[int]) -> FilePair | None:
    """Decide about a file that is not there; None if it is to be forgotten."""
    target, item = pair.origin.other, file_item(pair.origin, pair.original_id)
    surplus = [Remove(target, copy, item) for copy in copies[1:]]
    if not copies or not _follows(situation, pair.origin):
        part.removals += surplus
        return None
    part.want(item)
    if _may_be_out_of_sight(situation, pair):
        part.park(item, "it is not shown any more, perhaps because its ticket went to another organisation")
    elif not situation.obstacle(item):
        part.removals += [Remove(target, copies[0], item, pair), *surplus]
    return replace(pair, copy_id=copies[0])


def _follows(situation: Situation, origin: Side) -> bool:
    """Whether a copy goes when its original goes."""
    return situation.rules.deletion is not Deletion.NEVER and situation.rules.attachments.allows(origin)


def _may_be_out_of_sight(situation: Situation, pair: FilePair) -> bool:
    """Whether an original that is not shown may still exist.

    An account that sees a ticket sees its organisation's files. A file keeps the organisation under which it was attached.
    """
    now = situation.ticket(pair.origin).fields.get(_ORGANISATION, "")
    return bool(pair.organisation) and pair.organisation != now


def _without_copy(situation: Situation, part: Part, pair: FilePair) -> FilePair:
    rules, target = situation.rules, pair.origin.other
    item = file_item(pair.origin, pair.original_id)
    marker = attachment_marker(rules.pair, pair.origin, pair.original_id, pair.born)
    if pair.status is FileStatus.KEPT:
        return replace(pair, copy_id=None)
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
    if pair.copy_id is not None and not situation.obstacle(item):
        part.vanished.add(item.key)
    if situation.rules.deletion is Deletion.BOTH and pair.status is FileStatus.CARRIED:
        part.want(item)
        if not situation.obstacle(item):
            part.removals.append(Remove(pair.origin, pair.original_id, item, pair))
        return pair
    part.remark(Kept.COPY_DELETED, item.key)
    return replace(pair, copy_id=None, status=FileStatus.COPY_DELETED)


def with_vanished_held(plan: Plan) -> Plan:
    """The plan with each copy that is gone left for a person: gone from several at once, they were not deleted one by one."""
    if not plan.vanished:
        return plan
    files = tuple(
        replace(pair, copy_id=None, status=FileStatus.WAITING) if pair.key in plan.vanished else pair for pair in plan.link.files
    )
    keys = sorted(plan.vanished)
    others = tuple(obstacle for obstacle in plan.link.obstacles if obstacle.key not in plan.vanished)
    held = tuple(replace(COPY_GONE, key=key) for key in keys)
    return replace(
        plan,
        link=replace(plan.link, files=files, obstacles=(*others, *held)),
        actions=tuple(each for each in plan.actions if not (isinstance(each, Remove) and each.item.key in plan.vanished)),
        remarks=(
            *(remark for remark in plan.remarks if remark.key not in plan.vanished),
            *(Remark(Kept.PARKED, key, COPIES_GONE) for key in keys),
        ),
    )
