"""What lasts from cycle to cycle, and keeps tickets from getting across: by how a cycle ended, and by the store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from itopsync.engine.report import CycleOutcome, Report
from itopsync.store.records import Cause, Lasting

if TYPE_CHECKING:
    from itopsync.store.store import Store


def lasting(store: Store, report: Report, outcome: CycleOutcome) -> frozenset[Lasting]:
    """All that lasts, now that a cycle has ended so."""
    return frozenset(_lasting(store, report, outcome))


def _lasting(store: Store, report: Report, outcome: CycleOutcome) -> Iterator[Lasting]:
    for side in report.problems:
        yield Lasting(Cause.NO_WRITES if store.polls.side(side).problem is None else Cause.DOWN, side)
    if report.paused:
        yield Lasting(Cause.PAUSED)
    if outcome is CycleOutcome.STOPPED:
        yield Lasting(Cause.STOPPED)
    for link, item in store.links.parked():
        yield Lasting(Cause.PARKED, None, link, item)
