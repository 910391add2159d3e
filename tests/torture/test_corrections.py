"""A solution that is corrected on both sides around a change of state and a kill: in the end both sides say the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from itopsync.model import Side
from tests.engine.rig import RESOLVED, TEAM
from tests.engine.verifying import compared
from tests.torture.killing import MortalRig
from tests.torture.test_every_boundary import Ground

CLS = "UserRequest"
EVERY = 13
"""A kill at every so many boundaries."""


def _correct(rig: MortalRig, side: Side, number: int, text: str) -> None:
    there = number if side is Side.EXTERNAL else rig.copy_of(number)
    rig.agent(side).update(CLS, there, solution=f"<p>{text}</p>")


def _at_rest(ground: Ground) -> tuple[MortalRig, int]:
    """A request that both sides have resolved."""
    rig = ground.rig()
    number = rig.customer.create(CLS, title="Printer", service_id=1)
    rig.sync()
    rig.customer.stimulus(CLS, number, "ev_assign", **TEAM)
    rig.customer.stimulus(CLS, number, "ev_resolve", **RESOLVED)
    rig.settle(2)
    return rig, number


def _play(ground: Ground, closing: Side, kill: int | None, first: Side) -> tuple[list[str], list[str]]:
    """Both correct, one closes, one corrects once more just before the kill; the boundaries crossed, and what differs at rest."""
    rig, number = _at_rest(ground)
    try:
        for side in Side:
            _correct(rig, side, number, f"as {side} says")
        there = number if closing is Side.EXTERNAL else rig.copy_of(number)
        rig.agent(closing).stimulus(CLS, there, "ev_close", user_comment="Fine.", user_satisfaction="1")
        if kill is not None:
            rig.meanwhile = {kill: lambda: _correct(rig, first, number, f"as {first} says once more")}
        crossed = rig.run(rig.sync, kill)
        rig.settle()
        tickets = rig.external.ticket(CLS, number), rig.internal.ticket(CLS, rig.copy_of(number))
        said = [str(ticket["solution"]) for ticket in tickets]
        states = [ticket["status"] for ticket in tickets]
        found = [f"{said} in {states}"] if len(set(said)) > 1 or len(set(states)) > 1 else []
        return crossed, [*found, *compared(rig)]
    finally:
        rig.stop()
        shutil.rmtree(rig.folder)


@pytest.mark.parametrize("closing", list(Side))
def test_both_sides_say_the_same_in_the_end(tmp_path: Path, closing: Side) -> None:
    ground = Ground(tmp_path)
    crossed, found = _play(ground, closing, None, Side.EXTERNAL)
    for kill in range(0, len(crossed), EVERY):
        first = list(Side)[kill % 2]
        found += [f"{crossed[kill]} ({kill}), {first}: {violation}" for violation in _play(ground, closing, kill, first)[1]]
    assert found == []
