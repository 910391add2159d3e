"""Holds a cycle to its safety limits, and tells a person all that a stop is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from itopsync.engine import marker_loss, stops
from itopsync.engine.pair import Pair
from itopsync.engine.plan import PREVIEWED, Planned, bereft, held, missing_in, plan_in_batches, refuse_out_of_sight
from itopsync.errors import RemoteError, SafetyStop, Stopped
from itopsync.reconcile.safety import Accepted, Excess, Tally, check, lost_thing


class Safeguard:
    """Adds up what a cycle is about to do, and stops it where that exceeds a limit and was not accepted."""

    def __init__(self, pair: Pair, accepted: Accepted) -> None:
        self._pair, self._accepted = pair, accepted
        self._tally = Tally()
        self._bereft: set[int] = set()

    def refuse_lossy(self) -> None:
        """Check that both sides keep our markers, as far as we know.

        :raises SafetyStop: one does not, and that was not accepted
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
        """Check whether so many known tickets may bear other numbers than before.

        :raises SafetyStop: they may not, or another limit is exceeded
        """
        self._tally = replace(self._tally, replaced=self._tally.replaced.union(tickets))
        self._check()

    def check_creations(self, links: Iterable[int]) -> None:
        """Check whether copies for so many links may be created.

        :raises SafetyStop: they may not, or another limit is exceeded
        """
        self._tally = replace(self._tally, creations=frozenset(map(str, links)))
        self._check()

    def check_plans(self, planned: Sequence[Planned], polled_at: datetime) -> None:
        """Check whether these plans may be carried out.

        :raises SafetyStop: a limit is exceeded
        """
        for each in planned:
            self._tally = self._tally.add(each.plan)
            lost = [
                loss for loss in each.plan.lost if not self._accepted.allows(Excess.MARKERS, lost_thing(loss.ref, loss.marker))
            ]
            marker_loss.note(self._pair.store, lost, polled_at)
        self._check()

    def hold_vanished(self, planned: Sequence[Planned]) -> list[Planned]:
        """Leave copies of files that are gone from several tickets of this cycle for a person."""
        kept = held(self._pair.store, planned, self._bereft)
        self._bereft |= bereft(planned)
        return kept

    def refuse_out_of_sight(self, planned: Sequence[Planned]) -> None:
        """Check that what these plans take for gone is not only out of sight.

        :raises SafetyStop: it may be
        """
        refuse_out_of_sight(self._pair, planned, self._accepted)

    def whole_of(self, stop: SafetyStop, polled_at: datetime) -> SafetyStop:
        """Look at all that is due, unless it is known, so that a person learns the whole. Nothing is written.

        Where a side cannot be asked, it stays with what was seen.
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
                self._tally = replace(self._tally, missing=self._tally.missing | missing_in(planned))

    def _check(self) -> None:
        check(self._tally, self._pair.rules.limits, self._accepted)
