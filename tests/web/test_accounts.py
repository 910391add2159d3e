"""Local accounts: who knows the password is signed in for a while, and nobody tries for long."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from itopsync.errors import ConfigurationError
from itopsync.web.accounts import Accounts
from itopsync.web.sessions import MOST, Sessions
from tests.pipes import pipe
from tests.web.desk import ACCOUNTS, Desk

HERE = "http://localhost:8642"
PASSWORD = "correct horse battery"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A console with the accounts of alice, who operates, and of bob."""
    made = Desk(tmp_path, ACCOUNTS)
    for name in ("alice", "bob"):
        Accounts(tmp_path / "accounts").put(name, PASSWORD)
    yield made
    made.close()


def sign_in(desk: Desk, name: str = "alice", password: str = PASSWORD, there: str = "/") -> httpx.Response:
    return desk.post("/sign-in", {"name": name, "password": password, "next": there}, origin=HERE, headers={})


def cookie(answer: httpx.Response) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].split(";")[0]}


def status(desk: Desk, headers: dict[str, str], path: str = "/") -> int:
    return desk.get(path, origin=HERE, headers=headers).status_code


def test_who_has_not_signed_in_sees_the_form_and_nothing_else(desk: Desk) -> None:
    for path in ("/", "/p/demo/attention?x=1", "/t/R-000001"):
        answer = desk.get(path, origin=HERE, headers={})
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")
    assert (
        desk.get("/p/demo/attention?x=1", origin=HERE, headers={}).headers["location"].endswith("?next=/p/demo/attention%3Fx%3D1")
    )
    assert desk.post("/p/demo/ask", {"kind": "sweep"}, origin=HERE, headers={}).headers["location"] == "/sign-in"
    assert desk.asked() == []
    assert "demo" not in desk.get("/sign-in", origin=HERE, headers={}).text


def test_who_knows_the_password_is_signed_in(desk: Desk) -> None:
    answer = sign_in(desk, there="/p/demo/attention")
    assert (answer.status_code, answer.headers["location"]) == (303, "/p/demo/attention")
    assert re.fullmatch(r"itopsync-session=[\w-]{43}; HttpOnly; Path=/; SameSite=strict", answer.headers["set-cookie"])
    assert status(desk, cookie(answer)) == 200
    desk.post("/p/demo/ask", {"kind": "sweep"}, origin=HERE, headers=cookie(answer))
    assert [each.actor for each in desk.asked()] == ["web:alice"]
    bob = cookie(sign_in(desk, "bob"))
    assert desk.post("/p/demo/ask", {"kind": "sweep"}, origin=HERE, headers=bob).status_code == 403


