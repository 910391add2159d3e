"""A side that a person wants left alone: not a call goes there, and what came meanwhile is carried afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itopsync.engine.pauses import Pause, pause, pauses, unpause
from itopsync.engine.report import Count
from itopsync.model import Side
from itopsync.store.records import CycleKind, CycleOutcome
from tests.engine.rig import Rig


def rest(rig: Rig, *sides: Side, hours: int | None = None) -> Pause:
    until = None if hours is None else rig.now + timedelta(hours=hours)
    made = Pause(sides or tuple(Side), "anna", "maintenance", rig.now, until)
    pause(rig.store, made)
    return made


def calls(rig: Rig) -> dict[Side, int]:
    return {Side.EXTERNAL: rig.external.requests.total, Side.INTERNAL: rig.internal.requests.total}


@pytest.mark.parametrize("kind", CycleKind)
def test_a_paused_pair_is_not_called_at_all(rig: Rig, kind: CycleKind) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.customer.note("UserRequest", number, "<p>Hello</p>")
    rest(rig)
    before = calls(rig)
    rig.wait(minutes=1)
    report = rig.engine.cycle(kind)
    assert report.outcome is CycleOutcome.PAUSED
    assert report.paused == ("both sides are paused by anna since 2026-11-24 03:02 UTC, until somebody ends it: maintenance",)
    assert calls(rig) == before
    assert rig.store.history.cycles(1)[0].outcome == "paused"
    unpause(rig.store, Side)
    assert rig.sync().outcome is CycleOutcome.WELL
    assert rig.differences() == []


@pytest.mark.parametrize("side", Side)
def test_of_a_paused_side_nothing_is_read_and_what_changes_on_the_other_waits(rig: Rig, side: Side) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.customer.note("UserRequest", number, "<p>From external</p>")
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>From internal</p>")
    rest(rig, side)
    before, written = calls(rig), rig.written()
    report = rig.sync()
    assert report.outcome is CycleOutcome.PAUSED
    assert calls(rig)[side] == before[side]
    assert calls(rig)[side.other] > before[side.other]
    assert report.counts[Count.CHANGED] == 1
    assert rig.written() == written
    unpause(rig.store, [side])
    rig.sync()
    assert rig.differences() == []


def test_nothing_is_asked_of_a_paused_side_where_nothing_is_known_yet(rig: Rig) -> None:
    rest(rig, Side.INTERNAL)
    rig.customer.create("UserRequest", title="Printer")
    before = calls(rig)
    assert rig.sync().outcome is CycleOutcome.PAUSED
    assert calls(rig) == before


def test_a_pause_ends_by_itself_at_its_time(rig: Rig) -> None:
    rest(rig, hours=2)
    rig.customer.create("UserRequest", title="Printer")
    rig.wait(hours=1)
    assert rig.sync().outcome is CycleOutcome.PAUSED
    rig.wait(hours=1)
    assert pauses(rig.store, rig.now) == ()
    assert rig.sync().outcome is CycleOutcome.WELL
    assert len(rig.internal.tickets()) == 1


def test_one_side_of_a_paused_pair_can_be_worked_with_again(rig: Rig) -> None:
    made = rest(rig)
    assert pauses(rig.store, rig.now) == (made,)
    unpause(rig.store, [Side.EXTERNAL])
    (left,) = pauses(rig.store, rig.now)
    assert left.sides == (Side.INTERNAL,)


def test_a_pause_outlives_the_process(rig: Rig) -> None:
    made = rest(rig)
    rig.restart()
    assert pauses(rig.store, rig.now) == (made,)
