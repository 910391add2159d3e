"""A server begins to lose our markers while people work and the process dies: one thing goes to it, and nothing stands twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from itopsync.errors import SafetyStop
from itopsync.model import Side
from itopsync.reconcile.safety import Excess
from itopsync.simulator.losing import LosesMarks
from tests.torture.desks import Desks

LOGS = LosesMarks(parts=frozenset({"logs"}))
KILLS = 3
"""In the short profile, for each side."""


def play(side: Side, kill: int | None) -> tuple[list[str], list[str]]:
    """Lose markers on *side*, and die at a boundary; the boundaries that were crossed, and what is not as promised."""
    with closing(Desks()) as desks:
        rig, people = desks.rig, desks.people
        for _ in range(2):
            people.open("UserRequest", 1, 0)
        people.open_in_internal()
        rig.sync()
        rig.simulator(side).loses_marks = (LOGS,)
        before = _entries(desks, side)
        for place in range(2):
            for origin in Side:
                people.note(origin, place, 0)
                people.thank(origin, place, 0)
                people.keep_to_internal(origin, place, 0)
            people.move(side.other, place, 0)
        people.open("Incident", 2, 0)
        rig.wait(minutes=1)
        crossed = rig.run(partial(_cycle, desks), kill)
        stopped = []
        for _ in range(3):
            rig.wait(minutes=10)
            stopped.append(_cycle(desks))
        found = []
        if (sent := _entries(desks, side) - before) > 1:
            found.append(f"{sent} times something was sent to {side}, which loses markers")
        if sent and stopped[-1] != Excess.MARKERS:
            found.append(f"it lost a marker, and the cycle stops with {stopped[-1]}")
        desks.rest()
        return crossed, [*found, *_doubled_or_lost(desks), *desks.ledger.leaks()]


def _cycle(desks: Desks) -> str:
    """What a cycle stops with; nothing where it does not."""
    try:
        desks.rig.engine.cycle()
    except SafetyStop as stop:
        return stop.kind
    return ""


def _entries(desks: Desks, side: Side) -> int:
    """How many writes of ours took entries to a side."""
    return sum(bool(write.entries) for write in desks.rig.writes(side))


def _doubled_or_lost(desks: Desks) -> Iterator[str]:
    """Each note stands once on both sides, each ticket has one copy, and there is nothing left to do."""
    rig = desks.rig
    tickets, copies = len(rig.external.tickets()), len(rig.internal.tickets()) - len(desks.ledger.own)
    if tickets != copies:
        yield f"{tickets} tickets have {copies} copies"
        return
    for (side, cls, number), words in desks.ledger.notes.items():
        for each in Side:
            ref = rig.link(number, cls).ref(each)
            assert ref is not None
            texts = rig.texts(each, ref.id, cls)
            for word in dict.fromkeys(words):
                count = sum(text.count(f"{word}<") for text in texts)
                expected = words.count(word) + desks.ledger.notes.get((side.other, cls, number), []).count(word)
                if count != expected:
                    yield f"'{word}', written on {side}, stands {count} times on {ref} and not {expected}"
    before = rig.written()
    rig.wait(minutes=10)
    rig.engine.cycle()
    if rig.written() != before:
        yield "a further cycle still wrote"


@pytest.mark.parametrize("side", list(Side))
def test_a_server_that_begins_to_lose_markers_gets_one_thing_and_nothing_stands_twice(side: Side) -> None:
    boundaries, found = play(side, None)
    for kill in range(0, len(boundaries), max(1, len(boundaries) // KILLS)):
        found += [f"{boundaries[kill]} ({kill}): {violation}" for violation in play(side, kill)[1]]
    assert found == []


@pytest.mark.torture
@pytest.mark.parametrize("side", list(Side))
def test_so_it_is_wherever_the_process_is_killed(side: Side) -> None:
    boundaries, found = play(side, None)
    for kill, name in enumerate(boundaries):
        found += [f"{name} ({kill}): {violation}" for violation in play(side, kill)[1]]
    assert found == []


@pytest.mark.parametrize("side", list(Side))
def test_markers_that_are_not_missed_are_seen(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itopsync.engine.execute.lost_markers", lambda *_: ())
    assert play(side, None)[1] != []
