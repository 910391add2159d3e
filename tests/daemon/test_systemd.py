"""What systemd is told, and what happens when it does not listen."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from itopsync.daemon import systemd as systemd_module
from itopsync.daemon.systemd import Systemd


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with tempfile.TemporaryDirectory(prefix="itopsync-") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"{folder}/notify" if request.param == "path" else f"\0itopsync-test-{os.getpid()}")
        heard.settimeout(10)
        yield heard


def address(manager: socket.socket) -> str:
    name = manager.getsockname()
    return name if isinstance(name, str) else "@" + name[1:].decode()


def heard(manager: socket.socket) -> list[str]:
    return manager.recv(65_536).decode().split("\n")


def test_it_speaks_the_protocol(manager: socket.socket) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": address(manager)}, 1)
    systemd.ready("at work")
    assert heard(manager) == ["READY=1", "STATUS=at work"]
    systemd.status("one line\nand no more")
    assert heard(manager) == ["STATUS=one line and no more"]
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    systemd.reloading()
    first, second = heard(manager)
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= before + 60_000_000
    systemd.stopping()
    assert heard(manager) == ["STOPPING=1", "STATUS=stopping"]


def test_signs_of_life_are_given_now_and_then_however_much_goes_on(manager: socket.socket) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": address(manager), "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "7"}, 7)
    assert (systemd.watchdog, systemd.interval) == (4, 1)
    for _ in range(1_000):
        systemd.alive()
    systemd.status("done")
    assert heard(manager) == ["WATCHDOG=1"]
    assert heard(manager) == ["STATUS=done"]
    time.sleep(1.05)
    systemd.alive()
    assert heard(manager) == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="no watchdog"),
        pytest.param({"WATCHDOG_USEC": "400000", "WATCHDOG_PID": "8"}, id="another process's watchdog"),
    ],
)
def test_without_a_watchdog_there_is_no_sign_of_life(manager: socket.socket, environ: dict[str, str]) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": address(manager), **environ}, 7)
    systemd.alive()
    systemd.status("done")
    assert heard(manager) == ["STATUS=done"]


def test_without_systemd_nothing_is_said() -> None:
    systemd = Systemd({"WATCHDOG_USEC": "400000"}, 7)
    with structlog.testing.capture_logs() as logs:
        systemd.ready("at work")
        systemd.alive()
    assert (systemd.watchdog, logs) == (0, [])


def test_a_manager_that_is_gone_is_noted_and_ends_nothing(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}, 7).ready("at work")
    assert [entry["event"] for entry in logs] == ["systemd does not hear us"]


def test_a_manager_that_listens_no_more_is_noted_and_holds_up_nothing(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd_module, "_PATIENCE", 0.01)
    systemd = Systemd({"NOTIFY_SOCKET": address(manager)}, 7)
    with structlog.testing.capture_logs() as logs:
        for _ in range(5_000):  # more than any queue takes
            systemd.status("at work")
            if logs:
                break
    assert [entry["event"] for entry in logs] == ["systemd does not hear us"]
