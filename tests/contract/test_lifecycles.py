"""Stimuli: where they lead, what they need, and how they are refused."""

from typing import Any

import pytest

from tests.contract.conftest import CLASSES, Itop
from tests.simulator.caller import Refused

ASSIGN: dict[str, Any] = {"team_id": 37, "agent_id": 9}
CHANGE = {**ASSIGN, "supervisor_group_id": 37, "supervisor_id": 9, "manager_group_id": 37, "manager_id": 9}
SOLVED: dict[str, Any] = {"solution": "s", "service_id": 1}
DAY = "2026-01-01 00:00:00"
PLAN = {"start_date": DAY, "end_date": DAY, "impact": "none", "outage": "no", "fallback": "none"}
APPROVE = {"approval_date": DAY, "approval_comment": "ok"}
VALIDATE = {"acceptance_date": DAY, "acceptance_comment": "ok"}
#: Ways through each lifecycle: (stimulus, fields, state reached).
WAYS: list[tuple[str, list[tuple[str, dict[str, Any], str]]]] = [
    (
        "UserRequest",
        [
            ("ev_timeout", {}, "escalated_tto"),
            ("ev_assign", ASSIGN, "assigned"),
            ("ev_reassign", ASSIGN, "assigned"),
            ("ev_pending", {"pending_reason": "w"}, "pending"),
            ("ev_assign", {}, "assigned"),
            ("ev_timeout", {}, "escalated_ttr"),
            ("ev_resolve", SOLVED, "resolved"),
            ("ev_reopen", {}, "assigned"),
            ("ev_resolve", {**SOLVED, "resolution_code": "bug fixed"}, "resolved"),
            ("ev_close", {"user_satisfaction": "1", "user_comment": "thanks"}, "closed"),
        ],
    ),
    (
        "UserRequest",
        [
            ("ev_wait_for_approval", {}, "waiting_for_approval"),
            ("ev_reject", {}, "rejected"),
            ("ev_reopen", {}, "new"),
            ("ev_wait_for_approval", {}, "waiting_for_approval"),
            ("ev_approve", {}, "approved"),
            ("ev_assign", ASSIGN, "assigned"),
        ],
    ),
    (
        "Incident",
        [
            ("ev_assign", ASSIGN, "assigned"),
            ("ev_pending", {"pending_reason": "w"}, "pending"),
            ("ev_assign", {}, "assigned"),
            ("ev_timeout", {}, "escalated_ttr"),
            ("ev_pending", {"pending_reason": "w"}, "pending"),
            ("ev_autoresolve", SOLVED, "resolved"),
            ("ev_reopen", {}, "assigned"),
            ("ev_resolve", SOLVED, "resolved"),
            ("ev_close", {}, "closed"),
        ],
    ),
    (
        "Problem",
        [
            ("ev_assign", ASSIGN, "assigned"),
            ("ev_reassign", ASSIGN, "assigned"),
            ("ev_resolve", {"service_id": 1}, "resolved"),
            ("ev_reassign", {}, "assigned"),
            ("ev_resolve", {}, "resolved"),
            ("ev_close", {}, "closed"),
        ],
    ),
    (
        "Change",
        [
            ("ev_assign", {**ASSIGN, "changemanager_id": 9}, "assigned"),
            ("ev_plan", {"start_date": DAY, "end_date": DAY, "outage": "no", "fallback_plan": "none"}, "planned"),
            ("ev_reject", {"reject_reason": "no"}, "rejected"),
            ("ev_reopen", {}, "assigned"),
            ("ev_plan", {}, "planned"),
            ("ev_approve", {}, "approved"),
            ("ev_finish", {}, "closed"),
        ],
    ),
    (
        "NormalChange",
        [
            ("ev_reject", {"reason": "no"}, "rejected"),
            ("ev_reopen", {}, "new"),
            ("ev_validate", {**CHANGE, **VALIDATE}, "validated"),
            ("ev_assign", CHANGE, "assigned"),
            ("ev_plan", PLAN, "plannedscheduled"),
            ("ev_notapprove", {"reason": "no"}, "notapproved"),
            ("ev_replan", {}, "plannedscheduled"),
            ("ev_approve", APPROVE, "approved"),
            ("ev_implement", {}, "implemented"),
            ("ev_monitor", {}, "monitored"),
            ("ev_finish", {}, "closed"),
        ],
    ),
    (
        "RoutineChange",
        [
            ("ev_assign", CHANGE, "assigned"),
            ("ev_plan", PLAN, "plannedscheduled"),
            ("ev_implement", {}, "implemented"),
            ("ev_monitor", {}, "monitored"),
            ("ev_finish", {}, "closed"),
        ],
    ),
    (
        "EmergencyChange",
        [
            ("ev_assign", CHANGE, "assigned"),
            ("ev_plan", PLAN, "plannedscheduled"),
            ("ev_approve", APPROVE, "approved"),
            ("ev_implement", {}, "implemented"),
            ("ev_finish", {}, "closed"),
        ],
    ),
]


@pytest.mark.parametrize(("class_name", "way"), [way for way in WAYS if way[0] in CLASSES])
def test_a_way_through_the_lifecycle(itop: Itop, class_name: str, way: list[tuple[str, dict[str, Any], str]]) -> None:
    ticket = itop.ticket(class_name)
    for stimulus, fields, state in way:
        shown = itop.sync.stimulus(class_name, ticket, stimulus, fields, ",".join(["status", *fields]))
        assert shown.pop("status") == state
        for code, value in shown.items():
            assert value in (str(fields[code]), f"<p>{fields[code]}</p>"), code


