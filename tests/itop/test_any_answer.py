"""Whatever a server answers, a caller meets values or a RemoteError, and never another exception."""

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from itopsync.errors import BadQuery, LoginRefused, OutcomeUnknown, Refused, RemoteError, SideUnavailable
from itopsync.itop.rows import parse
from itopsync.itop.server import Server
from itopsync.model import File, NewEntry, Ref, Side
from tests.itop.fake import FIELDS, TICKET, settings

AT = datetime(2026, 11, 24, tzinfo=UTC)
REF = Ref(Side.EXTERNAL, "UserRequest", 7)
READS: dict[str, Callable[[Server], object]] = {
    "check_login": lambda server: server.check_login(),
    "own_address": lambda server: server.own_address(),
    "account": lambda server: server.account(),
    "key_class": lambda server: server.key_class("UserRequest", "org_id"),
    "may_create": lambda server: server.may_create("Incident"),
    "may_delete": lambda server: server.may_delete("Incident"),
    "get": lambda server: server.get("UserRequest", 7, ["title"]),
    "count": lambda server: server.count("UserRequest", "SELECT UserRequest"),
    "changed_tickets": lambda server: server.changed_tickets(["UserRequest"], AT),
    "sightings": lambda server: server.sightings("UserRequest", ids=[7]),
    "tickets": lambda server: server.tickets("UserRequest", [7, 8], TICKET),
    "attachments_of": lambda server: server.attachments_of("UserRequest", [7]),
    "attachments_above": lambda server: server.attachments_above(7),
    "attachment_file": lambda server: server.attachment_file(5),
    "image": lambda server: server.image(3, "s"),
}
WRITES: dict[str, Callable[[Server], object]] = {
    "create": lambda server: server.create("UserRequest", {"title": "x"}, {"private_log": [NewEntry(AT, "y")]}, TICKET),
    "update": lambda server: server.update(REF, {"title": "x"}, {"private_log": NewEntry(AT, "y")}, TICKET),
    "stimulate": lambda server: server.stimulate(REF, "ev_x", {}, {}, TICKET),
    "create_attachment": lambda server: server.create_attachment(REF, 3, File("a", "b", b"c"), "m"),
    "delete_attachment": lambda server: server.delete_attachment(REF, 5),
}
ASKS = {**READS, **WRITES}

ODD_TEXTS = [
    "7",
    "UserRequest",
    "1e999",
    "2026-11-24 10:13:00",
    "0000-00-00 00:00:00",
    "9999-12-31 23:59:59",
    "0001-01-01 00:00:00",
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(ODD_TEXTS)
OUR_KEYS = ["code", "message", "objects", "class", "key", "fields", "entries", "contents", "data", "verb", "date", "item_id"]
KEYS = st.sampled_from([*FIELDS, *OUR_KEYS]) | st.text(max_size=4)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
MESSAGES = st.sampled_from(
    [
        "Found: 1",
        "Deleted: 1",
        f"Found: {'9' * 5000}",
        "Found: \N{ARABIC-INDIC DIGIT THREE}",
        "Error: Invalid login",
        "Error: Invalid object UserRequest::7",
        "Invalid stimulus: 'x' on the object y in state 'z'",
        "The current user does not have enough permissions for reading data of class X",
        "x, mysql_errno = 2006, mysql_error = gone",
        "x, mysql_errno = 1406, mysql_error = Data too long for column 'private_log_index' at row 1",
        "json encoding failed with message: x",
    ]
)
CODES = st.sampled_from([0, 0, 0, 1, 2, 3, 4, 10, 11, 12, 13, 100, 1406, -1, "0", "x", 0.5, 1e300]) | SCALARS
FILE = {"data": "YQ==", "mimetype": "a", "filename": "b"}
RIGHT = {**FIELDS, "temp_id": "m", "item_class": "C", "item_id": "7", "contents": FILE}
NEARLY_RIGHT = st.fixed_dictionaries({}, optional={name: st.just(value) | ANYTHING for name, value in RIGHT.items()})
ROWS = st.fixed_dictionaries(
    {"class": st.just("UserRequest") | ANYTHING, "key": st.just("7") | ANYTHING, "fields": NEARLY_RIGHT | ANYTHING}
)
OBJECTS = st.none() | st.dictionaries(st.text(max_size=3), ROWS | ANYTHING, max_size=2)
DOCUMENTS = st.fixed_dictionaries(
    {"code": CODES, "message": MESSAGES | ANYTHING}, optional={"objects": OBJECTS | ANYTHING, "operations": ANYTHING}
)
WHOLE = (DOCUMENTS | ANYTHING).map(lambda document: json.dumps(document, separators=(",", ":")).encode())
BODIES = st.binary(max_size=60) | WHOLE | WHOLE.map(lambda body: body[:-3])
DATES = [
    "Tue, 24 Nov 2026 03:13:00 GMT",
    "Tue, 24 Nov 2026 03:13:00 -0000",
    "Mon, 01 Jan 0001 00:00:00 +1400",
    "Fri, 31 Dec 9999 23:59:59 -1200",
    "yesterday",
    "",
]
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Date": st.sampled_from(DATES),
        "Content-Type": st.sampled_from(["application/json", "text/html", "image/png", "x", ";;;="]),
        "Content-Disposition": st.sampled_from(
            ["inline", 'inline; filename=""', "inline; filename*=utf-8''%ff", 'x; filename="a']
        ),
        "Location": st.sampled_from(["", "/x", "https://x.example/y", "http://[", "https://a:b@x.example", "//", "\x80"]),
        "Content-Length": st.sampled_from(["x", "-1", "99999999999"]),
    },
)
STATUSES = st.just(200) | st.sampled_from([201, 204, 301, 302, 304, 400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504, 599])


