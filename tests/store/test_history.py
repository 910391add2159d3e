"""The cycles that ran, and small facts."""

from __future__ import annotations

from dataclasses import replace

from itopsync.model import LinkStatus, Side
from itopsync.store.records import CycleRecord
from itopsync.store.store import Store
from tests.store.making import MINUTE, NOW, add_linked, external, internal, poll, sighting

CYCLE = CycleRecord(None, "poll", NOW, NOW + MINUTE, "well", {"create": 3, "bytes": 2**40})


def test_the_cycles_that_were_recorded_last_come_first_whatever_the_clock_was_set_to(store: Store) -> None:
    later = replace(CYCLE, started=NOW + MINUTE, finished=None, outcome="stopped", counts={}, error="1000 tickets are new")
    first, second, third = (store.history.record(cycle) for cycle in (CYCLE, later, CYCLE))
    assert store.history.cycles(10) == (replace(CYCLE, id=third), replace(later, id=second), replace(CYCLE, id=first))
    assert store.history.cycles(1) == (replace(CYCLE, id=third),)


def test_what_is_long_past_is_forgotten_and_links_are_not(store: Store) -> None:
    gone = add_linked(store, external(1), internal(1), status=LinkStatus.TOMBSTONE)
    store.history.record(CYCLE)
    kept = store.history.record(replace(CYCLE, started=NOW + MINUTE))
    poll(store, ignored=[sighting(external(2)), sighting(external(3))])
    poll(store, ignored=[sighting(external(3))], now=NOW + MINUTE)

    assert store.history.prune(NOW + MINUTE) == {"cycles": 1, "sightings": 1}

    assert [cycle.id for cycle in store.history.cycles(10)] == [kept]
    assert store.polls.compare(Side.EXTERNAL, [sighting(external(2)), sighting(external(3))]).unknown == (sighting(external(2)),)
    assert store.links.of(external(1)) == gone


def test_a_fact_is_remembered_until_it_is_forgotten(store: Store) -> None:
    assert store.facts.get("scope") is None
    store.facts.put("scope", "a")
    store.facts.put("scope", "b")
    store.facts.put("other", "c")
    assert store.facts.get("scope") == "b"
    store.facts.put("scope", None)
    assert store.facts.get("scope") is None
    assert store.facts.get("other") == "c"
