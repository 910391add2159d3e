"""One exchange over a real connection: how far it got, and what it may cost."""

import gzip
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from itopsync.errors import OutcomeUnknown, TooLarge, Unreachable
from itopsync.itop.server import Server
from itopsync.model import Ref, Side
from tests.itop.fake import TICKET, settings
from tests.itop.wire import AUTHORITY, TLS, http, listening, saying

REF = Ref(Side.EXTERNAL, "UserRequest", 7)
OK = http(b'{"code":0,"message":"Operations: 0","operations":[]}')


@contextmanager
def client(url: str, **changes: Any) -> Iterator[Server]:
    plain = settings(url=url, read_tries=1, connect_timeout=2.0, timeout=timedelta(seconds=0.5))
    with Server(plain if not changes else settings(**{**vars(plain), **changes})) as server:
        yield server


def hang(connection: socket.socket) -> None:
    time.sleep(1)


def hang_up(connection: socket.socket) -> None:
    pass


def write(server: Server) -> None:
    server.update(REF, {"title": "x"}, {}, TICKET)


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("url", ["", "http://nobody.invalid", "http://nobody.invalid:99999", "http://[::"])
def test_a_write_that_never_got_out_was_not_carried_out(url: str) -> None:
    with client(url or nobody()) as server:
        for ask in (write, Server.check_login):
            with pytest.raises(Unreachable, match="cannot be reached"):
                ask(server)


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Names a proxy in the environment, for all."""

    def named(proxy: str) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name.upper(), raising=False)
            monkeypatch.setenv(name, "" if name == "no_proxy" else proxy)

    return named


@pytest.mark.parametrize("proxy", ["socks5://bob:secret@127.0.0.1:1", "gopher://127.0.0.1", "http://bob:secret@127.0.0.1:port"])
def test_a_proxy_of_another_kind_is_told(through: Callable[[str], None], proxy: str) -> None:
    through(proxy)
    with client("https://desk.example.com") as server, pytest.raises(Unreachable, match="of no kind that can be used") as told:
        server.check_login()
    assert "the proxy " in str(told.value)
    assert "secret" not in str(told.value)


def test_what_a_proxy_does_not_reach_names_it(through: Callable[[str], None]) -> None:
    proxy = nobody()
    through(proxy.replace("//", "//bob:secret@"))
    with client("https://desk.example.com") as server, pytest.raises(Unreachable, match="cannot be reached") as told:
        server.check_login()
    assert f"by the proxy {proxy} that the environment names). Check that proxy" in str(told.value)


def test_what_is_not_encrypted_goes_through_no_proxy(through: Callable[[str], None]) -> None:
    through(nobody())
    with listening(saying(OK)) as (url, _), client(url) as server, pytest.raises(Unreachable, match="gave an answer"):
        server.count("UserRequest", "SELECT UserRequest")


def test_a_host_in_no_proxy_is_reached_without(through: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    through("socks5://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with client(nobody().replace("http:", "https:")) as server, pytest.raises(Unreachable) as told:
        server.check_login()
    assert "proxy" not in str(told.value)


@pytest.mark.parametrize(
    "behaviour", [hang, hang_up, saying(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), saying(b"\x00\xff" * 40)]
)
def test_a_write_without_an_answer_may_have_been_carried_out(behaviour: Any) -> None:
    with listening(behaviour) as (url, begun), client(url) as server:
        with pytest.raises(OutcomeUnknown, match="gave no answer"):
            write(server)
        assert len(begun) == 1
        with pytest.raises(Unreachable, match="gave no answer"):
            server.check_login()


def test_a_server_that_does_not_take_all_of_a_write_may_have_carried_it_out() -> None:
    with listening(hang) as (url, _), client(url) as server, pytest.raises(OutcomeUnknown, match=r"WriteTimeout|WriteError"):
        server.update(REF, {"description": "x" * 50_000_000}, {}, TICKET)


def test_what_is_not_http_is_not_quoted() -> None:
    with listening(saying(b"a ticket's secret\r\n\r\n")) as (url, _), client(url) as server:
        with pytest.raises(Unreachable) as caught:
            server.check_login()
        assert "secret" not in str(caught.value)


def test_a_redirect_is_not_followed() -> None:
    with listening(saying(OK)) as (elsewhere, begun):
        moved = http(b"", "307 Temporary Redirect", f"Location: {elsewhere}/webservices/rest.php?auth_pwd=x")
        with listening(saying(moved)) as (url, _), client(url) as server:
            for ask in (write, Server.check_login):
                with pytest.raises(Unreachable) as caught:
                    ask(server)
                assert str(caught.value) == f"external: the url redirects to {elsewhere}: configure that address as url"
        assert begun == []


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for chunk in repeat(b"10000\r\n" + b" " * 65_536 + b"\r\n", 4000):
        connection.sendall(chunk)


BOMB = gzip.compress(bytes(50_000_000))
TWICE = gzip.compress(gzip.compress(bytes(10_000)))


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(endless, id="endless"),
        pytest.param(saying(http(bytes(200_000))), id="told-at-once"),
        pytest.param(saying(http(BOMB, "200 OK", "Content-Encoding: gzip")), id="compressed"),
        pytest.param(saying(http(TWICE, "200 OK", "Content-Encoding: gzip, gzip")), id="twice"),
        pytest.param(
            saying(http(TWICE, "200 OK", "Content-Encoding: gzip\r\nContent-Encoding: gzip")), id="twice-in-two-headers"
        ),
    ],
)
def test_an_answer_is_read_up_to_a_limit(behaviour: Any) -> None:
    with listening(behaviour) as (url, _), client(url, max_answer_bytes=100_000) as server:
        with pytest.raises(Unreachable, match="longer than is read"):
            server.count("UserRequest", "SELECT UserRequest")
        with pytest.raises(TooLarge, match="longer than is read"):
            server.attachment_file(5)
        with pytest.raises(OutcomeUnknown, match="more than is read"):
            write(server)


def test_an_answer_may_be_compressed() -> None:
    body = gzip.compress(b'{"code":0,"message":"Found: 3","objects":null}')
    with listening(saying(http(body, "200 OK", "Content-Encoding: gzip"))) as (url, _), client(url) as server:
        assert server.count("UserRequest", "SELECT UserRequest") == 3


def test_a_compressed_answer_that_is_not_is_no_answer() -> None:
    behaviour = saying(http(b"{}", "200 OK", "Content-Encoding: gzip"))
    with listening(behaviour) as (url, _), client(url) as server, pytest.raises(OutcomeUnknown):
        write(server)


def test_the_authority_that_is_configured_is_trusted_and_no_other() -> None:
    with listening(saying(OK), tls=True) as (url, begun):
        with client(url, ca_file=AUTHORITY) as server:
            server.check_login()
        with client(url) as server, pytest.raises(Unreachable, match="Name its authority's certificate in ca_file"):
            write(server)
        assert len(begun) == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("expired", r"certificate has expired.*\)\. Have its certificate renewed; what has waited is carried then$"),
        ("future", r"not yet valid.*\)\. Check the clock of this host, and from when its certificate is valid$"),
        ("elsewhere", r"is not valid for 'localhost'.*\)\. Name in url a host for which its certificate is made$"),
    ],
)
def test_a_certificate_out_of_its_time_or_of_another_host_is_told_with_what_to_do(name: str, says: str) -> None:
    certificate = TLS / f"{name}.pem"  # signed by itself, so its authority is trusted
    with listening(saying(OK), tls=True, certificate=certificate) as (url, begun), client(url, ca_file=certificate) as server:
        with pytest.raises(Unreachable, match=says):
            write(server)
        assert begun == []


@pytest.mark.parametrize("name", ["nothing.pem", "."])
def test_an_authority_that_cannot_be_read_is_told_on_making_a_client(tmp_path: Path, name: str) -> None:
    with pytest.raises((FileNotFoundError, IsADirectoryError, ssl.SSLError)):
        Server(settings(ca_file=tmp_path / name))


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_of_today_is_spoken(newest: ssl.TLSVersion) -> None:
    with listening(saying(OK), tls=True, newest=newest) as (url, _), client(url, ca_file=AUTHORITY) as server:
        server.check_login()


def test_tls_before_1_2_is_refused_even_where_the_host_would_take_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "create_default_context", _lenient)
    with listening(saying(OK), tls=True, newest=ssl.TLSVersion.TLSv1_1) as (url, begun), client(url, ca_file=AUTHORITY) as server:
        with pytest.raises(Unreachable, match=r"cannot be reached \(ConnectError: .*(PROTOCOL|VERSION)"):
            server.check_login()
        assert begun == []


def _lenient(cafile: Path) -> ssl.SSLContext:
    """What a host may have for a default that still speaks TLS 1.0."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_verify_locations(cafile)
    return context
