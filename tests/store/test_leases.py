"""The lease: one writer at a time, and nobody waits for the dead longer than need be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import pytest

from itopsync.errors import AnotherInstance, StoreGone
from itopsync.store.leases import started_at
from itopsync.store.records import Holder, LeaseRecord
from itopsync.store.store import Store
from tests.store.cluster import Cluster
from tests.store.making import MINUTE, NOW, add, external, get

ALIVE = {100: "77", 200: "88"}
"""The processes of this host that live: pid → when they started."""
ONE = Holder("here", "boot", 100, "77", "one")
TWO = Holder("here", "boot", 200, "88", "two")


@pytest.fixture
def watched(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose probe sees the processes of ALIVE."""
    monkeypatch.setattr(store.lease, "_probe", lambda pid: ALIVE.get(pid, ""))
    return store


def test_a_free_lease_is_taken(watched: Store) -> None:
    assert watched.lease.current() is None
    assert watched.lease.acquire(ONE, MINUTE, NOW)
    assert watched.lease.current() == LeaseRecord(ONE, NOW + MINUTE)


def test_a_lease_is_held_against_others_until_it_runs_out(watched: Store) -> None:
    watched.lease.acquire(ONE, MINUTE, NOW)
    assert not watched.lease.acquire(TWO, MINUTE, NOW + MINUTE / 2)
    assert watched.lease.current() == LeaseRecord(ONE, NOW + MINUTE)
    assert watched.lease.acquire(TWO, MINUTE, NOW + MINUTE)
    assert watched.lease.current() == LeaseRecord(TWO, NOW + 2 * MINUTE)


def test_a_lease_by_a_clock_that_was_set_back_since_runs_out_within_the_hour_unless_it_is_renewed(watched: Store) -> None:
    hour = 60 * MINUTE
    watched.lease.acquire(ONE, MINUTE, NOW + timedelta(days=3))
    assert not watched.lease.acquire(TWO, MINUTE, NOW)
    assert watched.lease.current() == LeaseRecord(ONE, NOW + hour)
    assert not watched.lease.acquire(TWO, MINUTE, NOW + hour / 2)
    assert watched.lease.renew(ONE, MINUTE, NOW + hour)
    assert not watched.lease.acquire(TWO, MINUTE, NOW + hour)
    assert watched.lease.acquire(TWO, MINUTE, NOW + hour + MINUTE)


def test_a_lease_may_be_taken_again_by_its_holder(watched: Store) -> None:
    assert watched.lease.acquire(ONE, MINUTE, NOW)
    assert watched.lease.acquire(ONE, MINUTE, NOW + MINUTE / 2)
    assert watched.lease.current() == LeaseRecord(ONE, NOW + MINUTE * 3 / 2)


def test_a_renewed_lease_goes_on(watched: Store) -> None:
    watched.lease.acquire(ONE, MINUTE, NOW)
    assert watched.lease.renew(ONE, MINUTE, NOW + MINUTE / 2)
    assert not watched.lease.acquire(TWO, MINUTE, NOW + MINUTE)


def test_a_lost_lease_is_not_renewed(watched: Store) -> None:
    watched.lease.acquire(ONE, MINUTE, NOW)
    watched.lease.acquire(TWO, MINUTE, NOW + MINUTE)
    assert not watched.lease.renew(ONE, MINUTE, NOW + MINUTE)
    watched.lease.release(ONE)
    assert watched.lease.current() == LeaseRecord(TWO, NOW + 2 * MINUTE)


def test_a_released_lease_is_free(watched: Store) -> None:
    watched.lease.acquire(ONE, MINUTE, NOW)
    watched.lease.release(ONE)
    assert watched.lease.current() is None
    assert not watched.lease.renew(ONE, MINUTE, NOW)
    assert watched.lease.acquire(TWO, MINUTE, NOW)


@pytest.mark.parametrize(
    "dead",
    [
        pytest.param(replace(ONE, pid=300), id="no such process"),
        pytest.param(replace(ONE, started="76"), id="its pid was given to another process"),
    ],
)
def test_a_dead_process_of_this_host_is_not_waited_for(watched: Store, dead: Holder) -> None:
    watched.lease.acquire(dead, MINUTE, NOW)
    assert watched.lease.acquire(TWO, MINUTE, NOW)
    assert watched.lease.current() == LeaseRecord(TWO, NOW + MINUTE)


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(replace(ONE, host="elsewhere", pid=300), id="another host"),
        pytest.param(replace(ONE, boot_id="earlier", pid=300), id="another boot, or another host of that name"),
        pytest.param(replace(ONE, started="", pid=300), id="no way to tell when it started"),
    ],
)
def test_a_process_that_cannot_be_looked_for_is_waited_for(watched: Store, stranger: Holder) -> None:
    watched.lease.acquire(stranger, MINUTE, NOW)
    assert not watched.lease.acquire(TWO, MINUTE, NOW)
    assert watched.lease.acquire(TWO, MINUTE, NOW + MINUTE)


