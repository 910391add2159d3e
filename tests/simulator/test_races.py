"""What happens between a read and a write, between a write and a poll, and between two listings of attachments."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from itopsync.simulator import Agent, FaultKind, Simulator
from tests.simulator.caller import Caller, Refused, calling
from tests.simulator.clock import Clock
from tests.transport import SimulatorTransport


def messages(sync: Caller, ticket: int) -> list[str]:
    return [entry["message"] for entry in sync.log("UserRequest", ticket)]


# -- lost updates ------------------------------------------------------------------------------------------------


def test_an_agents_note_is_wiped_out_by_a_write_that_read_before_it(simulator: Simulator, sync: Caller, ticket: int) -> None:
    simulator.interleave = lambda class_name, key: simulator.agent().note(class_name, key, "from Alice")
    sync.update("UserRequest", ticket, {"private_log": "from sync"})
    assert messages(sync, ticket) == ["from sync"]
    assert [written.outcome for written in simulator.audit] == ["done"] * 3, "everybody was told that it went well"


def test_a_write_to_another_column_leaves_the_note_alone(simulator: Simulator, sync: Caller, ticket: int) -> None:
    simulator.interleave = lambda class_name, key: simulator.agent().note(class_name, key, "from Alice")
    sync.update("UserRequest", ticket, {"title": "renamed"})
    assert messages(sync, ticket) == ["from Alice"]


def test_our_note_is_wiped_out_by_a_form_that_was_opened_before_it(simulator: Simulator, sync: Caller, ticket: int) -> None:
    form = simulator.agent().open("UserRequest", ticket)
    sync.update("UserRequest", ticket, {"private_log": "from sync", "title": "renamed"})
    form.save(private_log="from Alice")
    assert messages(sync, ticket) == ["from Alice"]
    assert simulator.ticket("UserRequest", ticket)["title"] == "renamed", "only what changed is written back"


def test_lost_updates_on_demand(simulator: Simulator, sync: Caller, ticket: int) -> None:
    overwritten = simulator.faults.add(FaultKind.OVERWRITTEN, times=1)
    sync.update("UserRequest", ticket, {"private_log": "ours"})
    assert len(messages(sync, ticket)) == 1
    assert messages(sync, ticket) != ["ours"]
    overwrites = simulator.faults.add(FaultKind.OVERWRITES, times=1)
    sync.update("UserRequest", ticket, {"private_log": "ours again"})
    assert messages(sync, ticket)[1:] == ["ours again"], "what the person wrote meanwhile has gone"
    assert (overwritten.count, overwrites.count) == (1, 1)
    by_fault = simulator.audit.select(by="fault")
    assert [(written.account, written.verb) for written in by_fault] == [("agent", "update")] * 2


@pytest.mark.parametrize("verb", ["update", "stimulus"])
def test_lost_updates_strike_only_what_writes_to_a_log(simulator: Simulator, sync: Caller, ticket: int, verb: str) -> None:
    fault = simulator.faults.add(FaultKind.OVERWRITTEN)
    if verb == "update":
        sync.update("UserRequest", ticket, {"title": "x"})
    else:
        sync.stimulus("UserRequest", ticket, "ev_assign", {"team_id": 37, "agent_id": 9})
    assert fault.count == 0


def test_of_many_appends_at_once_some_are_lost_though_all_are_answered(simulator: Simulator, ticket: int) -> None:
    """As measured: of 24 appends by 8 clients, all answered with code 0, 13 remained."""
    simulator.think_time = 0.01
    account = simulator.accounts["sync"]

    def append(number: int) -> None:
        caller.update("UserRequest", ticket, {"private_log": f"no. {number}"})

    with simulator.serve() as url, httpx.Client() as client, ThreadPoolExecutor(8) as pool:
        caller = Caller(client, url, account.login, account.password)
        list(pool.map(append, range(24)))
    simulator.think_time = 0
    remained = len(messages(calling(simulator), ticket))
    assert 3 <= remained < 24
    assert len(simulator.audit.select(account="sync", done=True)) == 24


def test_writes_that_take_turns_lose_nothing(simulator: Simulator, ticket: int) -> None:
    sync = calling(simulator)
    begin = threading.Barrier(8)

    def append(number: int) -> None:
        begin.wait()
        sync.update("UserRequest", ticket, {"private_log": f"no. {number}"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(8)))
    assert sorted(messages(sync, ticket)) == [f"no. {number}" for number in range(8)]


# -- commits that show late --------------------------------------------------------------------------------------


def test_a_write_can_show_after_its_own_second(simulator: Simulator, sync: Caller, ticket: int, clock: Clock) -> None:
    fault = simulator.faults.add(FaultKind.LATE_COMMIT, times=1, seconds=5)
    clock.wait(60)
    simulator.agent().note("UserRequest", ticket, "late")
    clock.wait(4)
    poll = "SELECT UserRequest WHERE last_update > '2026-11-24 09:00:00'"
    assert sync.ids(poll) == []
    clock.wait(1)
    assert sync.get("UserRequest", poll, "last_update") == [{"last_update": "2026-11-24 09:01:00"}]
    assert messages(sync, ticket) == ["late"]
    assert fault.count == 1


def test_a_new_ticket_can_show_after_a_later_one(simulator: Simulator, sync: Caller, clock: Clock) -> None:
    simulator.faults.add(FaultKind.LATE_COMMIT, times=1, seconds=5)
    alice = simulator.agent()
    first, second = alice.create("UserRequest"), alice.create("UserRequest")
    assert first < second
    assert sync.ids("SELECT UserRequest") == [second]
    clock.wait(5)
    assert sync.ids("SELECT UserRequest") == [first, second]


# -- attachments -------------------------------------------------------------------------------------------------


def test_a_large_upload_shows_after_a_later_small_one(
    simulator: Simulator, sync: Caller, alice: Agent, ticket: int, clock: Clock
) -> None:
    simulator.faults.add(FaultKind.LATE_UPLOAD, times=1, seconds=20)
    large = alice.attach("UserRequest", ticket, "large.bin", "application/octet-stream", b"x" * 1000)
    small = alice.attach("UserRequest", ticket, "small.txt", "text/plain", b"x")
    assert large < small
    assert sync.ids("SELECT Attachment") == [small]
    clock.wait(20)
    assert sync.ids("SELECT Attachment") == [large, small]


def test_uploads_over_rest_show_out_of_order_too(simulator: Simulator, sync: Caller, ticket: int) -> None:
    """The connection that uploads keeps waiting; here it is another process that timed out on it."""
    simulator.faults.add(FaultKind.LANDS_LATE, classes=["Attachment"], times=1)
    with pytest.raises(httpx.ReadTimeout):
        sync.attach("UserRequest", ticket, "a.txt", b"a", temp_id="itopsync-a")
    sync.attach("UserRequest", ticket, "b.txt", b"b")
    assert sync.ids("SELECT Attachment WHERE temp_id = 'itopsync-a'") == []
    simulator.land()
    assert len(sync.ids("SELECT Attachment WHERE temp_id = 'itopsync-a'")) == 1


def test_a_draft_is_bound_late_with_the_same_id_and_date(
    simulator: Simulator, sync: Caller, alice: Agent, ticket: int, clock: Clock
) -> None:
    simulator.faults.add(FaultKind.LATE_DRAFT, times=1, seconds=300)
    draft = alice.attach("UserRequest", ticket, "a.txt", "text/plain", b"a")
    seen = sync.get("Attachment", draft, "item_id,temp_id,creation_date")[0]
    assert seen["item_id"] == "0"
    assert len(seen["temp_id"]) == 32
    of_ticket = f"SELECT Attachment WHERE item_class = 'UserRequest' AND item_id = {ticket}"
    assert sync.ids(of_ticket) == []
    clock.wait(300)
    assert sync.get("Attachment", of_ticket, "id,temp_id,creation_date") == [
        {"id": str(draft), "temp_id": "", "creation_date": seen["creation_date"]}
    ]


def test_a_draft_that_is_never_bound_goes_with_the_clean_up(
    simulator: Simulator, sync: Caller, alice: Agent, ticket: int, clock: Clock
) -> None:
    fault = simulator.faults.add(FaultKind.LOST_DRAFT, times=1)
    draft = alice.attach("UserRequest", ticket, "a.txt", "text/plain", b"a")
    clock.wait(3600)
    assert simulator.clean_up_drafts() == 0
    assert sync.get("Attachment", draft, "item_id") == [{"item_id": "0"}]
    clock.wait(86_400)
    assert simulator.clean_up_drafts() == 1
    assert sync.ids("SELECT Attachment") == []
    assert fault.count == 1


def test_attachments_vanish_without_a_trace(simulator: Simulator, sync: Caller, alice: Agent, ticket: int) -> None:
    kept = {alice.attach("UserRequest", ticket, f"{number}.txt", "text/plain", b"a") for number in range(3)}
    before = sync.get("UserRequest", ticket, "last_update")
    fault = simulator.faults.add(FaultKind.VANISHING_ATTACHMENT, times=1)
    assert sync.count("SELECT Attachment") == 2
    assert set(sync.ids("SELECT Attachment")) < kept
    assert sync.get("UserRequest", ticket, "last_update") == before
    with pytest.raises(Refused, match="not have enough permissions for reading"):
        sync.ids("SELECT CMDBChangeOpDelete")
    assert fault.count == 1


# -- a log that is full ------------------------------------------------------------------------------------------


def test_a_log_is_full_near_entry_385(sync: Caller, ticket: int) -> None:
    def write_on() -> None:
        for number in range(500):
            sync.update("UserRequest", ticket, {"private_log": f"<p>entry {number} of a long history</p>"})

    with pytest.raises(Refused) as refused:
        write_on()
    written = len(sync.log("UserRequest", ticket))
    assert 360 < written < 410
    assert refused.value.code == 100
    assert "Data too long for column 'private_log_index'" in refused.value.message
    assert "entry 7 of a long history" in refused.value.message
    sync.update("UserRequest", ticket, {"title": "fields still go", "public_log": "and the other log"})
    sync.stimulus("UserRequest", ticket, "ev_assign", {"team_id": 37, "agent_id": 9})
    with pytest.raises(Refused, match="private_log_index"):
        sync.stimulus("UserRequest", ticket, "ev_pending", {"pending_reason": "x", "private_log": "why"})


def test_a_log_can_be_filled_but_for_a_few_entries(alice: Agent, sync: Caller, ticket: int) -> None:
    alice.fill_log("UserRequest", ticket, room=2)
    for _ in range(2):
        sync.update("UserRequest", ticket, {"private_log": "fits"})
    with pytest.raises(Refused, match="Data too long for column 'private_log_index'"):
        sync.update("UserRequest", ticket, {"private_log": "does not"})


def test_a_history_that_is_too_long_fails_the_whole_create(sync: Caller) -> None:
    history = {"items": [{"message": f"<p>{number}</p>"} for number in range(500)]}
    fields = {"org_id": 3, "caller_id": 42, "title": "t", "description": "d", "private_log": history}
    with pytest.raises(Refused, match="Data too long for column 'private_log_index'") as refused:
        sync.create("UserRequest", fields)
    assert refused.value.code == 1406, "on a create the code is the database's own"
    assert sync.count("SELECT UserRequest") == 0


# -- parents -----------------------------------------------------------------------------------------------------


def test_a_parents_new_entries_are_copied_into_its_children(simulator: Simulator, sync: Caller, clock: Clock) -> None:
    alice = simulator.agent()
    parent = alice.create("UserRequest")
    child = alice.create("UserRequest", parent_request_id=parent)
    clock.wait(60)
    note = {"add_item": {"message": '<p><span class="itopsync-x"></span>hi</p>', "date": "2020-01-01 00:00:00"}}
    sync.update("UserRequest", parent, {"private_log": note})
    copied = sync.log("UserRequest", child)
    assert [(entry["user_id"], entry["date"], entry["message_html"]) for entry in copied] == [
        ("2", "2026-11-24 09:01:00", '<p><span class="itopsync-x"></span>hi</p>')
    ]
    assert [written.id for written in simulator.audit.select(by="cascade")] == [child]


def test_resolving_a_parent_resolves_its_children_with_a_link_to_it(simulator: Simulator, sync: Caller) -> None:
    alice = simulator.agent()
    parent = alice.create("UserRequest", team_id=37, agent_id=9)
    child = alice.create("UserRequest", parent_request_id=parent)
    sync.stimulus("UserRequest", parent, "ev_assign")
    sync.stimulus("UserRequest", parent, "ev_resolve", {"solution": "done"})
    shown = sync.get("UserRequest", child, "status,solution,agent_id")[0]
    assert (shown["status"], shown["agent_id"]) == ("resolved", "9")
    assert f"[[UserRequest:{parent}|R-000001]]" in shown["solution"]


# -- what an attachment does not do ------------------------------------------------------------------------------


def test_a_picture_pasted_into_a_note_downloads_with_its_secret(simulator: Simulator, alice: Agent, ticket: int) -> None:
    picture = base64.b64decode("iVBORw0KGgo=")
    alice.note("UserRequest", ticket, f"<p>{alice.paste_image('UserRequest', ticket, 'p.png', 'image/png', picture)}</p>")
    sync = calling(simulator)
    shown = sync.log("UserRequest", ticket)[0]["message_html"]
    address = shown.split('src="')[1].split('"')[0].replace("&amp;", "&")
    with httpx.Client(transport=SimulatorTransport(simulator)) as stranger:
        answer = stranger.get(address)
        assert (answer.content, answer.headers["content-type"]) == (picture, "image/png")
        assert "does not exist or you are not allowed" in stranger.get(address[:-1]).text
    with pytest.raises(Refused, match="permissions for reading data of class InlineImage"):
        sync.ids("SELECT InlineImage")
