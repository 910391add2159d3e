"""How many calls a cycle makes: iTop answers nothing in less than 65 ms, so calls are what time goes into."""

from __future__ import annotations

import pytest

from itopsync.engine.cycle import SWEEP
from itopsync.simulator import Simulator
from tests.engine.rig import TEAM, Rig

WRITES = ("core/create", "core/update", "core/apply_stimulus", "core/delete")


def calls(rig: Rig, *, kind: str = "poll") -> tuple[int, int]:
    """Run a cycle and return how many reads and writes it sent."""

    def writes(simulator: Simulator) -> int:
        return sum(simulator.requests.of(verb) for verb in WRITES)

    both = (rig.external, rig.internal)
    total, written = sum(one.requests.total for one in both), sum(map(writes, both))
    rig.wait(minutes=1)
    rig.engine.cycle(kind)
    rig.wait(minutes=1)
    sent = sum(map(writes, both)) - written
    return sum(one.requests.total for one in both) - total - sent, sent


def linked(rig: Rig, count: int) -> list[int]:
    """So many linked requests, at rest."""
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(count)]
    rig.engine.cycle(accept={"creations"})
    rig.settle(3)
    rig.wait(hours=2)  # out of the overlap
    rig.sync()
    return numbers


@pytest.mark.parametrize("count", [1, 100, 1_000])
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


@pytest.mark.parametrize("count", [25, 100, 400])
def test_many_changes_are_read_in_batches(rig: Rig, count: int) -> None:
    numbers = linked(rig, count)
    idle, _ = calls(rig)
    for number in numbers:
        rig.customer.note("UserRequest", number, "<p>Hello</p>")
    reads, writes = calls(rig)
    assert writes == count
    assert reads - idle <= 4 + count / 25


def test_a_new_ticket_takes_one_write_and_each_file_one(rig: Rig) -> None:
    linked(rig, 1)
    for n in range(20):
        number = rig.customer.create("UserRequest", title=f"New {n}", private_log="<p>One</p>")
        rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    _, writes = calls(rig)
    assert writes == 40


def test_a_sweep_of_what_agrees_makes_few_calls(rig: Rig) -> None:
    linked(rig, 1_000)
    reads, writes = calls(rig, kind=SWEEP)
    assert writes == 0
    # The deep look is at all thousand: two reads a side for each batch of fifty.
    assert reads <= 6 + 4 + 1_000 / 50 * 4
