"""One of the two servers is upgraded from 3.1 to 3.2 under a running pair: what it shows otherwise is no change."""

from __future__ import annotations

from html import escape

import pytest

from itopsync.model import Side
from itopsync.simulator.schema import schema
from itopsync.store.records import CycleKind
from tests.engine.pair import on_pairs_of
from tests.engine.rig import RESOLVED, TEAM, Rig

SOLUTIONS = {
    "One line": 'It\'s "done" & dusted',
    "Several": "first line & co\nsecond <b>line</b> with <angle> 1 < 2\n\nafter an empty one",
    "From a form": "first\r\nsecond",
}


def upgrade(rig: Rig, side: Side) -> None:
    """What iTop's setup makes of the data (measured): a plain solution is read as escaped HTML from then on."""
    simulator = rig.simulator(side)
    simulator.version, simulator.store.schema = "3.2", schema("itil", True, "3.2")
    for name in ("UserRequest", "Incident"):
        for row in list(simulator.store.rows(name)):
            lines = (row["solution"] or "").replace("\r\n", "\n").split("\n")
            told = "<br/>".join(escape(line).replace("&#x27;", "&apos;") for line in lines)
            simulator.store.put({**row, "solution": told})
    for row in list(simulator.store.rows("Attachment")):
        simulator.store.put({"contact_id": 0, **row})
    rig.restart()


@pytest.mark.parametrize("upgraded", Side)
@on_pairs_of((("3.1", "3.1"),))
@pytest.mark.slow
def test_an_upgrade_of_one_side_writes_nothing(rig: Rig, upgraded: Side) -> None:
    numbers = {title: rig.customer.create("UserRequest", title=title, description="<p>a &amp; b</p>") for title in SOLUTIONS}
    rig.sync()
    for side in Side:
        for title, told in SOLUTIONS.items():
            number = rig.customer.create("UserRequest", title=title) if side is Side.INTERNAL else numbers[title]
            rig.sync()
            there = rig.copy_of(number) if side is Side.INTERNAL else number
            rig.agent(side).stimulus("UserRequest", there, "ev_assign", **TEAM)
            rig.agent(side).stimulus("UserRequest", there, "ev_resolve", **{**RESOLVED, "solution": told})
    rig.sync()
    rig.settle()
    assert rig.differences() == []
    written = rig.written()
    upgrade(rig, upgraded)
    for kind in (CycleKind.POLL, CycleKind.SWEEP, CycleKind.POLL):
        rig.wait(minutes=30)
        rig.engine.cycle(kind)
    assert rig.written() == written

    told = "<p>quite done</p>" if upgraded is Side.INTERNAL else "quite done"
    rig.operator.update("UserRequest", rig.copy_of(numbers["Several"]), solution=told)
    rig.sync()
    assert "quite done" in rig.external.ticket("UserRequest", numbers["Several"])["solution"]
