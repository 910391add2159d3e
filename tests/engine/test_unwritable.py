"""A server that is read well and takes no writes has a problem, in each cycle, until it took one or nothing waits for one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itopsync.engine.unwritable import problem_of
from itopsync.model import Side
from itopsync.simulator import AccessMode
from itopsync.status import STALE, freshness, status
from tests.engine.rig import Rig


@pytest.fixture
def read_only(rig: Rig) -> Rig:
    """Internal takes no writes, and one waits for it."""
    rig.internal.access_mode = AccessMode.READ_ONLY
    rig.customer.create("UserRequest", title="Printer")
    return rig


def test_each_cycle_says_so(read_only: Rig) -> None:
    for _ in range(5):
        assert read_only.sync().outcome == "unavailable"
    problem = problem_of(read_only.store, Side.INTERNAL)
    assert problem is not None
    assert "read-only" in problem.what


def test_it_counts_as_down_from_the_first_refusal_on(read_only: Rig) -> None:
    read_only.sync()
    began = read_only.now
    for _ in range(5):
        read_only.wait(minutes=10)
        read_only.sync()
    problem = problem_of(read_only.store, Side.INTERNAL)
    assert problem is not None
    assert problem.since <= began
    found = status(read_only.store, "demo", read_only.now)
    assert next(side for side in found.sides if side.side is Side.INTERNAL).problem == problem.what
    assert freshness(found, timedelta(minutes=15)).word == STALE


def test_a_write_that_is_taken_ends_it(read_only: Rig) -> None:
    read_only.sync()
    read_only.internal.access_mode = AccessMode.FULL
    read_only.wait(minutes=10)
    assert read_only.sync().outcome == "well"
    assert problem_of(read_only.store, Side.INTERNAL) is None
    assert len(read_only.internal.tickets("UserRequest")) == 1


def test_one_that_takes_no_files_takes_what_is_written(rig: Rig) -> None:
    numbers = [rig.customer.create("UserRequest", title=title) for title in ("Printer", "Mail")]
    rig.sync()
    rig.external.accounts["sync"] = rig.external.accounts["sync"].without("Attachment", "write", "bulk write", "delete")
    rig.operator.attach("UserRequest", 1, "a.txt", "text/plain", b"hello")
    for number in numbers:
        rig.operator.note("UserRequest", number, "<p>It smokes.</p>")
    rig.wait(minutes=1)
    assert rig.sync().outcome == "troubled"
    assert ["It smokes." in str(rig.external.ticket("UserRequest", number)["private_log"]) for number in numbers] == [True, True]
    assert problem_of(rig.store, Side.EXTERNAL) is None


def test_a_right_that_is_missing_since_then_is_told_in_its_place(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.internal.access_mode = AccessMode.READ_ONLY
    rig.customer.note("UserRequest", number, "<p>It smokes.</p>")
    assert rig.sync().outcome == "unavailable"
    rig.internal.access_mode = AccessMode.FULL
    rig.internal.accounts["sync"] = rig.internal.accounts["sync"].without("UserRequest", "write")
    rig.wait(minutes=10)
    report = rig.sync()
    assert (report.outcome, dict(report.problems)) == ("troubled", {})
    assert problem_of(rig.store, Side.INTERNAL) is None
    (obstacle,) = rig.link(number).obstacles
    assert "lacks the right" in obstacle.reason


def test_a_right_that_is_missing_uses_up_no_tries(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    account = rig.internal.accounts["sync"]
    rig.internal.accounts["sync"] = account.without("UserRequest", "write")
    rig.customer.note("UserRequest", number, "<p>It smokes.</p>")
    for _ in range(3):
        rig.wait(minutes=10)
        assert [(write.outcome, write.side) for write in rig.sync().writes] == [("no right", Side.INTERNAL)]
    assert [(obstacle.tries, obstacle.parked) for obstacle in rig.link(number).obstacles] == [(0, False)]
    rig.internal.accounts["sync"] = account
    rig.wait(minutes=10)
    assert rig.sync().outcome == "well"
    assert rig.differences() == []
