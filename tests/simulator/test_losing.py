"""A server that loses the markers which a client puts into it."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import httpx
import pytest

from itopsync.simulator import LosesMarks, Simulator
from tests.simulator.caller import Caller
from tests.transport import SimulatorTransport

Way = Literal["in", "out"]
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
MARKED = '<p class="m"><a name="itopsync-x" title="t"></a>a</p>'
BARE = '<p><a title="t"></a>a</p>'


class Desk:
    """A server and a caller of it."""

    def __init__(self) -> None:
        self.now = NOW
        self.itop = Simulator(clock=lambda: self.now)
        self.sync = Caller(httpx.Client(transport=SimulatorTransport(self.itop)), self.itop.url, "sync", "sync-password")

    def ticket(self, class_name: str = "UserRequest") -> int:
        fields = {"org_id": 3, "caller_id": 2, "title": "t", "description": MARKED, "private_log": MARKED}
        return int(self.sync.create(class_name, fields)["id"])

    def upload(self, ticket: int, class_name: str = "UserRequest") -> int:
        fields = {"item_class": class_name, "item_id": ticket, "temp_id": "itopsync-x", "contents": {"data": "YQ=="}}
        return int(self.sync.create("Attachment", fields)["id"])

    def shown(self, ticket: int, class_name: str = "UserRequest") -> tuple[str, str]:
        """Log entry and description as answered."""
        (fields,) = self.sync.get(class_name, ticket, "private_log,description")
        return fields["private_log"]["entries"][0]["message_html"], fields["description"]

    def stored(self, ticket: int, class_name: str = "UserRequest") -> tuple[str, str]:
        fields = self.itop.ticket(class_name, ticket)
        return fields["private_log"][0].text, fields["description"]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_nothing_is_lost_unless_told(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.upload(ticket)
    assert desk.shown(ticket) == desk.stored(ticket) == (MARKED, MARKED)
    assert desk.sync.count("SELECT Attachment WHERE temp_id = 'itopsync-x'") == 1


def test_wholly_on_the_way_in(desk: Desk) -> None:
    desk.itop.loses_marks = (LosesMarks(),)
    ticket = desk.ticket()
    desk.upload(ticket)
    assert desk.stored(ticket) == (BARE, BARE)
    assert desk.sync.count("SELECT Attachment WHERE temp_id = 'itopsync-x'") == 0
    assert desk.sync.count("SELECT UserRequest WHERE private_log LIKE '%itopsync-x%'") == 0


def test_an_answer_shows_what_was_stored_without(desk: Desk) -> None:
    desk.itop.loses_marks = (LosesMarks(),)
    shown = desk.sync.update("UserRequest", desk.ticket(), {"description": MARKED}, "description")
    assert shown["description"] == BARE


def test_only_on_the_way_out(desk: Desk) -> None:
    desk.itop.loses_marks = (LosesMarks("out"),)
    ticket = desk.ticket()
    file = desk.upload(ticket)
    assert desk.stored(ticket) == (MARKED, MARKED)
    assert desk.shown(ticket) == (BARE, BARE)
    assert desk.sync.get("Attachment", file, "temp_id") == [{"temp_id": ""}]
    assert desk.sync.count("SELECT UserRequest WHERE private_log LIKE '%itopsync-x%'") == 1, "the database has it"
    desk.itop.loses_marks = ()
    assert desk.shown(ticket) == (MARKED, MARKED)


@pytest.mark.parametrize("way", ["in", "out"])
def test_in_case_logs_only(desk: Desk, way: Way) -> None:
    desk.itop.loses_marks = (LosesMarks(way, frozenset({"logs"})),)
    ticket = desk.ticket()
    desk.upload(ticket)
    assert desk.shown(ticket) == (BARE, MARKED)
    assert desk.sync.get("Attachment", "SELECT Attachment", "temp_id") == [{"temp_id": "itopsync-x"}]


@pytest.mark.parametrize("way", ["in", "out"])
def test_for_one_class_of_ticket_only(desk: Desk, way: Way) -> None:
    desk.itop.loses_marks = (LosesMarks(way, classes=frozenset({"Incident"})),)
    request, incident = desk.ticket(), desk.ticket("Incident")
    files = [desk.upload(request), desk.upload(incident, "Incident")]
    assert desk.shown(request) == (MARKED, MARKED)
    assert desk.shown(incident, "Incident") == (BARE, BARE)
    shown = [desk.sync.get("Attachment", file, "temp_id")[0]["temp_id"] for file in files]
    assert shown == ["itopsync-x", ""]


def test_from_some_moment_on(desk: Desk) -> None:
    desk.itop.loses_marks = (LosesMarks(since=NOW + timedelta(hours=1)),)
    before = desk.ticket()
    desk.now += timedelta(hours=2)
    assert desk.stored(before) == (MARKED, MARKED)
    assert desk.stored(desk.ticket()) == (BARE, BARE)


def test_a_draft_of_a_persons_keeps_its_temporary_id(desk: Desk) -> None:
    """It is iTop's own, and no marker."""
    desk.itop.loses_marks = (LosesMarks(),)
    desk.itop.agent().draft("a.txt", "text/plain", b"a")
    (file,) = desk.sync.get("Attachment", "SELECT Attachment", "temp_id")
    assert file["temp_id"]
