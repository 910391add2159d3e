"""The commands as they are watched: metrics to scrape and as a file, hooks called, the dead man's switch, the log's own lines."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk
from tests.cli.forked import Process
from tests.events import EVENTS
from tests.watch.receiver import Receiver, receiving

PATIENCE = 60.0
QUICK = '[schedule]\npoll = "1s"\n'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def wait_for(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def ask(port: int, path: str) -> tuple[int, str]:
    """What the endpoint says; 0 where there is none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()
    except OSError:
        return 0, ""


# one cycle


def test_a_single_cycle_leaves_its_metrics_calls_somebody_once_and_says_that_it_lives(desk: Desk, receiver: Receiver) -> None:
    desk.configure(
        f'[limits]\nfile_size = "1kB"\n[metrics]\ntextfile = "itopsync.prom"\n'
        f'[hooks.webhook]\nurl = "{receiver.url}/hook"\n[hooks.dead_man]\nurl = "{receiver.url}/ping"\n'
    )
    number = desk.customer.create("UserRequest", title="Printer broken")
    desk.customer.attach("UserRequest", number, "secret plan.bin", "application/octet-stream", bytes(1001))
    assert [desk.itopsync("run-once").returncode for _ in range(2)] == [ExitCode.TROUBLED] * 2  # it stays parked
    told = (desk.folder / "itopsync.prom").read_text()
    assert 'itopsync_writes_total{action="create",outcome="done",pair="demo",side="internal"} 1.0' in told
    assert 'itopsync_cycles_total{kind="poll",outcome="troubled",pair="demo"} 2.0' in told
    assert 'itopsync_items{pair="demo",state="parked"} 1.0' in told
    assert 'itopsync_notifications_total{hook="webhook",outcome="done",pair="demo"} 1.0' in told
    (call,) = receiver.documents
    assert (call["event"], call["calls"][0]["external"]) == ("parked", f"external:UserRequest:{number}")
    assert [path for _, path, _, _ in receiver.asked].count("/ping") == 2


def test_a_cycle_that_a_limit_stops_calls_somebody_and_is_counted(desk: Desk, receiver: Receiver) -> None:
    desk.configure(
        f'[limits]\ncreations = 0\n[metrics]\ntextfile = "itopsync.prom"\n'
        f'[hooks.webhook]\nurl = "{receiver.url}"\n[hooks.dead_man]\nurl = "{receiver.url}"\n'
    )
    desk.customer.create("UserRequest", title="Printer broken")
    assert desk.itopsync("run-once").returncode == ExitCode.SAFETY_STOP
    assert [(method, json.loads(body)["event"]) for method, _, _, body in receiver.asked] == [("POST", "safety_stop")]
    told = (desk.folder / "itopsync.prom").read_text()
    assert 'itopsync_safety_stops_total{limit="creations",pair="demo"} 1.0' in told


def test_a_hook_that_hangs_holds_a_single_cycle_up_no_longer_than_it_may(desk: Desk, receiver: Receiver, tmp_path: Path) -> None:
    receiver.let_go.clear()
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\nexec sleep 600\n")
    hook.chmod(0o700)
    desk.configure(
        f'[limits]\nfile_size = "1kB"\n[hooks]\ncommand = ["{hook}"]\ntimeout = "1s"\n[hooks.webhook]\nurl = "{receiver.url}"\n'
    )
    number = desk.customer.create("UserRequest", title="Printer broken")
    desk.customer.attach("UserRequest", number, "a.bin", "application/octet-stream", bytes(1001))
    done = desk.itopsync("--log-level", "warning", "run-once")  # killed by the test's own patience if it waited
    assert done.returncode == ExitCode.TROUBLED
    failed = [json.loads(line) for line in done.stderr.splitlines() if '"hook failed"' in line]
    assert {line["hook"] for line in failed} == {"command", "webhook"}


# for good


