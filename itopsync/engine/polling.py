"""The polls of a cycle: one at its start, more within a long one; stores what they found."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from time import monotonic

import structlog

from itopsync.engine import host_clock
from itopsync.engine.availability import Availability
from itopsync.engine.pair import Pair
from itopsync.engine.poll import Findings, poll, store_findings
from itopsync.engine.report import Count, Report
from itopsync.engine.safeguard import Safeguard
from itopsync.errors import RemoteError
from itopsync.model import Side
from itopsync.store.records import CycleKind

log = structlog.get_logger(__name__)


class Polling:
    """Polls at the start of a cycle and again within a long one, and stores what was found."""

    def __init__(
        self, pair: Pair, report: Report, safeguard: Safeguard, availability: Availability, accounts_asked: set[Side]
    ) -> None:
        """*accounts_asked*: the sides that were asked for our account; others are added to it."""
        self._pair, self._report, self._accounts_asked = pair, report, accounts_asked
        self._safeguard, self._availability = safeguard, availability
        self._recorded = monotonic()

    def ask_what_changed(self, kind: CycleKind, sides: Collection[Side] = tuple(Side)) -> Mapping[Side, Findings]:
        """Poll *sides* at once. If one of them cannot be asked, that is noted, and what the other shows is returned.

        :raises Stopped: we were told to stop
        """
        pair, now, found = self._pair, self._pair.clock(), {}
        polls = {side: pair.threads.waiters.submit(poll, pair, side, kind=kind, now=now) for side in sides}
        for side, running in polls.items():
            try:
                found[side] = pair.answer_of(running)
            except RemoteError as error:
                self._availability.failed(side, error)
        return found

    def is_due_again(self) -> bool:
        """Whether the last poll is old enough for a long cycle to poll again."""
        return monotonic() - self._recorded >= self._pair.settings.look_meanwhile.total_seconds()

    def store_found(self, found: Mapping[Side, Findings]) -> datetime:
        """Store what a poll found; return when.

        :raises SafetyStop: known tickets have other numbers now
        """
        pair, counts = self._pair, self._report.counts
        self._safeguard.check_replaced(ticket for each in found.values() for ticket in each.renumbered)
        now, self._recorded = pair.clock(), monotonic()
        if (boot := pair.boot()) is not None:
            host_clock.heed(pair.store, boot, pair.clock, pair.rules.limits.landing)
        with pair.store.transaction():
            for each in found.values():
                counts[Count.NEW] += len(store_findings(pair, each, now))
                counts[Count.CHANGED] += len(each.changed)
        for side, each in found.items():
            if each.away_since is not None:
                log.info("side available again", side=side, seconds=round((now - each.away_since).total_seconds()))
            pair.know_account(each.state)
            self._accounts_asked |= {side} if each.account_asked else set()
        return now

    def ask_who_we_are(self, polled_at: datetime) -> bool:
        """Ask each side for our account before the first work after a start; an idle cycle does not need it.

        False: a side cannot be asked.
        """
        due = self._pair.store.links.due_counts(polled_at)
        if not due.total:
            return True
        for side in [side for side in Side if side not in self._accounts_asked]:
            try:
                state = self._pair.ask_account(side)
            except RemoteError as error:
                self._availability.failed(side, error)
                return False
            self._pair.store.polls.put_side(state)
            self._pair.know_account(state)
            self._accounts_asked.add(side)
        return True
