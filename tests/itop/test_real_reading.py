"""Reading from a real server."""

import re
from datetime import datetime, timedelta

import pytest

from itopsync.errors import AccessRefused, BadQuery, Missing, TooLarge
from itopsync.model import File, NewEntry, Ref, Side
from tests.itop.stage import Stage
from tests.itop.tickets import DEMO, LIGHT, REQUEST, moment, open_request

TEXT = File("notes.txt", "text/plain", b"one\ntwo\n")


def test_a_ticket_with_its_log(stage: Stage) -> None:
    server = stage.server()
    notes = [NewEntry(moment(8), "<p>é 😀</p>"), NewEntry(moment(7), "<p>b</p>")]
    made = open_request(server, {"impact": "2", "urgency": "1"}, notes)
    other = open_request(server)
    read = server.tickets("UserRequest", [other.ref.id, made.ref.id, 999_999], REQUEST)
    assert read == {made.ref.id: made, other.ref.id: other}
    assert made.ref.side is Side.EXTERNAL
    assert re.fullmatch(r"R-\d{6}", made.number)
    assert (made.state, made.fields["impact"], made.fields["urgency"]) == ("new", "2", "1")
    assert (made.fields["agent_id"], made.fields["assignment_date"]) == ("", "")
    assert made.fields["start_date"] == made.fields["last_update"]
    assert [NewEntry(entry.at, entry.html) for entry in made.logs["private_log"]] == notes
    assert made.logs["public_log"] == ()


def test_html_reads_as_it_is_stored(stage: Stage) -> None:
    server = stage.server()
    html = '<p>a &lt;b&gt; &amp; &amp;lt; <a href="http://x.example/?a=1&amp;b=2">q</a></p>'
    ticket = open_request(server, {"description": html}, [NewEntry(moment(8), html)])
    assert ticket.fields["description"] == html
    assert [entry.html for entry in ticket.logs["private_log"]] == [html]
    (shown,) = server.get("UserRequest", ticket.ref.id, ("description",)).rows
    # Before 3.2 an HTML attribute is answered with each & written once more; logs are not.
    assert shown.fields["description"] == (html.replace("&", "&amp;") if stage.version == "3.1.2" else html)


