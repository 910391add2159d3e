"""What is asked: named attributes, batches, one entry a log, and nothing that a server need not know."""

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from itopsync.errors import BadQuery, LogFull, LoginRefused, OutcomeUnknown, Refused, TooLarge, Unreachable
from itopsync.itop.piecewise import NO_ID
from itopsync.itop.settings import Login
from itopsync.model import File, NewEntry, Ref, Side
from itopsync.settings.secrets import Secret
from tests.itop.fake import (
    FIELDS,
    PASSWORD,
    TICKET,
    USER,
    Fake,
    answer,
    error,
    objects,
    page,
    stored,
)

REF = Ref(Side.EXTERNAL, "UserRequest", 7)
NAMES = "id,ref,last_update,finalclass,org_id,status,title,start_date,agent_id,assignment_date,private_log"
AT = datetime(2026, 11, 24, 3, 13, tzinfo=UTC)
ATTACHMENT = {"id": "5", "temp_id": "m", "item_class": "UserRequest", "item_id": "7"}


def ids_in(query: str) -> list[int]:
    return [int(number) for number in query.partition(" IN (")[2].partition(")")[0].split(",")]


def rows_of(request: httpx.Request, fake: Fake) -> httpx.Response:
    """The tickets that a query asks for by their ids."""
    return objects(*({**FIELDS, "id": str(number)} for number in ids_in(fake.asked[-1]["key"]) if number != NO_ID))


def test_each_login_is_sent_where_it_belongs_and_nowhere_else(fake: Fake) -> None:
    ok = answer({"code": 0, "message": "Operations: 0", "operations": []})
    for login in Login:
        fake.server(ok, login=login, password=Secret("t0ken")).check_login()
    form, basic, token = fake.requests
    assert [sorted(sent) for sent in fake.forms] == [["auth_pwd", "auth_user", "json_data"], ["json_data"], ["json_data"]]
    assert fake.forms[0]["auth_user"] == USER
    assert fake.forms[0]["auth_pwd"] == "t0ken"
    assert [str(request.url).partition("?")[2] for request in fake.requests] == [
        "version=1.3",
        "version=1.3&login_mode=basic",
        "version=1.3",
    ]
    assert basic.headers["Authorization"] == "Basic c3luYzp0MGtlbg=="
    assert token.headers["Auth-Token"] == "t0ken"
    for request in (form, token):
        assert "Authorization" not in request.headers
    for request in (form, basic):
        assert "Auth-Token" not in request.headers


def test_a_password_that_is_not_utf_8_in_the_environment_is_sent_as_it_is_there(fake: Fake) -> None:
    ok = answer({"code": 0, "message": "", "operations": []})
    fake.server(ok, login=Login.TOKEN, password=Secret(b"\xff\xe4".decode("utf-8", "surrogateescape"))).check_login()
    assert fake.requests[0].headers.raw[-1][1] == b"\xff\xe4"


def test_an_answer_s_cookie_is_not_sent_back(fake: Fake) -> None:
    # PHP locks the session that it names.
    server = fake.server(
        httpx.Response(200, json={"code": 0, "message": "", "operations": []}, headers={"Set-Cookie": "itop=1; path=/"})
    )
    server.check_login()
    server.check_login()
    assert "Cookie" not in fake.requests[1].headers


def test_only_named_attributes_are_asked_for(fake: Fake) -> None:
    server = fake.server(stored())
    server.create("UserRequest", {}, {}, TICKET)
    server.update(REF, {}, {}, TICKET)
    server.stimulate(REF, "ev_x", {}, {}, TICKET)
    fake.replies[0] = objects(FIELDS)
    server.tickets("UserRequest", [7], TICKET)
    server.sightings("UserRequest")
    server.changed_tickets(["UserRequest"], AT)
    server.count("UserRequest", "SELECT UserRequest")
    fake.replies[0] = objects(ATTACHMENT, cls="Attachment")
    server.attachments_where("id > 0")
    server.create_attachment(REF, 3, File("a", "b", b""), "m")
    light = "id,ref,last_update,finalclass"
    attachment = "id,temp_id,item_class,item_id,creation_date,expire"
    assert [asked["output_fields"] for asked in fake.asked] == [*[NAMES] * 4, light, light, "id", attachment, attachment]


def test_tickets_are_read_in_batches(fake: Fake) -> None:
    server = fake.server(lambda request: rows_of(request, fake), batch=3)
    assert sorted(server.tickets("UserRequest", [9, 1, 5, 5, 3, 8, 2, 7], TICKET)) == [1, 2, 3, 5, 7, 8, 9]
    assert [ids_in(asked["key"]) for asked in fake.asked] == [[1, 2, 3], [5, 7, 8], [9]]


