"""Hooks are tried, and each says what came of it."""

from __future__ import annotations

import pytest

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk
from tests.watch.mailbox import taking_mail
from tests.watch.receiver import Receiver, receiving


def configure(desk: Desk, receiver: Receiver, mail: int = 9) -> None:
    """Each kind of hook."""
    for name, text in (
        ("chat", receiver.url.replace("http:", "json:") + "/zqchatqz"),
        ("mail", f"mailto://127.0.0.1:{mail}?from=a@acme.example&to=zqdeskqz@acme.example&mode=insecure"),
    ):
        (desk.folder / name).write_text(f"{text}\n")
        (desk.folder / name).chmod(0o600)
    hook = desk.folder / "hook"
    hook.write_text(f"#!/bin/sh\ncat > {desk.folder}/told\n")
    hook.chmod(0o700)
    desk.configure(
        f'[hooks]\ncommand = ["{hook}"]\n'
        f'[hooks.webhook]\nurl = "{receiver.url}/hook"\n[hooks.dead_man]\nurl = "{receiver.url}/ping"\n'
        '[hooks.alerts.chat]\npassword_file = "chat"\n[hooks.alerts.mail]\npassword_file = "mail"\n'
    )


@pytest.mark.usefixtures("no_store")
def test_a_test_reaches_each_hook(desk: Desk) -> None:
    with receiving() as receiver, taking_mail() as mailbox:
        configure(desk, receiver, mailbox.port)
        done = desk.itopsync("hooks", "test")
    told = ["command: delivered", "webhook: delivered", "alerts.chat: delivered", "alerts.mail: delivered", "dead_man: delivered"]
    assert (done.returncode, done.stdout.splitlines()) == (ExitCode.WELL, told)
    assert [(method, path) for method, path, _, _ in receiver.asked] == [
        ("POST", "/hook"),
        ("POST", "/zqchatqz"),
        ("GET", "/ping"),
    ]
    assert (receiver.documents[0]["event"], receiver.documents[0]["count"]) == ("test", 0)
    assert '"event": "test"' in (desk.folder / "told").read_text()
    assert [mail["to"] for mail in mailbox.messages] == ["zqdeskqz@acme.example"]
    assert not (desk.folder / "store.sqlite").exists()


def test_what_is_not_taken_is_told_hook_by_hook_and_no_address_with_it(desk: Desk) -> None:
    with receiving() as receiver:
        configure(desk, receiver)
        receiver.status = 404
        done = desk.itopsync("hooks", "test")
    assert (done.returncode, done.stdout.splitlines()) == (
        ExitCode.TROUBLED,
        [
            "command: delivered",
            "webhook: failed: it answered HTTP 404",
            "alerts.chat: failed: it answered HTTP 404",
            "alerts.mail: failed: Apprise could not deliver it",
            "dead_man: failed: it answered HTTP 404",
        ],
    )
    assert "zq" not in done.stderr


def test_one_is_tried_by_its_name(desk: Desk) -> None:
    with receiving() as receiver:
        configure(desk, receiver)
        done = desk.itopsync("hooks", "test", "alerts.chat")
        assert (done.returncode, done.stdout) == (ExitCode.WELL, "alerts.chat: delivered\n")
        assert [path for _, path, _, _ in receiver.asked] == ["/zqchatqz"]


@pytest.mark.parametrize(
    ("more", "name", "told"),
    [
        ("", (), "no hook is configured"),
        ('[hooks.webhook]\nurl = "http://127.0.0.1:9"\n', ("slack",), "no hook is called 'slack'; there are: webhook"),
    ],
)
def test_what_is_not_there_cannot_be_tried(desk: Desk, more: str, name: tuple[str, ...], told: str) -> None:
    desk.configure(more)
    done = desk.itopsync("hooks", "test", *name)
    assert done.returncode == ExitCode.USAGE
    assert told in " ".join(done.stderr.replace("│", " ").split())