def test_over_https_the_cookie_is_for_this_host_alone(desk: Desk) -> None:
    desk.configure('origin = "https://bridge.example.com"\n' + ACCOUNTS)
    answer = desk.post("/sign-in", {"name": "alice", "password": PASSWORD}, origin="https://bridge.example.com", headers={})
    assert answer.headers["set-cookie"].startswith("__Host-itopsync-session=")
    assert "; Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(("name", "password"), [("alice", "wrong"), ("alice", ""), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_name_and_a_wrong_password_are_told_alike(desk: Desk, name: str, password: str) -> None:
    answer = sign_in(desk, name, password)
    assert (answer.status_code, "Wrong name or password." in answer.text) == (401, True)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("there", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", "evil"])
def test_signing_in_leads_nowhere_else(desk: Desk, there: str) -> None:
    assert sign_in(desk, there=there).headers["location"] == "/"


def test_after_five_tries_a_name_must_wait(desk: Desk) -> None:
    assert [sign_in(desk, password="wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    assert sign_in(desk).status_code == 429, "the right one is not told from a wrong one either"
    assert sign_in(desk, "bob").status_code == 303
    desk.monotonic += 301
    assert sign_in(desk).status_code == 303


def test_one_address_tries_no_more_than_thirty_names(desk: Desk) -> None:
    answers = [sign_in(desk, f"name{number}", "wrong").status_code for number in range(31)]
    assert answers == [401] * 30 + [429]


def test_signing_in_counts_as_no_guess(desk: Desk) -> None:
    """Behind a proxy that keeps the addresses to itself, everybody comes from the same one."""
    assert [sign_in(desk).status_code for _ in range(31)] == [303] * 31


def test_a_session_ends_when_nothing_was_done_for_long(desk: Desk) -> None:
    session = cookie(sign_in(desk))
    desk.monotonic += 29 * 60
    assert status(desk, session) == 200
    desk.monotonic += 29 * 60
    assert status(desk, session) == 200
    desk.monotonic += 30 * 60
    assert status(desk, session) == 303
    assert status(desk, session) == 303


def test_a_page_that_refreshes_itself_keeps_no_session_alive(desk: Desk) -> None:
    session = cookie(sign_in(desk))
    for _ in range(4):
        desk.monotonic += 9 * 60
        answer = desk.get("/p/demo", origin=HERE, headers={**session, "HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-refresh"]) == (204, "true")


def test_a_session_ends_after_twelve_hours_whatever_is_done(desk: Desk) -> None:
    session = cookie(sign_in(desk))
    seen = []
    for _ in range(25):
        desk.monotonic += 29 * 60
        seen.append(status(desk, session))
    assert seen == [200] * 24 + [303]


def test_another_password_and_a_lost_account_end_the_session(desk: Desk, tmp_path: Path) -> None:
    alice, bob = cookie(sign_in(desk)), cookie(sign_in(desk, "bob"))
    Accounts(tmp_path / "accounts").put("alice", "another password")
    Accounts(tmp_path / "accounts").put("bob", None)
    assert (status(desk, alice), status(desk, bob)) == (303, 303)


def test_who_signs_out_is_out(desk: Desk) -> None:
    session = cookie(sign_in(desk))
    assert desk.post("/sign-out", origin=HERE, headers=session).status_code == 303
    assert status(desk, session) == 303


@pytest.mark.parametrize("token", ["", "x", "../../x", "A" * 5000, "=;,"])
def test_a_session_cannot_be_guessed(desk: Desk, token: str) -> None:
    sign_in(desk)
    assert status(desk, {"Cookie": f"itopsync-session={token}"}) == 303


def test_a_form_of_another_site_signs_nobody_in(desk: Desk) -> None:
    answer = desk.post("/sign-in", {"name": "alice", "password": PASSWORD}, origin=HERE, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_the_file_holds_hashes_and_is_its_owners_alone(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert re.fullmatch(r"(?:\w+:\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$\S+\n){2}", path.read_text())
    os.chmod(path, 0o640)
    with pytest.raises(ConfigurationError, match=r"others may read it \(mode 640\)\. Run chmod 600"):
        Accounts(path).all()
    assert sign_in(desk).status_code == 503


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (Path.unlink, "there is no account in it. Restore the file, or add accounts with `itopsync web-user`"),
        (lambda path: path.write_text(""), "there is no account in it"),
        (lambda path: path.write_text(path.read_text()[:-20]), "it is cut off or damaged. Restore it, or delete it"),
        (lambda path: path.write_bytes(bytes(100) + b"\n"), "it is cut off or damaged"),
        (lambda path: path.chmod(0o644), "others may read it"),
    ],
)
def test_a_file_that_is_lost_is_told_as_that_and_sessions_go_on_when_it_is_back(
    desk: Desk, tmp_path: Path, spoil: Callable[[Path], object], told: str
) -> None:
    path = tmp_path / "accounts"
    session, kept = cookie(sign_in(desk)), path.read_bytes()
    spoil(path)
    with capture_logs() as logged:
        for _ in range(7):  # these are no guesses
            answer = sign_in(desk)
            assert (answer.status_code, "The accounts cannot be read" in answer.text) == (503, True)
            assert str(path) not in answer.text
        answer = desk.get("/", origin=HERE, headers=session)
        assert (answer.status_code, answer.text[:42]) == (503, "itopsync: the accounts cannot be read: the")
    assert {(line["event"], line["log_level"]) for line in logged} == {("accounts unusable", "error")}
    assert all(line["reason"].startswith(f"{path}: {told}") for line in logged)
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(kept)
    assert status(desk, session) == 200
    assert sign_in(desk).status_code == 303


def test_accounts_that_are_made_at_once_are_all_there(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "accounts")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: accounts.put(f"user{number}", PASSWORD), range(24)))
    assert len(accounts.all()) == 24


def test_there_are_no_more_sessions_than_fit() -> None:
    sessions = Sessions(timedelta(hours=1), timedelta(hours=1), lambda: 0.0)
    first, *_, last = (sessions.begin("alice", "hash") for _ in range(MOST + 1))
    assert sessions.find(first, by_person=True) is None
    assert sessions.find(last, by_person=True) is not None


def test_a_pipe_in_place_of_the_file_is_not_waited_for(tmp_path: Path) -> None:
    with pipe(tmp_path / "accounts"), pytest.raises(ConfigurationError, match="it is no regular file"):
        Accounts(tmp_path / "accounts").all()
