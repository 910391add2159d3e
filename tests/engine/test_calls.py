"""How many calls a cycle makes: iTop answers nothing in less than 65 ms, so calls are what time goes into."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from itopsync.engine import deletions, sweep
from itopsync.engine.settings import EngineSettings
from itopsync.itop import reader
from itopsync.itop.reader import LIGHT_BATCH
from itopsync.reconcile.rules import Deletion, Direction
from itopsync.simulator import Simulator
from itopsync.store.records import CycleKind
from tests.engine.rig import RESOLVED, TEAM, Rig

WRITES = ("core/create", "core/update", "core/apply_stimulus", "core/delete")


def calls(rig: Rig, *, kind: CycleKind = CycleKind.POLL) -> tuple[int, int]:
    """Run a cycle and return how many reads and writes it sent."""

    def writes(simulator: Simulator) -> int:
        return sum(simulator.requests.of(verb) for verb in WRITES)

    both = (rig.external, rig.internal)
    total, written = sum(simulator.requests.total for simulator in both), sum(map(writes, both))
    rig.wait(minutes=1)
    rig.engine.cycle(kind)
    rig.wait(minutes=1)
    sent = sum(map(writes, both)) - written
    return sum(simulator.requests.total for simulator in both) - total - sent, sent


def linked(rig: Rig, count: int) -> list[int]:
    """So many linked requests, at rest."""
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(count)]
    rig.engine.cycle(accept={"creations"})
    rig.settle(3)
    rig.wait(hours=2)  # out of the overlap
    rig.sync()
    return numbers


@pytest.mark.parametrize("count", [1, 100, pytest.param(1_000, marks=pytest.mark.torture)])
def test_an_idle_cycle_makes_at_most_six_calls_however_many_links_there_are(rig: Rig, count: int) -> None:
    linked(rig, count)
    reads, writes = calls(rig)
    assert writes == 0
    assert reads <= 6


def test_one_change_takes_one_write_and_at_most_four_more_reads(rig: Rig) -> None:
    (number,) = linked(rig, 1)
    idle, _ = calls(rig)
    rig.customer.update("UserRequest", number, urgency="1", title="Worse", private_log="<p>See here</p>")
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    reads, writes = calls(rig)
    assert writes == 1
    assert reads - idle <= 4
    assert rig.differences() == []


@pytest.mark.parametrize("count", [1, 25, 100, pytest.param(400, marks=pytest.mark.torture)])
def test_many_changes_are_read_in_batches(rig: Rig, count: int) -> None:
    numbers = linked(rig, count)
    idle, _ = calls(rig)
    for number in numbers:
        rig.customer.note("UserRequest", number, "<p>Hello</p>")
    reads, writes = calls(rig)
    assert writes == count
    assert reads - idle <= 4 + count / 25


def test_what_changed_is_looked_at_once_more_when_the_overlap_ends_all_of_it_in_one_batch(rig: Rig) -> None:
    numbers = linked(rig, 80)
    idle, _ = calls(rig)
    for number in numbers:
        rig.customer.note("UserRequest", number, "<p>Hello</p>")
        rig.wait(seconds=1)
    rig.sync()
    rig.sync()
    read = [calls(rig)[0] - idle for _ in range(60)]  # two minutes each
    assert sum(count > 0 for count in read) <= 2  # what internal was written counts there
    assert max(read) <= 4
    assert read[-10:] == [0] * 10


def test_a_new_ticket_takes_one_write_and_each_file_one(rig: Rig) -> None:
    linked(rig, 1)
    for n in range(20):
        number = rig.customer.create("UserRequest", title=f"New {n}", private_log="<p>One</p>")
        rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    _, writes = calls(rig)
    assert writes == 40


# What follows is measured at a fortieth, or a thousandth, of the size that the bar speaks of, with every number of things
# that go into one call made smaller by as much: so many calls are made as at the whole size. `make bench` counts them at that.


def smaller(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let a call take in so many times less."""
    monkeypatch.setattr(deletions, "AT_ONCE", deletions.AT_ONCE // times)
    monkeypatch.setattr(deletions, "LIST_FROM", max(1, deletions.LIST_FROM // times))
    monkeypatch.setattr(sweep, "LIGHT_BATCH", LIGHT_BATCH // times)
    monkeypatch.setattr(reader, "SPAN", reader.SPAN // times)


def linked_with_files(rig: Rig, count: int, *, closed: bool = False) -> list[int]:
    """So many linked requests with a file each, at rest; return the files' ids in external."""
    files = []
    for n in range(count):
        number = rig.customer.create("UserRequest", title=f"No. {n}", service_id=1)
        files.append(rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a"))
        if closed:
            rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
            rig.customer.stimulus("UserRequest", number, "ev_resolve", **RESOLVED)
            rig.customer.stimulus("UserRequest", number, "ev_close", user_satisfaction="1")
    rig.engine.cycle(accept={"creations"})
    rig.settle(3)
    rig.wait(hours=2)
    rig.sync()
    return files


def test_a_file_that_went_among_5_000_tickets_is_found_by_the_next_cycle_with_12_more_calls(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller(monkeypatch, 40)
    files = linked_with_files(rig, 125)
    idle, _ = calls(rig)
    assert idle <= 6
    rig.customer.delete_attachment(files[81])
    first, second = calls(rig), calls(rig)
    assert rig.differences() == []
    assert (first[1], second[1]) == (0, 1)
    assert first[0] - idle <= 12
    assert sum(second) - idle <= 14  # the same, and a last look before the copy goes


def test_an_idle_cycle_makes_at_most_six_calls_with_more_tickets_than_one_call_counts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletions, "AT_ONCE", 10)
    files = linked_with_files(rig, 35)
    rig.customer.delete_attachment(files[33])
    read = [calls(rig)[0] for _ in range(5)]  # a part of them in each
    assert rig.differences() == []
    assert min(read) <= 6
    assert [calls(rig)[0] <= 6 for _ in range(5)] == [True] * 5


def test_a_sweep_of_100_000_tickets_makes_at_most_200_calls_a_side_and_40_find_a_file_that_went(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller(monkeypatch, 1_000)
    files = linked_with_files(rig, 100, closed=True)
    deep = EngineSettings.deep // EngineSettings.chunk * 2  # reads a side of the deep look, at the whole size
    monkeypatch.setattr(rig.pair, "settings", replace(rig.configuration.engine, deep=0))
    before = [simulator.requests.total for simulator in (rig.external, rig.internal)]
    still, writes = calls(rig, kind=CycleKind.SWEEP)
    sides = [now.requests.total - old for now, old in zip((rig.external, rig.internal), before, strict=True)]
    assert writes == 0
    assert max(sides) + deep <= 200
    rig.customer.delete_attachment(files[61])
    reads, writes = calls(rig, kind=CycleKind.SWEEP)
    assert reads + writes - still <= 40
    calls(rig)
    assert rig.differences() == []


@pytest.mark.parametrize("change", [{"deletion": Deletion.NEVER}, {"attachments": Direction.TO_EXTERNAL}])
def test_a_copy_that_stays_without_its_original_costs_no_call(rig: Rig, change: dict[str, Any]) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    file = rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    rig.settle(2)
    idle, _ = calls(rig)
    rig.configuration = replace(rig.configuration, rules=replace(rig.configuration.rules, **change))
    rig.restart()
    rig.customer.delete_attachment(file)
    rig.settle(2)
    assert len(rig.internal.ticket("UserRequest", rig.copy_of(number))["attachments"]) == 1
    assert calls(rig)[0] <= idle
