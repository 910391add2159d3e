"""Whether what is told can be written: a full disk under the log, or a closed stream, changes nothing of what is done."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys

import pytest

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk

FULL = "/dev/full"


@pytest.mark.parametrize("redirected", [f"2>{FULL}", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_cycle_does_its_work_where_nothing_can_be_logged(desk: Desk, redirected: str) -> None:
    desk.configure()
    for title in ("First", "Second"):
        desk.customer.create("UserRequest", title=title)
    assert _run(desk, f"run-once {redirected}") == ExitCode.WELL
    assert len(desk.internal.tickets()) == 2


def test_a_cycle_does_its_work_though_nobody_reads_what_it_logs(desk: Desk) -> None:
    desk.configure()
    for n in range(40):
        desk.customer.create("UserRequest", title=f"No. {n}")
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4_096)
        command = [sys.executable, "-m", "itopsync", "run-once"]
        environment = {**os.environ, "PASSWORD": "sync-password"}
        done = subprocess.run(
            command, cwd=desk.folder, env=environment, stdout=subprocess.DEVNULL, stderr=writing, timeout=60, check=False
        )
    finally:
        os.close(reading)
        os.close(writing)
    assert done.returncode == ExitCode.WELL
    assert len(desk.internal.tickets()) == 40


def test_a_fault_that_cannot_be_told_ends_with_its_code(desk: Desk) -> None:
    (desk.folder / "sync.toml").write_text("")
    assert _run(desk, f"run-once 2>{FULL}") == ExitCode.CONFIGURATION


@pytest.mark.parametrize("command", ["status", "status --json", "report", "run-once", "--help"])
def test_a_full_disk_under_the_output_is_told_in_a_line(desk: Desk, command: str) -> None:
    done = _ran(desk, f"{command} >{FULL}")
    assert done.returncode == ExitCode.TROUBLED
    assert done.stderr.decode().splitlines()[-1] == "itopsync: the output cannot be written: No space left on device."
    assert b"Traceback" not in done.stderr


def _run(desk: Desk, command: str) -> int:
    return _ran(desk, command).returncode


def _ran(desk: Desk, command: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PASSWORD": "sync-password"}
    words = ["sh", "-c", f'exec "$0" -m itopsync {command}', sys.executable]
    return subprocess.run(words, cwd=desk.folder, env=environment, capture_output=True, timeout=60, check=False)
