"""Who we are and what proves it is shown to nobody but the server: not in a text, a traceback with locals or a log."""

import copy
import io
import pickle
import traceback
from collections.abc import Callable

import httpx
import pytest
import structlog

from itopsync import logs
from itopsync.errors import ItopsyncError, RemoteError
from itopsync.itop.server import Server
from itopsync.itop.settings import Login
from itopsync.model import File, Ref, Side
from itopsync.settings.secrets import Secret
from tests.itop.fake import TICKET, Fake, Reply, error, page, settings

NAME, PASSWORD = "quartermaster", "Xy7-opens-all"
ENCODED = "cXVhcnRlcm1hc3RlcjpYeTctb3BlbnMtYWxs"
"""Both, as HTTP Basic has them."""
REF = Ref(Side.EXTERNAL, "UserRequest", 7)


def shows_nothing(text: str) -> bool:
    return not any(secret in text for secret in (NAME, PASSWORD, ENCODED))


def in_full(exception: BaseException) -> str:
    """All that a person or a program may be shown of an exception: its chain, and the locals of each frame."""
    plain = "".join(traceback.TracebackException.from_exception(exception, capture_locals=True).format())
    as_data = structlog.tracebacks.ExceptionDictTransformer(show_locals=True, locals_max_string=100_000)
    return f"{plain}{as_data((type(exception), exception, exception.__traceback__))}{exception!r}{exception.args!r}"


class Interrupt(BaseException):
    """What a signal raises amid an exchange."""


FAILURES: dict[str, Reply] = {
    "login": error(1, "Error: Invalid login"),
    "right": error(1, "The current user does not have enough permissions for modifying data of class UserRequest"),
    "crash": page(500),
    "redirect": page(302, Location=f"https://{NAME}:{PASSWORD}@elsewhere.example/?auth_pwd={PASSWORD}"),
    "web-server": page(401),
    "no-connection": httpx.ConnectError("refused"),
    "no-answer": httpx.ReadTimeout("slow"),
    "header": httpx.LocalProtocolError(f"Illegal header value b'{PASSWORD}'"),
    "echo": httpx.RemoteProtocolError(f"illegal header line: bytearray(b'{PASSWORD}')"),
}
READS: list[Callable[[Server], object]] = [
    lambda server: server.check_login(),
    lambda server: server.tickets("UserRequest", [7], TICKET),
    lambda server: server.image(3, "s"),
]
WRITES: list[Callable[[Server], object]] = [
    lambda server: server.update(REF, {"title": "x"}, {}, TICKET),
    lambda server: server.create_attachment(REF, 3, File("a", "b", b"c"), "m"),
    lambda server: server.delete_attachment(REF, 1),
]


def client(fake: Fake, login: Login, *replies: Reply) -> Server:
    return fake.server(*replies, username=NAME, password=Secret(PASSWORD), login=login, read_tries=1)


@pytest.mark.parametrize("login", Login)
@pytest.mark.parametrize("failure", FAILURES)
def test_no_error_shows_them(fake: Fake, login: Login, failure: str) -> None:
    server = client(fake, login, FAILURES[failure])
    for ask in (*READS, *WRITES):
        with pytest.raises(RemoteError) as caught:
            ask(server)
        shown = in_full(caught.value)
        assert "server = <itopsync" in shown  # locals are shown
        assert shows_nothing(shown)


@pytest.mark.parametrize("login", Login)
def test_an_interrupt_amid_an_exchange_shows_nothing_either(fake: Fake, login: Login) -> None:
    def interrupt(request: httpx.Request) -> httpx.Response:
        held = (request.read(), dict(request.headers))
        raise Interrupt(len(held))

    server = client(fake, login, interrupt)
    for ask in (*READS, *WRITES):
        with pytest.raises(Interrupt) as caught:
            ask(server)
        assert shows_nothing(in_full(caught.value))


def test_settings_and_secrets_show_nothing() -> None:
    plain = settings(username=NAME, password=Secret(PASSWORD))
    secret = plain.password
    for shown in (plain, plain.model_dump() | {"username": ""}, secret, copy.deepcopy(secret)):
        assert shows_nothing(f"{shown} {shown!r}")
    assert secret == Secret(PASSWORD) != Secret(NAME)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(plain)
    with pytest.raises(AttributeError):
        secret._text = NAME


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_log_at_its_most_talkative_shows_nothing(
    fake: Fake, json_lines: bool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    logs.configure("debug", stream=stream, json_lines=json_lines)
    log = structlog.get_logger()
    try:
        with caplog.at_level("DEBUG"):
            for login in Login:
                server = client(fake, login, page(500))
                for ask in (*READS, *WRITES):
                    try:
                        ask(server)
                    except ItopsyncError as failure:
                        log.exception("failed", server=server.settings, reason=str(failure), records=fake.records)
    finally:
        structlog.reset_defaults()
    shown = stream.getvalue() + caplog.text + "".join(capsys.readouterr())
    assert shown.count("failed") >= 18
    assert "Traceback" in shown
    assert shows_nothing(shown)
    # An image's address holds its secret, and httpx would log it.
    assert "download_inlineimage&" not in shown