def test_a_ticket_that_the_server_fails_on_does_not_hold_up_the_others(fake: Fake) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        return page(500) if 3 in ids_in(fake.asked[-1]["key"]) else rows_of(request, fake)

    server = fake.server(reply, read_tries=1)
    with pytest.raises(
        Refused, match=r"the server fails on reading UserRequest::3: it failed \(HTTP 500\). See its own error log"
    ):
        server.tickets("UserRequest", range(1, 9), TICKET)
    assert sorted(server.tickets("UserRequest", [1, 2, 4], TICKET)) == [1, 2, 4]


def test_a_server_that_fails_on_everything_is_not_held_against_a_ticket(fake: Fake) -> None:
    with pytest.raises(Unreachable) as caught:
        fake.server(page(500), read_tries=1).tickets("UserRequest", [1, 2], TICKET)
    assert not isinstance(caught.value, Refused)
    assert len(fake.requests) == 2


def test_a_batch_that_is_too_long_is_cut_in_halves(fake: Fake) -> None:
    size = len(objects(FIELDS).content)
    server = fake.server(lambda request: rows_of(request, fake), max_answer_bytes=size + 100)
    assert sorted(server.tickets("UserRequest", [1, 2, 3], TICKET)) == [1, 2, 3]
    with pytest.raises(TooLarge, match="UserRequest::1 is longer than is read"):
        fake.server(max_answer_bytes=size - 1).tickets("UserRequest", [1], TICKET)


def test_a_list_that_is_too_long_says_which_limit_to_raise(fake: Fake) -> None:
    with pytest.raises(Unreachable, match=r"longer than is read\. A larger limits.file_size allows longer answers"):
        fake.server(objects(FIELDS), max_answer_bytes=100).sightings("UserRequest")


def test_a_write_whose_answer_is_too_long_may_have_been_carried_out(fake: Fake) -> None:
    with pytest.raises(OutcomeUnknown):
        fake.server(stored(), max_answer_bytes=100).update(REF, {}, {}, TICKET)


def test_a_count_asks_for_one_row(fake: Fake) -> None:
    assert fake.server(objects(FIELDS, found=100_000)).count("UserRequest", "SELECT UserRequest") == 100_000
    assert (fake.asked[0]["limit"], fake.asked[0]["output_fields"]) == (1, "id")


def test_a_poll_is_one_call_in_the_server_s_own_time(fake: Fake) -> None:
    seen = fake.server(objects(FIELDS)).changed_tickets(["UserRequest", "Incident"], AT)
    assert fake.asked[0]["key"] == (
        "SELECT Ticket WHERE last_update >= '2026-11-24 10:13:00' AND finalclass IN ('UserRequest','Incident')"
    )
    assert seen.at == AT
    assert [sighting.ref for sighting in seen.sightings] == [REF]


def test_a_whole_history_is_one_call_and_an_update_adds_one_entry(fake: Fake) -> None:
    server = fake.server(stored())
    entries = [NewEntry(AT, "<p>a</p>"), NewEntry(AT.replace(hour=4), "<p>b</p>")]
    items = [
        {"date": "2026-11-24T10:13:00+07:00", "message": "<p>a</p>", "format": "html"},
        {"date": "2026-11-24T11:13:00+07:00", "message": "<p>b</p>", "format": "html"},
    ]
    server.create("UserRequest", {"title": "x"}, {"private_log": entries, "public_log": []}, TICKET)
    server.update(REF, {"title": "x"}, {"private_log": entries[0]}, TICKET)
    server.stimulate(REF, "ev_assign", {"title": "x"}, {"private_log": entries[1]}, TICKET)
    create, update, stimulate = fake.asked
    assert create["fields"] == {"title": "x", "private_log": {"items": items}}
    # "items" in an update would replace the whole log.
    assert update["fields"] == {"title": "x", "private_log": {"add_item": items[0]}}
    assert stimulate["fields"] == {"title": "x", "private_log": {"add_item": items[1]}}
    assert (stimulate["stimulus"], stimulate["key"], stimulate["comment"]) == ("ev_assign", 7, "itopsync")


def test_values_are_sent_as_itop_takes_them(fake: Fake) -> None:
    fields = {"start_date": "2026-11-24T03:13:00Z", "assignment_date": "", "agent_id": "", "team_id": {"name": "Helpdesk"}}
    fake.server(stored()).update(REF, fields, {}, TICKET)
    # An empty text for a key would be taken for a query, and crash iTop.
    assert fake.asked[0]["fields"] == {
        "start_date": "2026-11-24 10:13:00",
        "assignment_date": "",
        "agent_id": 0,
        "team_id": {"name": "Helpdesk"},
    }


