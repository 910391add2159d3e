"""The attachments: which are originals and which copies, what to copy, and what to remove because its counterpart is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from datetime import timedelta

from itopsync.model import Attachment, FilePair, FileStatus, ItemKey, ItemKind, Obstacle, Side
from itopsync.reconcile.entries import note_item
from itopsync.reconcile.markers import attachment_marker, prefix
from itopsync.reconcile.part import Part
from itopsync.reconcile.plan import AttachmentSource, Item, Kept, Plan, Remark, Remove, Upload, file_item
from itopsync.reconcile.rules import Deletion
from itopsync.reconcile.situation import Situation

_ORGANISATION = "org_id"
_SECOND_LOOK = timedelta(minutes=1)
"""How long a file must be gone: iTop takes a tenth of a second for each file of a ticket that it deletes."""
MANY_DELETIONS = Item(ItemKey.of(ItemKind.DELETIONS), "")
"""A ticket's deletions, if they exceed the limit."""


COPY_GONE = Item(ItemKey.of(ItemKind.FILE), "").parked(
    "its copy is gone, as are copies on other tickets; was the server restored? `itopsync retry` has it made again"
)
COPIES_GONE = COPY_GONE.reason
ORIGINAL_GONE = Item(ItemKey.of(ItemKind.FILE), "").parked(
    "the file is gone, and all that its server got about then; was it restored? Its copy stays; `itopsync retry` ends this"
)
ORIGINALS_GONE = ORIGINAL_GONE.reason


def plan_files(situation: Situation) -> Part:
    """Compare the attachments of both tickets with the known pairs."""
    part = Part()
    pairs = tuple(pair_files(situation, part))
    _hold_many(situation, part)
    part.record = lambda link: replace(link, files=pairs)
    return part


def _hold_many(situation: Situation, part: Part) -> None:
    """Hold deletions for a person if they exceed the limit and nobody has let them pass."""
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
    """The file pairs as they are now; the actions that they call for are added to *part*."""
    for origin in Side:
        originals, copies = _originals(situation, origin), situation.copies
        for number in sorted(originals.keys() | copies.ids(origin)):
            original = originals.get(number)
            if original is not None:
                yield _with_original(situation, part, original, origin)
            for pair, left in copies.without_original(origin, number, original).items():
                yield _without_original(situation, part, pair, left, given_again=original is not None)


def _originals(situation: Situation, side: Side) -> dict[int, Attachment]:
    ours = prefix(situation.rules.pair)
    return {file.id: file for file in situation.ticket(side).attachments if not file.temp_id.startswith(ours)}


def _with_original(situation: Situation, part: Part, original: Attachment, origin: Side) -> FilePair:
    """Decide about a file whose original is there."""
    pair = situation.copies.known(origin, original)
    if not pair.organisation:
        pair = replace(pair, organisation=situation.ticket(origin).fields.get(_ORGANISATION, ""))
    target, item = origin.other, file_item(origin, original.id)
    copies = [copy.id for copy in situation.copies.of(origin, original)]
    if not copies:
        return _without_copy(situation, part, pair)
    part.removals += [Remove(target, surplus, item) for surplus in copies[1:]]
    return replace(pair, copy_id=copies[0], status=FileStatus.CARRIED)


def _without_original(
    situation: Situation, part: Part, pair: FilePair, copies: Sequence[Attachment], *, given_again: bool
) -> FilePair:
    """Decide about a copy whose original is not there.

    The copy stays if its original never was on this link's tickets: it came with another link, or from a ticket that is gone. It
    also stays if its original's id was *given again*: a server that reuses ids has probably been restored.
    """
    origin, item, copy = pair.origin, file_item(pair.origin, pair.original_id), copies[0].id
    left = replace(pair, copy_id=copy, status=FileStatus.LEFT)
    if given_again:
        part.remark(Kept.COPY_LEFT, item.key)
        return left
    if _stays(pair):
        part.want(item)
        if not situation.obstacle(item):
            part.remark(Kept.COPY_LEFT, item.key)
        return left
    if any(file.id == pair.original_id for file in situation.ticket(origin).attachments):
        part.held[item.key] = replace(ORIGINAL_GONE, key=item.key)  # one of our copies has its id now: nothing else uses the item
        return left
    surplus = [Remove(origin.other, each.id, item) for each in copies[1:]]
    if not _follows(situation, origin):
        part.removals += surplus
        return left
    part.want(item)
    if _may_be_out_of_sight(situation, pair):
        part.park(item, "it is not shown any more, perhaps because its ticket went to another organisation")
    elif not situation.obstacle(item) and _is_gone_for_good(situation, part, pair):
        part.orphaned.add(pair)
        part.removals += [Remove(origin.other, copy, item, pair), *surplus]
    return replace(pair, copy_id=copy, status=FileStatus.CARRIED)


def _stays(pair: FilePair) -> bool:
    """Whether to keep a copy without its original. Older versions recorded copies from another link as ``WAITING``."""
    return pair.status in (FileStatus.KEPT, FileStatus.LEFT) or (pair.status is FileStatus.WAITING and pair.copy_id is not None)


