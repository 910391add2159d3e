"""Faults of the network and of the server: each strikes as planned, is counted, and leaves what it says."""

import json
import random
import time
from datetime import timedelta

import httpx
import pytest

from itopsync.simulator import Agent, FaultKind, Latency, Simulator
from tests.simulator.caller import Caller, Refused, calling
from tests.simulator.clock import Clock
from tests.transport import SimulatorTransport

WRITES = ("core/create", "core/update", "core/apply_stimulus", "core/delete")


def title(simulator: Simulator, ticket: int) -> str:
    return str(simulator.ticket("UserRequest", ticket)["title"])


# -- planning ----------------------------------------------------------------------------------------------------


def strikes(seed: int) -> list[bool]:
    """Which of forty requests were struck."""
    simulator = Simulator(chance=random.Random(seed))
    simulator.faults.add(FaultKind.MAINTENANCE, probability=0.3)
    sync = calling(simulator)
    return [sync.post({"operation": "list_operations"}).status_code == 503 for _ in range(40)]


def test_the_seed_decides_which_requests_are_struck() -> None:
    assert strikes(1) == strikes(1)
    assert strikes(1) != strikes(2)
    assert 4 < sum(strikes(1)) < 20


def test_a_fault_strikes_what_it_was_planned_for_and_counts(simulator: Simulator, sync: Caller, ticket: int) -> None:
    fault = simulator.faults.add(
        FaultKind.HTML_500, verbs=["core/update"], classes=["UserRequest"], accounts=["sync"], after=1, times=2
    )
    update = {"operation": "core/update", "class": "UserRequest", "key": ticket, "comment": "c", "fields": {"title": "x"}}
    assert [sync.post(update).status_code for _ in range(5)] == [200, 500, 500, 200, 200]
    assert sync.post({**update, "operation": "core/get"}).status_code == 200
    assert sync.post({**update, "class": "Ticket"}).status_code == 200
    assert fault.count == 2
    assert simulator.faults.counts == {FaultKind.HTML_500: 2}


def test_a_fault_for_one_account_leaves_the_others_alone(simulator: Simulator, ticket: int) -> None:
    simulator.faults.add(FaultKind.INVALID_LOGIN, accounts=["sync"])
    assert calling(simulator, "admin").ids("SELECT UserRequest") == [ticket]
    with pytest.raises(Refused, match="Invalid login"):
        calling(simulator).ids("SELECT UserRequest")


def test_removed_and_cleared_faults_strike_no_more_but_stay_counted(simulator: Simulator, sync: Caller) -> None:
    first = simulator.faults.add(FaultKind.MAINTENANCE)
    simulator.faults.add(FaultKind.HTML_200)
    hello = {"operation": "list_operations"}
    assert sync.post(hello).status_code == 503
    simulator.faults.remove(first)
    assert sync.post(hello).headers["content-type"].startswith("text/html")
    simulator.faults.clear()
    assert sync.post(hello).json()["code"] == 0
    assert simulator.faults.counts == {FaultKind.MAINTENANCE: 1, FaultKind.HTML_200: 1}


# -- the connection ----------------------------------------------------------------------------------------------


