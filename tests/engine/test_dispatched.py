"""A server that takes each new ticket on by itself, as by an extension: the state that it gives is no move of a person's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from itopsync.model import Side
from itopsync.simulator.drafts import Draft
from itopsync.simulator.faults import FaultKind
from itopsync.simulator.session import Session
from itopsync.simulator.store import Row
from tests.engine.pair import MIXED, on_pairs_of
from tests.engine.rig import RESOLVED, TEAM, Rig

pytestmark = on_pairs_of(MIXED)

Move = Callable[[Rig, int], None]


@pytest.fixture(autouse=True)
def dispatcher(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Internal assigns each request as it is created."""
    begin = Draft.__init__

    def assigned(draft: Draft, class_name: str, original: Row | None, session: Session) -> None:
        begin(draft, class_name, original, session)
        if original is None and class_name == "UserRequest" and session.store is rig.internal.store:
            draft.values["status"] = "assigned"

    monkeypatch.setattr(Draft, "__init__", assigned)


def _pend(rig: Rig, number: int) -> None:
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    rig.customer.stimulus("UserRequest", number, "ev_pending", pending_reason="At lunch")


def _resolve(rig: Rig, number: int) -> None:
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    rig.customer.stimulus("UserRequest", number, "ev_resolve", **RESOLVED)


def _states(rig: Rig, number: int) -> tuple[str, str]:
    external = rig.external.ticket("UserRequest", number)["status"]
    return external, rig.internal.ticket("UserRequest", rig.copy_of(number))["status"]


@pytest.mark.parametrize(("move", "state"), [(_pend, "pending"), (_resolve, "resolved")])
@pytest.mark.parametrize("fault", [FaultKind.LOST_AFTER, None])
def test_what_the_customer_has_done_already_stands_and_internal_follows(
    rig: Rig, move: Move, state: str, fault: FaultKind | None
) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    move(rig, number)
    if fault is not None:
        rig.internal.faults.add(fault, verbs=["core/create"], times=1)
    rig.settle()
    assert _states(rig, number) == (state, state)
    assert not [write for write in rig.writes(Side.EXTERNAL) if write.verb == "apply_stimulus"]
    assert rig.differences() == []


def test_a_ticket_that_nobody_has_touched_follows_the_copy(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.settle()
    assert _states(rig, number) == ("assigned", "assigned")


def test_once_both_agree_internal_wins_again_though_it_goes_back_to_that_state(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    _pend(rig, number)
    rig.settle()
    rig.operator.stimulus("UserRequest", rig.copy_of(number), "ev_assign", **TEAM)
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    rig.customer.stimulus("UserRequest", number, "ev_resolve", **RESOLVED)
    rig.settle()
    assert _states(rig, number) == ("assigned", "assigned")


@pytest.mark.parametrize("later", [False, True])
def test_a_person_who_moves_the_copy_before_we_know_of_it_wins(rig: Rig, *, later: bool) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    _resolve(rig, number)
    rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], times=1)
    rig.sync()
    rig.wait(minutes=2)
    copy = rig.internal.tickets("UserRequest")[0]["id"]
    rig.operator.stimulus("UserRequest", copy, "ev_pending", pending_reason="Parts ordered")
    if later:
        rig.wait(minutes=2)
        rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    rig.settle()
    state = "assigned" if later else "pending"
    assert _states(rig, number) == (state, state)


def test_the_time_at_which_internal_says_that_the_copy_began_makes_no_difference(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = Draft.complete

    def long_ago(draft: Draft) -> None:
        complete(draft)
        draft.values["start_date"] = "2026-01-01 00:00:00"

    number = rig.customer.create("UserRequest", title="Printer")
    _resolve(rig, number)
    monkeypatch.setattr(Draft, "complete", long_ago)
    rig.settle()
    assert _states(rig, number) == ("resolved", "resolved")


def test_a_move_at_a_time_before_the_copy_began_is_a_persons(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    _resolve(rig, number)
    rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], times=1)
    rig.sync()
    rig.wait(minutes=2)
    rig.internal.clock_offset -= timedelta(minutes=9)  # it is set right
    rig.operator.stimulus("UserRequest", rig.internal.tickets("UserRequest")[0]["id"], "ev_pending", pending_reason="Parts")
    rig.settle()
    assert _states(rig, number) == ("pending", "pending")