def _is_gone_for_good(situation: Situation, part: Part, pair: FilePair) -> bool:
    """Whether a file was already gone at an earlier look. iTop deletes a ticket's files before the ticket, and then their
    counterparts must stay."""
    item = Item(ItemKey.of(ItemKind.GONE, pair.key.which), "")
    part.want(item)
    if any(map(item.names, situation.link.obstacles)):
        return situation.obstacle(item) is None
    part.put_off(item, "it is gone; its counterpart goes too if it still is at the next look", situation.now + _SECOND_LOOK)
    return False


def _follows(situation: Situation, origin: Side) -> bool:
    """Whether a copy is deleted once its original is."""
    return situation.rules.deletion is not Deletion.NEVER and situation.rules.attachments.allows(origin)


def _may_be_out_of_sight(situation: Situation, pair: FilePair) -> bool:
    """Whether an original that is not shown may still exist.

    An account that sees a ticket also sees the files of its organisation. A file keeps the organisation that the ticket had when
    it was attached.
    """
    now = situation.ticket(pair.origin).fields.get(_ORGANISATION, "")
    return bool(pair.organisation) and pair.organisation != now


def _without_copy(situation: Situation, part: Part, pair: FilePair) -> FilePair:
    rules, target = situation.rules, pair.origin.other
    item = file_item(pair.origin, pair.original_id)
    marker = attachment_marker(rules.pair, pair.origin, pair.original_id, pair.born)
    if pair.status is FileStatus.KEPT:
        return replace(pair, copy_id=None)
    if pair.status is FileStatus.LEFT:
        pair = replace(pair, copy_id=None, status=FileStatus.WAITING)
    if pair.copy_id is not None or pair.status is FileStatus.COPY_DELETED:
        return _copy_deleted(situation, part, pair)
    if rules.attachments.allows(pair.origin):
        part.want(item)
        if not situation.obstacle(item):
            part.files.append(Upload(target, marker, AttachmentSource(pair.original_id), item, pair))
    return pair


def _copy_deleted(situation: Situation, part: Part, pair: FilePair) -> FilePair:
    """Decide about a file whose copy somebody deleted."""
    item = file_item(pair.origin, pair.original_id)
    if pair.copy_id is not None and not situation.obstacle(item):
        part.vanished.add(item.key)
    if situation.rules.deletion is Deletion.BOTH and pair.status is FileStatus.CARRIED:
        part.want(item)
        if not situation.obstacle(item) and _is_gone_for_good(situation, part, pair):
            part.removals.append(Remove(pair.origin, pair.original_id, item, pair))
        return pair
    part.remark(Kept.COPY_DELETED, item.key)
    return replace(pair, copy_id=None, status=FileStatus.COPY_DELETED)


def with_vanished_held(plan: Plan) -> Plan:
    """The plan with each missing copy parked for a person: if several are missing at once, nobody deleted them one by one."""
    if not plan.vanished:
        return plan
    files = tuple(
        replace(pair, copy_id=None, status=FileStatus.WAITING)
        if pair.key in plan.vanished and pair.status is not FileStatus.LEFT
        else pair
        for pair in plan.link.files
    )
    notes = {
        marker: replace(record, as_file=False, there=False) if note_item(marker).key in plan.vanished else record
        for marker, record in plan.link.base.notes.items()
    }
    link = replace(plan.link, files=files, base=replace(plan.link.base, notes=notes))
    return _held(replace(plan, link=link), plan.vanished, COPY_GONE)


def hold_orphaned(plan: Plan, taken: Set[FilePair]) -> Plan:
    """The plan with the copies of deleted files among *taken* left where they are and parked, so that a person hears of it."""
    gone = {(pair.key, pair.born) for pair in plan.orphaned & taken}
    if not gone:
        return plan
    left = {pair.key for pair in plan.link.files if (pair.key, pair.born) in gone}
    files = tuple(replace(pair, status=FileStatus.LEFT) if pair.key in left else pair for pair in plan.link.files)
    keys = {key for key, _ in gone}
    actions = tuple(each for each in plan.actions if not (isinstance(each, Remove) and each.item.key in keys))
    return _held(replace(plan, link=replace(plan.link, files=files), actions=actions), left, ORIGINAL_GONE)


def _held(plan: Plan, files: Set[ItemKey], why: Obstacle) -> Plan:
    """The plan with *files* parked for reason *why*, and none of their attachments removed."""
    void = files | {ItemKey.of(ItemKind.GONE, key.which) for key in files}
    others = tuple(obstacle for obstacle in plan.link.obstacles if obstacle.key not in void)
    held = tuple(replace(why, key=key) for key in sorted(files))
    return replace(
        plan,
        link=replace(plan.link, obstacles=(*others, *held)),
        actions=tuple(each for each in plan.actions if not (isinstance(each, Remove) and each.item.key in files)),
        remarks=(
            *(remark for remark in plan.remarks if remark.key not in void),
            *(Remark(Kept.PARKED, obstacle.key, obstacle.reason) for obstacle in held),
        ),
    )
