"""What several threads write at once is one transaction, and each learns what became of its own part."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import cast

import pytest
from sqlalchemy import Connection

from itopsync.store import Store
from itopsync.store.together import Together
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
    together = Together(ledger.writing)
    with ThreadPoolExecutor(20) as pool:
        jobs = [pool.submit(together.run, lambda _, n=n: ledger.written.append(n)) for n in range(20)]  # type: ignore[misc]  # bound at once
        while len(together._waiting) < 19:
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
    together = Together(ledger.writing)
    with ThreadPoolExecutor(5) as pool:
        jobs = [pool.submit(together.run, lambda _: None) for _ in range(5)]
        for job in jobs:
            with pytest.raises(OSError, match="disk is full"):
                job.result(5)


def test_one_that_is_at_fault_spoils_nothing_for_the_others(store: Store) -> None:
    links = [add(store, external(number)) for number in range(1, 9)]

    def begin(number: int) -> None:
        store.begin_write(number, NOW, "create")

    with ThreadPoolExecutor(9) as pool:
        jobs = {number: pool.submit(begin, number) for number in (99, *(link.id for link in links))}
    assert {number for number, job in jobs.items() if isinstance(job.exception(), KeyError)} == {99}
    assert set(store.recover(NOW, NOW)) == {link.id for link in links}


def test_what_is_joined_is_carried_out_whole_or_not_at_all(store: Store) -> None:
    link = add(store, external(1))

    def fail() -> None:
        with store.joined():
            store.put_fact("a", "b")
            store.mark_due([link.id], NOW, now=NOW)
            assert store.fact("a") == "b"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.fact("a") is None
    with store.joined():
        store.put_fact("a", "b")
    assert store.fact("a") == "b"
    assert get(store, link.id) == link
