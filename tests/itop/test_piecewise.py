"""One object that a server fails to show, or shows oddly, is found, named and held up by nobody else's read."""

import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from itopsync.itop.dates import DateFormatWrong
from itopsync.itop.piecewise import NO_ID
from tests.itop.fake import DATE, FIELDS, TICKET, Fake, error, objects, page
from tests.itop.test_requests import AT, ids_in, rows_of


@pytest.mark.parametrize(
    "failing",
    [
        page(500),
        page(200),
        error(100, "Error: something about this ticket"),
        httpx.Response(200, content=b'{"code":0,"message":"Found: 2","objects":{"x":1}}', headers={"Date": DATE}),
        httpx.Response(200, content=b'{"code":0,"message":"Found: 2","objects":null}', headers={"Date": DATE}),
        httpx.ReadTimeout("slow"),
    ],
)
def test_whatever_a_ticket_makes_of_a_read_it_is_found_and_the_others_are_read(
    fake: Fake, failing: httpx.Response | Exception
) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        if 3 not in ids_in(fake.asked[-1]["key"]):
            return rows_of(request, fake)
        if isinstance(failing, Exception):
            raise failing
        return httpx.Response(failing.status_code, headers=failing.headers, content=failing.content)

    found, unreadable = fake.server(reply, read_tries=1).readable_tickets("UserRequest", range(1, 9), TICKET)
    assert sorted(found) == [1, 2, 4, 5, 6, 7, 8]
    assert list(unreadable) == [3]
    assert len(fake.requests) <= 12


ODD: dict[str, dict[str, Any]] = {
    "no log": {"private_log": None},
    "entries of text": {"private_log": {"entries": ["x"]}},
    "no state": {"status": None, "private_log": {"entries": 5}},
    "last change": {"last_update": "the day before"},
}


@pytest.mark.parametrize("odd", ODD)
def test_a_row_of_an_unknown_shape_is_held_against_its_ticket(fake: Fake, odd: str) -> None:
    rows = [{**FIELDS, "id": str(number), **(ODD[odd] if number == 2 else {})} for number in (1, 2, 3)]
    found, unreadable = fake.server(objects(*rows)).readable_tickets("UserRequest", [1, 2, 3], TICKET)
    assert sorted(found) == [1, 3]
    assert list(unreadable) == [2]
    assert "the day before" not in str(unreadable[2])


def test_an_attribute_s_odd_date_is_shown_as_it_is_and_an_entry_without_one_is_as_old_as_the_one_before(fake: Fake) -> None:
    log = [
        {"date": date, "user_login": "A", "user_id": "3", "message": "x"}
        for date in ("", "2026-11-24 10:05:00", "0000-00-00 00:00:00")
    ]
    row = {**FIELDS, "start_date": "0001-01-01 00:00:00", "assignment_date": "0000-00-00 00:00:00"}
    (ticket,) = fake.server(objects({**row, "private_log": {"entries": log}})).tickets("UserRequest", [7], TICKET).values()
    assert (ticket.fields["start_date"], ticket.fields["assignment_date"]) == ("0001-01-01 00:00:00", "")
    assert [entry.at for entry in ticket.logs["private_log"]] == [datetime(2026, 11, 24, 3, 5, tzinfo=UTC)] * 3


def test_a_format_of_dates_that_fits_none_is_the_side_s_trouble(fake: Fake) -> None:
    with pytest.raises(
        DateFormatWrong, match="last_update is '2026-11-24 10:13:00', which is not a date in the format 'd/m/Y H:i'"
    ):
        fake.server(objects(FIELDS), date_format="d/m/Y H:i").readable_tickets("UserRequest", [7], TICKET)


def test_a_poll_passes_over_what_it_is_not_shown_and_names_it(fake: Fake) -> None:
    def reply(_: httpx.Request) -> httpx.Response:
        asked = fake.asked[-1]
        low, high = (
            (int(found) for found in re.findall(r"\bid (?:>=|<) (\d+)", asked["key"]))
            if " id >= " in asked["key"]
            else (1, NO_ID)
        )
        there = [number for number in (7, 2000) if low <= number < high]
        if asked.get("limit"):
            return objects(*({**FIELDS, "id": str(number)} for number in there[:1]), found=len(there))
        return page(500) if 2000 in there else objects(*({**FIELDS, "id": str(number)} for number in there))

    changed = fake.server(reply, read_tries=1).changed_tickets(["UserRequest"], AT)
    assert [sighting.ref.id for sighting in changed.sightings] == [7]
    assert changed.odd == {2000}