def test_an_answer_lost_before_anything_was_applied(simulator: Simulator, sync: Caller, ticket: int) -> None:
    simulator.faults.add(FaultKind.LOST_BEFORE, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        sync.update("UserRequest", ticket, {"title": "new"})
    assert title(simulator, ticket) == "Printer"
    assert simulator.audit.select(account="sync") == []


def test_an_answer_lost_after_the_write_was_applied(simulator: Simulator, sync: Caller, ticket: int) -> None:
    simulator.faults.add(FaultKind.LOST_AFTER, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        sync.update("UserRequest", ticket, {"title": "new"})
    assert title(simulator, ticket) == "new"
    assert simulator.faults.counts[FaultKind.LOST_AFTER] == 1


def test_a_slow_answer_arrives_or_is_too_late_for_the_client(simulator: Simulator, ticket: int) -> None:
    fault = simulator.faults.add(FaultKind.SLOW, seconds=3)
    slept: list[float] = []
    patient = httpx.Client(transport=SimulatorTransport(simulator, slept.append), timeout=5)
    account = simulator.accounts["sync"]
    Caller(patient, simulator.url, account.login, account.password).update("UserRequest", ticket, {"title": "slow"})
    assert slept == [3]
    with pytest.raises(httpx.ReadTimeout):
        calling(simulator, timeout=2).update("UserRequest", ticket, {"title": "slower"})
    assert title(simulator, ticket) == "slower", "an answer that came too late does not undo the write"
    assert fault.count == 2


def test_a_write_that_timed_out_lands_at_its_time(simulator: Simulator, sync: Caller, ticket: int, clock: Clock) -> None:
    simulator.faults.add(FaultKind.LANDS_LATE, times=1, seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        sync.update("UserRequest", ticket, {"private_log": "late"})
    clock.wait(59)
    assert sync.log("UserRequest", ticket) == []
    assert simulator.on_its_way == 1
    clock.wait(1)
    assert [entry["message"] for entry in sync.log("UserRequest", ticket)] == ["late"]
    assert simulator.on_its_way == 0


def test_a_write_that_timed_out_lands_after_other_requests(simulator: Simulator, sync: Caller, ticket: int) -> None:
    simulator.faults.add(FaultKind.LANDS_LATE, times=1, requests=2)
    with pytest.raises(httpx.ReadTimeout):
        sync.update("UserRequest", ticket, {"title": "late"})
    seen = [sync.get("UserRequest", ticket, "title")[0]["title"] for _ in range(4)]
    assert seen == ["Printer", "Printer", "late", "late"]


def test_what_is_on_its_way_lands_when_told_to(simulator: Simulator, sync: Caller, ticket: int) -> None:
    simulator.faults.add(FaultKind.LANDS_LATE, times=1)
    with pytest.raises(httpx.ReadTimeout):
        sync.update("UserRequest", ticket, {"title": "late"})
    assert simulator.land() == 1
    assert title(simulator, ticket) == "late"


def test_reads_never_land_late(simulator: Simulator, sync: Caller, ticket: int) -> None:
    fault = simulator.faults.add(FaultKind.LANDS_LATE)
    assert sync.ids("SELECT UserRequest") == [ticket]
    assert fault.count == 0


# -- the server --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.HTML_500, 500), (FaultKind.HTML_200, 200)])
@pytest.mark.parametrize("applied", [False, True])
def test_html_instead_of_json_leaves_the_outcome_open(
    simulator: Simulator, sync: Caller, ticket: int, *, kind: FaultKind, status: int, applied: bool
) -> None:
    simulator.faults.add(kind, times=1, applied=applied)
    update = {"operation": "core/update", "class": "UserRequest", "key": ticket, "comment": "c", "fields": {"title": "x"}}
    response = sync.post(update)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert response.text.lstrip().startswith("<")
    assert title(simulator, ticket) == ("x" if applied else "Printer")


@pytest.mark.parametrize("planned", [True, False], ids=["for one request", "until it ends"])
def test_maintenance_is_503_with_json_of_another_shape(simulator: Simulator, sync: Caller, planned: bool) -> None:
    if planned:
        simulator.faults.add(FaultKind.MAINTENANCE, times=1)
    else:
        simulator.maintenance = True
    response = sync.post({"operation": "list_operations"})
    assert response.status_code == 503
    assert response.json() == {
        "data": [{"code": 100, "message": "This application is currently under maintenance."}],
        "scripts": [],
    }


def test_code_1_for_wrong_credentials(simulator: Simulator, sync: Caller) -> None:
    simulator.faults.add(FaultKind.INVALID_LOGIN, times=1)
    assert sync.ask("core/get", "UserRequest", key=1) == {"code": 1, "message": "Error: Invalid login"}


def test_code_1_for_a_missing_right(simulator: Simulator, sync: Caller, ticket: int) -> None:
    fault = simulator.faults.add(FaultKind.MISSING_RIGHT, classes=["UserRequest"], times=2)
    with pytest.raises(Refused, match="not have enough permissions for reading data of class UserRequest") as reading:
        sync.get("UserRequest", ticket)
    with pytest.raises(Refused, match="not have enough permissions for modifying data of class UserRequest"):
        sync.update("UserRequest", ticket, {"title": "x"})
    assert reading.value.code == 1
    assert fault.count == 2


def test_code_1_in_read_only_mode_lets_reads_pass(simulator: Simulator, sync: Caller, ticket: int) -> None:
    simulator.faults.add(FaultKind.READ_ONLY, times=1)
    assert sync.ids("SELECT UserRequest") == [ticket]
    with pytest.raises(Refused, match="not have enough permissions for modifying") as refused:
        sync.update("UserRequest", ticket, {"title": "x"})
    assert refused.value.code == 1
    sync.update("UserRequest", ticket, {"title": "passing"})


def test_code_1_for_a_request_that_php_finds_too_large(simulator: Simulator, sync: Caller, ticket: int) -> None:
    simulator.post_max_size = 100_000
    with pytest.raises(Refused, match="Error: Invalid login") as refused:
        sync.attach("UserRequest", ticket, "large.bin", b"x" * 100_000)
    assert refused.value.code == 1
    assert sync.attach("UserRequest", ticket, "small.bin", b"x" * 50_000)
    simulator.faults.add(FaultKind.TOO_LARGE, times=1)
    with pytest.raises(Refused, match="Error: Invalid login"):
        sync.attach("UserRequest", ticket, "small.bin", b"x")


def test_an_error_text_of_hundreds_of_kb_quotes_the_ticket(simulator: Simulator, sync: Caller, ticket: int) -> None:
    sync.update("UserRequest", ticket, {"private_log": "<p>a secret of the customer's</p>"})
    simulator.faults.add(FaultKind.HUGE_ERROR, times=1)
    with pytest.raises(Refused) as refused:
        sync.update("UserRequest", ticket, {"private_log": "<p>one more</p>"})
    assert refused.value.code == 100
    assert len(refused.value.message) > 200_000
    for quoted in ("a secret of the customer's", "one more", "Printer"):
        assert quoted in refused.value.message
    assert len(sync.log("UserRequest", ticket)) == 1


@pytest.mark.parametrize("verb", WRITES)
def test_faults_of_writes_strike_every_verb_that_writes(simulator: Simulator, sync: Caller, verb: str) -> None:
    for kind in (FaultKind.READ_ONLY, FaultKind.HUGE_ERROR):
        fault = simulator.faults.add(kind, times=1)
        sync.post({"operation": verb, "class": "UserRequest", "key": 1, "comment": "c", "fields": {}, "stimulus": "ev_assign"})
        assert fault.count == 1


def test_an_account_that_suddenly_sees_nothing_gets_an_empty_answer(simulator: Simulator, sync: Caller, ticket: int) -> None:
    simulator.faults.add(FaultKind.BLIND, times=2)
    empty = {"code": 0, "message": "Found: 0", "objects": None}
    assert sync.ask("core/get", "UserRequest", key="SELECT UserRequest") == empty
    assert sync.ask("core/get", "UserRequest", key=ticket) == empty
    assert sync.ids("SELECT UserRequest") == [ticket]


def test_an_answer_may_show_one_object_oddly_and_entries_without_a_date(simulator: Simulator, sync: Caller, ticket: int) -> None:
    sync.update("UserRequest", ticket, {"private_log": "<p>a</p>"})
    simulator.faults.add(FaultKind.ODD_ROW, times=1)
    (row,) = sync.ask("core/get", "UserRequest", key=ticket, output_fields="private_log")["objects"].values()
    assert row["fields"] == "odd"
    simulator.faults.add(FaultKind.UNDATED, times=1)
    (shown,) = sync.get("UserRequest", ticket, "private_log")
    assert [entry["date"] for entry in shown["private_log"]["entries"]] == [""]


# -- latency -----------------------------------------------------------------------------------------------------


def test_a_server_that_takes_its_time_delays_each_answer(simulator: Simulator, ticket: int) -> None:
    simulator.latency = Latency(boot=0.065, write=0.03, row=0)
    slept: list[float] = []
    account = simulator.accounts["sync"]
    caller = Caller(
        httpx.Client(transport=SimulatorTransport(simulator, slept.append)), simulator.url, account.login, account.password
    )
    caller.get("UserRequest", ticket)
    caller.update("UserRequest", ticket, {"title": "x"})
    assert slept == pytest.approx([0.065, 0.095])


# -- over loopback HTTP ------------------------------------------------------------------------------------------


def test_broken_and_late_answers_look_alike_over_http(simulator: Simulator, ticket: int) -> None:
    account = simulator.accounts["sync"]
    with simulator.serve() as url, httpx.Client(timeout=0.3) as client:
        caller = Caller(client, url, account.login, account.password)
        simulator.faults.add(FaultKind.LOST_AFTER, times=1)
        with pytest.raises(httpx.RemoteProtocolError):
            caller.update("UserRequest", ticket, {"title": "lost"})
        assert title(simulator, ticket) == "lost"
        simulator.faults.add(FaultKind.LANDS_LATE, times=1)
        with pytest.raises(httpx.ReadTimeout):
            caller.update("UserRequest", ticket, {"title": "late"})
        assert title(simulator, ticket) == "lost"
        simulator.land()
        assert title(simulator, ticket) == "late"
        simulator.faults.add(FaultKind.SLOW, times=1, seconds=0.1)
        begun = time.monotonic()
        assert caller.get("UserRequest", ticket, "title") == [{"title": "late"}]
        assert time.monotonic() - begun >= 0.1


# -- clocks ------------------------------------------------------------------------------------------------------


def test_a_clock_that_is_off_shows_in_dates_and_headers(simulator: Simulator, sync: Caller, clock: Clock) -> None:
    simulator.clock_offset = timedelta(minutes=-10)
    fields = {"org_id": 3, "caller_id": 42, "title": "t", "description": "d"}
    created = sync.create("UserRequest", fields, "start_date,last_update")
    assert created["last_update"] == created["start_date"] == "2026-11-24 08:50:00"
    assert sync.post({"operation": "list_operations"}).headers["date"] == "Tue, 24 Nov 2026 07:50:00 GMT"


def test_the_autumn_hour_comes_twice_and_last_update_runs_backwards(simulator: Simulator, sync: Caller, clock: Clock) -> None:
    fields = {"org_id": 3, "caller_id": 42, "title": "t", "description": "d"}
    seen = []
    for utc in ("00:30", "00:59", "01:00", "01:30"):
        clock.now = clock.now.fromisoformat(f"2026-10-25T{utc}:00+00:00")
        seen.append(sync.create("UserRequest", fields, "last_update")["last_update"][11:16])
    assert seen == ["02:30", "02:59", "02:00", "02:30"]
    assert sync.count("SELECT UserRequest WHERE last_update >= '2026-10-25 02:30:00'") == 3


def test_the_database_has_a_timezone_of_its_own(clock: Clock) -> None:
    simulator = Simulator(timezone="Asia/Jakarta", clock=clock, database_timezone="UTC")
    simulator.agent().create("UserRequest")
    sync = calling(simulator)
    assert sync.count("SELECT UserRequest WHERE last_update > NOW()") == 1, "seven hours ahead of the database"


def test_dates_in_another_format_have_minutes_only(simulator: Simulator, sync: Caller, ticket: int) -> None:
    sync.update("UserRequest", ticket, {"private_log": {"add_item": {"message": "m", "date": "2026-11-24 08:59:58"}}})
    simulator.date_format = "d/m/Y H:i"
    shown = sync.get("UserRequest", "SELECT UserRequest WHERE last_update >= '2026-11-24 09:00:00'", "last_update,private_log")
    assert shown[0]["last_update"] == "24/11/2026 09:00"
    assert shown[0]["private_log"]["entries"][0]["date"] == "2026-11-24 08:59:58", "log entries keep their format"
    sync.update("UserRequest", ticket, {"start_date": "2026-11-20 10:11:12"})
    assert sync.get("UserRequest", ticket, "start_date") == [{"start_date": "20/11/2026 10:11"}]
    with pytest.raises(Refused, match="Wrong format for date attribute start_date"):
        sync.update("UserRequest", ticket, {"start_date": "20/11/2026 10:11"})


# -- backups -----------------------------------------------------------------------------------------------------


def test_a_restored_backup_gives_known_ids_to_other_tickets(
    simulator: Simulator, sync: Caller, alice: Agent, ticket: int
) -> None:
    backup = simulator.snapshot()
    lost = alice.create("UserRequest", title="after the backup")
    alice.attach("UserRequest", ticket, "a.txt", "text/plain", b"a")
    simulator.restore(backup)
    assert sync.ids("SELECT UserRequest") == [ticket]
    assert sync.ids("SELECT Attachment") == []
    again = alice.create("UserRequest", title="another one")
    assert again == lost
    assert simulator.ticket("UserRequest", again)["ref"] == "R-000002"
    simulator.restore(backup)
    assert json.dumps(sync.ids("SELECT UserRequest")) == json.dumps([ticket]), "a backup can be put back more than once"