def test_a_host_that_cannot_tell_its_boots_apart_waits(watched: Store) -> None:
    watched.lease.acquire(replace(ONE, boot_id="", pid=300), MINUTE, NOW)
    assert not watched.lease.acquire(replace(TWO, boot_id=""), MINUTE, NOW)


@pytest.mark.parametrize("until_then", ["free", "run out", "dead"])
def test_one_alone_of_many_takes_the_lease(watched: Store, until_then: str) -> None:
    if until_then != "free":
        watched.lease.acquire(ONE if until_then == "run out" else replace(ONE, pid=300), MINUTE, NOW - MINUTE / 2)
    now = NOW + MINUTE if until_then == "run out" else NOW
    asking = [replace(TWO, token=f"token {number}") for number in range(8)]
    with ThreadPoolExecutor(len(asking)) as pool:
        won = list(pool.map(lambda holder: watched.lease.acquire(holder, MINUTE, now), asking))
    (winner,) = [holder for holder, its in zip(asking, won, strict=True) if its]
    assert watched.lease.current() == LeaseRecord(winner, now + MINUTE)


# the fence


def test_a_lease_that_is_gone_is_nobody_elses(watched: Store) -> None:
    """The store's file was moved away and another one made, say."""
    watched.lease.acquire(ONE, MINUTE, NOW)
    watched.lease.fence(ONE)
    watched.lease.release(ONE)
    with pytest.raises(StoreGone, match="is gone, and nothing more is written; was its file moved"):
        watched.facts.put("name", "value")


def test_who_has_lost_the_lease_writes_nothing_more_into_the_store(watched: Store) -> None:
    link = add(watched, external(1))
    watched.lease.acquire(ONE, MINUTE, NOW)
    watched.lease.fence(ONE)
    watched.links.begin_write(link.id, NOW)
    watched.lease.acquire(TWO, MINUTE, NOW + MINUTE)
    for write in (
        lambda: watched.links.save(replace(link, in_doubt=True), now=NOW, live=True),
        lambda: watched.links.begin_write(link.id, NOW),
        lambda: watched.facts.put("name", "value"),
        lambda: watched.links.recover(NOW, NOW),
    ):
        with pytest.raises(AnotherInstance, match="taken by another itopsync"):
            write()
    assert not get(watched, link.id).in_doubt
    watched.lease.fence(None)
    assert watched.links.recover(NOW, NOW) == (link.id,)


def test_nobody_takes_the_lease_in_the_middle_of_a_transaction_under_it(watched: Store) -> None:
    watched.lease.acquire(ONE, MINUTE, NOW)
    watched.lease.fence(ONE)
    with ThreadPoolExecutor(1) as other:
        with watched.database.writing():
            taking = other.submit(watched.lease.acquire, TWO, MINUTE, NOW + MINUTE)
            with pytest.raises(TimeoutError):
                taking.result(0.3)
        assert taking.result()


def test_a_lease_is_held_until_its_end_and_no_longer(watched: Store) -> None:
    watched.lease.acquire(ONE, MINUTE, NOW)
    assert watched.lease.is_held_by(ONE, NOW)
    assert not watched.lease.is_held_by(TWO, NOW)
    assert not watched.lease.is_held_by(ONE, NOW + MINUTE)
    watched.lease.release(ONE)
    assert not watched.lease.is_held_by(ONE, NOW)


def test_hosts_whose_clocks_differ_agree_by_the_databases_own(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(cluster.new_store())

    class Tomorrow(datetime):
        """A host whose clock is a day ahead."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(days=1)

    assert store.lease.acquire(replace(ONE, host="elsewhere"), MINUTE)
    monkeypatch.setattr("itopsync.store.leases.datetime", Tomorrow)
    assert not store.lease.acquire(TWO, MINUTE)
    assert not store.lease.is_held_by(TWO)
    assert store.lease.is_held_by(ONE)
    assert store.lease.renew(ONE, MINUTE)
    held = store.lease.current()
    assert held is not None
    assert timedelta() < held.until - datetime.now(UTC) <= MINUTE
    store.close()


# real processes


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until it is told not to."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process


def test_a_real_process_holds_the_lease_while_it_lives(store: Store, sleeper: subprocess.Popen[bytes]) -> None:
    its = replace(ONE, pid=sleeper.pid, started=started_at(sleeper.pid))
    ours = replace(TWO, pid=os.getpid(), started=started_at(os.getpid()))
    assert its.started != ""
    store.lease.acquire(its, MINUTE, NOW)
    assert not store.lease.acquire(ours, MINUTE, NOW)
    sleeper.kill()
    sleeper.wait()
    assert started_at(sleeper.pid) == ""
    assert store.lease.acquire(ours, MINUTE, NOW)
