"""The pair to play with: started, ended with Ctrl-C. What a newcomer tries on it meanwhile is what the tutorial tells."""

from __future__ import annotations

import signal
import subprocess
import sys
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