REFUSED = [
    ("UserRequest", "ev_resolve", {"solution": "x"}, "Invalid stimulus: 'ev_resolve' on the object {ref} in state 'new'"),
    ("UserRequest", "ev_nope", {}, "Invalid stimulus: 'ev_nope' on the object {ref} in state 'new'"),
    ("Incident", "ev_close", {}, "Invalid stimulus: 'ev_close' on the object {ref} in state 'new'"),
    (
        "NormalChange",
        "ev_validate",
        CHANGE,
        "Missing mandatory attribute(s) for applying the stimulus: acceptance_date, acceptance_comment.",
    ),
]


@pytest.mark.parametrize(("class_name", "stimulus", "fields", "message"), [case for case in REFUSED if case[0] in CLASSES])
def test_a_refused_stimulus(itop: Itop, class_name: str, stimulus: str, fields: dict[str, Any], message: str) -> None:
    shown = itop.sync.create(class_name, itop.new(), "id,ref")
    answer = itop.sync.ask("core/apply_stimulus", class_name, key=int(shown["id"]), stimulus=stimulus, fields=fields)
    assert answer == {"code": 100, "message": message.format(ref=shown["ref"]), "objects": None}
    assert itop.sync.get(class_name, int(shown["id"]), "status") == [{"status": "new"}]


@pytest.mark.parametrize(("stimulus", "missing"), [("ev_pending", "pending_reason"), ("ev_resolve", "solution")])
def test_what_a_state_demands(itop: Itop, stimulus: str, missing: str) -> None:
    ticket = itop.ticket(service_id=1)
    itop.sync.stimulus("UserRequest", ticket, "ev_assign", ASSIGN)
    note = {"private_log": "rides along"}
    with pytest.raises(Refused) as refused:
        itop.sync.stimulus("UserRequest", ticket, stimulus, note)
    assert refused.value.message == f"Missing mandatory attribute(s) for applying the stimulus: {missing}."
    assert itop.sync.get("UserRequest", ticket, "status") == [{"status": "assigned"}]
    assert itop.sync.log("UserRequest", ticket) == [], "nothing of a refused call is written"


def test_an_unknown_agent_is_refused_and_one_outside_the_team_is_not(itop: Itop) -> None:
    ticket = itop.ticket()
    with pytest.raises(Refused, match=r"^Error: agent_id: Invalid object Person::99999$"):
        itop.sync.stimulus("UserRequest", ticket, "ev_assign", {"team_id": 37, "agent_id": 99_999})
    (other,) = itop.sync.ids("SELECT Team WHERE name = 'Hardware support'")
    given = {"team_id": other, "agent_id": 9}
    assert itop.sync.stimulus("UserRequest", ticket, "ev_assign", given, "status,team_id") == {
        "status": "assigned",
        "team_id": str(other),
    }


def test_a_key_of_zero_does_not_count_as_missing_on_php_8(itop: Itop) -> None:
    ticket = itop.ticket()
    if not itop.on_php_8:
        with pytest.raises(Refused, match=r"^Missing mandatory attribute\(s\) for applying the stimulus: team_id, agent_id.$"):
            itop.sync.stimulus("UserRequest", ticket, "ev_assign", {})
        return
    assert itop.sync.stimulus("UserRequest", ticket, "ev_assign", {}, "status,agent_id") == {
        "status": "assigned",
        "agent_id": "0",
    }


def test_a_state_may_be_written_directly(itop: Itop) -> None:
    ticket = itop.ticket()
    assert itop.sync.update("UserRequest", ticket, {"status": "resolved"}, "status") == {"status": "resolved"}
    assert itop.ticket(status="closed")


def test_a_note_fields_and_a_change_of_state_are_one_call(itop: Itop) -> None:
    ticket = itop.ticket()
    given = {**ASSIGN, "title": "mine", "private_log": {"add_item": {"message": "<p>why</p>", "date": "2020-01-01 00:00:00"}}}
    shown = itop.sync.stimulus("UserRequest", ticket, "ev_assign", given, "status,title,private_log")
    assert (shown["status"], shown["title"]) == ("assigned", "mine")
    assert [(entry["date"], entry["message"]) for entry in shown["private_log"]["entries"]] == [("2020-01-01 00:00:00", "why")]


@pytest.mark.parametrize("class_name", {"Incident"}.intersection(CLASSES))
def test_an_incident_of_3_2_does_not_get_out_of_escalated_tto(itop: Itop, class_name: str) -> None:
    ticket = itop.ticket(class_name)
    itop.sync.stimulus("Incident", ticket, "ev_timeout")
    request = {"operation": "core/apply_stimulus", "class": "Incident", "key": ticket, "comment": "c", "stimulus": "ev_assign"}
    response = itop.sync.post({**request, "fields": {**ASSIGN, "private_log": "rides along"}})
    if not itop.answers.crashes_in_escalated_tto:
        assert response.json()["code"] == 0
        assert itop.sync.get("Incident", ticket, "status") == [{"status": "assigned"}]
        assert len(itop.sync.log("Incident", ticket)) == 1
        return
    assert response.status_code == 500
    assert response.headers["content-type"].startswith("text/html")
    assert itop.sync.get("Incident", ticket, "status") == [{"status": "escalated_tto"}]
    assert itop.sync.log("Incident", ticket) == []
    itop.sync.update("Incident", ticket, {"private_log": "alone"})


def test_a_closed_ticket_takes_notes_fields_and_files(itop: Itop) -> None:
    ticket = itop.ticket(status="closed")
    itop.sync.update("UserRequest", ticket, {"title": "later", "private_log": "note"})
    assert itop.sync.attach("UserRequest", ticket, "a.txt", b"a")
