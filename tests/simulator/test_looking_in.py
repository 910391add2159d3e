"""What a test can ask the simulator, and what people can do in it besides what other tests try."""

import httpx
import pytest

from itopsync.simulator import Agent, Refusal, Simulator
from tests.simulator.caller import Caller
from tests.simulator.clock import Clock
from tests.transport import SimulatorTransport


def test_a_ticket_is_seen_as_stored_with_its_attachments(simulator: Simulator, alice: Agent, ticket: int) -> None:
    alice.note("UserRequest", ticket, "one <b>two</b>")
    alice.attach("UserRequest", ticket, "a.txt", "text/plain", b"a")
    seen = simulator.ticket("UserRequest", ticket)
    assert (seen["id"], seen["finalclass"], seen["title"], seen["org_id"]) == (ticket, "UserRequest", "Printer", 3)
    assert [(entry.user_login, entry.text) for entry in seen["private_log"]] == [("Alice Agent", "<p>one <b>two</b></p>")]
    assert [file["contents"].data for file in seen["attachments"]] == [b"a"]
    with pytest.raises(KeyError, match="Incident::1"):
        simulator.ticket("Incident", ticket)


def test_all_tickets_are_seen_in_order_of_id(simulator: Simulator, alice: Agent, ticket: int) -> None:
    incident = alice.create("Incident")
    assert [seen["id"] for seen in simulator.tickets()] == [ticket, incident]
    assert [seen["id"] for seen in simulator.tickets("Incident")] == [incident]


def test_what_was_seen_does_not_change_when_the_ticket_does(simulator: Simulator, alice: Agent, ticket: int) -> None:
    before = simulator.ticket("UserRequest", ticket)
    alice.update("UserRequest", ticket, title="renamed")
    assert before["title"] == "Printer"


def test_people_delete_tickets_and_files(simulator: Simulator, alice: Agent, ticket: int) -> None:
    kept = alice.create("UserRequest", parent_request_id=ticket)
    attachment = alice.attach("UserRequest", kept, "a.txt", "text/plain", b"a")
    alice.attach("UserRequest", ticket, "b.txt", "text/plain", b"b")
    alice.delete("UserRequest", ticket)
    assert [seen["id"] for seen in simulator.tickets()] == [kept]
    assert simulator.ticket("UserRequest", kept)["parent_request_id"] == 0
    alice.delete_attachment(attachment)
    assert simulator.tickets("Attachment") == []


@pytest.mark.parametrize("act", ["delete", "open", "update", "fill_log"])
def test_people_cannot_work_on_what_is_gone(alice: Agent, act: str) -> None:
    with pytest.raises(Refusal, match="Invalid object UserRequest::99"):
        getattr(alice, act)("UserRequest", 99)


def test_a_form_may_be_saved_more_than_once(simulator: Simulator, alice: Agent, ticket: int) -> None:
    form = alice.open("UserRequest", ticket)
    form.save(title="one", private_log="first")
    form.save(private_log="second")
    seen = simulator.ticket("UserRequest", ticket)
    assert seen["title"] == "one"
    assert [entry.text for entry in seen["private_log"]] == ["<p>first</p>", "<p>second</p>"]


def test_an_attachment_downloads_with_a_login(simulator: Simulator, alice: Agent, sync: Caller, ticket: int) -> None:
    attachment = alice.attach("UserRequest", ticket, "smörgås.txt", "text/plain", b"bread")
    page = f"{simulator.url}/pages/ajax.document.php?operation=download_document&class=Attachment&field=contents&id="
    answer = sync.client.post(f"{page}{attachment}", data=sync.form)
    assert (answer.content, answer.headers["content-type"]) == (b"bread", "text/plain")
    assert b"not allowed to view it" in sync.client.post(f"{page}99", data=sync.form).content
    assert b"<form" in sync.client.get(f"{page}{attachment}").content


def test_other_pages_are_not_there(simulator: Simulator) -> None:
    with httpx.Client(transport=SimulatorTransport(simulator)) as client:
        assert client.get(f"{simulator.url}/nowhere").status_code == 404


def test_two_simulators_do_not_share_anything(clock: Clock) -> None:
    first, second = Simulator(clock=clock), Simulator(clock=clock)
    first.agent().create("UserRequest")
    first.accounts["sync"] = first.accounts["sync"].limited_to(1)
    assert second.tickets() == []
    assert second.accounts["sync"].organizations == frozenset()


def test_a_refused_ticket_uses_up_its_ref_and_no_id(simulator: Simulator, alice: Agent) -> None:
    for refused in ({"impact": "99"}, {"private_log": {"items": [{"message": "x"}] * 500}}):
        with pytest.raises(Refusal):
            alice.create("UserRequest", **refused)
    assert alice.create("UserRequest") == 1
    assert simulator.ticket("UserRequest", 1)["ref"] == "R-000003"
