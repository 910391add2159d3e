"""Two daemons on one PostgreSQL store: one writes, the other takes over, and never do both."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from itopsync.exits import ExitCode
from itopsync.model import LinkStatus
from itopsync.simulator.faults import FaultKind
from itopsync.store.records import RequestKind, RequestState
from itopsync.store.store import Store
from tests.cli.conftest import Desk
from tests.daemon.conftest import QUICK, Daemon, Host, wait_for
from tests.daemon.proxy import Way
from tests.store.cluster import Cluster

LEASE = 10.0
"""Seconds, the shortest that can be configured."""
BOUND = LEASE + LEASE / 10 + 5
"""When the other one has taken over at the latest, with time for a process of its own on a busy machine."""


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.new_store()


@pytest.fixture
def way(url: str) -> Iterator[Way]:
    """The first daemon's way to the database."""
    with tempfile.TemporaryDirectory(prefix="itopsync-") as folder:
        made = Way(Path(folder), Path(parse_qs(urlsplit(url).query)["host"][0]))
        yield made
        made.close()


@pytest.fixture
def desk(desk: Desk, url: str, way: Way) -> Desk:
    """A configuration for each of two daemons, ``one.toml`` and ``two.toml``. iTop's history tells who wrote what."""
    desk.configure(QUICK + '[limits]\nlanding = "10s"\n')
    base = (desk.folder / "sync.toml").read_text()
    base = base.replace('password_env = "PASSWORD"', 'password_env = "PASSWORD"\ntimeout = "5s"')
    database = urlsplit(url).path
    hosts = {"one": way.folder, "two": parse_qs(urlsplit(url).query)["host"][0]}
    for name, folder in hosts.items():
        text = base.replace('label = "Operations"', f'label = "Operations"\ncomment = "{name}"')
        store = f'url = "postgresql://postgres@{database}?host={folder}"\nlease = "{LEASE:.0f}s"'
        (desk.folder / f"{name}.toml").write_text(text.replace(f'url = "sqlite:///{desk.folder}/store.sqlite"', store))
    return desk


@pytest.fixture
def first(host: Host, desk: Desk) -> Daemon:
    """The one that writes."""
    daemon = host.start("one.toml")
    daemon.wait_until_it_says("STATUS=the last cycle")
    return daemon


@pytest.fixture
def second(host: Host, first: Daemon) -> Daemon:
    """The one that stands by."""
    daemon = host.start("two.toml")
    daemon.wait_until_it_says("STATUS=standing by")
    return daemon


def made_by(desk: Desk) -> list[str]:
    """Who made each internal copy, in order."""
    return [written.comment for written in desk.internal.audit.select(verb="create", class_name="UserRequest", done=True)]


def test_the_other_one_stands_by_and_says_whom_it_waits_for(desk: Desk, first: Daemon, second: Daemon) -> None:
    assert "READY=1" in second.hear()
    assert f"process {first.process.pid} on" in second.events("standing by")[0]["holder"]
    assert f"running: process {first.process.pid} on" in desk.itopsync("--config", "two.toml", "status").stdout
    desk.customer.create("UserRequest", title="First")
    wait_for(lambda: made_by(desk))
    time.sleep(2)
    assert made_by(desk) == ["one"]
    assert second.stop() < 15
    assert second.process.returncode == ExitCode.WELL


def test_what_is_asked_for_is_done_by_the_one_that_writes_and_then_by_the_one_that_takes_over(
    desk: Desk, first: Daemon, second: Daemon, url: str
) -> None:
    assert desk.itopsync("--config", "two.toml", "pause", "--reason", "upgrade").returncode == 0
    assert ([event["kind"] for event in first.events("request")], second.events("request")) == (["pause"], [])
    first.stop(signal.SIGKILL)
    store = Store.open(url)
    number = store.requests.ask(RequestKind.SWEEP, "anna", datetime.now(UTC))
    wait_for(lambda: (asked := store.requests.get(number)) and asked.state is RequestState.DONE)
    assert [event["kind"] for event in second.events("request")] == ["sweep"]
    wait_for(lambda: any(event["outcome"] == "paused" for event in second.events("cycle")))
    store.close()


def test_a_single_cycle_beside_both_leaves_at_once(desk: Desk, host: Host, second: Daemon) -> None:
    once = host.start("two.toml", "run-once")
    assert once.process.wait(30) == ExitCode.ANOTHER_INSTANCE
    assert made_by(desk) == []


def test_it_takes_over_soon_after_the_first_was_stopped(desk: Desk, first: Daemon, second: Daemon) -> None:
    first.stop()
    began = time.monotonic()
    second.wait_until_it_says("STATUS=at work")
    assert time.monotonic() - began < LEASE
    desk.customer.create("UserRequest", title="First")
    wait_for(lambda: made_by(desk) == ["two"])


def test_it_takes_over_from_one_that_was_killed_in_the_middle_and_nothing_is_there_twice(
    desk: Desk, first: Daemon, second: Daemon
) -> None:
    for n in range(20):
        desk.customer.create("UserRequest", title=f"No. {n}")
    slow = desk.internal.faults.add(FaultKind.SLOW, seconds=0.3, verbs=["core/create"])
    wait_for(lambda: len(made_by(desk)) >= 5)
    first.stop(signal.SIGKILL)
    began = time.monotonic()
    second.wait_until_it_says("STATUS=at work")
    assert time.monotonic() - began < BOUND
    desk.internal.faults.remove(slow)
    _wait_until_all_are_there_once(desk, 20)
    assert set(made_by(desk)) == {"one", "two"}