@pytest.fixture
def loop(desk: Desk) -> Iterator[Callable[[], Process]]:
    """Starts `itopsync run`; its log is in the folder."""
    started: list[Process] = []

    def start() -> Process:
        environment = {**os.environ, "PASSWORD": "sync-password"}
        (desk.folder / "log").touch()
        started.append(Process(["run"], desk.folder, environment, ("", Path(os.devnull), desk.folder / "log")))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def events(desk: Desk) -> list[dict[str, object]]:
    return [json.loads(line) for line in (desk.folder / "log").read_text().splitlines()]


def test_a_service_is_scraped_is_healthy_and_says_each_cycle_on_one_line(desk: Desk, loop: Callable[[], Process]) -> None:
    port = free_port()
    desk.configure(f'{QUICK}[metrics]\nlisten = "127.0.0.1:{port}"\nmax_age = "6s"\n')
    process = loop()
    desk.customer.create("UserRequest", title="Printer broken")
    wait_for(lambda: 'itopsync_writes_total{action="create",outcome="done"' in ask(port, "/metrics")[1])
    assert ask(port, "/healthz")[0] == 200
    assert 'itopsync_calls_total{pair="demo",result="ok",side="external",verb="core/get"}' in ask(port, "/metrics")[1]
    desk.internal.maintenance = True
    wait_for(lambda: ask(port, "/healthz")[0] == 503)
    desk.internal.maintenance = False
    wait_for(lambda: ask(port, "/healthz")[0] == 200)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == ExitCode.WELL
    lines = events(desk)
    assert {line["event"] for line in lines} <= EVENTS.keys()
    cycles = {line["cycle"]: line for line in lines if line["event"] == "cycle"}
    (write,) = [line for line in lines if line["event"] == "write" and line["action"] == "create"]
    assert cycles[write["cycle"]]["create"] == 1
    assert {line["level"] for line in cycles.values()} == {"info", "warning"}
    assert [line["event"] for line in lines if str(line["event"]).startswith("side")] == [
        "side unavailable",
        "side available again",
    ]


def test_a_changed_address_is_taken_over_and_one_that_is_taken_stops_no_cycle(desk: Desk, loop: Callable[[], Process]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        desk.configure(f'{QUICK}[metrics]\nlisten = "127.0.0.1:{taken.getsockname()[1]}"\n')
        process = loop()
        desk.customer.create("UserRequest", title="Printer broken")
        wait_for(lambda: len(desk.internal.tickets()) == 1)
        (told,) = [line for line in events(desk) if line["event"] == "metrics not served"]
        assert told["reason"] == "Address already in use"
        port = free_port()
        desk.configure(f'{QUICK}[metrics]\nlisten = "127.0.0.1:{port}"\n')
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: ask(port, "/healthz")[0] == 200)
        process.send_signal(signal.SIGHUP)  # the same address once more
        wait_for(lambda: [line["event"] for line in events(desk)].count("configuration taken over") == 2)
        wait_for(lambda: "itopsync_cycles_total" in ask(port, "/metrics")[1])
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == ExitCode.WELL


def test_a_service_whose_hook_hangs_goes_on_and_stops_at_once(
    desk: Desk, receiver: Receiver, loop: Callable[[], Process]
) -> None:
    receiver.let_go.clear()
    desk.configure(
        f'{QUICK}[limits]\nfile_size = "1kB"\n[hooks]\ntimeout = "50s"\n'
        f'[hooks.webhook]\nurl = "{receiver.url}/hook"\n[hooks.dead_man]\nurl = "{receiver.url}/ping"\n'
    )
    process = loop()
    number = desk.customer.create("UserRequest", title="Printer broken")
    desk.customer.attach("UserRequest", number, "a.bin", "application/octet-stream", bytes(1001))
    wait_for(lambda: {path for _, path, _, _ in receiver.asked} == {"/hook", "/ping"})
    desk.customer.create("UserRequest", title="Another one")
    wait_for(lambda: len(desk.internal.tickets()) == 2)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == ExitCode.WELL
    assert time.monotonic() - began < 20
    assert len(receiver.asked) == 2
