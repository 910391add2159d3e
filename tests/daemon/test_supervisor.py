"""Several pairs below one process: none holds up another, whatever becomes of it."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from itopsync import logs
from itopsync.daemon import supervisor
from itopsync.daemon.signals import Signals
from itopsync.daemon.systemd import Systemd
from itopsync.exits import ExitCode, told
from tests.cli.conftest import Desk
from tests.daemon.conftest import Host, wait_for

_FROM = multiprocessing.get_context("forkserver")
WATCHDOG = 1.0


def _pair(file: Path) -> None:
    """A pair whose ``sync.toml`` is one word that says how it behaves; it writes down each of its starts."""
    with (file.parent / "starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    how = file.read_text()
    if how == "faulty":
        sys.exit(ExitCode.CONFIGURATION)
    if how == "failing":
        sys.exit(ExitCode.STORE)
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (file.parent / "deaf").touch()
        time.sleep(60)
    systemd = Systemd(os.environ, os.getpid())
    with Signals(reload=True) as signals:
        systemd.ready("at work")
        while signals.stop is None:
            if signals.reload:
                signals.reload = False
                (file.parent / "reloaded").touch()
            if how != "hanging":
                systemd.alive()
            signals.wait(systemd.interval)


def _supervise(folder: Path, address: str, log: Path) -> None:
    logs.configure(stream=log.open("a", buffering=1))
    os.environ |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(int(WATCHDOG * 1_000_000))}
    supervisor.RESTART_PAUSE, supervisor.LONGEST_WAIT, supervisor.KILL_AFTER, supervisor.STOP_WITHIN = 0.2, 0.1, 0.5, 1.0
    sys.exit(supervisor.run_all(folder, _pair))


@dataclass
class Supervised:
    """A supervisor in a process of its own, above the pairs of a folder."""

    folder: Path
    log: Path
    notices: socket.socket
    process: ForkServerProcess

    def pair(self, name: str, how: str) -> None:
        (self.folder / name).mkdir(exist_ok=True)
        (self.folder / name / "sync.toml").write_text(how)

    def starts(self, name: str) -> list[int]:
        path = self.folder / name / "starts"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_until_it_says(self, line: str) -> None:
        said: list[str] = []

        def heard() -> bool:
            try:
                while True:
                    said.extend(self.notices.recv(65_536).decode().split("\n"))
            except BlockingIOError:
                return line in said

        wait_for(heard)

    def send(self, number: signal.Signals) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def stop(self) -> int | None:
        self.send(signal.SIGTERM)
        self.process.join(30)
        return self.process.exitcode


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    folder, log = tmp_path / "pairs", tmp_path / "log"
    folder.mkdir()
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)) as notices:
        notices.bind(str(tmp_path / "s"))
        process = _FROM.Process(target=_supervise, args=(folder, str(tmp_path / "s"), log))
        made = Supervised(folder, log, notices, process)
        yield made
        if process.is_alive():
            made.stop()


def _gone(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    return False


def test_each_pair_has_a_process_and_all_end_with_it(supervised: Supervised) -> None:
    for name in ("acme", "globex"):
        supervised.pair(name, "working")
    supervised.process.start()
    supervised.wait_until_it_says("STATUS=2 of 2 pairs run")
    numbers = [*supervised.starts("acme"), *supervised.starts("globex")]
    assert len({*numbers, supervised.process.pid}) == 3
    assert supervised.stop() == ExitCode.WELL
    assert all(map(_gone, numbers))


def test_one_whose_configuration_is_at_fault_rests_until_it_is_mended(supervised: Supervised) -> None:
    supervised.pair("acme", "working")
    supervised.pair("globex", "faulty")
    supervised.process.start()
    supervised.wait_until_it_says("STATUS=1 of 2 pairs run; globex: its configuration is at fault: mend it, then reload")
    time.sleep(0.5)
    assert len(supervised.starts("globex")) == 1
    supervised.pair("globex", "working")
    supervised.send(signal.SIGHUP)
    supervised.wait_until_it_says("STATUS=2 of 2 pairs run")
    wait_for((supervised.folder / "acme" / "reloaded").exists)
    assert len(supervised.starts("acme")) == 1


def test_all_at_fault_end_it_as_they_would_end_the_service_of_one(supervised: Supervised) -> None:
    supervised.pair("acme", "faulty")
    supervised.process.start()
    supervised.process.join(30)
    assert supervised.process.exitcode == ExitCode.CONFIGURATION


@pytest.mark.parametrize("how", ["failing", "killed"])
def test_one_that_ends_is_started_again_and_the_others_do_not_notice(supervised: Supervised, how: str) -> None:
    supervised.pair("acme", "working")
    supervised.pair("globex", "failing" if how == "failing" else "working")
    supervised.process.start()
    wait_for(lambda: supervised.starts("globex"))
    if how == "killed":
        os.kill(supervised.starts("globex")[0], signal.SIGKILL)
    wait_for(lambda: len(supervised.starts("globex")) > 1)
    assert len(supervised.starts("acme")) == 1
    (ended, *_) = [line for line in map(json.loads, supervised.log.read_text().splitlines()) if line["event"] == "pair ended"]
    assert ended["reason"] == ("exit code 7: the store is unusable" if how == "failing" else "SIGKILL")
    assert ended["config"] == str(supervised.folder / "globex" / "sync.toml")


def test_one_that_hangs_is_ended_and_started_again(supervised: Supervised) -> None:
    supervised.pair("acme", "working")
    supervised.pair("globex", "hanging")
    supervised.process.start()
    wait_for(lambda: len(supervised.starts("globex")) > 1)
    assert len(supervised.starts("acme")) == 1
    assert "pair hangs" in supervised.log.read_text()
    assert _gone(supervised.starts("globex")[0])


def test_they_stop_when_the_process_above_them_is_killed(supervised: Supervised) -> None:
    for name in ("acme", "globex"):
        supervised.pair(name, "working")
    supervised.process.start()
    supervised.wait_until_it_says("STATUS=2 of 2 pairs run")
    supervised.send(signal.SIGKILL)
    wait_for(lambda: all(map(_gone, [*supervised.starts("acme"), *supervised.starts("globex")])))
    assert supervised.log.read_text().count("supervisor gone") == 2


def test_one_that_does_not_end_is_killed_in_the_end(supervised: Supervised) -> None:
    supervised.pair("acme", "working")
    supervised.pair("globex", "deaf")
    supervised.process.start()
    wait_for((supervised.folder / "globex" / "deaf").exists)
    assert supervised.stop() == ExitCode.WELL
    assert _gone(supervised.starts("globex")[0])


def test_pairs_that_come_and_go_are_found_on_a_reload(supervised: Supervised) -> None:
    supervised.pair("acme", "working")
    supervised.pair("globex", "working")
    supervised.process.start()
    supervised.wait_until_it_says("STATUS=2 of 2 pairs run")
    (supervised.folder / "globex" / "sync.toml").unlink()
    supervised.pair("initech", "working")
    supervised.send(signal.SIGHUP)
    wait_for(lambda: supervised.starts("initech"))
    wait_for(lambda: _gone(supervised.starts("globex")[0]))
    assert len(supervised.starts("acme")) == 1
    assert supervised.stop() == ExitCode.WELL


def test_one_that_rests_and_is_removed_is_forgotten(supervised: Supervised) -> None:
    supervised.pair("acme", "working")
    supervised.pair("globex", "faulty")
    supervised.process.start()
    supervised.wait_until_it_says("STATUS=1 of 2 pairs run; globex: its configuration is at fault: mend it, then reload")
    (supervised.folder / "globex" / "sync.toml").unlink()
    supervised.send(signal.SIGHUP)
    supervised.wait_until_it_says("STATUS=1 of 1 pairs run")


def test_each_has_its_own_passwords_of_those_that_systemd_loaded_for_all(
    tmp_path: Path,
) -> None:
    loaded, place = tmp_path / "loaded", tmp_path / "place"
    for folder in (loaded, place):
        folder.mkdir()
    for name in ("pairs_acme_credentials_external", "pairs_acme_sync.toml", "pairs_globex_credentials_external"):
        (loaded / name).write_text(name)
    own = supervisor.own_credentials(loaded, "acme", place)
    assert [(path.name, path.read_text()) for path in own.iterdir()] == [("external", "pairs_acme_credentials_external")]


def test_two_pairs_are_kept_in_step_by_the_command(desk: Desk, host: Host) -> None:
    text = (desk.folder / "sync.toml").read_text()
    for name in ("acme", "globex"):
        (desk.folder / name).mkdir()
        own = re.sub(r"(?m)^pair = .*$", f'pair = "{name}"', text).replace("store.sqlite", f"{name}.sqlite")
        (desk.folder / name / "sync.toml").write_text(own)
    (desk.folder / "sync.toml").unlink()
    desk.customer.create("UserRequest", title="First")
    daemon = host.start(configuration="", command=f"run-all {desk.folder}")
    daemon.wait_until_it_says("STATUS=2 of 2 pairs run")
    wait_for(lambda: len(desk.internal.tickets()) == 2)
    assert {event["config"].split("/")[-2] for event in daemon.events("started")} == {"acme", "globex"}
    assert daemon.stop() < 15
    assert daemon.process.returncode == ExitCode.WELL


def test_one_that_cannot_work_says_why_in_lines_that_name_it(desk: Desk, host: Host) -> None:
    """Two pairs that are given one store: the second finds it in use, or another pair's."""
    text = (desk.folder / "sync.toml").read_text()
    for name in ("acme", "globex"):
        (desk.folder / name).mkdir()
        (desk.folder / name / "sync.toml").write_text(re.sub(r"(?m)^pair = .*$", f'pair = "{name}"', text))
    (desk.folder / "sync.toml").unlink()
    daemon = host.start(configuration="", command=f"run-all {desk.folder}")
    wait_for(lambda: daemon.events("pair ended"))
    fails, ended = daemon.events("pair fails")[0], daemon.events("pair ended")[0]
    daemon.stop()
    assert "store" in fails["reason"]
    assert fails["config"] == ended["config"]
    assert re.fullmatch("exit code (6: another itopsync uses the store|7: the store is unusable)", ended["reason"])
    assert [line for line in daemon.log.read_text().splitlines() if not line.startswith("{")] == []


def test_every_exit_code_has_a_meaning() -> None:
    assert [code for code in ExitCode if told(code) == f"exit code {code}"] == []
    assert told(99) == "exit code 99"


def test_a_folder_without_a_pair_is_told(desk: Desk) -> None:
    ended = desk.itopsync("run-all", str(desk.folder / "none"))
    assert ended.returncode == ExitCode.CONFIGURATION
    assert f"itopsync init {desk.folder}/none/NAME/sync.toml" in ended.stderr
