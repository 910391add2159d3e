"""The metrics for Prometheus: counts, times and the current state. No label names a ticket, so their number stays bounded."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from itopsync import __version__
from itopsync.engine.report import Report
from itopsync.engine.unwritable import problem_of
from itopsync.errors import ItopsyncError, SafetyStop
from itopsync.itop.caller import CallRecord
from itopsync.model import LinkStatus, Side
from itopsync.reconcile.safety import Excess
from itopsync.store.records import CycleKind, CycleOutcome
from itopsync.store.store import Store

_CALL_BUCKETS = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 30, 60, 120)
_CYCLE_BUCKETS = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3_600)
_FRESHNESS_BUCKETS = (15, 30, 60, 90, 120, 180, 300, 600, 1_800, 3_600, 14_400, 86_400)

_without_creation_times: Callable[[], None] = disable_created_metrics
_without_creation_times()  # they double every counter, and help only with rare ones


class Metrics:
    """The metrics of one pair. Safe to use from several threads."""

    def __init__(self, pair: str, clock: Callable[[], datetime]) -> None:
        self.registry = CollectorRegistry()
        self._pair, self._clock = pair, clock
        ProcessCollector(registry=self.registry)
        self._counters()
        self._gauges()
        self._build.labels(pair, __version__).set(1)
        self._begin_at_nought()

    def _counters(self) -> None:
        registry = self.registry
        self._cycles = Counter(
            "itopsync_cycles", "Cycles, by kind and by how they ended.", ["pair", "kind", "outcome"], registry=registry
        )
        self._cycle_seconds = Histogram(
            "itopsync_cycle_seconds", "How long cycles took.", ["pair", "kind"], buckets=_CYCLE_BUCKETS, registry=registry
        )
        self._stops = Counter(
            "itopsync_safety_stops", "Cycles that a safety limit stopped.", ["pair", "limit"], registry=registry
        )
        self._calls = Counter(
            "itopsync_calls", "Calls to a server, by what it answered.", ["pair", "side", "verb", "result"], registry=registry
        )
        self._call_seconds = Histogram(
            "itopsync_call_seconds",
            "How long a server took to answer.",
            ["pair", "side", "verb"],
            buckets=_CALL_BUCKETS,
            registry=registry,
        )
        self._retries = Counter(
            "itopsync_call_retries", "Reads that were sent again.", ["pair", "side", "verb"], registry=registry
        )
        self._writes = Counter(
            "itopsync_writes", "Writes to a side, by how they ended.", ["pair", "side", "action", "outcome"], registry=registry
        )
        self._freshness = Histogram(
            "itopsync_freshness_seconds",
            "How old a change was once it had arrived on this side; attachments are not measured.",
            ["pair", "side"],
            buckets=_FRESHNESS_BUCKETS,
            registry=registry,
        )
        self._calls_out = Counter(
            "itopsync_notifications", "Hooks that were called, by how that ended.", ["pair", "hook", "outcome"], registry=registry
        )

    def _begin_at_nought(self) -> None:
        """Export the counters that alerts use with 0 first: Prometheus sees no increase in one that starts at 1."""
        for limit in Excess:
            self._stops.labels(self._pair, limit)
        ends = (CycleOutcome.WELL, CycleOutcome.TROUBLED, CycleOutcome.UNAVAILABLE, CycleOutcome.STOPPED)
        for kind, end in itertools.product(CycleKind, ends):
            self._cycles.labels(self._pair, kind, end)
        for hook, outcome in itertools.product(("command", "webhook", "dead_man"), ("done", "failed")):
            self._calls_out.labels(self._pair, hook, outcome)

    def _gauges(self) -> None:
        registry = self.registry
        self._build = Gauge("itopsync_build_info", "Which itopsync this is.", ["pair", "version"], registry=registry)
        self._last = Gauge("itopsync_last_cycle_timestamp_seconds", "When the last cycle ended.", ["pair"], registry=registry)
        self._last_good = Gauge(
            "itopsync_last_good_cycle_timestamp_seconds",
            "When the last cycle ended that got through to both sides.",
            ["pair"],
            registry=registry,
        )
        self._stopped = Gauge(
            "itopsync_stopped",
            "Whether the last cycle was broken off, by a safety limit or a failure.",
            ["pair"],
            registry=registry,
        )
        self._up = Gauge("itopsync_side_up", "Whether a side can be worked with.", ["pair", "side"], registry=registry)
        self._side_polled = Gauge(
            "itopsync_side_last_good_poll_timestamp_seconds",
            "When a side was last polled well: its lag is the time since then.",
            ["pair", "side"],
            registry=registry,
        )
        self._links = Gauge("itopsync_links", "Links, by status.", ["pair", "status"], registry=registry)
        self._due = Gauge("itopsync_links_dirty", "Links that are due to be looked at.", ["pair"], registry=registry)
        self._in_doubt = Gauge(
            "itopsync_links_in_doubt", "Links with a write whose outcome is not known yet.", ["pair"], registry=registry
        )
        self._items = Gauge(
            "itopsync_items",
            "Single things that do not get across: parked ones need a person, the others wait for another try.",
            ["pair", "state"],
            registry=registry,
        )

    def called(self, record: CallRecord) -> None:
        """Count one exchange with a server."""
        self._calls.labels(self._pair, record.side, record.verb, record.outcome).inc()
        self._call_seconds.labels(self._pair, record.side, record.verb).observe(record.seconds)
        if record.attempt > 1:
            self._retries.labels(self._pair, record.side, record.verb).inc()

    def notified(self, hook: str, *, well: bool) -> None:
        """Count one delivery by a hook."""
        self._calls_out.labels(self._pair, hook, "done" if well else "failed").inc()

    def cycle_ended(self, kind: CycleKind, ended: Report | ItopsyncError) -> None:
        """Count a cycle and what it wrote."""
        now = self._clock()
        outcome = ended.outcome if isinstance(ended, Report) else CycleOutcome.STOPPED
        self._cycles.labels(self._pair, kind, outcome).inc()
        self._last.labels(self._pair).set(now.timestamp())
        self._stopped.labels(self._pair).set(outcome is CycleOutcome.STOPPED)
        if outcome.is_good:
            self._last_good.labels(self._pair).set(now.timestamp())
        if isinstance(ended, SafetyStop):
            self._stops.labels(self._pair, ended.kind).inc()
        if not isinstance(ended, Report):
            return
        if ended.finished is not None:
            self._cycle_seconds.labels(self._pair, kind).observe((ended.finished - ended.started).total_seconds())
        for written in ended.writes:
            self._writes.labels(self._pair, written.side, written.kind, written.outcome).inc()
            if written.age is not None:
                self._freshness.labels(self._pair, written.side).observe(written.age.total_seconds())

    def look(self, store: Store) -> None:
        """Update the gauges from the store.

        :raises StoreError: it does not answer
        """
        now = self._clock()
        counts, due, items = store.links.counts(), store.links.due_counts(now), store.links.troubles().items
        for status in LinkStatus:
            self._links.labels(self._pair, status).set(counts[status])
        self._in_doubt.labels(self._pair).set(items.in_doubt)
        self._due.labels(self._pair).set(due.total)
        self._items.labels(self._pair, "parked").set(items.parked)
        self._items.labels(self._pair, "waiting").set(items.waiting)
        for side in Side:
            state = store.polls.side(side)
            self._up.labels(self._pair, side).set(state.ok_at is not None and problem_of(store, side) is None)
            if state.ok_at is not None:
                self._side_polled.labels(self._pair, side).set(state.ok_at.timestamp())
