"""Bugs that are planted on purpose: the torture must see each of them, or it proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from itopsync.engine import apply, execute, observe, poll, polling
from itopsync.engine.pair import Pair
from itopsync.errors import OutcomeUnknown, RemoteError, SafetyStop
from itopsync.itop.server import Server
from itopsync.model import File, Side
from itopsync.reconcile import notes, plan, richtext
from itopsync.reconcile.rules import Deletion, Direction
from itopsync.simulator import FaultKind
from itopsync.store.links import Links
from tests.engine.rig import Rig
from tests.torture.killing import MortalRig
from tests.torture.scenarios import REQUEST, SCENARIOS, Scenario, open_request
from tests.torture.test_every_boundary import Ground, play, violations

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
NOTES, NEW, FILES = (BY_NAME[name] for name in ("notes both ways", "new tickets with a history", "files come and go both ways"))
STATES, WIPED, DELETED = (
    BY_NAME[name]
    for name in ("states to internal, up to the end", "entries wiped out by somebody's save", "a copy that somebody deleted")
)
EDITED = Scenario(
    "an edit in internal", lambda rig, n: rig.operator.update(REQUEST, rig.copy_of(n), title="Mine"), apart=("title",)
)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def _seen(ground: Ground, scenario: Scenario, strike: Callable[[Rig], None]) -> list[str]:
    """The violations after a scenario in which something strikes."""
    rig = ground.rig(limits=scenario.limits)
    try:
        number = open_request(rig)
        rig.sync()
        scenario.begin(rig, number)
        rig.sync()
        rig.settle(1)
        scenario.act(rig, number)
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


@pytest.mark.parametrize("scenario", [NOTES, NEW, EDITED], ids=["notes", "new", "edited"])
@pytest.mark.parametrize("strike", [_nothing, _lose_an_answer, _lose_the_polls, _land_late])
def test_without_a_bug_nothing_is_seen(ground: Ground, strike: Callable[[Rig], None], scenario: Scenario) -> None:
    assert _seen(ground, scenario, strike) == []


def test_a_marker_left_out_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(note: plan.Note) -> str:
        return richtext.marked([marker for marker in note.markers if "-n-" not in marker], note.html)

    monkeypatch.setattr(plan.Note, "marked", property(wrong))
    assert _seen(ground, NOTES, _nothing) != []


def test_a_cursor_that_moves_although_the_poll_failed_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = poll.poll

    def wrong(pair: Pair, side: Side, **more: Any) -> poll.Findings:
        try:
            return right(pair, side, **more)
        except RemoteError:
            pair.store.polls.put_side(replace(pair.store.polls.side(side), cursor=pair.clock()))
            raise

    monkeypatch.setattr(polling, "poll", wrong)
    assert _seen(ground, NEW, _lose_the_polls) != []


def test_a_write_that_is_sent_again_blindly_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = execute.execute

    def wrong(*action: Any) -> None:
        try:
            right(*action)
        except OutcomeUnknown:
            right(*action)

    monkeypatch.setattr(apply, "execute", wrong)
    assert _seen(ground, NOTES, _lose_an_answer) != []


def test_no_time_to_settle_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = MortalRig.start

    def wrong(self: MortalRig) -> None:
        rules = self.configuration.rules
        limits = rules.limits.model_copy(update={"landing": timedelta()})
        self.configuration = replace(self.configuration, rules=replace(rules, limits=limits))
        self.configuration = replace(self.configuration, engine=replace(self.configuration.engine, first_back_off=timedelta()))
        right(self)

    monkeypatch.setattr(MortalRig, "start", wrong)
    assert _seen(ground, NOTES, _land_late) != []


def test_a_write_that_is_not_noted_before_it_is_sent_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Links, "begin_write", lambda *_, **__: True)
    assert _fatal(ground, STATES, "carried out, before the answer")


def test_notes_out_of_order_are_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = notes.join
    monkeypatch.setattr(notes, "join", lambda flow, left, most: right(flow, left, most)[::-1])
    assert _seen(ground, NOTES, _nothing) != []


def test_an_entry_that_is_not_healed_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = notes._may_go

    def wrong(flow: Any, person: Any) -> bool:
        return person.marker not in flow.records and right(flow, person)

    monkeypatch.setattr(notes, "_may_go", wrong)
    assert _seen(ground, WIPED, _nothing) != []


def test_a_mark_for_internal_that_is_not_heeded_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "begins_with_tag", lambda *_: False)
    assert any(violation.startswith("leaked") for violation in _seen(ground, NOTES, _nothing))


def test_a_log_that_is_replaced_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: Server, fields: Any, logs: Any, attributes: Any) -> dict[str, object]:
        return self._values(fields, attributes) | {log: {"items": [self._item(entry)]} for log, entry in logs.items()}

    monkeypatch.setattr(Server, "_with_entries", wrong)
    assert _seen(ground, NOTES, _nothing) != []


def test_a_field_that_is_written_against_its_direction_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = MortalRig.start

    def wrong(self: MortalRig) -> None:
        rules = self.configuration.rules
        classes = [
            replace(cls, fields=tuple(replace(field, direction=Direction.BOTH) for field in cls.fields)) for cls in rules.classes
        ]
        self.configuration = replace(self.configuration, rules=replace(rules, classes=tuple(classes)))
        right(self)

    monkeypatch.setattr(MortalRig, "start", wrong)
    assert any("update of title" in violation for violation in _seen(ground, EDITED, _nothing))


def test_a_persons_file_that_is_deleted_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = MortalRig.start

    def wrong(self: MortalRig) -> None:
        self.configuration = replace(self.configuration, rules=replace(self.configuration.rules, deletion=Deletion.BOTH))
        right(self)

    monkeypatch.setattr(MortalRig, "start", wrong)
    assert any("of a file that is a person's" in violation for violation in _seen(ground, DELETED, _nothing))


def test_a_file_that_is_cut_short_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    right = execute._read_file

    def wrong(*upload: Any) -> File:
        file = right(*upload)
        return replace(file, data=file.data[:-1])

    monkeypatch.setattr(execute, "_read_file", wrong)
    assert _seen(ground, FILES, _nothing) != []


def test_a_copy_that_is_not_looked_for_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "_find_copies", lambda *_: observe._Copies({}, {}, {}))
    assert _fatal(ground, NEW, "carried out, before the answer")


def test_a_state_of_ours_that_is_taken_for_a_persons_move_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itopsync.reconcile.state.heading_of", lambda *_: None)
    assert _fatal(ground, STATES, "carried out, before the answer")


def _fatal(ground: Ground, scenario: Scenario, boundary: str) -> bool:
    """Whether a kill at any boundary of that name does harm: first those in the middle, where what is read before is written."""
    boundaries, _ = play(ground, scenario, ())
    places = [place for place, name in enumerate(boundaries) if name == boundary]
    places.sort(key=lambda place: abs(place - len(boundaries) // 2))
    return any(play(ground, scenario, (place,))[1] for place in places)
