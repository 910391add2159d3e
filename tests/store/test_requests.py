"""What people ask for: taken once, by whoever holds the lease or by nobody, and ended once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from itopsync.errors import AnotherInstance
from itopsync.store.records import Holder, RequestKind, RequestRecord, RequestState
from itopsync.store.store import Store
from tests.store.making import MINUTE, NOW

ONE = Holder("here", "boot", 1, "1", "one")
TWO = Holder("here", "boot", 2, "2", "two")
ASKED = RequestRecord(1, RequestKind.PARK, "anna", NOW, "until Monday", 7, "f1", {"notice": "no"})


def ask(store: Store, kind: RequestKind = RequestKind.SWEEP, **more: Any) -> int:
    return store.requests.ask(kind, "anna", NOW, **more)


def test_what_was_asked_for_is_read_back_as_it_was(store: Store) -> None:
    number = ask(store, RequestKind.PARK, reason="until Monday", link=7, fingerprint="f1", arguments={"notice": "no"})
    assert store.requests.get(number) == replace(ASKED, id=number)
    assert store.requests.waiting() == (replace(ASKED, id=number),)
    assert store.requests.get(99) is None


def test_no_reason_commands_the_terminal_that_shows_it(store: Store) -> None:
    number = ask(store, RequestKind.PAUSE, reason="\x1b[2Jall is well\r\n\u202e")
    for asked in (*store.requests.waiting(), store.requests.take(number, NOW), *store.requests.latest(9)):
        assert asked is not None
        assert asked.reason == " [2Jall is well   "


def test_it_waits_until_it_is_taken_and_is_taken_once(store: Store) -> None:
    assert not store.requests.any_waiting()
    first, second = ask(store), ask(store)
    assert store.requests.any_waiting()
    taken = store.requests.take(first, NOW + MINUTE)
    assert taken is not None
    assert (taken.id, taken.state, taken.taken_at) == (first, RequestState.TAKEN, NOW + MINUTE)
    assert store.requests.take(first, NOW + MINUTE) is None
    assert [each.id for each in store.requests.waiting()] == [second]


def test_of_several_that_take_it_at_once_one_does(store: Store) -> None:
    number = ask(store)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: store.requests.take(number, NOW), range(8)))
    assert sum(each is not None for each in taken) == 1


def test_it_ends_once_with_what_became_of_it(store: Store) -> None:
    number = ask(store)
    with pytest.raises(KeyError):
        store.requests.finish(number, RequestState.DONE, "nobody has taken it", NOW)
    store.requests.take(number, NOW)
    store.requests.finish(number, RequestState.DONE, "a sweep begins now.", NOW + MINUTE)
    ended = store.requests.get(number)
    assert ended is not None
    assert (ended.state, ended.result, ended.finished_at) == (RequestState.DONE, "a sweep begins now.", NOW + MINUTE)
    with pytest.raises(KeyError):
        store.requests.finish(number, RequestState.REFUSED, "again", NOW)
    assert not store.requests.any_waiting()


def test_what_a_dead_process_had_taken_is_told_as_interrupted(store: Store) -> None:
    lost, waits = ask(store), ask(store)
    store.requests.take(lost, NOW)
    assert store.requests.recover(NOW + MINUTE) == 1
    told = store.requests.get(lost)
    assert told is not None
    assert told.state is RequestState.INTERRUPTED
    assert "was carrying this out ended" in told.result
    assert [each.id for each in store.requests.waiting()] == [waits]
    assert store.requests.recover(NOW + MINUTE) == 0


def test_what_is_still_being_carried_out_is_not_given_up_for_lost(store: Store) -> None:
    running, lost = ask(store, RequestKind.VERIFY), ask(store)
    store.requests.take(running, NOW)
    store.requests.take(lost, NOW)
    assert store.requests.recover(NOW, [running]) == 1
    store.requests.finish(running, RequestState.DONE, "all agree", NOW)


def test_what_is_changed_and_that_it_is_done_hold_both_or_neither(store: Store) -> None:
    number = ask(store)
    store.requests.take(number, NOW)
    store.requests.recover(NOW)

    def carry_out() -> None:
        with store.transaction():
            store.facts.put("pause", "yes")
            store.requests.finish(number, RequestState.DONE, "done", NOW)

    with pytest.raises(KeyError):
        carry_out()
    assert store.facts.get("pause") is None


def test_anybody_may_ask_and_who_has_lost_the_lease_takes_nothing(store: Store) -> None:
    """The process that asks holds no lease, and needs none."""
    other = Store(store.database.__class__(store.address, store.database.engine), store.revision)
    store.lease.acquire(ONE, MINUTE, NOW)
    store.lease.fence(ONE)
    number = ask(other)
    store.lease.acquire(TWO, MINUTE, NOW + 2 * MINUTE)
    with pytest.raises(AnotherInstance):
        store.requests.take(number, NOW)
    assert [each.id for each in other.requests.waiting()] == [number]
    assert other.requests.take(number, NOW) is not None


def test_the_latest_come_first_and_can_be_narrowed(store: Store) -> None:
    ask(store, RequestKind.PARK, link=7)
    ask(store, RequestKind.VERIFY)
    ask(store, RequestKind.RETRY, link=8)
    assert [each.id for each in store.requests.latest(2)] == [3, 2]
    assert [each.id for each in store.requests.latest(9, before=(NOW, 2))] == [1]
    assert [each.id for each in store.requests.latest(9, link=7)] == [1]
    assert [each.id for each in store.requests.latest(9, kind=RequestKind.VERIFY)] == [2]
    assert store.requests.latest(9, since=NOW + MINUTE) == ()


def test_what_is_old_and_ended_is_forgotten(store: Store) -> None:
    ended, _waits = ask(store), ask(store)
    store.requests.take(ended, NOW)
    store.requests.finish(ended, RequestState.DONE, "done", NOW)
    assert store.requests.prune(NOW) == 0
    assert store.requests.count_old(NOW + MINUTE) == 1
    assert store.requests.prune(NOW + MINUTE) == 1
    assert [each.id for each in store.requests.latest(9)] == [2]


@pytest.mark.parametrize(
    "changed", ["kind = 'format the disk'", "state = 'odd'", "arguments = 'no JSON'", "arguments = '[1]'", "arguments = '\"x\"'"]
)
def test_what_somebody_else_has_put_there_harms_nobody(store: Store, changed: str) -> None:
    ask(store)
    with store.database.writing() as connection:
        connection.execute(text(f"UPDATE request SET {changed}"))
    assert all(dict(each.arguments) == {} for each in (*store.requests.waiting(), *store.requests.latest(9)))
    assert store.requests.any_waiting() == bool(store.requests.waiting())
