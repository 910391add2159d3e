"""Who is connected and neither asks nor listens is not waited for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from structlog.testing import capture_logs

from itopsync.web import serve, settings
from tests.web.browser import serving
from tests.web.desk import Desk

SOON = 0.5
IN_TIME = 10.0
"""Seconds within which a connection has ended by itself."""
A_FORM = b"POST /sign-in HTTP/1.1\r\nHost: %b\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 100\r\n\r\nname="


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(serve, "PATIENCE", SOON)
    desk = Desk(tmp_path, web=f'[accounts]\nfile = "{tmp_path}/accounts"\n[roles]\noperators = ["alice"]\n')
    with serving(desk) as address:
        yield address
    desk.close()


@pytest.mark.parametrize("sent", [b"", b"GET /sign-in HTTP/1.1\r\nHost: loc", A_FORM])
def test_connections_that_never_finish_a_request_make_room(address: str, sent: bytes) -> None:
    where = urlsplit(address)
    with ExitStack() as stack:
        held = [
            stack.enter_context(_connected(address, sent.replace(b"%b", where.netloc.encode())))
            for _ in range(serve.MOST_AT_ONCE - 1)
        ]
        assert [each.recv(1000) for each in held] == [b""] * len(held)
    assert httpx.get(f"{address}/sign-in").status_code == 200


def test_a_second_request_must_be_finished_too(address: str) -> None:
    request = f"GET /sign-in HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\n".encode()
    with _connected(address, request + b"\r\n") as held:
        assert held.recv(100_000).startswith(b"HTTP/1.1 200")
        held.sendall(request)
        began = time.monotonic()
        while held.recv(100_000):
            pass
    assert time.monotonic() - began < uvicorn.Config("").timeout_keep_alive


def test_who_takes_no_answer_makes_room(address: str) -> None:
    request = f"GET /sign-in HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\n\r\n".encode()
    with _connected(address) as held, pytest.raises(ConnectionError):
        held.sendall(request * 400_000)


def test_what_a_reload_does_not_take_over_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    path = tmp_path / "web.toml"
    old = settings.load(path, {})
    path.write_text(path.read_text().replace("127.0.0.1", "127.0.0.2").replace('"alice"', '"bob"'))
    with capture_logs() as logged:
        serve.reload(desk.app.access, old, lambda: settings.load(path, {}))
    assert [(line["event"], line.get("key")) for line in logged] == [
        ("needs a restart", "proxy"),
        ("configuration taken over", None),
    ]
    assert desk.app.access.roles.operators == ("bob", "group:leads")
    assert desk.get("/").status_code == 200, "the proxy is the old one"
    desk.close()


def _connected(address: str, sent: bytes = b"") -> socket.socket:
    where = urlsplit(address)
    assert where.port is not None
    made = socket.socket()
    made.settimeout(IN_TIME)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
    made.connect(("127.0.0.1", where.port))
    made.sendall(sent)
    return made
