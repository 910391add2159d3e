"""By which stimuli a ticket is led, in each of iTop's classes."""

from __future__ import annotations

import pytest

from itopsync.config.catalogue import classes
from itopsync.reconcile.lifecycle import unavoidable_decisions, way

CLOSING = ["ev_assign", "ev_resolve", "ev_close"]

WAYS = [
    ("UserRequest", "new", "new", []),
    ("UserRequest", "new", "assigned", ["ev_assign"]),
    ("UserRequest", "new", "pending", ["ev_assign", "ev_pending"]),
    ("UserRequest", "new", "resolved", ["ev_assign", "ev_resolve"]),
    ("UserRequest", "new", "closed", CLOSING),
    ("UserRequest", "new", "waiting_for_approval", ["ev_wait_for_approval"]),
    ("UserRequest", "new", "approved", ["ev_wait_for_approval", "ev_approve"]),
    ("UserRequest", "new", "rejected", ["ev_wait_for_approval", "ev_reject"]),
    ("UserRequest", "new", "escalated_tto", ["ev_timeout"]),
    ("UserRequest", "assigned", "escalated_ttr", ["ev_timeout"]),
    ("UserRequest", "escalated_tto", "pending", ["ev_assign", "ev_pending"]),
    ("UserRequest", "escalated_ttr", "closed", ["ev_resolve", "ev_close"]),
    ("UserRequest", "pending", "closed", CLOSING),
    ("UserRequest", "waiting_for_approval", "approved", ["ev_approve"]),
    ("UserRequest", "waiting_for_approval", "rejected", ["ev_reject"]),
    ("UserRequest", "approved", "pending", ["ev_assign", "ev_pending"]),
    ("UserRequest", "rejected", "assigned", ["ev_reopen", "ev_assign"]),
    ("UserRequest", "resolved", "assigned", ["ev_reopen"]),
    ("UserRequest", "resolved", "closed", ["ev_close"]),
    ("Incident", "new", "closed", CLOSING),
    ("Incident", "pending", "resolved", ["ev_assign", "ev_resolve"]),
    ("Incident", "resolved", "assigned", ["ev_reopen"]),
    ("Problem", "new", "closed", CLOSING),
    ("Problem", "resolved", "assigned", ["ev_reassign"]),
    ("Change", "new", "planned", ["ev_assign", "ev_plan"]),
    ("Change", "planned", "approved", ["ev_approve"]),
    ("Change", "rejected", "planned", ["ev_reopen", "ev_plan"]),
    ("Change", "approved", "closed", ["ev_finish"]),
    ("NormalChange", "new", "validated", ["ev_validate"]),
    ("NormalChange", "validated", "plannedscheduled", ["ev_assign", "ev_plan"]),
    ("NormalChange", "notapproved", "plannedscheduled", ["ev_replan"]),
    ("NormalChange", "approved", "monitored", ["ev_implement", "ev_monitor"]),
    ("NormalChange", "approved", "closed", ["ev_implement", "ev_finish"]),
    ("RoutineChange", "new", "closed", ["ev_assign", "ev_plan", "ev_implement", "ev_finish"]),
    ("EmergencyChange", "new", "approved", ["ev_assign", "ev_plan", "ev_approve"]),
    ("EmergencyChange", "implemented", "closed", ["ev_finish"]),
]

NO_WAYS = [
    ("UserRequest", "closed", "assigned", "closed is the end"),
    ("UserRequest", "waiting_for_approval", "assigned", "that takes an approval"),
    ("UserRequest", "resolved", "new", "nothing leads back"),
    ("UserRequest", "new", "no such state", "it is unknown"),
    ("Incident", "escalated_tto", "assigned", "3.2.0 crashes there"),
    ("Problem", "assigned", "new", "nothing leads back"),
    ("Change", "planned", "closed", "that takes an approval"),
    ("NormalChange", "new", "assigned", "that takes a validation"),
    ("NormalChange", "plannedscheduled", "implemented", "that takes an approval"),
    ("RoutineChange", "new", "approved", "a routine change is never approved"),
    ("EmergencyChange", "plannedscheduled", "closed", "that takes an approval"),
]


@pytest.mark.parametrize(("name", "start", "target", "stimuli"), WAYS)
def test_the_way_with_the_least_side_effect_is_gone(name: str, start: str, target: str, stimuli: list[str]) -> None:
    steps = way(classes()[name].lifecycle, start, target, frozenset())

    assert steps is not None
    assert [step.stimulus for step in steps] == stimuli
    assert not steps or steps[-1].state == target


@pytest.mark.parametrize(("name", "start", "target", "reason"), NO_WAYS)
def test_no_way_is_gone_through_what_nobody_decided_or_what_nothing_leaves(
    name: str, start: str, target: str, reason: str
) -> None:
    assert way(classes()[name].lifecycle, start, target, frozenset()) is None, reason


@pytest.mark.parametrize(
    ("name", "start", "current", "decisions"),
    [
        ("UserRequest", "new", "approved", set()),
        ("UserRequest", "waiting_for_approval", "assigned", set()),
        ("UserRequest", "new", "assigned", set()),
        ("Change", "planned", "closed", {"approved"}),
        ("NormalChange", "new", "plannedscheduled", {"validated"}),
        ("NormalChange", "new", "closed", {"validated", "approved"}),
        ("NormalChange", "validated", "closed", {"approved"}),
        ("RoutineChange", "new", "closed", set()),
    ],
)
def test_a_decision_that_no_way_goes_round_must_have_been_taken(name: str, start: str, current: str, decisions: set[str]) -> None:
    assert unavoidable_decisions(classes()[name].lifecycle, start, current) == decisions
