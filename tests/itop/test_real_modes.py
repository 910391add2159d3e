"""A real server in other modes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from itopsync.errors import Maintenance, ReadOnly
from itopsync.model import File, NewEntry
from tests.itop.stage import Stage
from tests.itop.tickets import REQUEST, moment, open_request

FILE = File("a.txt", "text/plain", b"a")


@pytest.fixture(autouse=True)
def back_to_normal(stage: Stage) -> Iterator[None]:
    yield
    stage.people("mode", "normal")
    stage.people("dates", "normal")
    stage.people("timezone", "Asia/Jakarta")


@pytest.mark.parametrize("mode", ["read-only", "administrators"])
def test_a_server_in_read_only_mode(stage: Stage, mode: str) -> None:
    server = stage.server()
    ticket = open_request(server)
    attachment = server.create_attachment(ticket.ref, 3, FILE, "")
    stage.people("mode", mode)
    for write in (
        lambda: open_request(server),
        lambda: server.update(ticket.ref, {"title": "x"}, {}, REQUEST),
        lambda: server.stimulate(ticket.ref, "ev_assign", {}, {}, REQUEST),
        lambda: server.create_attachment(ticket.ref, 3, FILE, ""),
        lambda: server.delete_attachment(ticket.ref, attachment.id),
    ):
        with pytest.raises(ReadOnly, match="the server is in read-only mode"):
            write()
    assert server.tickets("UserRequest", [ticket.ref.id], REQUEST) == {ticket.ref.id: ticket}
    assert server.attachment_file(attachment.id) == FILE


def test_a_server_in_maintenance(stage: Stage) -> None:
    server = stage.server()
    ticket = open_request(server)
    stage.people("mode", "maintenance")
    with pytest.raises(Maintenance):
        server.check_login()
    with pytest.raises(Maintenance):
        server.update(ticket.ref, {"title": "x"}, {}, REQUEST)
    stage.people("mode", "normal")
    assert server.tickets("UserRequest", [ticket.ref.id], REQUEST) == {ticket.ref.id: ticket}


def test_a_server_that_shows_minutes_only(stage: Stage) -> None:
    stage.people("dates", "minutes")
    server = stage.server(date_format="d/m/Y H:i")
    noted = moment(8) + timedelta(seconds=5)
    ticket = open_request(server, {"start_date": "2026-07-01T07:30:45Z"}, [NewEntry(noted, "<p>a</p>")])
    assert ticket.fields["start_date"] == "2026-07-01T07:30:00Z"
    assert ticket.logs["private_log"][0].at == noted
    changed = server.changed_tickets(["UserRequest"], datetime.fromisoformat(ticket.fields["last_update"]))
    assert ticket.version in {sighting.version for sighting in changed.sightings}
    assert server.tickets("UserRequest", [ticket.ref.id], REQUEST)[ticket.ref.id] == ticket


def test_the_autumn_hour_that_comes_twice(stage: Stage) -> None:
    stage.people("timezone", "Europe/Paris")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    history = [NewEntry(first + timedelta(hours=hours), f"<p>{hours}</p>") for hours in (0, 1, -1)]
    ticket = open_request(stage.server(timezone=ZoneInfo("Europe/Paris")), private_log=history)
    # Two of them are stored as 02:30, and read as the first.
    assert [entry.at for entry in ticket.logs["private_log"]] == [first, first, first - timedelta(hours=1)]
