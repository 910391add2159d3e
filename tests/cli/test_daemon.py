"""The loop as systemd runs it: it carries what comes, stops when told, and lets nobody write beside it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk
from tests.cli.forked import Process

PATIENCE = 30.0
"""Seconds; far more than it takes."""


@pytest.fixture
def daemon(desk: Desk) -> Iterator[Process]:
    """The loop, with a cycle every second."""
    desk.configure('[schedule]\npoll = "1s"\n')
    nowhere = Path(os.devnull)
    environment = {**os.environ, "PASSWORD": "sync-password"}
    process = Process(["--log-level", "error", "run"], desk.folder, environment, ("", nowhere, nowhere))
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()


def _wait_for(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_loop_carries_what_comes_and_stops_when_told(desk: Desk, daemon: Process) -> None:
    desk.customer.create("UserRequest", title="First")
    _wait_for(lambda: len(desk.internal.tickets()) == 1)
    desk.customer.create("UserRequest", title="Second")
    _wait_for(lambda: len(desk.internal.tickets()) == 2)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(PATIENCE) == ExitCode.WELL


def test_a_cycle_beside_the_loop_leaves_at_once(desk: Desk, daemon: Process) -> None:
    desk.customer.create("UserRequest", title="First")
    _wait_for(lambda: len(desk.internal.tickets()) == 1)
    done = desk.itopsync("run-once")
    assert done.returncode == ExitCode.ANOTHER_INSTANCE
    assert f"process {daemon.pid}" in done.stderr


def test_a_killed_loop_is_followed_by_the_next_at_once(desk: Desk, daemon: Process) -> None:
    desk.customer.create("UserRequest", title="First")
    _wait_for(lambda: len(desk.internal.tickets()) == 1)
    daemon.kill()
    daemon.wait(PATIENCE)
    assert desk.itopsync("run-once").returncode in (ExitCode.WELL, ExitCode.TROUBLED)  # a write may be in doubt
    assert len(desk.internal.tickets()) == 1


def test_a_side_that_is_down_does_not_end_the_loop(desk: Desk, daemon: Process) -> None:
    desk.internal.maintenance = True
    desk.customer.create("UserRequest", title="First")
    asked = desk.internal.served
    _wait_for(lambda: desk.internal.served > asked + 3)
    assert daemon.poll() is None
    desk.internal.maintenance = False
    _wait_for(lambda: len(desk.internal.tickets()) == 1)


def test_commands_tell_a_configuration_that_the_loop_has_not_taken_over(desk: Desk, daemon: Process) -> None:
    """A prefix that was added and not reloaded: plan would say that it keeps a note in, and the loop sends it."""

    def told() -> set[bool]:
        done = [desk.itopsync(command) for command in ("plan", "verify", "status", "check")]
        assert {each.returncode for each in done} == {ExitCode.WELL}
        return {"works with another configuration" in each.stderr for each in done}

    desk.customer.create("UserRequest", title="First")
    _wait_for(lambda: len(desk.internal.tickets()) == 1)
    assert told() == {False}
    file = desk.folder / "sync.toml"
    file.write_text(f"# a comment\n{file.read_text()}")
    assert told() == {False}
    file.write_text(file.read_text() + '[rules]\nkeep_internal = ["#staff"]\n')
    assert told() == {True}
    daemon.send_signal(signal.SIGHUP)
    _wait_for(lambda: told() == {False})
    desk.configure()
    daemon.send_signal(signal.SIGTERM)
    daemon.wait(PATIENCE)
    assert told() == {False}
