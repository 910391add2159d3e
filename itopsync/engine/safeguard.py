"""Enforces a cycle's safety limits, checks that what is missing is really gone, and reports the full extent of a stop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from itopsync.engine import marker_loss, stops
from itopsync.engine.pair import Pair
from itopsync.engine.plan import Planned, plan_in_batches
from itopsync.engine.visibility import NEAR, note_organisations, perhaps_restored, refuse_blindness, refuse_narrowness
from itopsync.errors import RemoteError, SafetyStop, Stopped
from itopsync.model import FilePair, ItemKey, ItemKind, LinkStatus, Side
from itopsync.reconcile.entries import note_item
from itopsync.reconcile.files import COPIES_GONE, ORIGINALS_GONE, hold_orphaned, with_vanished_held
from itopsync.reconcile.plan import Plan, Remove
from itopsync.reconcile.safety import Accepted, Excess, Tally, check, lost_thing, removed_thing
from itopsync.store.store import Store

_SEVERAL = 2
"""People do not delete files of this many tickets at once."""
PREVIEWED = 1_000
"""How many due links are planned to show what would be done, without doing it."""


class Safeguard:
    """Adds up what a cycle is about to do, and stops it if that exceeds a limit and was not accepted."""

    def __init__(self, pair: Pair, accepted: Accepted) -> None:
        self._pair, self._accepted = pair, accepted
        self._tally = Tally()
        self._lost_before: frozenset[tuple[Side, int]] = frozenset()
        """The side from which copies of files are gone in this cycle, and the link, for each such link."""
        self._orphaned: frozenset[tuple[Side, int]] = frozenset()
        """The same for originals."""

    def check_markers(self) -> None:
        """Check that both sides keep our markers, as far as is known; forget the losses that were accepted.

        :raises SafetyStop: a side lost one, and that was not accepted
        """
        store = self._pair.store
        for loss in marker_loss.losses(store):
            which = lost_thing(loss.ticket, loss.sent)
            if self._accepted.allows(Excess.MARKERS, which):
                marker_loss.forget(store, loss.side)
            else:
                self._tally = replace(self._tally, markers=self._tally.markers | {which})
        marker_loss.refuse_lossy(marker_loss.losses(store))

    def check_replaced(self, tickets: Iterable[str]) -> None:
        """Check that no known ticket's number has changed.

        :raises SafetyStop: one has, and that was not accepted; or another limit is exceeded
        """
        self._tally = replace(self._tally, replaced=self._tally.replaced.union(tickets))
        self._check()

    def check_creations(self, links: Iterable[int]) -> None:
        """Check whether copies for all these links may be created.

        :raises SafetyStop: there are too many, or another limit is exceeded
        """
        self._tally = replace(self._tally, creations=frozenset(map(str, links)))
        self._check()

    def check_plans(self, planned: Sequence[Planned]) -> None:
        """Check whether these plans may be carried out.

        :raises SafetyStop: a limit is exceeded
        """
        for each in planned:
            self._tally = self._tally.add(each.plan)
        self._check()

    def note_lost_markers(self, planned: Sequence[Planned], polled_at: datetime) -> None:
        """Store the markers that the plans found lost, except accepted ones."""
        lost = [loss for each in planned for loss in each.plan.lost]
        refused = [loss for loss in lost if not self._accepted.allows(Excess.MARKERS, lost_thing(loss.ref, loss.marker))]
        marker_loss.note(self._pair.store, refused, polled_at)

    def hold_vanished(self, planned: Sequence[Planned]) -> list[Planned]:
        """Park files and copies of files for a person if they are gone from several tickets in this cycle, as after a restore.

        :raises RemoteError: the side from which files are gone cannot be asked what is left
        """
        let_through = hold_if_several(self._pair.store, planned, self._lost_before)
        self._lost_before |= _lost_files(planned)
        let_through = hold_orphaned_if_several(self._pair, let_through, self._accepted, self._orphaned)
        self._orphaned |= _orphaned_links(planned)
        return let_through

    def check_sight(self, planned: Sequence[Planned]) -> None:
        """Check that tickets and files that seem gone are not merely hidden from our account.

        :raises SafetyStop: they may merely be hidden
        """
        refuse_out_of_sight(self._pair, planned, self._accepted)

    def whole_of(self, stop: SafetyStop, polled_at: datetime) -> SafetyStop:
        """Return *stop* in its full extent: plan up to :data:`PREVIEWED` due links, unless the stored stop covers it.

        Writes nothing. If a side cannot be asked, the stop covers only what was seen.
        """
        store, kind = self._pair.store, stop.kind
        if kind in (Excess.MARKERS, Excess.CREATIONS):
            return stop
        known = stops.current(store)
        if known is not None and known.kind == kind and self._tally.things(kind) <= known.things:
            self._tally = replace(self._tally, **{kind: frozenset(each.partition(" ")[2] for each in known.things)})
            return SafetyStop(kind, known.reason)
        try:
            self._look_at_all(kind, polled_at)
            if stop.counted:
                self._check()
        except (RemoteError, Stopped):
            return stop
        except SafetyStop as whole:
            return whole if whole.kind == kind else stop
        return stop

    def remember(self, stop: SafetyStop) -> None:
        """Store what stopped the cycle, for a person to accept."""
        store = self._pair.store
        if stop.kind == Excess.MARKERS:
            lost = (lost_thing(loss.ticket, loss.sent) for loss in marker_loss.losses(store))
            self._tally = replace(self._tally, markers=self._tally.markers.union(lost))
        stops.note(store, stops.Stop(stop.kind, str(stop), self._pair.clock(), self._tally.things(stop.kind)))

    def _look_at_all(self, kind: str, polled_at: datetime) -> None:
        pair = self._pair
        for planned in plan_in_batches(pair, pair.store.links.due(polled_at, PREVIEWED)):
            for each in planned:
                self._tally = self._tally.add(each.plan)
            if kind == Excess.MISSING:
                self._tally = replace(self._tally, missing=self._tally.missing | _missing_in(planned))

    def _check(self) -> None:
        check(self._tally, self._pair.rules.limits, self._accepted)


# what is gone, or merely hidden


def hold_if_several(
    store: Store, planned: Sequence[Planned], before: AbstractSet[tuple[Side, int]] = frozenset()
) -> list[Planned]:
    """Park copies of files for a person if they are gone from several tickets of a side, as after a restore.

    If they are gone from a single ticket, somebody has deleted them, unless others are already parked for this reason, or others
    of that side went back in time. *before*: which side's tickets of which links lost copies earlier in the same cycle; their
    plans were let through and stay as they are.
    """
    lost = _lost_files(planned) | before
    if not lost:
        return list(planned)
    held = _sides_held(store)
    restored = {
        side
        for side in Side
        if side in held or len({link for of, link in lost if of is side}) >= _SEVERAL or _links_gone_back(store, side, planned)
    }
    return [replace(each, plan=with_vanished_held(each.plan)) if restored & _losers(each.plan) else each for each in planned]


def _losers(plan: Plan) -> frozenset[Side]:
    """The sides from which copies of files are gone."""
    files = {file.key: file.origin for file in plan.link.files}
    notes = {note_item(marker).key: record.origin for marker, record in plan.link.base.notes.items()}
    return frozenset(origin.other for key, origin in (files | notes).items() if key in plan.vanished)


def _links_gone_back(store: Store, side: Side, planned: Sequence[Planned]) -> frozenset[int]:
    """The links whose ticket on *side* went back in time, so that what it lost does not count as gone."""
    key = ItemKey.of(ItemKind.RESTORED, side)
    now = frozenset(each.loaded.id for each in planned if any(obstacle.key == key for obstacle in each.plan.link.obstacles))
    return now | frozenset(link for link, obstacle in store.links.troubles().obstacles if obstacle.key == key)


def _lost_files(planned: Sequence[Planned]) -> frozenset[tuple[Side, int]]:
    """The side from which copies of files are gone, and the link, for each such link."""
    return frozenset((side, each.loaded.id) for each in planned for side in _losers(each.plan))


def hold_orphaned_if_several(
    pair: Pair, planned: Sequence[Planned], accepted: Accepted, before: AbstractSet[tuple[Side, int]] = frozenset()
) -> list[Planned]:
    """Park copies for a person if their originals are gone from several tickets and a restore of their side may have taken these.

    A restore takes the last files that the side got. Accepted deletions are carried out. So are those of a single ticket, unless
    others are already parked for this reason, were gone at their last look or had their copies left, or other tickets of that
    side went back in time.
    *before*: as for :func:`hold_if_several`.

    :raises RemoteError: the side from which they are gone cannot be asked what is left
    """
    waiting = [each for each in planned if each.plan.orphaned and not _are_accepted(each.plan, accepted)]
    restored: set[FilePair] = set()
    for side in Side:
        gone = {file: each.loaded.id for each in waiting for file in each.plan.orphaned if file.origin is side}
        if not gone:
            continue
        numbers = [file.original_id for file in gone]
        left = pair.store.attachments.left_between(side, min(numbers) - NEAR, max(numbers) + NEAR)
        elsewhere = _gone_by_now(pair.store, side) | left
        earlier = {link for of, link in before if of is side} | _links_gone_back(pair.store, side, planned)
        if len(earlier.union(gone.values(), (link for link, _ in elsewhere))) < _SEVERAL:
            continue
        may_be_taken = perhaps_restored(
            pair.servers[side], pair.store, pair.rules.pair, gone, {number for _, number in elsewhere}
        )
        taken = {file: link for file, link in gone.items() if may_be_taken(file.original_id)}
        others = {link for link, number in elsewhere if may_be_taken(number)}
        if len(earlier.union(taken.values(), others)) >= _SEVERAL:
            restored |= taken.keys()
    return [replace(each, plan=hold_orphaned(each.plan, restored)) for each in planned]


def _are_accepted(plan: Plan, accepted: Accepted) -> bool:
    removals = [action for action in plan.actions if isinstance(action, Remove)]
    return bool(removals) and all(accepted.allows(Excess.DELETIONS, removed_thing(plan.link.id, action)) for action in removals)


def _orphaned_links(planned: Sequence[Planned]) -> frozenset[tuple[Side, int]]:
    return frozenset((file.origin, each.loaded.id) for each in planned for file in each.plan.orphaned)


def _sides_held(store: Store) -> frozenset[Side]:
    """The sides of which copies are already parked for a person; both if one is a note, whose key names no side."""
    keys = [obstacle.key for _, obstacle in store.links.troubles().lasting if obstacle.reason == COPIES_GONE]
    return frozenset(side for key in keys for side in ([key.file[0].other] if key.kind is ItemKind.FILE else Side))


def _gone_by_now(store: Store, side: Side) -> frozenset[tuple[int, int]]:
    """The files missing on *side* that are parked for a person or wait for a second look, as (link, id)."""
    found = (
        (link, obstacle.key.file)
        for link, obstacle in store.links.troubles().obstacles
        if obstacle.key.kind is ItemKind.GONE or obstacle.reason == ORIGINALS_GONE
    )
    return frozenset((link, number) for link, (origin, number) in found if origin is side)


def refuse_out_of_sight(pair: Pair, planned: Sequence[Planned], accepted: Accepted, *, remember: bool = True) -> None:
    """Check that what is missing is not merely hidden: it counts as gone only on a side that shows other things.

    *remember*: if a person has accepted that a side shows fewer organisations, store their number.

    :raises SafetyStop: a copy or a linked ticket is not found on a side that shows nothing at all; or files are missing on a side
        that shows fewer organisations than before
    """
    _refuse_missing(pair, [each for each in planned if not accepted.allows(Excess.MISSING, str(each.loaded.id))])
    removals = [(each, action) for each in planned for action in each.plan.actions if isinstance(action, Remove)]
    for side in {action.side.other for _, action in removals}:
        things = [removed_thing(each.plan.link.id, action) for each, action in removals if action.side.other is side]
        if all(accepted.allows(Excess.DELETIONS, which) for which in things):
            if remember:
                note_organisations(pair.servers[side], pair.store, fewer=True)
        else:
            refuse_narrowness(pair.servers[side], pair.store)


def refuse_lost_copies(pair: Pair, planned: Sequence[Planned]) -> None:
    """Check that a copy that may exist but is not found is not merely hidden.

    :raises SafetyStop: internal shows nothing at all
    """
    if any(_has_lost_copy(each) for each in planned):
        refuse_blindness(pair.servers[Side.INTERNAL], pair.store)


def _refuse_missing(pair: Pair, planned: Sequence[Planned]) -> None:
    refuse_lost_copies(pair, planned)
    gone = [each for each in planned if each.plan.link.status is LinkStatus.TOMBSTONE]
    for side in Side:
        if any(each.plan.link.ref(side) and not each.seen.of(side) for each in gone):
            refuse_blindness(pair.servers[side], pair.store)


def _missing_in(planned: Sequence[Planned]) -> frozenset[str]:
    """The ids, as text, of links with a ticket that is not found, or with a copy that may have been made but is not found."""
    gone = (each for each in planned if _has_lost_copy(each) or each.plan.link.status is LinkStatus.TOMBSTONE)
    return frozenset(str(each.loaded.id) for each in gone)


def _has_lost_copy(planned: Planned) -> bool:
    waits = planned.loaded.status is LinkStatus.WAITING and planned.loaded.in_doubt
    return waits and planned.plan.link.internal is None
