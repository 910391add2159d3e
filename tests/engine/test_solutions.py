"""A solution reads otherwise on the other server: that may have a plain text there, and addresses of the origin stay."""

from __future__ import annotations

import pytest

from itopsync.model import Side
from itopsync.simulator.faults import FaultKind
from tests.engine.pair import on_pairs_of
from tests.engine.rig import PICTURE, RESOLVED, TEAM, Crash, Rig

FORMS = {
    "bold": "<p>a &amp; b <b>bold</b></p><p>line 2 &lt;c&gt;</p>",
    "a link": '<p>See <a href="https://vendor.example/fix">here</a>.</p>',
    "a list": "<ol><li>Stop</li><li>Start</li></ol>",
    "a picture": "<p>As {picture} shows</p>",
    "lines": "<p>one</p>",
    "an address": "<p>See {url}/pages/UI.php?id=1 and [[UserRequest:1|R-000001]]</p>",
}


def _resolve(rig: Rig, side: Side, number: int, told: str) -> str:
    """Resolve the ticket there; what stands there as its solution."""
    agent = rig.agent(side)
    picture = agent.paste_image("UserRequest", number, "plan.png", "image/png", PICTURE)
    agent.stimulus("UserRequest", number, "ev_assign", **TEAM)
    rig.settle()
    agent.stimulus(
        "UserRequest", number, "ev_resolve", **{**RESOLVED, "solution": told.format(picture=picture, url=rig.simulator(side).url)}
    )
    return str(rig.simulator(side).ticket("UserRequest", number)["solution"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("broken", ["no answer", "killed"])
@on_pairs_of((("3.2", "3.1"), ("3.1", "3.2"), ("3.3", "2.7"), ("3.2", "3.2")))
def test_one_that_went_without_an_answer_does_not_come_back(rig: Rig, broken: str, form: str) -> None:
    side = Side.EXTERNAL if rig.external.version != "3.1" else Side.INTERNAL
    number = rig.customer.create("UserRequest", title="Printer")
    rig.settle()
    told = _resolve(rig, side, number if side is Side.EXTERNAL else rig.copy_of(number), FORMS[form])
    there = rig.simulator(side.other)
    if broken == "no answer":
        there.faults.add(FaultKind.LOST_AFTER, verbs=["core/apply_stimulus"], accounts=["sync"], times=1)
        rig.sync()
    else:
        rig.probe = _killed_after_the_move
        with pytest.raises(Crash):
            rig.sync()
        rig.restart()
    rig.settle()

    numbers = {Side.EXTERNAL: number, Side.INTERNAL: rig.copy_of(number)}
    assert rig.simulator(side).ticket("UserRequest", numbers[side])["solution"] == told
    assert there.ticket("UserRequest", numbers[side.other])["status"] == "resolved"
    rig.agent(side).update("UserRequest", numbers[side], solution="<p>Mended <i>again</i></p>")
    rig.settle()
    assert there.ticket("UserRequest", numbers[side.other])["solution"] in ("Mended again", "<p>Mended <i>again</i></p>")


def _killed_after_the_move(where: str) -> None:
    if where.startswith("after:core/apply_stimulus"):
        raise Crash
