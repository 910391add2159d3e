"""What an answer means: each is told apart by what recovers from it."""

import httpx
import pytest

from itopsync.errors import (
    REMOTE_TEXT_LIMIT,
    AccessRefused,
    BadQuery,
    LogFull,
    LoginRefused,
    Maintenance,
    Missing,
    OutcomeUnknown,
    ReadOnly,
    Refused,
    RemoteError,
    RequestTooLarge,
    StimulusRefused,
    TimedOut,
    TooLarge,
    Unreachable,
)
from itopsync.itop.answers import ServerFailed
from itopsync.model import File, Ref, Side
from tests.itop.fake import PASSWORD, TICKET, Fake, Reply, answer, error, objects, page, stored

REF = Ref(Side.EXTERNAL, "UserRequest", 7)
MAINTENANCE = answer({"data": [{"code": 100, "message": "This application is currently under maintenance."}], "scripts": []}, 503)
NO_RIGHT = "The current user does not have enough permissions for modifying data of class UserRequest"
NO_PROFILE = (
    "Error: This user is not authorized to use the web services. "
    "(The profile REST Services User is required to access the REST web services)"
)
SQL = "Error: Failed to issue SQL query: query = UPDATE `ticket` SET x='Secret story', mysql_errno = {}, mysql_error = {}"
NOT_UTF_8 = "json encoding failed with message: Malformed UTF-8 characters. Full response structure: " + b"Secret story".hex()
TITLE_TOO_LONG = (
    "Error: Unexpected value for attribute 'Title' (title) : String too long (found 300, limited to 255)"
    ": issues = {0=>Secret story}"
)
NOT_SENT = [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("busy"), httpx.ProxyError("no")]
BROKEN = [httpx.WriteTimeout("slow"), httpx.ReadError("reset"), httpx.WriteError("pipe")]
BROKEN += [httpx.RemoteProtocolError("disconnected"), httpx.LocalProtocolError(f"Illegal header value b'{PASSWORD}'")]

CASES: list[tuple[Reply, type[RemoteError], type[RemoteError], str]] = [
    # what comes back, what it is for a read, what it is for a write, a word of the message
    *((reply, Unreachable, Unreachable, "cannot be reached") for reply in NOT_SENT),
    *((reply, Unreachable, OutcomeUnknown, "gave no answer") for reply in BROKEN),
    (httpx.ReadTimeout("slow"), TimedOut, OutcomeUnknown, "gave no answer"),
    (MAINTENANCE, Maintenance, Maintenance, "maintenance"),
    (answer({"message": "Hors service"}, 503), Maintenance, OutcomeUnknown, "503"),
    (page(503), ServerFailed, OutcomeUnknown, "HTTP 503). See its own error log, or that of the proxy before it"),
    (page(500), ServerFailed, OutcomeUnknown, "HTTP 500"),
    (page(502), ServerFailed, OutcomeUnknown, "HTTP 502"),
    (page(200), Unreachable, OutcomeUnknown, "something else than iTop's JSON"),
    (answer({"x": 1}), Unreachable, OutcomeUnknown, "something else than iTop's JSON"),
    (answer({"code": 0, "message": "", "objects": ["x"]}), Unreachable, OutcomeUnknown, "something else"),
    (httpx.Response(200, text='{"code":0,"mess'), Unreachable, OutcomeUnknown, "something else"),
    (httpx.Response(200, text=""), Unreachable, OutcomeUnknown, "something else"),
    (page(302, Location="https://new.example/itop/?token=abc"), Unreachable, Unreachable, "redirects to https://new.example:"),
    (page(301, Location="/other/"), Unreachable, Unreachable, "another path"),
    (page(301, Location="/itop/webservices/rest.php?x=y"), Unreachable, Unreachable, "the path /itop of the same server"),
    (page(301, Location="https://a.example/b/c/webservices/rest.php"), Unreachable, Unreachable, "to https://a.example/b/c:"),
    (page(301, Location="/a%20b;s=1/webservices/rest.php"), Unreachable, Unreachable, "another path"),
    (page(401), LoginRefused, LoginRefused, "401"),
    (page(403), Unreachable, Refused, "403"),
    (page(404), Unreachable, Unreachable, "url"),
    (page(413), TooLarge, RequestTooLarge, "post_max_size"),
    (page(429), Unreachable, OutcomeUnknown, "429"),
    (error(1, "Error: Invalid login"), LoginRefused, LoginRefused, "username, password"),
    (error(1, "Error: Portal user is not allowed"), LoginRefused, LoginRefused, "Portal user"),
    (error(1, NO_PROFILE), LoginRefused, LoginRefused, "lacks the profile REST Services User"),
    (
        error(1, NO_RIGHT),
        AccessRefused,
        AccessRefused,
        "lacks the right of modifying data of class UserRequest",
    ),
    (error(1, "Error: private_log: Only administrators can set the user id"), AccessRefused, Refused, "Only administrators"),
    (error(3, "Error: Missing parameter 'json_data'"), Unreachable, Unreachable, "code 3"),
    (error(4, "Error: Parameter json_data is not a valid JSON structure"), BadQuery, Refused, "valid JSON"),
    (error(10, "Error: There is no service available for version '1.3'"), Unreachable, Unreachable, "code 10: this version"),
    (error(100, "Invalid stimulus: 'ev_x' on the object R-7 in state 'new'"), BadQuery, StimulusRefused, "in state 'new'"),
    (error(100, "Missing mandatory attribute(s) for applying the stimulus: solution."), BadQuery, Refused, "solution"),
    (error(100, "Error: Invalid object UserRequest::7"), BadQuery, Missing, "no UserRequest::7"),
    (error(100, "Error: Invalid object Person::7"), BadQuery, Refused, "Person::7"),
    (error(100, "Error: agent_id: Invalid object UserRequest::7"), BadQuery, Refused, "agent_id"),
    (error(100, SQL.format(1406, "Data too long for column 'private_log_index' at row 1")), BadQuery, LogFull, "private_log"),
    (
        error(100, SQL.format(1406, "Data too long for column 'title' at row 1")),
        BadQuery,
        TooLarge,
        "data too long) (column title)",
    ),
    (error(100, SQL.format(1153, "Got a packet bigger than 'max_allowed_packet' bytes")), BadQuery, TooLarge, "packet too large"),
    (error(100, SQL.format(2006, "MySQL server has gone away")), Unreachable, OutcomeUnknown, "gone away"),
    (error(100, SQL.format(1213, "Deadlock found when trying to get lock")), Unreachable, Refused, "(deadlock)"),
    (
        error(100, SQL.format(1366, "Incorrect string value: 'Secret story' for column `i`.`t`.`title` at row 1")),
        BadQuery,
        Refused,
        "title",
    ),
    (error(100, SQL.format(1290, "The server is running with the --read-only option")), BadQuery, Unreachable, "(read-only)"),
    (error(1406, SQL.format(1406, "Data too long for column 'private_log_index' at row 1")), BadQuery, LogFull, "private_log"),
    (error(100, NOT_UTF_8), ServerFailed, OutcomeUnknown, "could not write its answer"),
    (error(12, "The deletion requires that other objects be deleted/updated, and more"), BadQuery, Refused, "other objects"),
    (error(42, "Error: The moon is full"), BadQuery, Refused, "The moon is full"),
    (error(100, TITLE_TOO_LONG.replace("'Title' (title) ", "'title'")), BadQuery, TooLarge, "title: String too long (found 300,"),
    (error(100, TITLE_TOO_LONG), BadQuery, TooLarge, "title: String too long (found 300, limited to 255)"),
    (error(100, "Error: title: Value not allowed [Invalid stimulus: private_log_index]"), BadQuery, Refused, "Value not allowed"),
]


