"""A delay is put down to what explains it, each second once: the same as by counting second by second."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.evidence.delays import BRIDGE, DELAYS, Refusals, Spells, shares
from itopsync.model import STATE, ItemKey, ItemKind, Side
from itopsync.store.records import ActivityRecord, Cause, Lasting, SpellRecord

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
NOTE, OTHER = ItemKey.of(ItemKind.NOTE, "one"), ItemKey.of(ItemKind.NOTE, "two")
CAUSES = [(cause, side) for cause in (Cause.DOWN, Cause.NO_WRITES) for side in Side] + [
    (Cause.PAUSED, None),
    (Cause.STOPPED, None),
]
HORIZON = 40


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def spell(cause: Cause, side: Side | None, since: float, until: float, *, over: bool = True) -> SpellRecord:
    return SpellRecord(Lasting(cause, side), at(since), at(until), over)


seconds = st.integers(0, HORIZON)


@st.composite
def any_spells(draw: st.DrawFn) -> list[SpellRecord]:
    told = draw(st.lists(st.tuples(st.sampled_from(CAUSES), seconds, seconds, st.booleans())))
    return [spell(cause, side, since, until, over=over) for (cause, side), since, until, over in told]


def second_by_second(begin: int, end: int, side: Side, refused: int | None, told: list[SpellRecord]) -> Counter[str]:
    """The same, looked up anew for each second."""
    found: Counter[str] = Counter()
    for second in range(begin, end):
        moment = at(second + 0.5)
        there = {
            (each.what.cause, each.what.side) for each in told if each.since <= moment and (not each.over or moment < each.until)
        }
        if (Cause.DOWN, side) in there:
            found[f"{side} down"] += 1
        elif (Cause.DOWN, side.other) in there:
            found[f"{side.other} down"] += 1
        elif (Cause.NO_WRITES, side) in there:
            found[f"{side} no writes"] += 1
        elif (Cause.NO_WRITES, side.other) in there:
            found[f"{side.other} no writes"] += 1
        elif refused is not None and second >= refused:
            found[f"{side} refused"] += 1
        elif (Cause.PAUSED, None) in there:
            found["paused"] += 1
        elif (Cause.STOPPED, None) in there:
            found["stopped"] += 1
        else:
            found[BRIDGE] += 1
    return found


@given(seconds, seconds, st.sampled_from(Side), st.none() | seconds, any_spells())
def test_each_second_counts_once_and_for_what_comes_first(
    begin: int, end: int, side: Side, refused: int | None, told: list[SpellRecord]
) -> None:
    delay = shares(at(begin), at(end), side, None if refused is None else at(refused), Spells(told, at(HORIZON)))
    assert {name: share for name, share in delay.items() if share} == second_by_second(begin, end, side, refused, told)
    assert delay.keys() <= set(DELAYS)
    assert sum(delay.values()) == max(0, end - begin)


def test_what_still_lasts_ends_with_the_report() -> None:
    lasts = Spells([spell(Cause.DOWN, Side.INTERNAL, 10, 12, over=False)], at(30))
    assert shares(at(0), at(30), Side.INTERNAL, None, lasts) == {"internal down": 20, BRIDGE: 10}


def write(second: float, outcome: str, *items: ItemKey, side: Side = Side.INTERNAL) -> ActivityRecord:
    return ActivityRecord(at(second), 1, side, "write", outcome, items, None, at(second))


@pytest.mark.parametrize(
    ("before", "arrived", "since"),
    [
        ([], write(9, "done", NOTE), None),
        ([write(1, "refused", NOTE), write(2, "refused", NOTE)], write(9, "done", NOTE), 1),
        ([write(1, "no right", NOTE)], write(9, "done", NOTE, OTHER), 1),
        ([write(1, "unknown", OTHER), write(3, "refused", NOTE)], write(9, "done", NOTE), 3),
        ([write(1, "refused", NOTE, side=Side.EXTERNAL)], write(9, "done", NOTE), None),
        ([write(1, "refused", NOTE), write(2, "done", NOTE)], write(9, "done", NOTE), None),
        ([write(1, "side unavailable", NOTE), write(2, "read-only", NOTE)], write(9, "done", NOTE), None),
        ([write(1, "refused", STATE)], write(9, "done", ItemKey.of(ItemKind.STATE, "resolved")), 1),
        ([write(1, "refused", NOTE)], write(9, "refused", NOTE), None),
    ],
)
def test_a_refusal_counts_from_the_first_one_of_the_very_thing(
    before: list[ActivityRecord], arrived: ActivityRecord, since: float | None
) -> None:
    refusals = Refusals()
    for each in before:
        refusals.hear(each)
    assert refusals.hear(arrived) == (None if since is None else at(since))
