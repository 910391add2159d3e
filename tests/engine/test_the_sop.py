"""The SOP, row by row, from the servers' side: what people did on one server, and what stands on the other after a cycle."""

from __future__ import annotations

import pytest

from itopsync.model import Side
from tests.engine.pair import MIXED, on_pairs_of
from tests.engine.rig import PICTURE, RESOLVED, TEAM, Rig
from tests.engine.verifying import compared

pytestmark = on_pairs_of(MIXED)


@pytest.fixture
def request_id(rig: Rig) -> int:
    """A request of the customer's that is linked."""
    number = rig.customer.create("UserRequest", title="Printer broken", description="<p>It <b>blinks</b>.</p>")
    rig.sync()
    return number


def test_a_new_external_ticket_gets_one_internal_copy_with_its_form(rig: Rig, request_id: int) -> None:
    copy = rig.internal.ticket("UserRequest", rig.copy_of(request_id))
    assert copy["title"] == "Printer broken"
    assert copy["description"] == "<p>It <b>blinks</b>.</p>"
    assert (copy["org_id"], copy["caller_id"], copy["team_id"], copy["agent_id"]) == (2, 40, 39, 9)
    assert rig.differences() == []


def test_a_history_comes_along_in_the_create_with_its_dates(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Old", private_log="<p>First.</p>")
    rig.wait(hours=1)
    rig.customer.note("UserRequest", number, "<p>Second.</p>")
    rig.sync()
    assert [write.verb for write in rig.writes(Side.INTERNAL)] == ["create"]
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    first, second = (entry.timestamp for entry in copy["private_log"][-2:])
    assert second - first == 3600
    assert rig.differences() == []


def test_an_internal_ticket_never_reaches_external(rig: Rig) -> None:
    rig.operator.create("UserRequest", title="Ours", private_log="<p>Quiet.</p>")
    rig.sync()
    assert rig.external.tickets() == []
    assert rig.written() == 0


def test_a_change_of_the_external_form_follows(rig: Rig, request_id: int) -> None:
    rig.customer.update("UserRequest", request_id, title="Printer on fire", urgency="1")
    rig.sync()
    assert rig.internal.ticket("UserRequest", rig.copy_of(request_id))["title"] == "Printer on fire"
    assert rig.differences() == []


def test_an_edit_of_the_internal_form_stays_until_external_changes_it(rig: Rig, request_id: int) -> None:
    copy = rig.copy_of(request_id)
    rig.operator.update("UserRequest", copy, title="Ours alone")
    rig.sync()
    assert rig.external.ticket("UserRequest", request_id)["title"] == "Printer broken"
    assert rig.internal.ticket("UserRequest", copy)["title"] == "Ours alone"
    rig.customer.update("UserRequest", request_id, title="Printer on fire")
    rig.sync()
    assert rig.internal.ticket("UserRequest", copy)["title"] == "Printer on fire"


def test_notes_go_both_ways_once_each(rig: Rig, request_id: int) -> None:
    copy = rig.copy_of(request_id)
    rig.customer.note("UserRequest", request_id, "<p>From the customer.</p>")
    rig.operator.note("UserRequest", copy, "<p>From the operator.</p>")
    rig.sync()
    for _ in range(3):
        rig.sync()
    for side, number in ((Side.EXTERNAL, request_id), (Side.INTERNAL, copy)):
        joined = "".join(rig.texts(side, number))
        assert joined.count("From the customer.") == joined.count("From the operator.") == 1
    assert rig.differences() == []


def test_a_note_that_is_marked_internal_stays(rig: Rig, request_id: int) -> None:
    rig.operator.note("UserRequest", rig.copy_of(request_id), "<p>#internal They never pay.</p>")
    rig.sync()
    assert "never pay" not in "".join(rig.texts(Side.EXTERNAL, request_id))


def test_the_header_into_external_names_nobody(rig: Rig, request_id: int) -> None:
    rig.operator.note("UserRequest", rig.copy_of(request_id), "<p>Answer.</p>")
    rig.sync()
    entry = rig.external.ticket("UserRequest", request_id)["private_log"][-1]
    author = rig.internal.ticket("UserRequest", rig.copy_of(request_id))["private_log"][-1].user_login
    assert "Operations" in entry.text
    assert author not in entry.text


def test_a_pasted_picture_becomes_an_attachment_and_is_seen_where_it_stood(rig: Rig, request_id: int) -> None:
    picture = rig.customer.paste_image("UserRequest", request_id, "screen.png", "image/png", PICTURE)
    shown = f"<figure class='image'>{picture}</figure>" if rig.external.version >= "3.2" else f"<p>{picture}</p>"
    rig.customer.note("UserRequest", request_id, f"<p>See</p>{shown}")
    rig.sync()
    copy = rig.internal.ticket("UserRequest", rig.copy_of(request_id))
    (attachment,) = copy["attachments"]
    assert attachment["contents"].data == PICTURE
    assert f"class=Attachment&amp;field=contents&amp;id={attachment['id']}" in copy["private_log"][-1].text
    assert rig.differences() == []


def test_attachments_come_and_go_both_ways(rig: Rig, request_id: int) -> None:
    copy = rig.copy_of(request_id)
    ours = rig.customer.attach("UserRequest", request_id, "a.txt", "text/plain", b"a")
    theirs = rig.operator.attach("UserRequest", copy, "b.txt", "text/plain", b"b")
    rig.sync()
    assert rig.differences() == []
    names = {attachment["contents"].filename for attachment in rig.internal.ticket("UserRequest", copy)["attachments"]}
    assert names == {"a.txt", "b.txt"}
    rig.customer.delete_attachment(ours)
    rig.operator.delete_attachment(theirs)
    rig.sync()
    assert compared(rig) == []
    rig.sync()
    assert rig.external.ticket("UserRequest", request_id)["attachments"] == []
    assert rig.internal.ticket("UserRequest", copy)["attachments"] == []


def test_a_copy_that_somebody_deletes_is_not_made_again(rig: Rig, request_id: int) -> None:
    rig.customer.attach("UserRequest", request_id, "a.txt", "text/plain", b"a")
    rig.sync()
    copy = rig.copy_of(request_id)
    (attachment,) = rig.internal.ticket("UserRequest", copy)["attachments"]
    rig.operator.delete_attachment(attachment["id"])
    for _ in range(3):
        rig.sync()
    assert rig.internal.ticket("UserRequest", copy)["attachments"] == []
    assert len(rig.external.ticket("UserRequest", request_id)["attachments"]) == 1


def test_a_state_goes_both_ways_with_what_people_read_with_it(rig: Rig, request_id: int) -> None:
    copy = rig.copy_of(request_id)
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    rig.sync()
    assert rig.external.ticket("UserRequest", request_id)["status"] == "assigned"
    rig.customer.stimulus("UserRequest", request_id, "ev_pending", pending_reason="On leave")
    rig.sync()
    assert rig.internal.ticket("UserRequest", copy)["pending_reason"] == "On leave"
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    rig.operator.stimulus("UserRequest", copy, "ev_resolve", **RESOLVED)
    rig.sync()
    assert "Done." in rig.external.ticket("UserRequest", request_id)["solution"]
    rig.customer.stimulus("UserRequest", request_id, "ev_close", user_satisfaction="1", user_comment="Thanks")
    rig.sync()
    closed = rig.internal.ticket("UserRequest", copy)
    assert (closed["status"], closed["user_comment"]) == ("closed", "Thanks")
    assert rig.differences() == []


@pytest.mark.parametrize(("name", "value"), [("solution", "<p>Done properly.</p>"), ("resolution_code", "bug fixed")])
@pytest.mark.parametrize("side", list(Side))
def test_what_one_side_corrects_as_the_other_moves_on_is_not_lost(
    rig: Rig, request_id: int, side: Side, name: str, value: str
) -> None:
    numbers = {Side.EXTERNAL: request_id, Side.INTERNAL: rig.copy_of(request_id)}
    rig.operator.stimulus("UserRequest", numbers[Side.INTERNAL], "ev_assign", **TEAM)
    rig.operator.stimulus("UserRequest", numbers[Side.INTERNAL], "ev_resolve", **RESOLVED)
    rig.sync()
    rig.agent(side).update("UserRequest", numbers[side], **{name: value})
    rig.agent(side.other).stimulus("UserRequest", numbers[side.other], "ev_close", user_satisfaction="1")
    rig.sync()
    both = [rig.simulator(each).ticket("UserRequest", numbers[each]) for each in Side]
    assert [ticket["status"] for ticket in both] == ["closed", "closed"]
    assert all(value.removeprefix("<p>").removesuffix("</p>") in ticket[name] for ticket in both)
    rig.settle(2)
    assert rig.differences() == []
    assert compared(rig) == []


def test_where_both_moved_internal_wins(rig: Rig, request_id: int) -> None:
    copy = rig.copy_of(request_id)
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    rig.sync()
    rig.customer.stimulus("UserRequest", request_id, "ev_pending", pending_reason="On leave")
    rig.operator.stimulus("UserRequest", copy, "ev_resolve", **RESOLVED)
    rig.sync()
    assert rig.external.ticket("UserRequest", request_id)["status"] == "resolved"
    assert rig.internal.ticket("UserRequest", copy)["status"] == "resolved"
    assert rig.differences() == []


def test_agent_team_organisation_and_caller_are_never_carried(rig: Rig, request_id: int) -> None:
    before = rig.external.ticket("UserRequest", request_id)
    rig.operator.stimulus("UserRequest", rig.copy_of(request_id), "ev_assign", team_id=38, agent_id=10)
    rig.sync()
    after = rig.external.ticket("UserRequest", request_id)
    assert (after["team_id"], after["agent_id"]) == (39, 9)
    assert (after["org_id"], after["caller_id"]) == (before["org_id"], before["caller_id"])


def test_a_note_fields_and_a_state_travel_in_one_call(rig: Rig, request_id: int) -> None:
    rig.customer.note("UserRequest", request_id, "<p>And now</p>")
    rig.customer.update("UserRequest", request_id, urgency="1")
    rig.customer.stimulus("UserRequest", request_id, "ev_assign", **TEAM)
    before = len(rig.writes(Side.INTERNAL))
    rig.sync()
    assert [write.verb for write in rig.writes(Side.INTERNAL)[before:]] == ["apply_stimulus"]
    assert rig.differences() == []


def test_what_is_already_far_in_its_life_is_sent_and_its_state_follows(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Late", service_id=1)
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    rig.customer.stimulus("UserRequest", number, "ev_resolve", **RESOLVED)
    rig.sync()
    assert rig.internal.ticket("UserRequest", rig.copy_of(number))["status"] == "resolved"
    assert rig.differences() == []


def test_a_further_cycle_writes_nothing_and_asks_little(rig: Rig, request_id: int) -> None:
    for _ in range(5):
        rig.sync()
    before, asked = rig.written(), rig.external.served + rig.internal.served
    rig.wait(minutes=10)
    rig.sync()
    assert rig.written() == before
    assert rig.external.served + rig.internal.served - asked <= 10
