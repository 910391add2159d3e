"""Writing to a real server, and what it refuses."""

from datetime import datetime, timedelta

import pytest

from itopsync.errors import AccessRefused, LogFull, OutcomeUnknown, Refused, StimulusRefused, TooLarge
from itopsync.itop.server import Server
from itopsync.itop.settings import Login
from itopsync.model import File, NewEntry, Ticket
from tests.itop.stage import Stage, only_on
from tests.itop.tickets import DEMO, HELPDESK, LIGHT, REQUEST, moment, open_request


def note(html: str, hour: int = 9) -> dict[str, NewEntry]:
    return {"private_log": NewEntry(moment(hour), html)}


def log_of(ticket: Ticket) -> list[tuple[datetime, str]]:
    return [(entry.at, entry.html) for entry in ticket.logs["private_log"]]


def write_on(server: Server, ticket: Ticket) -> None:
    for _ in range(10):
        server.update(ticket.ref, {}, note("<p>secret</p>"), LIGHT)


def test_a_new_ticket_with_its_whole_history(stage: Stage) -> None:
    history = [NewEntry(moment(hour), f'<p><a name="itopsync-{hour}"></a>note {hour}</p>') for hour in (12, 8, 10)]
    ticket = open_request(stage.server(), {"start_date": "2026-07-01T07:30:00Z", "agent_id": ""}, history)
    assert log_of(ticket) == [(entry.at, entry.html) for entry in history]
    assert (ticket.state, ticket.fields["start_date"]) == ("new", "2026-07-01T07:30:00Z")
    assert ticket.fields["org_id"] == "3"


