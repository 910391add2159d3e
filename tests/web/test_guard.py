"""What must not come in does not: strangers, forged names, forms of other sites; and what goes out may do nothing of its own."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest
from starlette.types import Message

from itopsync import config
from itopsync.errors import ConfigurationError, StoreUnavailable
from itopsync.settings import secrets
from itopsync.settings.secrets import Secret
from itopsync.store.records import RequestKind
from tests.web.desk import ORIGIN, PROXIED, PROXY, Desk

PAGES = ("/", "/p/demo", "/p/demo/attention", "/p/demo/activity", "/p/demo/cycles", "/p/demo/verify", "/p/demo/t/1", "/t?q=nope")
SWEEP = {"kind": "sweep"}


# who somebody is


def test_whom_the_proxy_names_is_let_in(desk: Desk) -> None:
    assert desk.get("/").status_code == 200
    assert "alice" in desk.get("/").text


@pytest.mark.parametrize("peer", ["127.0.0.2", "10.0.0.7", "::1", None])
def test_a_name_that_comes_from_elsewhere_than_the_proxy_is_forged(desk: Desk, peer: str | None) -> None:
    for answer in (desk.get("/", peer=peer), desk.post("/p/demo/ask", SWEEP, peer=peer)):
        assert answer.status_code == 403
        assert "elsewhere than the proxy" in answer.text
    assert desk.asked() == []


@pytest.mark.parametrize("forwarded", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_no_header_says_where_somebody_comes_from(desk: Desk, forwarded: str) -> None:
    assert desk.get("/", peer="10.0.0.7", headers={**PROXIED, forwarded: "127.0.0.1"}).status_code == 403


def test_the_socket_is_a_peer_of_its_own(desk: Desk) -> None:
    desk.configure(PROXY.replace('"127.0.0.1"', '"unix"'))
    assert desk.get("/", peer=None).status_code == 200
    assert desk.get("/", peer="127.0.0.1").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Auth-Request-Email", "")],
        [("X-Auth-Request-Email", "   ")],
        [("X-Auth-Request-Email", "mallory"), ("X-Auth-Request-Email", "alice")],
        [("X-Auth-Request-Email", "a" * 201)],
        [("X-Auth-Request-Email", "mallory, alice")],
        [("X-Forwarded-User", "alice")],
    ],
)
def test_without_one_name_nobody_is_let_in(desk: Desk, headers: list[tuple[str, str]]) -> None:
    answer = desk.get("/", headers=headers)
    assert (answer.status_code, "does not say who this is" in answer.text) == (403, True)


def test_who_is_named_neither_as_viewer_nor_as_operator_is_turned_away(desk: Desk) -> None:
    desk.configure(PROXY + 'viewers = ["bob", "group:desk"]\n')
    for name, groups, status in (("bob", "", 200), ("carol", "x, desk", 200), ("alice", "", 200), ("carol", "x", 403)):
        headers = {"X-Auth-Request-Email": name, "X-Auth-Request-Groups": groups}
        assert (name, desk.get("/", headers=headers).status_code) == (name, status)


# what they may do


@pytest.mark.parametrize("name", ["bob", "ALICE", "group:leads", "leads"])
def test_who_is_no_operator_asks_for_nothing(desk: Desk, name: str) -> None:
    headers = {"X-Auth-Request-Email": name}
    for kind in (*RequestKind, "cause"):
        form = {"kind": str(kind), "link": "1", "sure": "yes", "stop": "creations", "cause": "x"}
        assert desk.post("/p/demo/ask", form, headers=headers).status_code == 403
    assert desk.asked() == []
    assert all("/ask" not in desk.get(page, headers=headers).text for page in PAGES)


def test_a_group_makes_an_operator(desk: Desk) -> None:
    headers = {"X-Auth-Request-Email": "dora", "X-Auth-Request-Groups": "desk,leads"}
    assert desk.post("/p/demo/ask", SWEEP, headers=headers).status_code == 303
    assert [each.actor for each in desk.asked()] == ["web:dora"]


def test_without_accounts_and_without_a_proxy_everybody_on_this_machine_looks_and_nobody_asks(desk: Desk) -> None:
    desk.configure("")
    for origin in ("http://localhost:8642", "http://127.0.0.1:8642", "http://[::1]:8642"):
        assert desk.get("/", origin=origin, headers={}).status_code == 200
        assert desk.post("/p/demo/ask", SWEEP, origin=origin).status_code == 403
    assert desk.asked() == []


# forms of other sites


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{ORIGIN}.evil.example"},
        {"Origin": ""},
    ],
)
def test_a_form_of_another_site_asks_for_nothing(desk: Desk, headers: dict[str, str]) -> None:
    answer = desk.post("/p/demo/ask", SWEEP, headers={**PROXIED, **headers})
    assert (answer.status_code, "from another site" in answer.text) == (403, True)
    assert desk.asked() == []


def test_an_older_browser_tells_our_page_by_its_origin(desk: Desk) -> None:
    assert desk.post("/p/demo/ask", SWEEP, headers={**PROXIED, "Origin": ORIGIN}).status_code == 303


def test_nothing_is_asked_for_by_a_link(desk: Desk) -> None:
    assert desk.get("/p/demo/ask?kind=sweep").status_code == 405
    assert desk.asked() == []


@pytest.mark.parametrize("host", ["http://evil.example", "http://localhost", "http://127.0.0.1:8642"])
def test_a_foreign_name_that_leads_here_shows_nothing(desk: Desk, host: str) -> None:
    """So a page of that name cannot read what is shown here (DNS rebinding)."""
    answer = desk.get("/", origin=host)
    assert (answer.status_code, "demo" in answer.text) == (421, False)
    desk.configure("")
    assert desk.get("/", origin="http://evil.example", headers={}).status_code == 421


# what goes out


@pytest.mark.parametrize("page", [*PAGES, "/nowhere", "/static/web.css", "/p/none", "/p/demo/t/99999999999999999999"])
def test_every_answer_is_kept_from_acting_and_from_being_kept(desk: Desk, page: str) -> None:
    headers = desk.get(page).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
    assert headers["cache-control"] == "no-store"


def test_even_a_refusal_has_them(desk: Desk) -> None:
    for answer in (desk.get("/", peer="10.0.0.7"), desk.get("/", origin="http://evil.example")):
        assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("page", PAGES)
def test_no_page_holds_a_script_a_style_or_anything_from_elsewhere(desk: Desk, page: str) -> None:
    text = desk.get(page).text
    assert re.findall(r"<script(?![^>]* src=\"/static/)|<style|\sstyle=|\son\w+=|javascript:", text) == []
    assert {url for url in re.findall(r"(?:src|href|action)=\"(https?:[^\"]+)", text) if "/pages/UI.php?" not in url} == set()


def test_what_a_server_said_is_shown_as_words(desk: Desk) -> None:
    text = desk.get("/p/demo/attention").text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert "<b>bold" not in text


def test_what_is_too_long_is_not_read(desk: Desk) -> None:
    assert desk.post("/p/demo/ask", {"kind": "pause", "reason": "x" * 20_000}).status_code == 413


@pytest.mark.parametrize("length", [[], [(b"content-length", b"10")]])
def test_a_form_that_does_not_keep_to_a_length_is_not_read(desk: Desk, length: list[tuple[bytes, bytes]]) -> None:
    said = _raw(desk, [*length, (b"transfer-encoding", b"chunked")], b"kind=sweep")
    assert said == 413
    assert desk.asked() == []


@pytest.mark.parametrize(
    "path", ["/sign-in%0a", "/sign-in%0d", "/sign-in%00", "/%0a", "/p/demo%0a", "/p/demo/t/1%0a", "/static/%0a"]
)
def test_no_page_has_a_second_address_by_what_cannot_be_printed(desk: Desk, path: str) -> None:
    desk.configure(f'[accounts]\nfile = "{desk.folder}/accounts"\n[roles]\noperators = ["alice"]\n')
    for answer in (desk.get(path), desk.post(path, {"name": "alice", "password": "x"})):
        assert answer.status_code == 404


def _raw(desk: Desk, headers: list[tuple[bytes, bytes]], body: bytes) -> int:
    """The status of a request as no client of ours sends it."""
    own = [(b"host", b"localhost:8642"), (b"sec-fetch-site", b"same-origin"), (b"x-auth-request-email", b"alice")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/p/demo/ask",
        "raw_path": b"/p/demo/ask",
        "query_string": b"",
        "headers": [*own, *headers],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 8642),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(int(str(message["status"])))

    asyncio.run(desk.app(scope, receive, send))
    return statuses[0]


# what it can write


def test_the_console_can_write_requests_and_nothing_else(desk: Desk) -> None:
    store = desk.watched["demo"].store()
    desk.post("/p/demo/ask", SWEEP)
    (asked,) = desk.asked()
    for write in (
        lambda: store.facts.put("pair", "other"),
        lambda: store.links.mark_due([1], desk.now, now=desk.now),
        lambda: store.requests.take(asked.id, desk.now),
        lambda: store.requests.prune(desk.now + timedelta(days=1)),
    ):
        with pytest.raises(StoreUnavailable, match=r"readonly database|not authorized"):
            write()
    assert asked.kind is RequestKind.SWEEP


def test_no_password_of_an_itop_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> Secret:
        raise AssertionError("a password is read")

    monkeypatch.setattr(secrets, "_read", read)
    assert desk.pair.read_text().count('password_env = "PASSWORD"') == 2
    desk.configure(PROXY)
    assert desk.get("/").status_code == 200
    with pytest.raises(ConfigurationError, match="a password is read"):
        config.load(desk.pair, {"PASSWORD": "secret"})