def test_a_write_s_answer_is_what_is_now_there(fake: Fake) -> None:
    ticket = fake.server(stored(title="y", status="assigned")).update(REF, {"title": "y"}, {}, TICKET)
    assert (ticket.ref, ticket.number, ticket.version, ticket.state) == (REF, "R-000007", "2026-11-24 10:13:00", "assigned")
    assert ticket.fields == {
        "org_id": "3",
        "title": "y",
        "start_date": "2026-11-24T03:00:00Z",
        "agent_id": "",
        "assignment_date": "",
    }
    (entry,) = ticket.logs["private_log"]
    assert (entry.author, entry.author_id, entry.html) == ("Alice", "3", "<p>x</p>")
    assert entry.at == datetime(2026, 11, 24, 3, 5, tzinfo=UTC)


def test_an_entry_without_html_is_read_as_text(fake: Fake) -> None:
    log = {"entries": [{"date": "2026-11-24 10:05:00", "user_login": "", "user_id": None, "message": "a < b\nc"}]}
    (entry,) = fake.server(stored(private_log=log)).update(REF, {}, {}, TICKET).logs["private_log"]
    assert (entry.html, entry.author_id) == ("a &lt; b<br>\nc", "")


@pytest.mark.parametrize("number", [1, 2, 3, 4, 13, 1000])
def test_our_account_s_id_is_found_by_comparing(fake: Fake, number: int) -> None:
    def reply(_: httpx.Request) -> httpx.Response:
        return objects(found=3 if number >= int(fake.asked[-1]["key"].rpartition(" ")[2]) else 0)

    assert fake.server(reply).account() == str(number)
    assert len(fake.asked) <= 2 * number.bit_length() + 1


@pytest.mark.parametrize(("known", "calls"), [("13", 2), ("12", None), ("14", None), ("1000", None)])
def test_whether_our_account_is_still_the_one_that_was_known_takes_two_calls(fake: Fake, known: str, calls: int | None) -> None:
    def reply(_: httpx.Request) -> httpx.Response:
        return objects(found=3 if int(fake.asked[-1]["key"].rpartition(" ")[2]) <= 13 else 0)

    assert fake.server(reply).account(known) == "13"
    assert calls in {None, len(fake.asked)}


@pytest.mark.parametrize("found", [0, 3])
def test_a_server_that_does_not_compare_ends_the_search(fake: Fake, found: int) -> None:
    with pytest.raises(BadQuery, match="our own account's id"):
        fake.server(objects(found=found)).account("13")
    assert len(fake.asked) < 40


def test_an_answer_without_a_clock_or_a_count_is_not_trusted(fake: Fake) -> None:
    for reply in (httpx.Response(200, json={"code": 0, "message": "Found: 0", "objects": None}), objects(message="Found some")):
        with pytest.raises(Unreachable, match="without a count or without a Date header"):
            fake.server(reply).count("UserRequest", "SELECT UserRequest")
        fake.replies.clear()


def test_what_follows_a_refused_login_does_not_hide_it(fake: Fake) -> None:
    with pytest.raises(LoginRefused):
        fake.server(error(1, "Error: Invalid login")).account()
    assert len(fake.requests) == 1


@pytest.mark.parametrize("login", Login)
def test_a_password_that_was_changed_in_its_file_is_used_once_the_old_one_is_refused(
    fake: Fake, tmp_path: Path, login: Login
) -> None:
    path = tmp_path / "password"
    path.touch(0o600)
    right = "second"

    def reply(request: httpx.Request) -> httpx.Response:
        basic = b64encode(f"{USER}:{right}".encode()).decode()
        sent = {fake.forms[-1].get("auth_pwd"), *map(request.headers.get, ("Auth-Token", "Authorization"))}
        return objects(FIELDS) if sent & {right, f"Basic {basic}"} else error(1, "Error: Invalid login")

    server = fake.server(reply, login=login, password=Secret("first"), password_file=str(path))
    for contents in ("first\n", ""):  # empty: it is being written
        path.write_text(contents)
        with pytest.raises(LoginRefused, match="if the password was changed since itopsync started, restart it"):
            server.count("UserRequest", "SELECT UserRequest")
    assert len(fake.requests) == 2
    path.write_text("second\n")
    server.count("UserRequest", "SELECT UserRequest")
    assert len(fake.requests) == 4
    right = "third"
    path.write_text("third\n")
    with pytest.raises(LoginRefused):
        server.update(REF, {}, {}, TICKET)  # a write is sent once
    assert len(fake.requests) == 5
    server.update(REF, {}, {}, TICKET)
    assert len(fake.requests) == 6


def test_a_log_that_is_full_is_told_before_anything_is_quoted(fake: Fake) -> None:
    quoted = "Error: Failed to issue SQL query: query = " + f"UPDATE x SET y = '{PASSWORD} story' " * 10_000
    reply = error(100, quoted + ", mysql_errno = 1406, mysql_error = Data too long for column 'private_log_index' at row 1}")
    with pytest.raises(LogFull) as caught:
        fake.server(reply).update(REF, {}, {"private_log": NewEntry(AT, "story")}, TICKET)
    assert str(caught.value) == (
        "external: core/update UserRequest::7 is refused: private_log takes no further entry: its index is full"
    )
