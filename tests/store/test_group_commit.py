"""What several threads write at once is one transaction, and each learns what became of its own part."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import Connection

from itopsync.errors import AnotherInstance, StoreGone
from itopsync.store.group_commit import GroupCommit
from itopsync.store.records import Holder
from itopsync.store.store import Store
from tests.store.making import NOW, add, external, get


class Ledger:
    """Transactions that take as long as the test wants."""

    def __init__(self) -> None:
        self.commits = 0
        self.first = threading.Event()
        self.fails = False
        self.written: list[int] = []

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        yield cast("Connection", None)
        self.first.wait(5)
        self.commits += 1
        if self.fails:
            raise OSError("the disk is full")


def test_those_who_come_meanwhile_go_together() -> None:
    ledger = Ledger()
    group = GroupCommit(ledger.writing)
    with ThreadPoolExecutor(20) as pool:
        jobs = [pool.submit(group.run, lambda _, n=n: ledger.written.append(n)) for n in range(20)]
        while len(group._waiting) < 19:
            pass
        ledger.first.set()
        for job in jobs:
            job.result(5)
    assert sorted(ledger.written) == list(range(20))
    assert ledger.commits == 2


def test_when_the_commit_fails_everybody_learns() -> None:
    ledger = Ledger()
    ledger.fails = True
    ledger.first.set()
    group = GroupCommit(ledger.writing)
    with ThreadPoolExecutor(5) as pool:
        jobs = [pool.submit(group.run, lambda _: None) for _ in range(5)]
        for job in jobs:
            with pytest.raises(OSError, match="disk is full"):
                job.result(5)


def test_one_that_is_at_fault_spoils_nothing_for_the_others(store: Store) -> None:
    links = [add(store, external(number)) for number in range(1, 9)]

    def begin(number: int) -> None:
        store.links.begin_write(number, NOW)

    with ThreadPoolExecutor(9) as pool:
        jobs = {number: pool.submit(begin, number) for number in (99, *(link.id for link in links))}
    assert {number for number, job in jobs.items() if isinstance(job.exception(), StoreGone)} == {99}
    assert set(store.links.recover(NOW, NOW)) == {link.id for link in links}


def test_what_one_does_wrong_is_told_to_nobody_else() -> None:
    ledger = Ledger()
    group = GroupCommit(ledger.writing)

    def wrong(_: object) -> None:
        raise ValueError("mine alone")

    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(group.run, lambda _: "first")
        jobs = [pool.submit(group.run, lambda _, n=n: n) for n in range(4)]
        at_fault = pool.submit(group.run, wrong)
        while len(group._waiting) < 5:
            pass
        ledger.first.set()
        assert first.result(5) == "first"
        assert [job.result(5) for job in jobs] == [0, 1, 2, 3]
        with pytest.raises(ValueError, match="mine alone"):
            at_fault.result(5)


def test_a_transaction_is_carried_out_whole_or_not_at_all(store: Store) -> None:
    link = add(store, external(1))

    def fail() -> None:
        with store.transaction():
            store.facts.put("a", "b")
            store.links.mark_due([link.id], NOW, now=NOW)
            assert store.facts.get("a") == "b"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.facts.get("a") is None
    with store.transaction():
        store.facts.put("a", "b")
    assert store.facts.get("a") == "b"
    assert get(store, link.id) == link


def test_a_part_of_a_transaction_is_not_left_to_another_thread(store: Store) -> None:
    """Work handed over inside would wait for a transaction that waits for it."""
    link = add(store, external(1))

    def fail() -> None:
        with store.transaction(), store.transaction():
            assert store.links.begin_write(link.id, NOW)
            assert store.links.save(replace(link, external_number="R-000001"), now=NOW, live=True)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert get(store, link.id) == link


def test_a_transaction_and_a_group_commit_never_wait_for_each_other_for_ever(store: Store) -> None:
    links = [add(store, external(number)) for number in range(1, 13)]

    def join() -> None:
        for _ in range(20):
            with store.transaction():
                for link in links:
                    store.links.amend(link.id, lambda known: known, NOW)

    with ThreadPoolExecutor(13) as pool:
        joining = pool.submit(join)
        saving = [pool.submit(store.links.save, link, now=NOW, live=True) for _ in range(20) for link in reversed(links)]
        joining.result(30)
        assert all(saved.result(30) for saved in saving)


ONE, TWO = Holder("here", "boot", 100, "77", "one"), Holder("there", "boot", 200, "88", "two")


def lose(store: Store) -> None:
    """Let another take the lease under which this store writes."""
    store.lease.acquire(ONE, timedelta(minutes=1), NOW)
    store.lease.fence(ONE)
    assert store.lease.acquire(TWO, timedelta(minutes=1), NOW + timedelta(minutes=2))


def test_a_lost_lease_fails_all_who_would_have_gone_together(store: Store) -> None:
    links = [add(store, external(number)) for number in range(1, 9)]
    lose(store)
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(store.links.begin_write, link.id, NOW) for link in links]
    assert [type(job.exception()) for job in jobs] == [AnotherInstance] * 8
    store.lease.fence(None)
    assert store.links.recover(NOW, NOW) == ()


def test_a_lost_lease_is_told_before_a_transaction_begins(store: Store) -> None:
    lose(store)
    with pytest.raises(AnotherInstance), store.transaction():
        pytest.fail("it began")


def test_the_lease_is_looked_at_once_for_each_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    link = add(store, external(1))
    looked: list[Connection] = []
    monkeypatch.setattr(store.database, "fence", looked.append)
    with store.transaction():
        store.facts.put("a", "b")
        store.links.mark_due([link.id], NOW, now=NOW)
    assert len(looked) == 1
    assert store.links.begin_write(link.id, NOW)
    assert len(looked) == 2
