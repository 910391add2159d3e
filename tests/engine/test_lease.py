"""The lease as a process works under it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from itopsync.engine.lease import Lease
from itopsync.errors import AnotherInstance, StoreGone, StoreUnavailable
from itopsync.exits import ExitCode
from itopsync.store.store import Store

SHORT = timedelta(seconds=1.6)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """One store, opened by two processes."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    both = Store.open(url), Store.open(url)
    yield both
    for store in both:
        store.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Call it, and the process was held up for so many seconds."""
    shift = [0.0]
    monkeypatch.setattr("itopsync.engine.lease._now", lambda: time.monotonic() + shift[0])

    def held_up(seconds: float) -> None:
        shift[0] += seconds

    return held_up


def test_it_is_kept_while_we_work_and_free_afterwards(stores: tuple[Store, Store]) -> None:
    first, second = stores
    with Lease(first, SHORT) as lease:
        for _ in range(8):
            time.sleep(SHORT.total_seconds() / 4)
            lease.check()
            assert not Lease(second, SHORT).acquire()
    assert second.lease.current() is None


def test_the_second_one_is_refused_and_told_by_whom(stores: tuple[Store, Store]) -> None:
    first, second = stores
    with Lease(first), pytest.raises(AnotherInstance, match=r"process \d+ on .*Wait for it to end"), Lease(second):
        pass


def test_one_that_was_kept_waiting_for_it_has_all_of_its_time_before_it(
    stores: tuple[Store, Store], clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a transaction that its last holder was paused in."""
    take = stores[0].lease.acquire

    def takes_long(*asked: Any) -> bool:
        clock(40)
        return take(*asked)

    monkeypatch.setattr(stores[0].lease, "acquire", takes_long)
    with Lease(stores[0], timedelta(minutes=1)) as lease:
        assert lease.remaining > 40


def test_who_was_held_up_past_the_margin_gives_up_before_the_lease_ends(
    stores: tuple[Store, Store], clock: Callable[[float], None]
) -> None:
    with Lease(stores[0], timedelta(minutes=1)) as lease:
        clock(44)
        lease.check()
        clock(2)
        with pytest.raises(AnotherInstance, match="held up; it stops before it writes"):
            lease.check()
        assert lease.remaining < 0


def test_who_cannot_tell_by_a_clock_is_told_by_the_database(stores: tuple[Store, Store]) -> None:
    """As on a virtual machine that was paused, with all its clocks."""
    first, second = stores
    with Lease(first, timedelta(minutes=1)) as lease:
        held = first.lease.current()
        assert held is not None
        second.lease.release(held.holder)
        with Lease(second, timedelta(minutes=1)):
            with pytest.raises(AnotherInstance, match=r"no longer ours: process \d+"):
                lease.check()
            with pytest.raises(AnotherInstance, match="taken by another"):
                first.facts.put("name", "value")
            assert lease.remaining < 0
            second.facts.put("name", "value")


def test_a_store_that_does_not_let_it_be_renewed_is_named_as_the_reason(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bool:
        raise StoreUnavailable("the disk is full")

    with Lease(stores[0], SHORT) as lease:
        monkeypatch.setattr(stores[0].lease, "renew", fails)
        time.sleep(SHORT.total_seconds())
        with pytest.raises(StoreUnavailable, match=r"could not be renewed: the disk is full"):
            lease.check()


def test_a_store_that_does_not_answer_is_named_as_the_reason(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    with Lease(stores[0], SHORT) as lease:
        monkeypatch.setattr(stores[0].lease, "renew", lambda *_: answers.wait(30))
        time.sleep(SHORT.total_seconds() + 3)
        with pytest.raises(StoreUnavailable, match=r"the database has not answered for \d s"):
            lease.check()
        answers.set()


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_who_opened_a_file_that_is_another_one_now_writes_nothing_more(stores: tuple[Store, Store], replaced: bool) -> None:
    store = stores[0]
    path = store.address.path
    assert path is not None
    with Lease(store, SHORT) as lease:
        lease.check()
        path.unlink()
        if replaced:
            Store.open(f"sqlite:///{path}").close()
        with pytest.raises(StoreGone, match="was its file moved or replaced"):
            lease.check()
        with pytest.raises(StoreGone):
            store.facts.put("name", "value")
        time.sleep(SHORT.total_seconds() / 2)
        assert lease.remaining < 0, "seen as it was to be renewed"
        with pytest.raises(StoreGone):
            lease.check_time()


@pytest.mark.parametrize("trouble", [ZeroDivisionError, None])
def test_a_store_that_is_gone_in_the_end_hides_no_other_trouble(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch, trouble: type[Exception] | None
) -> None:
    def fails(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(stores[0].lease, "release", fails)

    def work() -> None:
        with Lease(stores[0]):
            if trouble is not None:
                raise trouble

    with pytest.raises(trouble or StoreUnavailable):
        work()


def test_a_store_that_never_answers_ends_the_process_once_the_lease_has_run_out(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    silence = threading.Event()
    monkeypatch.setattr("itopsync.engine.lease._SILENCE", 1)
    monkeypatch.setattr("os._exit", ended.append)
    with Lease(stores[0], SHORT) as lease:
        time.sleep(SHORT.total_seconds() * 2)
        assert ended == []
        renew = stores[0].lease.renew
        monkeypatch.setattr(stores[0].lease, "renew", lambda *given: silence.wait(20) and renew(*given))
        deadline = time.monotonic() + 20
        while not ended:
            assert lease.remaining > -10
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert lease.remaining <= 0
        silence.set()
    assert set(ended) == {ExitCode.STORE}
