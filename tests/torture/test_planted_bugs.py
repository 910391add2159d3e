"""Bugs that are planted on purpose: the torture must see each of them, or it proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from itopsync.engine import poll
from itopsync.engine.apply import Applier
from itopsync.errors import OutcomeUnknown, RemoteError, SafetyStop
from itopsync.itop import Server
from itopsync.model import Side
from itopsync.reconcile import notes
from itopsync.simulator import FaultKind
from itopsync.store import Store
from tests.engine.rig import Rig
from tests.torture.killing import MortalRig
from tests.torture.scenarios import SCENARIOS, Scenario, open_request
from tests.torture.test_every_boundary import Ground, play, violations

NOTES, NEW = (next(one for one in SCENARIOS if one.name == name) for name in ("notes both ways", "new tickets with a history"))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def _seen(ground: Ground, scenario: Scenario, strike: Callable[[Rig], None]) -> list[str]:
    """The violations after a scenario in which something strikes."""
    rig = ground.rig(scenario.more)
    number = open_request(rig)
    rig.sync()
    rig.settle(1)
    scenario.act(rig, number)
    try:
        strike(rig)
        rig.sync()
        rig.sync()
        rig.settle()
        return list(violations(rig, scenario))
    except SafetyStop as stop:
        return [str(stop)]
    finally:
        rig.stop()


def _lose_an_answer(rig: Rig) -> None:
    rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/update"], accounts=["sync"], times=1)


def _lose_the_polls(rig: Rig) -> None:
    """External cannot be polled for hours."""
    rig.external.faults.add(FaultKind.HTML_200, verbs=["core/get"], accounts=["sync"])
    rig.settle(12)
    rig.external.faults.clear()


def _land_late(rig: Rig) -> None:
    rig.internal.faults.add(FaultKind.LANDS_LATE, verbs=["core/update"], accounts=["sync"], times=1, seconds=240)


def _nothing(rig: Rig) -> None:
    pass


@pytest.mark.parametrize("scenario", [NOTES, NEW], ids=["notes", "new"])
@pytest.mark.parametrize("strike", [_nothing, _lose_an_answer, _lose_the_polls, _land_late])
def test_without_a_bug_nothing_is_seen(ground: Ground, strike: Callable[[Rig], None], scenario: Scenario) -> None:
    assert _seen(ground, scenario, strike) == []


def test_a_marker_left_out_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = notes.head_line
    monkeypatch.setattr(notes, "head_line", lambda markers, text: right([one for one in markers if "-n-" not in one], text))
    assert _seen(ground, NOTES, _nothing) != []


def test_a_cursor_that_moves_although_the_poll_failed_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = poll.look

    def wrong(side: Side, server: Server, store: Store, *rest: Any) -> poll.Findings:
        try:
            return right(side, server, store, *rest)
        except RemoteError:
            store.put_side(replace(store.side(side), cursor=rest[-1]))
            raise

    monkeypatch.setattr("itopsync.engine.cycle.look", wrong)
    assert _seen(ground, NEW, _lose_the_polls) != []


def test_a_write_that_is_sent_again_blindly_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Applier._carry_out

    def wrong(self: Applier, *action: Any) -> None:
        try:
            right(self, *action)
        except OutcomeUnknown:
            right(self, *action)

    monkeypatch.setattr(Applier, "_carry_out", wrong)
    assert _seen(ground, NOTES, _lose_an_answer) != []


def test_no_time_to_settle_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = MortalRig.start

    def wrong(self: MortalRig) -> None:
        rules = self.configuration.rules
        limits = replace(rules.limits, settle=timedelta())
        self.configuration = replace(self.configuration, rules=replace(rules, limits=limits))
        self.configuration = replace(self.configuration, engine=replace(self.configuration.engine, first_back_off=timedelta()))
        right(self)

    monkeypatch.setattr(MortalRig, "start", wrong)
    assert _seen(ground, NOTES, _land_late) != []


def test_a_write_that_is_not_noted_before_it_is_sent_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "begin_write", lambda *_, **__: True)
    boundaries, _ = play(ground, NEW, ())
    places = [place for place, name in enumerate(boundaries) if name == "carried out, before the answer"]
    assert any(play(ground, NEW, (place,))[1] for place in places)
