"""A person is called once for each thing, not too often, over restarts, and no cycle ever waits for it."""

from __future__ import annotations

import errno
import json
import os
import ssl
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from itopsync.errors import ItopsyncError, SafetyStop, StoreUnavailable
from itopsync.model import ItemKey, Side
from itopsync.reconcile import by_hand
from itopsync.settings.section import Surroundings
from itopsync.store.records import CycleKind
from itopsync.watch import HooksSettings, Need, Receiver
from itopsync.watch.delivery import Command, NotDelivered, Web
from itopsync.watch.hooks import LISTED
from tests.engine.rig import Rig
from tests.watch.conftest import TOO_LARGE
from tests.watch.receiver import Receiver as Listening
from tests.watch.service import PATIENCE, Service


def park(rig: Rig, count: int = 1) -> list[int]:
    """Tickets with a file that is too large."""
    numbers = [rig.customer.create("UserRequest", title=f"Secret plan {n}") for n in range(count)]
    for number in numbers:
        rig.customer.attach("UserRequest", number, "secret plan.bin", "application/octet-stream", bytes(TOO_LARGE))
    return numbers


# what is told


def test_a_parked_ticket_calls_somebody_with_what_is_wrong_and_what_to_do(service: Service, receiver: Listening) -> None:
    (number,) = park(service.rig)
    service.cycle()
    service.cycle()
    (told,) = receiver.documents
    link = service.rig.link(number)
    assert told["event"] == "parked"
    assert (told["version"], told["pair"], told["count"]) == (1, "demo", 1)
    assert told["summary"] == (
        f"itopsync demo: {link.external_number}: file: internal: the file has 20001 bytes, more than limits.file_size allows. "
        f"Do what the reason says, or fix the cause and run `itopsync retry {link.id}`; `itopsync show {link.id}` "
        "shows the details."
    )
    (call,) = told["calls"]
    assert (call["link"], call["external"], call["internal"]) == (link.id, str(link.external), str(link.internal))
    assert (call["external_number"], call["internal_number"]) == (link.external_number, link.internal_number)
    assert "ecret" not in json.dumps(told)


def test_a_safety_stop_names_its_limit_and_how_to_let_it_through(service: Service, receiver: Listening) -> None:
    for n in range(201):
        service.rig.customer.create("UserRequest", title=f"No. {n}")
    for _ in range(3):
        service.cycle()
    (told,) = receiver.documents
    assert (told["event"], told["calls"][0]["limit"]) == ("safety_stop", "creations")
    assert told["summary"].count("itopsync plan") == 1
    assert told["summary"].endswith("if it is right, run `itopsync accept creations`.")


def test_a_side_calls_somebody_only_when_it_is_down_for_long(service: Service, receiver: Listening) -> None:
    service.cycle()
    service.rig.internal.maintenance = True
    for _ in range(15):
        service.cycle()
    assert receiver.documents == []
    service.cycle()
    (told,) = receiver.documents
    assert (told["event"], told["calls"][0]["side"]) == ("side_down", Side.INTERNAL)
    assert "maintenance" in told["summary"]


def test_a_side_that_comes_and_goes_calls_nobody(service: Service, receiver: Listening) -> None:
    for _ in range(4):
        service.rig.internal.maintenance = True
        for _ in range(10):
            service.cycle()
        service.rig.internal.maintenance = False
        service.cycle()
    assert receiver.documents == []


def test_another_failure_of_a_cycle_is_told(service: Service, receiver: Listening) -> None:
    service.watch.cycle_ended(CycleKind.POLL, ItopsyncError("the store was lost, and there are copies"))
    service.settle()
    (told,) = receiver.documents
    assert (told["event"], told["calls"][0]["reason"]) == ("cycle_failed", "the store was lost, and there are copies")


def test_what_a_person_parked_calls_nobody(service: Service, receiver: Listening) -> None:
    number = service.rig.customer.create("UserRequest", title="Printer")
    service.cycle()
    service.rig.store.links.amend(service.rig.link(number).id, lambda link: by_hand.parked(link, "anna"), service.rig.now)
    service.cycle()
    assert receiver.documents == []


