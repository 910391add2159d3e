"""The pair to play with, as a newcomer uses it: started in one terminal, tried from another, ended with Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from itopsync.exits import ExitCode
from tests.playground import Playground, playground


def test_the_pair_says_all_that_is_needed_to_use_it() -> None:
    with playground() as pair:
        assert pair.told.count("http://127.0.0.1:") == 5
        page = pair.told.splitlines()[0].removeprefix("page      ")
        assert "Two desks and a bridge" in httpx.get(page).text
        assert "sync (sync-password)" in pair.told
        assert pair.configuration.is_file()
        assert (pair.configuration.parent / "external").stat().st_mode & 0o777 == 0o600


def test_without_the_extra_it_says_which_one_brings_the_page() -> None:
    with playground(without="starlette") as pair:
        assert pair.told.splitlines()[0] == "page      not served: it needs the extra web (pip install '.[demo,web]')"
        assert "0 faults, 0 warnings." in _well(pair, "check")


def test_every_command_can_be_tried_on_it() -> None:
    with playground() as pair:
        assert "0 faults, 0 warnings." in _well(pair, "check")
        assert "3 writes on 3 of them" in _well(pair, "plan")
        assert _well(pair, "run-once").startswith("well: 3 new")
        assert "3 linked" in _well(pair, "status")
        assert "3 of 3 linked tickets agree" in _well(pair, "verify")
        assert "linked" in _well(pair, "show", "external:UserRequest:1")
        assert "0 writes on 0 of them" in _well(pair, "plan")


def test_what_people_do_can_be_typed_as_it_is_shown() -> None:
    with playground() as pair:
        _well(pair, "run-once")
        time.sleep(1.1)  # a change within the second that was seen looks like none
        opens, writes = pair.curls()
        assert '"message":"created"' in pair.shell(opens).stdout
        assert '"code":0' in pair.shell(writes).stdout
        told = _well(pair, "run-once")
        assert "1 creation" in told
        assert "1 write" in told
        assert "4 of 4 linked tickets agree" in _well(pair, "verify")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_and_leaves_nothing(end: signal.Signals) -> None:
    with playground() as pair:
        _well(pair, "run-once")
        folder = pair.configuration.parent
        assert folder.is_dir()
        pair.process.send_signal(end)
        rest, _ = pair.process.communicate(timeout=30)
        assert pair.process.returncode == ExitCode.WELL
        assert "are gone" in rest
        assert not folder.exists()


def test_the_day_and_the_pair_are_not_asked_for_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "itopsync", "demo", "--serve", "--once"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == ExitCode.USAGE
    assert "--serve plays no day" in done.stderr


def _well(pair: Playground, *arguments: str) -> str:
    done = pair.itopsync(*arguments)
    assert done.returncode == ExitCode.WELL, done.stdout + done.stderr
    return done.stdout
