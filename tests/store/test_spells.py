"""How long something lasted is remembered as cycles see it, and no longer than anybody can know."""

from __future__ import annotations

from datetime import timedelta

from itopsync.model import Side
from itopsync.store import migrate
from itopsync.store.records import Cause, Lasting, RequestKind, RequestState
from itopsync.store.spells import LONGEST_GAP
from itopsync.store.store import Store
from tests.store.databases import rows
from tests.store.making import MINUTE, NOW, add_linked, external, internal

DOWN = Lasting(Cause.DOWN, Side.EXTERNAL)
PARKED = Lasting(Cause.PARKED, None, 1, "file:external:17")
LATER = NOW + timedelta(days=365)


def cycles(store: Store, *seen: tuple[float, tuple[Lasting, ...]]) -> None:
    """Cycles of half a minute, each with the minute in which it began and what it saw."""
    for minute, what in seen:
        store.spells.note(what, NOW + minute * MINUTE, NOW + (minute + 0.5) * MINUTE)


def spells(store: Store) -> list[tuple[Lasting, float, float, bool]]:
    """What is remembered: from which minute to which, and whether it is over."""
    return [
        (each.what, (each.since - NOW) / MINUTE, (each.until - NOW) / MINUTE, each.over)
        for each in store.spells.between(NOW - timedelta(days=1), LATER)
    ]


def test_it_begins_with_the_first_cycle_that_sees_it_and_ends_with_the_first_that_does_not(store: Store) -> None:
    cycles(store, (0, ()), (1, (DOWN,)), (2, (DOWN,)), (3, (DOWN,)))
    assert spells(store) == [(DOWN, 1, 3.5, False)]
    cycles(store, (5, ()), (6, ()))
    assert spells(store) == [(DOWN, 1, 5, True)]
    cycles(store, (7, (DOWN,)))
    assert spells(store) == [(DOWN, 1, 5, True), (DOWN, 7, 7.5, False)]


def test_what_nobody_looked_at_for_long_is_not_known_to_have_lasted(store: Store) -> None:
    after = LONGEST_GAP / MINUTE + 1
    cycles(store, (0, (DOWN,)), (after, (DOWN,)))
    assert spells(store) == [(DOWN, 0, 0.5, True), (DOWN, after, after + 0.5, False)]
    cycles(store, (2 * after + 1, ()))
    assert spells(store)[1] == (DOWN, after, after + 0.5, True)


def test_what_is_parked_stays_so_whether_anybody_looks_or_not(store: Store) -> None:
    cycles(store, (0, (PARKED,)), (100, (PARKED,)), (200, ()))
    assert spells(store) == [(PARKED, 0, 200, True)]


def test_an_idle_cycle_writes_nothing(store: Store) -> None:
    cycles(store, (0, ()), (1, (PARKED,)))
    before = spells(store)
    cycles(store, (2, (PARKED,)))
    assert spells(store) == before


def test_what_lasted_in_a_time_is_told_with_its_ticket(store: Store) -> None:
    add_linked(store, external(1), internal(501))
    cycles(store, (0, (DOWN,)), (10, (PARKED,)), (20, ()), (30, (DOWN,)))

    def between(begin: float, end: float) -> list[Cause]:
        return [each.what.cause for each in store.spells.between(NOW + begin * MINUTE, NOW + end * MINUTE)]

    assert between(0, 5) == [Cause.DOWN]
    assert between(10, 30) == [Cause.PARKED]
    assert between(15, 90) == [Cause.PARKED, Cause.DOWN]
    assert between(-9, 0) == []
    (parked,) = store.spells.between(NOW + 15 * MINUTE, NOW + 16 * MINUTE)
    assert (parked.external_number, parked.internal_number) == ("R-000001", "R-000501")


def test_what_is_over_for_long_is_forgotten_and_what_lasts_is_not(store: Store) -> None:
    cycles(store, (0, (DOWN, PARKED)), (5, (PARKED,)))
    assert store.spells.count_old(LATER) == 1
    assert store.spells.prune(NOW) == 0
    assert store.spells.prune(LATER) == 1
    assert [each[0] for each in spells(store)] == [PARKED]


def test_they_are_kept_since_the_schema_has_them(url: str) -> None:
    Store.open(url).close()
    migrate.downgrade(url, "0002")
    assert rows(url, "SELECT name FROM fact") == []
    migrate.upgrade(url)
    opened = Store.open(url)
    known = opened.spells.kept_since()
    opened.close()
    assert known is not None
    assert known.tzinfo is not None


def test_the_latest_verification_before_a_time_is_found(store: Store) -> None:
    for minute, state in ((1, RequestState.DONE), (2, RequestState.DONE), (3, RequestState.REFUSED)):
        number = store.requests.ask(RequestKind.VERIFY, "anna", NOW)
        store.requests.take(number, NOW)
        store.requests.finish(number, state, f"No. {minute}", NOW + minute * MINUTE)
    last = store.requests.last_done(RequestKind.VERIFY, LATER)
    assert last is not None
    assert last.result == "No. 2"
    earlier = store.requests.last_done(RequestKind.VERIFY, NOW + 2 * MINUTE)
    assert earlier is not None
    assert earlier.result == "No. 1"
    assert store.requests.last_done(RequestKind.SWEEP, LATER) is None
