"""The host's clock is set back by days: nothing waits until it has caught up, and nothing dead is taken for alive."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import structlog

from itopsync import config
from itopsync.engine import unwritable
from itopsync.model import Side
from itopsync.simulator import FaultKind
from itopsync.simulator.faults import FaultPlan
from itopsync.status import STALE, freshness, status
from tests.engine.rig import Rig


@pytest.mark.parametrize(
    "break_it",
    [
        lambda faults: faults.add(FaultKind.MISSING_RIGHT, verbs=["core/update"], accounts=["sync"]),
        lambda faults: faults.add(FaultKind.ODD_ROW, verbs=["core/get"], classes=["UserRequest"]),
    ],
    ids=["refused", "not read"],
)
def test_what_failed_is_tried_again(rig: Rig, break_it: Callable[[FaultPlan], None]) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    break_it(rig.internal.faults)
    rig.customer.note("UserRequest", number, "<p>It smokes.</p>")
    rig.sync()
    assert rig.link(number).obstacles
    rig.internal.faults.clear()
    rig.wait(days=-3)
    rig.settle(3)
    assert rig.link(number).obstacles == ()
    assert rig.differences() == []


def test_a_clock_before_the_scope_holds_nothing_up_and_is_told_once(rig: Rig) -> None:
    """As after a start with a dead battery; the servers' clocks are right."""
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.customer.note("UserRequest", number, "<p>It smokes.</p>")
    rig.ahead = timedelta(days=-3650)
    rig.configuration = config.load(rig.configuration.path, {"PASSWORD": "sync-password"}, now=rig.now + rig.ahead)
    with structlog.testing.capture_logs() as told:
        rig.restart()
        rig.sync()
        assert status(rig.store, "demo", rig.now + rig.ahead, rules=rig.pair.rules).begins_later
        rig.settle()
    assert [line["event"] for line in told].count("scope.since is in the future") == 1
    assert rig.differences() == []
    rig.ahead = timedelta()
    rig.customer.create("UserRequest", title="Display")
    rig.settle()
    assert not status(rig.store, "demo", rig.now, rules=rig.pair.rules).begins_later
    assert rig.differences() == []


def test_the_latest_cycles_are_told_first(rig: Rig) -> None:
    rig.sync()
    rig.wait(days=-3)
    rig.sync()
    assert status(rig.store, "demo", rig.now).cycles[0].started == rig.now - timedelta(minutes=1)


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
    problem = unwritable.problem_of(rig.store, Side.EXTERNAL)
    assert problem is not None
    assert problem.since <= rig.now


def test_a_side_takes_no_writes_since_the_clock_was_set_back_at_the_latest(rig: Rig) -> None:
    unwritable.note(rig.store, Side.INTERNAL, "it is read-only", rig.now)
    rig.wait(days=-3)
    unwritable.note(rig.store, Side.INTERNAL, "it is read-only", rig.now)
    problem = unwritable.problem_of(rig.store, Side.INTERNAL)
    assert problem is not None
    assert problem.since == rig.now
