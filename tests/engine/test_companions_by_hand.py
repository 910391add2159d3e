"""What goes with a state and differed when two tickets were linked by hand: it stays until somebody changes it."""

from __future__ import annotations

import re

import pytest

from itopsync.engine import linking
from itopsync.engine.rebuild import rebuild
from itopsync.model import Ref, Side
from itopsync.reconcile import by_hand
from itopsync.reconcile.by_hand import Joined
from itopsync.reconcile.copied import Bridge
from tests.engine.rig import RESOLVED, TEAM, Rig
from tests.engine.verifying import compared

OLD = "2026-11-01 00:00:00"
"""Before ``scope.since``: no copy is made of such a ticket."""


def _two(rig: Rig) -> tuple[int, int]:
    """An old request on each side, with a note of its own, in the hands of a team."""
    told = {rig.customer: "<p>Her note</p>", rig.operator: "<p>Our note</p>"}
    external, internal = (
        agent.create("UserRequest", title="Printer", start_date=OLD, private_log=note, service_id=1)
        for agent, note in told.items()
    )
    rig.customer.stimulus("UserRequest", external, "ev_assign", **TEAM)
    rig.operator.stimulus("UserRequest", internal, "ev_assign", **TEAM)
    rig.sync()
    rig.wait(minutes=5)
    return external, internal


def _resolve(rig: Rig, external: int, internal: int) -> tuple[int, int]:
    """Both are resolved, each with a solution of its own."""
    for agent, number, words in ((rig.customer, external, "Hers"), (rig.operator, internal, "Ours")):
        agent.stimulus("UserRequest", number, "ev_resolve", **RESOLVED | {"solution": f"<p>{words}</p>"})
    return external, internal


def _compare(rig: Rig, external: int, internal: int, *, history: bool = False) -> Joined:
    refs = Ref(Side.EXTERNAL, "UserRequest", external), Ref(Side.INTERNAL, "UserRequest", internal)
    return linking.compare(rig.inspector, *refs, history=Bridge() if history else None)


def _link(rig: Rig, external: int, internal: int, *, history: bool = False) -> None:
    linking.join(rig.pair, _compare(rig, external, internal, history=history))


def _solutions(rig: Rig, external_id: int, internal_id: int) -> tuple[str, str]:
    """External's and internal's, after all is carried; nothing is to be told of them."""
    rig.sync()
    rig.settle()
    assert compared(rig) == []
    external, internal = rig.external.ticket("UserRequest", external_id), rig.internal.ticket("UserRequest", internal_id)
    return re.sub("<[^>]*>", "", external["solution"]), re.sub("<[^>]*>", "", internal["solution"])


@pytest.mark.parametrize("history", [False, True])
@pytest.mark.parametrize("mover", list(Side))
def test_what_goes_with_a_state_stays_when_that_moves(rig: Rig, mover: Side, history: bool) -> None:
    external, internal = _resolve(rig, *_two(rig))
    found = _compare(rig, external, internal, history=history)
    assert (found.differs, sorted(found.with_states)) == (("solution",), ["solution"])
    _link(rig, external, internal, history=history)
    assert _solutions(rig, external, internal) == ("Hers", "Ours")
    rig.agent(mover).stimulus(
        "UserRequest", mover.pick(external, internal), "ev_close", user_satisfaction="1", user_comment="Thanks"
    )
    assert _solutions(rig, external, internal) == ("Hers", "Ours")
    for simulator, number in ((rig.external, external), (rig.internal, internal)):
        ticket = simulator.ticket("UserRequest", number)
        assert (ticket["status"], ticket["user_comment"]) == ("closed", "Thanks")


@pytest.mark.parametrize("mover", list(Side))
def test_what_goes_with_a_state_and_was_changed_since_goes(rig: Rig, mover: Side) -> None:
    external, internal = _resolve(rig, *_two(rig))
    _link(rig, external, internal)
    rig.sync()
    rig.agent(mover).stimulus(
        "UserRequest", mover.pick(external, internal), "ev_close", user_satisfaction="1", solution="<p>New</p>"
    )
    assert _solutions(rig, external, internal) == ("New", "New")
    rig.agent(mover.other).update("UserRequest", mover.pick(internal, external), solution="<p>Newer</p>")
    assert _solutions(rig, external, internal) == ("Newer", "Newer")


def test_what_goes_with_a_state_goes_where_that_demands_it_and_nothing_is_there(rig: Rig) -> None:
    external, internal = _two(rig)
    rig.operator.stimulus("UserRequest", internal, "ev_resolve", **RESOLVED)
    _link(rig, external, internal)
    assert _solutions(rig, external, internal) == ("", "Done.")
    rig.operator.stimulus("UserRequest", internal, "ev_close", user_satisfaction="1")
    assert _solutions(rig, external, internal) == ("Done.", "Done.")


def test_what_was_said_while_two_were_unlinked_stays_when_the_state_moves(rig: Rig) -> None:
    external, internal = _two(rig)
    _link(rig, external, internal)
    rig.sync()
    rig.store.links.amend(rig.link(external).id, lambda link: by_hand.unlinked(link, rig.now, notice=True), rig.now)
    rig.sync()
    _resolve(rig, external, internal)
    _link(rig, external, internal)
    assert _solutions(rig, external, internal) == ("Hers", "Ours")
    rig.operator.stimulus("UserRequest", internal, "ev_close", user_satisfaction="1")
    assert _solutions(rig, external, internal) == ("Hers", "Ours")


def test_what_goes_with_a_later_state_stays_after_the_store_is_lost_too(rig: Rig) -> None:
    external, internal = _resolve(rig, *_two(rig))
    for agent, number in ((rig.customer, external), (rig.operator, internal)):
        agent.stimulus("UserRequest", number, "ev_reopen", **TEAM)
    _link(rig, external, internal)
    assert _solutions(rig, external, internal) == ("Hers", "Ours")
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    rig.start()
    assert len(list(rebuild(rig.inspector))) == 1
    rig.operator.stimulus("UserRequest", internal, "ev_resolve", resolution_code="other", service_id=1)
    assert _solutions(rig, external, internal) == ("Hers", "Ours")