@pytest.mark.parametrize(("reply", "as_read", "as_write", "word"), CASES)
def test_an_answer_to_a_read(
    fake: Fake, reply: Reply, as_read: type[RemoteError], as_write: type[RemoteError], word: str
) -> None:
    with pytest.raises(RemoteError) as caught:
        fake.server(reply).count("UserRequest", "SELECT UserRequest")
    # A long answer to a read has other causes than a file.
    assert type(caught.value) is (Unreachable if as_read is TooLarge else as_read)
    assert "Secret story" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(("reply", "as_read", "as_write", "word"), CASES)
def test_an_answer_to_a_write(
    fake: Fake, reply: Reply, as_read: type[RemoteError], as_write: type[RemoteError], word: str
) -> None:
    with pytest.raises(RemoteError, match=r"^external: ") as caught:
        fake.server(reply, objects(message="SIMULATING: Deleted: 0")).update(REF, {"title": "x"}, {}, TICKET)
    assert type(caught.value) is as_write
    assert word in str(caught.value)
    assert "Secret story" not in str(caught.value)
    assert b"Secret story".hex() not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert [asked["operation"] for asked in fake.asked].count("core/update") == 1


def test_a_write_is_never_sent_twice_and_a_read_is(fake: Fake) -> None:
    server = fake.server(page(500), page(200), httpx.ReadError("cut"), objects(found=3))
    with pytest.raises(OutcomeUnknown):
        server.delete_attachment(REF, 1)
    assert len(fake.requests) == 1
    fake.replies.append(objects(found=3))
    assert fake.server(read_tries=3).count("UserRequest", "SELECT UserRequest") == 3
    assert fake.sleeps == [0.5, 1.0]
    assert [record.outcome for record in fake.records] == ["OutcomeUnknown", "Unreachable", "Unreachable", "ok"]


def test_a_read_that_was_not_answered_in_time_is_not_sent_again_at_once(fake: Fake) -> None:
    with pytest.raises(TimedOut):
        fake.server(httpx.ReadTimeout("slow"), read_tries=3).count("UserRequest", "SELECT UserRequest")
    assert len(fake.requests) == 1


