"""The host's clock is set back by days: nothing waits until it has caught up, and nothing dead is taken for alive."""

from __future__ import annotations

from datetime import timedelta

from itopsync.engine.unwritable import problem_of
from itopsync.model import Side
from itopsync.simulator import AccessMode, FaultKind
from itopsync.status import STALE, freshness, status
from tests.engine.rig import Rig


def test_what_was_refused_is_tried_again(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.internal.faults.add(FaultKind.MISSING_RIGHT, verbs=["core/update"], accounts=["sync"])
    rig.customer.note("UserRequest", number, "<p>It smokes.</p>")
    rig.sync()
    assert rig.link(number).obstacles
    rig.internal.faults.clear()
    rig.wait(days=-3)
    rig.settle(3)
    assert rig.link(number).obstacles == ()
    assert rig.differences() == []


def test_a_ticket_that_could_not_be_read_is_read_again(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.customer.note("UserRequest", number, "<p>It smokes.</p>")
    rig.internal.faults.add(FaultKind.ODD_ROW, verbs=["core/get"], classes=["UserRequest"])
    rig.sync()
    assert rig.link(number).obstacles
    rig.internal.faults.clear()
    rig.wait(days=-3)
    rig.settle(3)
    assert rig.link(number).obstacles == ()
    assert rig.differences() == []


def test_a_side_that_was_polled_in_the_future_counts_as_stale(rig: Rig) -> None:
    rig.sync()
    rig.wait(days=-3)
    assert freshness(status(rig.store, "demo", rig.now), timedelta(minutes=15)).word == STALE
    rig.sync()
    assert freshness(status(rig.store, "demo", rig.now), timedelta(minutes=15)).word != STALE


def test_a_side_is_down_since_the_clock_was_set_back_at_the_latest(rig: Rig) -> None:
    rig.sync()
    rig.external.faults.add(FaultKind.HTML_500)
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.wait(days=-3)
    rig.sync()
    problem = problem_of(rig.store, Side.EXTERNAL)
    assert problem is not None
    assert problem.since <= rig.now


def test_a_side_takes_no_writes_since_the_clock_was_set_back_at_the_latest(rig: Rig) -> None:
    rig.internal.access_mode = AccessMode.READ_ONLY
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.wait(days=-3)
    rig.settle(2)
    problem = problem_of(rig.store, Side.INTERNAL)
    assert problem is not None
    assert problem.since <= rig.now