def test_only_what_is_asked_for_is_told(rig: Rig, receiver: Listening) -> None:
    only = HooksSettings(webhook=Receiver(url=receiver.url), events=(Need.SAFETY_STOP,))
    service = Service(rig, only)
    park(rig)
    service.cycle()
    service.stop()
    assert receiver.documents == []


# once, and not too often


def test_many_at_once_are_one_call_that_lists_some_and_counts_all(service: Service, receiver: Listening) -> None:
    for n in range(LISTED + 5):
        service.rig.customer.create("UserRequest", title=f"No. {n}")
    service.cycle()
    for link in service.rig.store.links.get(range(1, LISTED + 6)):
        stuck = replace(by_hand.parked(link, "anna").obstacles[0], key=ItemKey("state"), tries=3, reason="no way leads there")
        service.rig.store.links.save(replace(link, obstacles=(stuck,), due_at=None), now=service.rig.now, live=False)
    service.cycle()
    (told,) = receiver.documents
    assert (told["count"], len(told["calls"])) == (LISTED + 5, LISTED)
    assert f"And {LISTED + 4} more" in told["summary"]


def test_what_comes_up_meanwhile_is_told_together_when_it_may_be_told_again(service: Service, receiver: Listening) -> None:
    park(service.rig)
    service.cycle()
    assert len(receiver.documents) == 1
    park(service.rig, 3)
    for _ in range(14):
        service.cycle()
    assert len(receiver.documents) == 1
    service.cycle()
    assert [told["count"] for told in receiver.documents] == [1, 3]


def test_another_kind_of_need_does_not_wait_for_the_first(service: Service, receiver: Listening) -> None:
    park(service.rig)
    service.cycle()
    service.watch.cycle_ended(CycleKind.POLL, SafetyStop("deletions", "too many"))
    service.settle()
    assert [told["event"] for told in receiver.documents] == ["parked", "safety_stop"]


def test_nobody_is_called_twice_over_restarts(service: Service, receiver: Listening) -> None:
    park(service.rig)
    service.cycle()
    for _ in range(3):
        service.restart()
        service.cycle(minutes=60)
    assert len(receiver.documents) == 1


def test_what_comes_back_after_it_was_over_is_told_again(service: Service, receiver: Listening) -> None:
    for _ in range(2):
        service.watch.cycle_ended(CycleKind.POLL, SafetyStop("deletions", "too many"))
        service.settle()
        service.cycle(minutes=20)  # a good one
    assert [told["event"] for told in receiver.documents] == ["safety_stop", "safety_stop"]


def test_a_safety_stop_is_not_over_because_a_side_is_down_after_a_restart(service: Service, receiver: Listening) -> None:
    service.watch.cycle_ended(CycleKind.POLL, SafetyStop("deletions", "too many"))
    service.settle()
    service.restart()
    service.rig.internal.maintenance = True
    service.cycle()
    service.rig.wait(hours=1)
    service.watch.cycle_ended(CycleKind.POLL, SafetyStop("deletions", "too many"))
    service.settle()
    assert [told["event"] for told in receiver.documents if told["event"] == "safety_stop"] == ["safety_stop"]


def test_a_hook_that_fails_is_not_tried_more_often_over_restarts(service: Service, receiver: Listening) -> None:
    receiver.status = 500
    park(service.rig)
    for _ in range(14):
        service.cycle()
        service.restart()
    assert len(receiver.documents) == 1


def test_what_another_version_remembered_stops_nothing(rig: Rig, receiver: Listening) -> None:
    for text in ("[]", '{"last": {"elsewhere": "x"}}', "no json"):
        rig.store.facts.put("hook:webhook", text)
        service = Service(rig, HooksSettings(webhook=Receiver(url=receiver.url)))
        service.stop()


# hooks that misbehave


def test_what_was_not_taken_is_told_again_with_what_has_come_up(service: Service, receiver: Listening) -> None:
    receiver.status = 500
    park(service.rig)
    service.cycle()
    service.cycle()
    assert len(receiver.documents) == 1  # not again at once
    park(service.rig)
    receiver.status = 204
    service.cycle(minutes=15)
    service.cycle(minutes=15)
    assert [told["count"] for told in receiver.documents] == [1, 2]


