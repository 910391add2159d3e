"""Alerts by Apprise arrive where their addresses lead, and nobody learns those addresses from what is logged."""

from __future__ import annotations

import io
import logging
from datetime import UTC, datetime

import pytest
import structlog

from itopsync import logs
from itopsync.settings.secrets import Secret
from itopsync.watch.delivery import NotDelivered
from itopsync.watch.hooks import notification, trial
from itopsync.watch.needs import Call
from itopsync.watch.settings import Need
from tests.watch.mailbox import taking_mail
from tests.watch.receiver import Receiver

NOW = datetime(2026, 11, 24, 3, 2, tzinfo=UTC)
STOP = notification("acme", [Call(Need.SAFETY_STOP, "stop:x", "1 < 2 <b>deletions</b> & more", "Run `itopsync plan`.")], NOW)


def send(address: str, told: dict[str, object] = STOP, *, timeout: float = 5.0) -> None:
    from itopsync.watch.alerts import Alert

    Alert(Secret(address), "alerts.one", timeout).send(told)


def test_a_message_says_what_is_wrong_and_what_to_do(receiver: Receiver) -> None:
    send(receiver.url.replace("http:", "json:") + "/hook")
    ((method, path, _, _),) = receiver.asked
    (told,) = receiver.documents
    assert (method, path) == ("POST", "/hook")
    assert (told["title"], told["type"]) == ("itopsync acme: safety stop", "warning")
    assert told["message"] == "itopsync acme: 1 < 2 <b>deletions</b> & more. Run `itopsync plan`."


def test_an_email_arrives_with_the_same_words_as_plain_text() -> None:
    with taking_mail() as mailbox:
        send(f"mailto://127.0.0.1:{mailbox.port}?from=sync@acme.example&to=desk@acme.example&mode=insecure")
    (mail,) = mailbox.messages
    assert (mail["to"], mail["subject"]) == ("desk@acme.example", "itopsync acme: safety stop")
    assert (mail.get_content_type(), mail.get_content().strip()) == ("text/plain", STOP["summary"])


def test_a_test_says_that_it_is_one(receiver: Receiver) -> None:
    send(receiver.url.replace("http:", "json:"), trial("acme", NOW))
    (told,) = receiver.documents
    assert told["title"] == "itopsync acme: test"
    assert "nobody needs to do anything" in told["message"]


def test_the_status_of_a_refusal_is_told(receiver: Receiver) -> None:
    receiver.status = 403
    with pytest.raises(NotDelivered, match=r"^it answered HTTP 403$"):
        send(receiver.url.replace("http:", "json:"))
    with pytest.raises(NotDelivered, match=r"^Apprise could not deliver it$"):  # no status of the one before
        send("json://127.0.0.1:9")


@pytest.mark.parametrize("address", ["pigeon://coop", "slack://", "https//x", "", "json://["])
def test_an_address_that_is_none_is_told_without_it(address: str) -> None:
    with pytest.raises(NotDelivered, match=r"^Apprise does not know its address$"):
        send(address)


class _Hears(logging.Handler):
    """Adds what is logged to a list."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())


@pytest.mark.parametrize("address", ["json://127.0.0.1:9/zqsecretqz", "slack://zqsecretqz", "pigeon://zqsecretqz", "zqsecretqz"])
def test_nothing_that_apprise_says_of_an_address_is_logged(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    logs.configure("debug", stream=stream, json_lines=True)
    said: list[str] = []
    try:
        hears = _Hears(said)
        logging.getLogger("apprise").addHandler(hears)
        with pytest.raises(NotDelivered) as failure:
            send(address)
    finally:
        logging.getLogger("apprise").removeHandler(hears)
        structlog.reset_defaults()
    assert said, "Apprise said nothing that could have told"
    assert "zqsecretqz" not in f"{stream.getvalue()}{capfd.readouterr()}{failure.value!r}"


def test_a_service_that_hangs_is_given_up(receiver: Receiver) -> None:
    receiver.let_go.clear()
    with pytest.raises(NotDelivered, match="could not deliver"):
        send(receiver.url.replace("http:", "json:"), timeout=0.2)
