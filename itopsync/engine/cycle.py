"""One pass over a pair: poll both sides, then observe, plan, apply and settle until nothing is due."""

from __future__ import annotations

from collections.abc import Collection

from itopsync.engine import scope, stops
from itopsync.engine.availability import Availability
from itopsync.engine.due_links import DueLinks
from itopsync.engine.pair import Pair
from itopsync.engine.pauses import pauses
from itopsync.engine.polling import Polling
from itopsync.engine.report import Count, Report
from itopsync.engine.safeguard import Safeguard
from itopsync.engine.store_guard import claim, knows_nothing, recognise, refuse_incomplete
from itopsync.engine.sweep import sweep_both
from itopsync.engine.workers import Workers
from itopsync.errors import RemoteError, SafetyStop, Stopped
from itopsync.model import Side
from itopsync.reconcile.safety import Accepted
from itopsync.store.records import CycleKind


class Cycle:
    """One cycle, with everything that it needs."""

    def __init__(
        self, pair: Pair, report: Report, accepted: Accepted, accounts_asked: set[Side], only: Collection[int] | None
    ) -> None:
        """*accounts_asked*: the sides that were asked for our account; this cycle adds to them.

        *only*: work on no other due links.
        """
        self._pair, self._report, self._only = pair, report, only
        self._safeguard, self._availability = Safeguard(pair, accepted), Availability(pair, report)
        self._polling = Polling(pair, report, self._safeguard, self._availability, accounts_asked)

    def run(self) -> None:
        """Poll, and work on the due links. A stop is stored, for a person to accept.

        :raises SafetyStop: a limit is exceeded
        :raises Stopped: we were told to stop
        """
        store = self._pair.store
        try:
            self._poll_and_work()
        except SafetyStop as stop:
            self._safeguard.remember(stop)
            raise
        self._availability.ended()
        if self._only is None and not (self._report.unavailable or self._report.paused):
            stops.forget(store)

    def _poll_and_work(self) -> None:
        pair, report = self._pair, self._report
        moved = claim(pair.store, pair.rules)
        resting = pauses(pair.store, report.started)
        report.paused = tuple(map(str, resting))
        if moved and not self._recognise(moved.difference(*(pause.sides for pause in resting))):
            return
        if resting:
            self._note_what_changes({side for pause in resting for side in pause.sides})
            return
        self._safeguard.check_markers()
        found = self._polling.ask_what_changed(report.kind)
        if report.unavailable and knows_nothing(pair.store):  # with a stored cursor, refuse_incomplete would not look
            self._availability.answered(found)
            return
        refuse_incomplete(pair.store, pair.servers, pair.rules)
        if not report.unavailable:
            self._heed_scope()
        polled_at = self._polling.store_found(found)
        if report.unavailable:
            return
        if report.kind is CycleKind.SWEEP:
            swept_up, looked_at = sweep_both(pair, polled_at, self._availability.failed)
            report.counts[Count.SWEPT_UP] += swept_up
            report.counts[Count.LOOKED_AT] += looked_at
        if report.unavailable or not self._polling.ask_who_we_are(polled_at):
            return
        clocks_ahead = {side: each.state.cursor - report.started for side, each in found.items() if each.state.cursor}
        self._work_on(
            DueLinks(
                pair,
                report,
                self._safeguard,
                self._availability,
                self._polling,
                clocks_ahead=clocks_ahead,
                polled_at=polled_at,
                only=self._only,
            )
        )

    def _recognise(self, moved: Collection[Side]) -> bool:
        """Check that sides whose address has changed are the same servers; False if one cannot be asked.

        :raises StoreError: one is another server
        """
        try:
            recognise(self._pair.store, self._pair.servers, self._pair.rules, moved)
        except RemoteError as error:
            self._availability.failed(error.side, error)
            return False
        return True

    def _work_on(self, links: DueLinks) -> None:
        """Work until nothing is due.

        :raises SafetyStop: a limit is exceeded, or a server has lost a marker
        :raises Stopped: we were told to stop
        """
        try:
            links.count()
            Workers(links, self._pair).run()
        except SafetyStop as stop:
            links.refuse_new_losses()
            raise self._safeguard.whole_of(stop, links.polled_at) from None
        except Stopped:
            links.refuse_new_losses()
            raise
        links.remember_blockers()

    def _note_what_changes(self, resting: Collection[Side]) -> None:
        """Poll the side that is not paused, if any: what changes there becomes due when the pause ends."""
        if len(resting) < len(Side) and not knows_nothing(self._pair.store):
            sides = [side for side in Side if side not in resting]
            self._polling.store_found(self._polling.ask_what_changed(CycleKind.POLL, sides))

    def _heed_scope(self) -> None:
        """Drop the links that wait for a copy and are out of scope since the scope was changed."""
        try:
            scope.heed(self._pair, self._pair.clock())
        except RemoteError as error:
            self._availability.failed(error.side, error)