def test_what_changed(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    changed = server.changed_tickets(["UserRequest", "Incident"], datetime.fromisoformat(ticket.fields["last_update"]))
    assert (ticket.ref, ticket.number, ticket.version) in [
        (sighting.ref, sighting.number, sighting.version) for sighting in changed.sightings
    ]
    # The signpost is the server's own clock, in UTC like our dates.
    assert abs(changed.at - datetime.fromisoformat(ticket.fields["last_update"])) < timedelta(seconds=10)
    assert server.changed_tickets(["UserRequest"], changed.at + timedelta(days=1)).sightings == ()
    assert server.changed_tickets(["Incident"], datetime.fromisoformat(ticket.fields["last_update"])).sightings == ()


def test_which_tickets_are_in_scope(stage: Stage) -> None:
    server = stage.server()
    first, second = open_request(server, {"urgency": "1"}), open_request(server, {"urgency": "3"})
    ids = [first.ref.id, second.ref.id, 999_999]
    seen, hidden = server.readable_sightings("UserRequest", ids=ids)
    assert ({sighting.ref for sighting in seen}, hidden) == ({first.ref, second.ref}, {})
    (urgent,) = server.sightings("UserRequest", "this.urgency = '1' AND this.org_name = 'Demo'", ids)
    assert (urgent.ref, urgent.number, urgent.version) == (first.ref, first.number, first.version)
    assert server.sightings("UserRequest", ids=[]) == ()
    assert first.ref in {seen.ref for seen in server.sightings("UserRequest", "this.urgency IN ('1','3')")}


def test_counts_and_ranges_of_ids(stage: Stage) -> None:
    server = stage.server()
    first = open_request(server, attributes=LIGHT).ref.id
    last = [open_request(server, attributes=LIGHT).ref.id for _ in range(2)][-1]
    within = f"SELECT UserRequest WHERE id >= {first} AND id < {last}"
    assert server.count("UserRequest", within) == last - first
    rows = server.get("UserRequest", within, ("id", "friendlyname", "org_id"), limit=1)
    assert (rows.found, len(rows.rows)) == (last - first, 1)
    assert rows.rows[0].fields.keys() == {"id", "friendlyname", "org_id"}
    (alone,) = server.get("UserRequest", first, ("title",)).rows
    assert (alone.cls, alone.id, dict(alone.fields)) == ("UserRequest", first, {"title": "Printer"})
    assert server.get("UserRequest", 999_999, ("title",)).found == 0
    assert server.get("Organization", DEMO, ("name",)).rows[0].fields["name"] == "Demo"


def test_attachments(stage: Stage) -> None:
    server = stage.server()
    first, second = open_request(server), open_request(server)
    made = [server.create_attachment(ticket.ref, 3, TEXT, f"itopsync-{n}") for n, ticket in enumerate((first, first, second))]
    stage.people("draft", "UserRequest", "draft-1")
    low = made[0].id - 1
    *bound, draft = server.attachments_above(low)
    assert bound == made
    assert (draft.item_id, draft.temp_id) == (0, "draft-1")
    assert server.attachments_above(draft.id, also=[made[1].id, 999_999]) == (made[1],)
    of_each = {first.ref.id: tuple(made[:2]), second.ref.id: (made[2],), 999_999: ()}
    assert server.attachments_of("UserRequest", [first.ref.id, second.ref.id, 999_999]) == (of_each, {})
    assert server.attachments_where("temp_id = 'itopsync-1'")[-1] == made[1]
    assert server.count_attachments(f"id > {low} AND id <= {made[2].id}") == 3


def test_the_contents_of_an_attachment(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    files = [TEXT, File("../../etc/ä \"'.bin", "application/octet-stream", bytes(range(256))), File("empty", "text/plain", b"")]
    for file in files:
        assert server.attachment_file(server.create_attachment(ticket.ref, 3, file, "").id) == file
    with pytest.raises(Missing, match="no Attachment::999999"):
        server.attachment_file(999_999)


def test_a_picture_that_was_pasted(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    stage.people("picture", "UserRequest", ticket.ref.id)
    (entry,) = server.tickets("UserRequest", [ticket.ref.id], REQUEST)[ticket.ref.id].logs["private_log"]
    number, secret = re.findall(r'data-img-(?:id|secret)="(\w+)"', entry.html)
    picture = server.image(int(number), secret)
    assert (picture.name, picture.mimetype, picture.data[:4]) == ("red.png", "image/png", b"\x89PNG")
    with pytest.raises(Missing, match="its secret is another one"):
        server.image(int(number), "000000")


def test_an_answer_that_is_too_long(stage: Stage) -> None:
    ref = open_request(stage.server(), {"description": f"<p>{'long ' * 400}</p>"}, attributes=LIGHT).ref
    with pytest.raises(TooLarge, match=f"UserRequest::{ref.id} is longer than is read"):
        stage.server(max_answer_bytes=1000).tickets("UserRequest", [ref.id], REQUEST)


UNKNOWN = {
    "unfinished": ("SELECT UserRequest WHERE", "id", "Unexpected token End of Input - found '0' at 0"),
    "order": ("SELECT UserRequest ORDER BY id", "id", "Unexpected token NAME - found 'ORDER' at 19"),
    "attribute": ("SELECT UserRequest WHERE colour = 'red'", "id", "Unknown filter code - found 'colour' at 25"),
    "class": ("SELECT Nope", "id", "Unknown class - found 'Nope' at 7"),
    "argument": ("SELECT UserRequest WHERE id = :nope", "id", "Missing query argument: expecting = nope"),
    "field": ("SELECT UserRequest", "colour", "output_fields: invalid attribute code 'colour'"),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_a_query_that_it_cannot_run(stage: Stage, what: str) -> None:
    query, attribute, complaint = UNKNOWN[what]
    with pytest.raises(BadQuery) as caught:
        stage.server().get("UserRequest", query, [attribute])
    assert str(caught.value) == (
        f"external: cannot answer core/get UserRequest: {complaint}. Check the scope and the configured attributes"
    )


def test_a_class_that_the_account_may_not_read(stage: Stage) -> None:
    with pytest.raises(AccessRefused, match="lacks the right of reading data of class User"):
        stage.server().count("User", "SELECT User")


def test_a_ticket_that_is_gone(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    server.create_attachment(ticket.ref, 3, TEXT, "")
    stage.people("delete", "UserRequest", ticket.ref.id)
    assert server.readable_tickets("UserRequest", [ticket.ref.id], REQUEST) == ({}, {})
    assert server.attachments_of("UserRequest", [ticket.ref.id]) == ({ticket.ref.id: ()}, {})
    with pytest.raises(Missing, match=f"no UserRequest::{ticket.ref.id}"):
        server.update(Ref(Side.EXTERNAL, "UserRequest", ticket.ref.id), {"title": "x"}, {}, REQUEST)


def test_what_an_attribute_points_to(stage: Stage) -> None:
    server = stage.server()
    names = ("org_id", "agent_id", "parent_request_id", "title", "nope")
    assert [server.key_class("UserRequest", name) for name in names] == ["Organization", "Person", "UserRequest", None, None]
    with pytest.raises(BadQuery, match="'Nope' is not a valid class"):
        server.key_class("Nope", "org_id")