@pytest.mark.parametrize("reply", [error(1, "Error: Invalid login"), page(302, Location="/x"), error(100, "Error: no")])
def test_what_another_try_does_not_change_is_not_tried_again(fake: Fake, reply: Reply) -> None:
    with pytest.raises(RemoteError):
        fake.server(reply).check_login()
    assert len(fake.requests) == 1


def test_a_request_that_php_drops_for_its_size_is_told_from_a_wrong_password(fake: Fake) -> None:
    server = fake.server(error(1, "Error: Invalid login"), answer({"code": 0, "message": "Operations: 7", "operations": []}))
    with pytest.raises(RequestTooLarge, match="post_max_size"):
        server.update(REF, {"description": "x" * 1_100_000}, {}, TICKET)
    assert [asked["operation"] for asked in fake.asked] == ["core/update", "list_operations"]


def test_a_large_request_with_a_wrong_password_is_a_wrong_password(fake: Fake) -> None:
    with pytest.raises(LoginRefused):
        fake.server(error(1, "Error: Invalid login")).update(REF, {"description": "x" * 1_100_000}, {}, TICKET)


def test_with_a_login_in_the_header_a_dropped_form_lacks_its_document(fake: Fake) -> None:
    with pytest.raises(TooLarge):
        fake.server(error(3, "Error: Missing parameter 'json_data'")).update(REF, {"description": "x" * 1_100_000}, {}, TICKET)


def test_a_server_in_read_only_mode_is_told_from_a_missing_right(fake: Fake) -> None:
    # Both are refused in the same words. In read-only mode there is nothing else that may be written either.
    with pytest.raises(ReadOnly, match="read-only mode"):
        fake.server(error(1, NO_RIGHT)).update(REF, {"title": "x"}, {}, TICKET)
    assert [(asked["operation"], asked["class"]) for asked in fake.asked] == [
        ("core/update", "UserRequest"),
        ("core/create", "Attachment"),
        ("core/delete", "Attachment"),
    ]


def test_a_refused_file_is_no_read_only_mode_where_tickets_may_be_written(fake: Fake) -> None:
    refused, taken = error(1, NO_RIGHT), error(100, "Error: itopsync-no-such-attribute: Unknown attribute")
    with pytest.raises(AccessRefused) as caught:
        fake.server(refused, refused, refused, taken).create_attachment(REF, 3, File("a", "b", b"c"), "m")
    assert type(caught.value) is AccessRefused
    assert [(asked["operation"], asked["class"]) for asked in fake.asked[1:]] == [
        ("core/create", "Attachment"),
        ("core/delete", "Attachment"),
        ("core/create", "UserRequest"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        [error(100, "Error: itopsync-no-such-attribute: Unknown attribute")],
        [error(1, NO_RIGHT), objects(message="SIMULATING: Deleted: 0")],
        [page(500)],
    ],
)
def test_a_right_that_is_missing_while_another_is_there_is_a_missing_right(fake: Fake, other: list[Reply]) -> None:
    with pytest.raises(AccessRefused, match="lacks the right of modifying data of class UserRequest") as caught:
        fake.server(error(1, NO_RIGHT), *other).update(REF, {"title": "x"}, {}, TICKET)
    assert type(caught.value) is AccessRefused


def test_rights_are_asked_without_writing(fake: Fake) -> None:
    server = fake.server(error(100, "Error: itopsync-no-such-attribute: Unknown attribute"), error(1, NO_RIGHT))
    assert server.may_create("Incident")
    assert not server.may_delete("Incident")
    create, delete = fake.asked
    assert create["fields"].keys() == {"itopsync-no-such-attribute"}
    assert (delete["key"], delete["simulate"]) == (0, True)


def test_a_class_that_is_not_there_is_no_missing_right(fake: Fake) -> None:
    server = fake.server(error(100, "Error: class: 'Change' is not a valid class'"))
    with pytest.raises(BadQuery, match="'Change' is not a valid class"):
        server.may_create("Change")
    with pytest.raises(BadQuery, match="'Change' is not a valid class"):
        server.may_delete("Change")


def test_a_stimulus_without_an_object_in_its_answer_was_refused(fake: Fake) -> None:
    with pytest.raises(StimulusRefused):
        fake.server(answer({"code": 0, "message": None, "objects": None})).stimulate(REF, "ev_assign", {}, {}, TICKET)


@pytest.mark.parametrize("reply", [stored(last_update=None, start_date="soon"), stored(private_log="x"), objects(message=None)])
def test_a_write_whose_answer_cannot_be_read_may_have_been_carried_out(fake: Fake, reply: httpx.Response) -> None:
    with pytest.raises(OutcomeUnknown):
        fake.server(reply).update(REF, {"title": "x"}, {}, TICKET)


def test_an_error_that_quotes_a_whole_ticket_is_cut(fake: Fake) -> None:
    with pytest.raises(Refused) as caught:
        fake.server(error(100, "Error: " + "story " * 50_000)).update(REF, {"title": "x"}, {}, TICKET)
    assert len(str(caught.value)) < REMOTE_TEXT_LIMIT + 100
