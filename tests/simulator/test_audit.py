"""The audit trail says what reached the server, by whom, and what became of it."""

from datetime import UTC, datetime

import httpx
import pytest

from itopsync.simulator import Agent, FaultKind, Simulator
from tests.simulator.caller import Caller, Refused
from tests.simulator.clock import Clock


def test_each_write_is_told_with_account_time_and_contents(
    simulator: Simulator, sync: Caller, alice: Agent, ticket: int, clock: Clock
) -> None:
    clock.wait(60)
    sync.update("UserRequest", ticket, {"title": "x", "private_log": {"add_item": {"message": "<p>hi</p>"}}})
    written = simulator.audit[-1]
    assert (written.account, written.by, written.verb, written.class_name, written.id, written.outcome) == (
        "sync", "rest", "update", "UserRequest", ticket, "done",
    )  # fmt: skip
    assert written.time == datetime(2026, 11, 24, 8, 1, tzinfo=UTC)
    assert written.fields["title"] == "x"
    assert written.entries == (("private_log", "<p>hi</p>"),)
    assert written.comment == "a test"
    assert [written.account for written in simulator.audit] == ["agent", "sync"]
    assert simulator.audit.select(by="web", verb="create", id=ticket)[0].fields["title"] == "Printer"


def test_a_history_is_told_entry_by_entry(simulator: Simulator, sync: Caller) -> None:
    fields = {"org_id": 3, "caller_id": 42, "title": "t", "description": "d"}
    sync.create("UserRequest", {**fields, "private_log": {"items": [{"message": "one"}, {"message": "two"}]}})
    assert simulator.audit[-1].entries == (("private_log", "one"), ("private_log", "two"))


def test_stimuli_and_deletions_are_told(simulator: Simulator, sync: Caller, ticket: int) -> None:
    sync.stimulus("UserRequest", ticket, "ev_assign", {"team_id": 37, "agent_id": 9, "private_log": "taking it"})
    assert simulator.audit[-1].stimulus == "ev_assign"
    assert simulator.audit[-1].entries == (("private_log", "taking it"),)
    attachment = sync.attach("UserRequest", ticket, "a.txt", b"a")
    sync.delete("Attachment", attachment)
    (deleted,) = simulator.audit.select(verb="delete")
    assert (deleted.class_name, deleted.id) == ("Attachment", attachment)


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [({"nofield": 1}, "nofield: Unknown attribute"), ({"title": "x" * 256}, "String too long (found 256, limited to 255)")],
)
def test_what_was_refused_is_told_with_the_refusal(
    simulator: Simulator, sync: Caller, ticket: int, fields: dict[str, object], outcome: str
) -> None:
    with pytest.raises(Refused):
        sync.update("UserRequest", ticket, fields)
    (refused,) = simulator.audit.select(account="sync", done=False)
    assert outcome in refused.outcome
    assert simulator.audit.select(account="sync", done=True) == []


def test_a_missing_right_is_told_as_well(simulator: Simulator, sync: Caller, ticket: int) -> None:
    with pytest.raises(Refused):
        sync.delete("UserRequest", ticket)
    (refused,) = simulator.audit.select(verb="delete")
    assert "permissions for deleting" in refused.outcome


def test_what_never_reached_the_server_is_not_told(simulator: Simulator, sync: Caller, ticket: int) -> None:
    simulator.faults.add(FaultKind.LOST_BEFORE, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        sync.update("UserRequest", ticket, {"title": "x"})
    sync.ids("SELECT UserRequest")
    assert simulator.audit.select(account="sync") == []


def test_what_landed_though_its_answer_was_lost_is_told(simulator: Simulator, sync: Caller, ticket: int) -> None:
    simulator.faults.add(FaultKind.LOST_AFTER, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        sync.update("UserRequest", ticket, {"title": "x"})
    assert len(simulator.audit.select(account="sync", done=True)) == 1


def test_the_trail_can_begin_anew(simulator: Simulator, ticket: int) -> None:
    assert len(simulator.audit) == 1
    simulator.audit.clear()
    assert list(simulator.audit) == []


def test_requests_are_counted_by_verb_and_class(simulator: Simulator, sync: Caller, ticket: int) -> None:
    sync.ids("SELECT UserRequest")
    sync.ids("SELECT Attachment")
    sync.update("UserRequest", ticket, {"title": "x"})
    assert simulator.requests.total == 3
    assert simulator.requests.of("core/get") == 2
    assert simulator.requests.of(class_name="UserRequest") == 2
    assert simulator.requests.of("core/update", "UserRequest") == 1
    simulator.requests.clear()
    assert simulator.requests.total == 0