def test_a_hook_that_hangs_delays_no_cycle(service: Service, receiver: Listening) -> None:
    receiver.let_go.clear()
    park(service.rig)
    service.rig.wait(minutes=1)
    report = service.rig.engine.cycle()
    began = time.monotonic()
    for _ in range(50):
        service.watch.cycle_ended(CycleKind.POLL, report)
        service.rig.wait(minutes=20)
    assert time.monotonic() - began < 5
    receiver.let_go.set()
    service.settle()
    assert len(receiver.documents) == 1  # no heap of them either


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://nowhere.invalid/hook-secret", "https://127.0.0.1:9/x"])
def test_a_receiver_that_is_not_there_stops_nothing_and_its_address_is_not_told(
    rig: Rig, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service(rig, HooksSettings(webhook=Receiver(url=url), dead_man=Receiver(url=url)))
    park(rig)
    service.cycle()
    service.stop()
    told = capsys.readouterr().out
    assert told.count("hook failed") == 2
    assert "hook-secret" not in told


def test_a_proxy_gets_no_unencrypted_request_and_one_of_another_kind_stops_nothing(
    receiver: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv(name, "socks5://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.delenv("NO_PROXY", raising=False)
    Web(Receiver(url=receiver.url), "webhook", 2).send({"event": "x"})
    assert len(receiver.documents) == 1
    with pytest.raises(NotDelivered, match="there was no answer"):
        Web(Receiver(url="https://alerts.example.com"), "webhook", 2).send({"event": "x"})


def test_a_store_that_does_not_answer_stops_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(type(service.rig.store.links), "counts", fail)
    service.watch.cycle_ended(CycleKind.POLL, StoreUnavailable("gone"))
    service.watch.cycle_ended(CycleKind.POLL, ItopsyncError("something else"))


# the dead man's switch, and what proves who we are


def test_the_dead_man_hears_of_good_cycles_only(rig: Rig, receiver: Listening) -> None:
    service = Service(rig, HooksSettings(dead_man=Receiver(url=f"{receiver.url}/ping/secret")))
    service.cycle()
    park(rig)
    service.cycle()  # a ticket in trouble is no reason to be silent
    rig.internal.maintenance = True
    service.cycle()
    service.watch.cycle_ended(CycleKind.POLL, SafetyStop("deletions", "too many"))
    service.stop()
    assert [(method, path) for method, path, _, _ in receiver.asked] == [("GET", "/ping/secret")] * 2


def test_the_authorities_are_loaded_once(receiver: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[ssl.SSLContext] = []
    load = httpx.create_ssl_context

    def note() -> ssl.SSLContext:
        loaded.append(load())
        return loaded[-1]

    monkeypatch.setattr(httpx, "create_ssl_context", note)
    way = Web(Receiver(url=receiver.url), "webhook", 5)
    for _ in range(3):
        way.ping()
    assert (len(receiver.asked), len(loaded)) == (3, 1)


def test_a_password_is_sent_as_a_bearer_token(rig: Rig, receiver: Listening) -> None:
    told = {"url": receiver.url, "password_env": "HOOK"}
    around = Surroundings(Path(), {"HOOK": "opens-all"}, rig.now)
    service = Service(rig, HooksSettings(webhook=Receiver.model_validate(told, context=around)))
    park(rig)
    service.cycle()
    service.stop()
    ((_, _, headers, _),) = receiver.asked
    assert headers["Authorization"] == "Bearer opens-all"


def test_a_redirect_is_not_followed(service: Service, receiver: Listening) -> None:
    receiver.status = 302
    park(service.rig)
    service.cycle()
    assert len(receiver.asked) == 1


# commands


def script(folder: Path, text: str) -> str:
    """A program."""
    path = folder / "hook.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_command_is_told_on_its_input_and_in_its_environment_and_given_no_password(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "opens-all")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/secret")
    told, environment = tmp_path / "told.json", tmp_path / "environment"
    command = (script(tmp_path, f'cat > "{told}"; env > "{environment}"; pwd >> "{environment}"; echo "$1"'), "a b; exit 1")
    service = Service(rig, HooksSettings(command=command))
    park(rig)
    service.cycle()
    service.stop()
    document = json.loads(told.read_text())
    assert document["event"] == "parked"
    lines = environment.read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if "=" in line)
    assert (given["ITOPSYNC_EVENT"], given["ITOPSYNC_PAIR"], given["ITOPSYNC_COUNT"]) == ("parked", "demo", "1")
    assert given["ITOPSYNC_SUMMARY"] == document["summary"]
    assert json.loads(given["ITOPSYNC_NOTIFICATION"]) == document
    assert lines[-1] == "/"
    assert {"PASSWORD", "CREDENTIALS_DIRECTORY"}.isdisjoint(given)
    assert "opens-all" not in environment.read_text()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 3", "it exited with 3"),
        ("exec sleep 60", "it took longer than 1 s and was killed"),
        ("sleep 60 & wait", "it took longer than 1 s and was killed"),
        ("kill -9 $$", "it exited with -9"),
    ],
)
def test_a_command_that_fails_or_hangs_is_given_up(
    rig: Rig, tmp_path: Path, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hooks = HooksSettings(command=(script(tmp_path, f"echo $$ > {tmp_path}/pid; {text}"),), timeout=timedelta(seconds=1))
    service = Service(rig, hooks)
    park(rig)
    service.cycle()
    service.stop()
    assert reason in capsys.readouterr().out
    assert alive_in_group(int((tmp_path / "pid").read_text())) == []  # nor does anything that it started go on


def test_only_the_end_of_what_a_command_complains_of_is_passed_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = Command((script(tmp_path, "echo no such host >&2"),), timeout=10)
    command.send({"event": "test", "pair": "demo", "summary": "", "count": 0})
    assert capsys.readouterr().err == "no such host\n"
    command = Command((script(tmp_path, "head -c 1000000 /dev/zero | tr '\\0' x >&2; echo end >&2; exit 1"),), timeout=10)
    with pytest.raises(NotDelivered, match="it exited with 1"):
        command.send({"event": "test", "pair": "demo", "summary": "", "count": 0})
    first, rest = capsys.readouterr().err.split("\n", 1)
    assert first == "A hook wrote 1,000,004 bytes to its standard error. The last 4,096:"
    assert rest == f"{'x' * 4092}end\n"


def test_a_command_for_which_no_file_can_be_opened_is_not_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("os.pipe", full)
    with pytest.raises(NotDelivered, match="it cannot be run: Too many open files"):
        Command((script(tmp_path, "true"),), timeout=10).send({"event": "test", "pair": "demo", "summary": "", "count": 0})


def test_who_goes_on_writing_after_the_command_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = Command((script(tmp_path, "echo here >&2; sleep 5 &"),), timeout=10)
    began = time.monotonic()
    command.send({"event": "test", "pair": "demo", "summary": "", "count": 0})
    assert time.monotonic() - began < 4
    assert capsys.readouterr().err == "here\n"


def alive_in_group(group: int) -> list[str]:
    """The processes of a group, but for those that nobody has buried yet."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append(path.parent.name)
    return found


def test_a_command_that_is_gone_is_a_failure_like_others(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    service = Service(rig, HooksSettings(command=("/nowhere/hook",)))
    park(rig)
    service.cycle()
    service.stop()
    assert "it cannot be run: No such file or directory" in capsys.readouterr().out


def test_the_end_of_the_process_waits_only_a_moment(rig: Rig, tmp_path: Path) -> None:
    service = Service(rig, HooksSettings(command=(script(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60"),)))
    park(rig)
    rig.wait(minutes=1)
    service.watch.cycle_ended(CycleKind.POLL, rig.engine.cycle())
    _wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    service.watch._patience = 0.2
    began = time.monotonic()
    service.stop()
    assert time.monotonic() - began < 5
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def _wait_for(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)
