"""SIGTERM ends the daemon between two calls, with nothing half-done; SIGHUP has it read its configuration anew."""

from __future__ import annotations

import re
import signal
import sqlite3
import time
from dataclasses import replace

import pytest

from itopsync.exits import ExitCode
from itopsync.model import LinkStatus
from itopsync.simulator.faults import FaultKind
from itopsync.store.store import Store
from tests.cli.conftest import Desk
from tests.daemon.conftest import QUICK, Host, wait_for


def _url(desk: Desk) -> str:
    return f"sqlite:///{desk.folder / 'store.sqlite'}"


def test_it_says_to_systemd_how_it_is(desk: Desk, host: Host) -> None:
    desk.customer.create("UserRequest", title="First")
    daemon = host.start(WATCHDOG_USEC="2000000")
    daemon.wait_until_it_says("READY=1")
    daemon.wait_until_it_says("STATUS=the last cycle ended well: 1 new")
    heard = daemon.hear().count("WATCHDOG=1")
    wait_for(lambda: daemon.hear().count("WATCHDOG=1") > heard + 2)
    assert daemon.stop() < 10
    assert daemon.process.returncode == ExitCode.WELL
    daemon.wait_until_it_says("STOPPING=1")
    assert [event["signal"] for event in daemon.events("stopped")] == ["SIGTERM"]
    assert daemon.events("WatchdogSec is shorter than one call may take")


def test_a_cycle_that_hangs_gives_no_sign_of_life(desk: Desk, host: Host) -> None:
    desk.internal.faults.add(FaultKind.SLOW, seconds=30.0)
    daemon = host.start(WATCHDOG_USEC="1000000")
    wait_for(lambda: desk.internal.served)
    time.sleep(0.5)
    heard = daemon.hear().count("WATCHDOG=1")
    time.sleep(2)
    assert daemon.hear().count("WATCHDOG=1") == heard
    daemon.stop(signal.SIGABRT)  # as the watchdog does
    assert "Thread 0x" in daemon.log.read_text()
    assert "in cycle" in daemon.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_server_that_does_not_answer_holds_up_neither_the_end_nor_a_new_configuration(
    desk: Desk, host: Host, number: signal.Signals
) -> None:
    hangs = desk.external.faults.add(FaultKind.SLOW, seconds=60.0)
    daemon = host.start()
    wait_for(lambda: hangs.count)
    if number == signal.SIGTERM:
        assert daemon.stop() < 15
        assert daemon.process.returncode == ExitCode.WELL
    else:
        desk.external.faults.clear()
        daemon.process.send_signal(number)
        daemon.wait_until_it_says("STATUS=the last cycle ended well")
        assert daemon.stop() < 15


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_long_cycle_is_ended_between_two_calls_and_the_next_one_goes_on(desk: Desk, host: Host, number: signal.Signals) -> None:
    """Eighty tickets of a second each would take twenty seconds; it ends within one call, and knows all that it wrote."""
    for n in range(80):
        desk.customer.create("UserRequest", title=f"No. {n}")
    slow = desk.internal.faults.add(FaultKind.SLOW, seconds=1.0, verbs=["core/create"])
    daemon = host.start()
    wait_for(lambda: len(desk.internal.tickets()) >= 8)
    assert daemon.stop(number) < 10
    assert daemon.process.returncode == ExitCode.WELL
    made = len(desk.internal.tickets())
    assert made < 80
    store = Store.open(_url(desk))
    counts = store.links.counts()
    assert (counts[LinkStatus.LINKED], counts[LinkStatus.WAITING], store.links.troubles().in_doubt) == (made, 80 - made, 0)
    assert store.lease.current() is None
    assert store.history.cycles(1)[0].outcome == "interrupted"
    store.close()
    desk.internal.faults.remove(slow)
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    assert len(desk.internal.tickets()) == 80


def test_a_single_cycle_is_ended_likewise(desk: Desk, host: Host) -> None:
    """What was not done is due still: exit code 1, like anything that waits."""
    for n in range(80):
        desk.customer.create("UserRequest", title=f"No. {n}")
    desk.internal.faults.add(FaultKind.SLOW, seconds=1.0, verbs=["core/create"])
    once = host.start(command="run-once")
    wait_for(lambda: len(desk.internal.tickets()) >= 4)
    assert once.stop() < 10
    assert once.process.returncode == ExitCode.TROUBLED
    assert len(desk.internal.tickets()) < 80


def test_a_new_configuration_is_taken_over_at_once(desk: Desk, host: Host) -> None:
    desk.configure('[schedule]\npoll = "1h"\n[rules]\nnew_tickets = "never"\n')
    daemon = host.start()
    daemon.wait_until_it_says("STATUS=the last cycle")
    desk.customer.create("UserRequest", title="First")
    desk.configure('[schedule]\npoll = "1h"\n')
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(desk.internal.tickets()) == 1)
    said = daemon.hear()
    assert said.index("READY=1") < said.index("RELOADING=1") < len(said) - said[::-1].index("READY=1")
    assert any(line.startswith("MONOTONIC_USEC=") for line in said)
    assert daemon.events("configuration taken over")
    assert daemon.stop() < 10