def answering(status: int, headers: dict[str, str], body: bytes) -> Server:
    def reply(_: httpx.Request) -> httpx.Response:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        return httpx.Response(status, headers=raw, stream=httpx.ByteStream(body))

    return Server(settings(max_answer_bytes=2000), httpx.MockTransport(reply), sleep=lambda _: None)


def failure_of(ask: Callable[[Server], object], server: Server) -> RemoteError | None:
    try:
        ask(server)
    except RemoteError as error:
        return error
    return None


@pytest.mark.parametrize("ask", ASKS)
@given(STATUSES, HEADERS, BODIES)
@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_answer_is_a_value_or_a_remote_error(ask: str, status: int, headers: dict[str, str], body: bytes) -> None:
    with answering(status, headers, body) as server:
        error = failure_of(ASKS[ask], server)
    if error is not None:
        assert str(error).startswith("external: ")
        assert "\n" not in str(error)
        assert len(str(error)) < 600
        assert ask in WRITES or not isinstance(error, OutcomeUnknown)


@given(st.text(max_size=100), CODES)
def test_a_refusal_of_one_write_is_never_taken_for_a_whole_side_s(text: str, code: Any) -> None:
    body = json.dumps({"code": code, "message": f"Error: an extension's own words {text}"}).encode()
    with answering(200, {}, body) as server, pytest.raises(RemoteError) as caught:
        server.update(REF, {"title": "x"}, {}, TICKET)
    # What an extension throws has any code, but those of the protocol itself.
    if isinstance(caught.value, SideUnavailable):
        assert int(code) in {2, 3, 5, 6, 10, 11, 13}
    else:
        assert isinstance(caught.value, Refused | OutcomeUnknown)
    assert not isinstance(caught.value, LoginRefused | BadQuery)


@given(st.binary(max_size=200), st.booleans())
def test_a_body_is_a_document_or_none(body: bytes, lift: bool) -> None:
    parse(bytearray(body), None, lift_contents=lift)


@given(st.binary(max_size=300), st.sampled_from(["", "\\/"]))
def test_a_file_s_contents_are_lifted_whatever_they_are(data: bytes, slash: str) -> None:
    base64 = json.dumps(b64encode(data).decode())
    if slash:
        base64 = base64.replace("/", slash)
    row = f'{{"class":"A","key":"1","fields":{{"contents":{{"data":{base64}}}}}}}'
    body = f'{{"code":0,"message":"Found: 1","objects":{{"A::1":{row}}}}}'
    document = parse(bytearray(body.encode()), None, lift_contents=True)
    assert document is not None
    assert document.contents == data


def test_a_document_nested_without_end_is_none() -> None:
    assert parse(bytearray(b'{"code":' + b"[" * 100_000), None) is None