def test_fields_and_a_note_in_one_call(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    changed = server.update(ticket.ref, {"title": "Printer: é 😀 <b>", "urgency": "1"}, note("<p>a</p>"), REQUEST)
    assert (changed.fields["title"], changed.fields["urgency"]) == ("Printer: é 😀 <b>", "1")
    again = server.update(ticket.ref, {}, note("<p>b</p>", 6), REQUEST)
    assert log_of(again) == [(moment(9), "<p>a</p>"), (moment(6), "<p>b</p>")]
    assert server.tickets("UserRequest", [ticket.ref.id], REQUEST) == {ticket.ref.id: again}


def test_a_state_with_its_fields_and_a_note_in_one_call(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    assigned = server.stimulate(ticket.ref, "ev_assign", {"team_id": HELPDESK}, note("<p>taken</p>"), REQUEST)
    assert (assigned.state, log_of(assigned)) == ("assigned", [(moment(9), "<p>taken</p>")])
    assert assigned.fields["team_id"]
    assert assigned.fields["assignment_date"].startswith("2026-")
    pending = server.stimulate(ticket.ref, "ev_pending", {"pending_reason": "spare part"}, {}, REQUEST)
    assert (pending.state, pending.fields["pending_reason"]) == ("pending", "spare part")
    server.stimulate(ticket.ref, "ev_assign", {}, {}, REQUEST)
    resolved = server.stimulate(ticket.ref, "ev_resolve", {"solution": "<p>new part</p>"}, note("<p>done</p>"), REQUEST)
    assert (resolved.state, resolved.fields["solution"]) == ("resolved", "<p>new part</p>")
    assert server.stimulate(ticket.ref, "ev_close", {}, {}, LIGHT).state == "closed"


def test_a_solution_is_html_for_us(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server, attributes=LIGHT)
    server.stimulate(ticket.ref, "ev_assign", {"team_id": HELPDESK}, {}, LIGHT)
    told = "<p>one &lt; two &amp; <b>three</b><br>four</p>"
    resolved = server.stimulate(ticket.ref, "ev_resolve", {"solution": told}, {}, REQUEST)
    before_3_2 = stage.version == "3.1.2"
    assert resolved.fields["solution"] == ("<p>one &lt; two &amp; three<br>four</p>" if before_3_2 else told)
    (shown,) = server.get("UserRequest", ticket.ref.id, ("solution",)).rows
    assert shown.fields["solution"] == ("one < two & three\nfour" if before_3_2 else told)


def test_a_marker_is_kept_and_found(stage: Stage) -> None:
    server = stage.server()
    with_markers = [
        f'<p><a name="itopsync-acme-n-17.{n:016x},itopsync-acme-t-UserRequest.17"></a><em>R-{n}</em></p><p>a</p>' for n in (1, 2)
    ]
    ticket = open_request(server, {"description": with_markers[0]}, [NewEntry(moment(8), with_markers[0])])
    changed = server.update(ticket.ref, {}, note(with_markers[1]), REQUEST)
    assert [html for _, html in log_of(changed)] == with_markers
    assert changed.fields["description"] == with_markers[0]
    for n in (1, 2, 3):
        condition = f"this.private_log LIKE '%itopsync-acme-n-17.{n:016x},%'"
        assert {seen.ref for seen in server.sightings("UserRequest", condition)} == ({ticket.ref} if n < 3 else set())


def test_html_that_not_every_version_keeps(stage: Stage) -> None:
    whole = '<p class="x">a</p><figure class="table"><p>b</p></figure><p>c <mark>d</mark></p>'
    kept = whole if stage.version == "3.2.0" else "<p>a</p><p>c </p>"
    ticket = open_request(stage.server(), {"description": whole}, [NewEntry(moment(8), whole)])
    assert (ticket.fields["description"], log_of(ticket)) == (kept, [(moment(8), kept)])


def test_an_attachment_comes_and_goes(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    made = server.create_attachment(ticket.ref, 3, File("a.txt", "text/plain", b"a"), "itopsync-marker")
    assert (made.cls, made.item_id, made.temp_id) == ("UserRequest", ticket.ref.id, "itopsync-marker")
    assert server.delete_attachment(ticket.ref, made.id)
    assert not server.delete_attachment(ticket.ref, made.id)
    assert server.attachments_of("UserRequest", [ticket.ref.id]) == ({ticket.ref.id: ()}, {})


def test_a_stimulus_from_the_wrong_state(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    with pytest.raises(StimulusRefused, match=r"is refused: Invalid stimulus: 'ev_close' in state 'new'$"):
        server.stimulate(ticket.ref, "ev_close", {}, note("<p>never</p>"), REQUEST)
    assert server.tickets("UserRequest", [ticket.ref.id], REQUEST) == {ticket.ref.id: ticket}


def test_a_stimulus_without_what_its_state_needs(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    server.stimulate(ticket.ref, "ev_assign", {"team_id": HELPDESK}, {}, LIGHT)
    with pytest.raises(Refused, match=r"Missing mandatory attribute\(s\) for applying the stimulus: pending_reason$"):
        server.stimulate(ticket.ref, "ev_pending", {}, {}, REQUEST)


REFUSED: dict[str, tuple[dict[str, object], type[Refused], str]] = {
    "empty": ({"title": "", "org_id": ""}, Refused, "org_id: Null not allowed, title: Null not allowed"),
    "long-title": ({"title": "secret " * 50}, TooLarge, "title: String too long (found 350, limited to 255)"),
    "long-text": (
        {"description": "secret " * 10_000},
        TooLarge,
        "description: String too long (found 70007, limited to 65535)",
    ),
    "value": ({"impact": "secret"}, Refused, "impact: Value not allowed"),
    "attribute": ({"colour": "secret"}, Refused, "colour: Unknown attribute"),
    "id": ({"agent_id": 999_999}, Refused, "agent_id: Invalid object Person::999999"),
    "name": ({"agent_id": {"name": "secret"}}, Refused, "agent_id: No item found"),
    "query": ({"agent_id": "SELECT Person WHERE name = 'secret'"}, Refused, "agent_id: No item found"),
    "ambiguous": ({"agent_id": "SELECT Person WHERE id IN (1,2)"}, Refused, "agent_id: Several items found (2)"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_value_that_it_refuses(stage: Stage, what: str) -> None:
    fields, kind, complaint = REFUSED[what]
    with pytest.raises(Refused) as caught:
        open_request(stage.server(), fields)
    assert type(caught.value) is kind
    assert str(caught.value) == f"external: core/create UserRequest is refused: {complaint}"


def test_a_request_larger_than_post_max_size(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    with pytest.raises(TooLarge, match="Raise post_max_size"):
        server.create_attachment(ticket.ref, 3, File("a.bin", "application/octet-stream", bytes(6_500_000)), "")
    assert server.attachments_of("UserRequest", [ticket.ref.id]) == ({ticket.ref.id: ()}, {})


def test_a_request_larger_than_post_max_size_with_a_login_in_the_header(stage: Stage) -> None:
    server = stage.server(login=Login.BASIC)
    ticket = open_request(server)
    with pytest.raises(TooLarge, match="Raise post_max_size"):
        server.create_attachment(ticket.ref, 3, File("a.bin", "application/octet-stream", bytes(6_500_000)), "")


def test_a_class_that_the_account_may_not_write(stage: Stage) -> None:
    with pytest.raises(AccessRefused, match="lacks the right of creating data of class Problem") as caught:
        stage.server().create("Problem", {"org_id": DEMO, "title": "x", "description": "y"}, {}, LIGHT)
    assert type(caught.value) is AccessRefused


def test_a_ticket_that_the_account_may_not_delete(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    with pytest.raises(AccessRefused, match="lacks the right of deleting data of class UserRequest") as caught:
        server.delete_ticket(ticket.ref)
    assert type(caught.value) is AccessRefused
    assert server.tickets("UserRequest", [ticket.ref.id], REQUEST) == {ticket.ref.id: ticket}


def test_a_ticket_is_deleted(stage: Stage) -> None:
    server = stage.server("boss")
    ticket = open_request(server)
    assert server.delete_ticket(ticket.ref)
    assert not server.delete_ticket(ticket.ref)
    assert server.tickets("UserRequest", [ticket.ref.id], REQUEST) == {}


def test_a_log_that_is_full(stage: Stage) -> None:
    server = stage.server()
    history = [NewEntry(moment(8) + timedelta(minutes=n), f"<p>secret {n}</p>") for n in range(450)]
    with pytest.raises(LogFull, match="core/create UserRequest is refused: private_log takes no further entry") as caught:
        open_request(server, private_log=history, attributes=LIGHT)
    assert "secret" not in str(caught.value)
    ticket = open_request(server, private_log=history[:384], attributes=LIGHT)
    full = rf"core/update UserRequest::{ticket.ref.id} is refused: private_log takes no further entry"
    with pytest.raises(LogFull, match=full):
        write_on(server, ticket)
    assert server.update(ticket.ref, {"title": "fields still go"}, {}, LIGHT).ref == ticket.ref


@only_on(["3.1.2"])
def test_an_incident_whose_time_to_own_ran_out(stage: Stage) -> None:
    server = stage.server()
    incident = server.create("Incident", {"org_id": DEMO, "title": "Down", "description": "<p>d</p>"}, {}, LIGHT)
    server.stimulate(incident.ref, "ev_timeout", {}, {}, LIGHT)
    assert server.stimulate(incident.ref, "ev_assign", {"team_id": HELPDESK}, {}, LIGHT).state == "assigned"


@only_on(["3.2.0"])
def test_a_transition_that_crashes_the_server(stage: Stage) -> None:
    # On PHP 8 an incident cannot be assigned once its time to own has run out.
    server = stage.server()
    incident = server.create("Incident", {"org_id": DEMO, "title": "Down", "description": "<p>d</p>"}, {}, LIGHT)
    assert server.stimulate(incident.ref, "ev_timeout", {}, {}, LIGHT).state == "escalated_tto"
    with pytest.raises(OutcomeUnknown, match="HTTP 500"):
        server.stimulate(incident.ref, "ev_assign", {"team_id": HELPDESK}, {}, LIGHT)
    assert server.tickets("Incident", [incident.ref.id], LIGHT)[incident.ref.id].state == "escalated_tto"