def test_a_bad_configuration_is_refused_with_all_its_faults_and_the_old_one_goes_on(desk: Desk, host: Host) -> None:
    daemon = host.start()
    daemon.wait_until_it_says("STATUS=the last cycle")
    desk.configure(QUICK.replace('poll = "1s"', 'poll = "0s"') + "[limits]\ncreation = 7\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.events("the old configuration goes on"))
    faults = " ".join(event["fault"] for event in daemon.events("configuration refused"))
    assert "schedule.poll: it is shorter than a second" in faults
    assert "limits.creation: there is no such key. Did you mean creations?" in faults
    daemon.wait_until_it_says("STATUS=the changed configuration was refused")
    wait_for(lambda: any(re.search("STATUS=the last cycle.* refused, see the log", line) for line in daemon.hear()))
    desk.customer.create("UserRequest", title="First")
    wait_for(lambda: len(desk.internal.tickets()) == 1)
    assert daemon.stop() < 10


def test_a_password_that_was_changed_in_its_file_is_used_without_a_reload(desk: Desk, host: Host) -> None:
    password = desk.folder / "password"
    password.write_text("sync-password\n")
    password.chmod(0o600)
    path = desk.folder / "sync.toml"
    path.write_text(path.read_text().replace('password_env = "PASSWORD"', 'password_file = "password"', 1))
    daemon = host.start()
    daemon.wait_until_it_says("STATUS=the last cycle")
    changed = "another"
    desk.external.accounts["sync"] = replace(desk.external.accounts["sync"], password=changed)
    daemon.wait_until_it_says("STATUS=external: the login is refused")
    password.write_text(f"{changed}\n")
    desk.customer.create("UserRequest", title="First")
    wait_for(lambda: len(desk.internal.tickets()) == 1)


def test_what_needs_a_restart_is_said(desk: Desk, host: Host) -> None:
    daemon = host.start()
    daemon.wait_until_it_says("STATUS=the last cycle")
    path = desk.folder / "sync.toml"
    before = path.read_text()
    path.write_text(before.replace("store.sqlite", "other.sqlite").replace("[store]\n", '[store]\nlease = "2m"\n'))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.events("configuration taken over"))
    assert [event["key"] for event in daemon.events("needs a restart")] == ["store.url", "store.lease"]
    path.write_text(before.replace('pair = "demo"', 'pair = "other"'))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.events("configuration refused"))
    assert "another pair of servers" in daemon.events("configuration refused")[0]["fault"]
    desk.customer.create("UserRequest", title="First")
    wait_for(lambda: len(desk.internal.tickets()) == 1)
    assert not (desk.folder / "other.sqlite").exists()


def test_a_long_cycle_does_not_hold_up_a_new_configuration(desk: Desk, host: Host) -> None:
    for n in range(80):
        desk.customer.create("UserRequest", title=f"No. {n}")
    desk.internal.faults.add(FaultKind.SLOW, seconds=1.0, verbs=["core/create"])
    daemon = host.start()
    wait_for(lambda: len(desk.internal.tickets()) >= 4)
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.events("configuration taken over"), 10)
    assert len(desk.internal.tickets()) < 80
    desk.internal.faults.clear()
    wait_for(lambda: len(desk.internal.tickets()) == 80)
    assert {cycle["outcome"] for cycle in daemon.events("cycle")} <= {"interrupted", "well"}


def test_a_store_that_cannot_be_used_ends_it_with_seven(desk: Desk, host: Host) -> None:
    (desk.folder / "store.sqlite").write_text("this is no database, whatever its name says")
    daemon = host.start()
    assert daemon.process.wait(60) == ExitCode.STORE


def test_somebody_elses_lease_on_a_file_ends_it_with_six(desk: Desk, host: Host) -> None:
    Store.open(_url(desk)).close()
    with sqlite3.connect(desk.folder / "store.sqlite") as store:
        store.execute(
            "INSERT INTO lease (id, host, boot_id, pid, started, token, until) "
            "VALUES (1, 'elsewhere', 'b', 1, 's', 't', '2999-01-01 00:00:00.000000')"
        )
    daemon = host.start()
    assert daemon.process.wait(60) == ExitCode.ANOTHER_INSTANCE
    assert "process 1 on elsewhere" in daemon.log.read_text()


def test_a_lease_that_is_taken_away_ends_it_with_six_although_it_only_waits(desk: Desk, host: Host) -> None:
    desk.configure('[schedule]\npoll = "1h"\n')
    path = desk.folder / "sync.toml"
    path.write_text(path.read_text().replace("[store]\n", '[store]\nlease = "10s"\n'))
    daemon = host.start()
    daemon.wait_until_it_says("STATUS=the last cycle")
    with sqlite3.connect(desk.folder / "store.sqlite") as store:
        store.execute("UPDATE lease SET token = 'x'")
    assert daemon.process.wait(30) == ExitCode.ANOTHER_INSTANCE