def _wait_until_all_are_there_once(desk: Desk, count: int) -> None:
    """Those that were being written when somebody died have time to land; in the end each has one copy, and its link knows it."""
    store = Store.open(_direct(desk))
    wait_for(lambda: store.links.counts()[LinkStatus.LINKED] == count)
    store.close()
    titles = [ticket["title"] for ticket in desk.internal.tickets()]
    assert len(titles) == len(set(titles)) == count


def _direct(desk: Desk) -> str:
    (line,) = [line for line in (desk.folder / "two.toml").read_text().splitlines() if "postgresql://" in line]
    return line.split('"')[1]


def test_one_that_was_paused_past_its_time_gives_up_before_it_writes(desk: Desk, first: Daemon, second: Daemon) -> None:
    """It is paused in the middle of many writes, and has nothing but the next one in mind when it goes on."""
    for n in range(30):
        desk.customer.create("UserRequest", title=f"No. {n}")
    slow = desk.internal.faults.add(FaultKind.SLOW, seconds=1.0, verbs=["core/create"])
    wait_for(lambda: len(made_by(desk)) >= 5)
    time.sleep(0.5)  # those that were let through together with that one are sent as well
    first.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    time.sleep(1)  # what was sent has landed
    before = made_by(desk).count("one")
    second.wait_until_it_says("STATUS=at work")
    assert LEASE * 0.7 < time.monotonic() - began < BOUND + 15  # the database ends a transaction that it was paused in
    desk.internal.faults.remove(slow)
    wait_for(lambda: "two" in made_by(desk))
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(60) == ExitCode.ANOTHER_INSTANCE
    assert made_by(desk).count("one") == before
    assert "lease" in first.log.read_text()
    _wait_until_all_are_there_once(desk, 30)


def test_one_that_was_paused_right_before_a_write_does_not_send_it(desk: Desk, first: Daemon, second: Daemon) -> None:
    """It is fetching the file that it is going to send. Nothing but the look at the lease lies between the two."""
    number = desk.customer.create("UserRequest", title="With a file")
    _wait_until_all_are_there_once(desk, 1)
    with psycopg.connect(_direct(desk), autocommit=True) as connection:
        wait_for(lambda: connection.execute("SELECT 1 FROM link WHERE writing_since IS NULL").fetchone())
        slow = desk.external.faults.add(FaultKind.SLOW, seconds=2.0, verbs=["core/get"], classes=["Attachment"])
        desk.customer.attach("UserRequest", number, "a.txt", "text/plain", b"hello")
        wait_for(lambda: connection.execute("SELECT 1 FROM link WHERE writing_since IS NOT NULL").fetchone())
        first.process.send_signal(signal.SIGSTOP)
    desk.external.faults.remove(slow)
    second.wait_until_it_says("STATUS=at work")
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(60) == ExitCode.ANOTHER_INSTANCE

    def sent() -> list[str]:
        return [written.comment for written in desk.internal.audit.select(verb="create", class_name="Attachment")]

    wait_for(sent)  # after it had time to land
    assert sent() == ["two"]


@pytest.mark.parametrize("how", ["cut", "silence"])
def test_one_that_loses_its_database_is_followed_and_writes_no_more(
    desk: Desk, first: Daemon, second: Daemon, way: Way, how: str
) -> None:
    getattr(way, how)()
    began = time.monotonic()
    second.wait_until_it_says("STATUS=at work")
    assert time.monotonic() - began < BOUND + 15
    desk.customer.create("UserRequest", title="First")
    wait_for(lambda: made_by(desk) == ["two"])
    way.cut()
    assert first.process.wait(60) == ExitCode.STORE
    assert made_by(desk) == ["two"]


def test_a_database_that_drops_every_connection_is_connected_to_again(desk: Desk, first: Daemon, cluster: Cluster) -> None:
    for n in range(20):
        desk.customer.create("UserRequest", title=f"No. {n}")
    wait_for(lambda: len(made_by(desk)) >= 5)
    database = urlsplit(_direct(desk)).path.strip("/")
    cluster.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'itopsync'"
    )
    desk.customer.create("UserRequest", title="After")
    _wait_until_all_are_there_once(desk, 21)
    assert first.process.poll() is None


def test_a_standby_waits_for_a_database_that_is_away(desk: Desk, host: Host, way: Way) -> None:
    first = host.start("two.toml")
    first.wait_until_it_says("STATUS=the last cycle")
    waiting = host.start("one.toml")
    waiting.wait_until_it_says("STATUS=standing by")
    way.cut()
    wait_for(lambda: waiting.events("the store does not answer"))
    way.mend()
    first.stop()
    waiting.wait_until_it_says("STATUS=at work")


def test_a_schema_that_changed_meanwhile_is_not_worked_with(desk: Desk, first: Daemon, second: Daemon) -> None:
    with psycopg.connect(_direct(desk), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    first.stop()
    assert second.process.wait(30) == ExitCode.STORE
    assert "newer itopsync" in second.log.read_text()
