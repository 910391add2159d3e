"""Whatever people do, whatever strikes, whenever the process dies: in the end each thing is there exactly once."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from itopsync.engine.cycle import POLL, SWEEP
from itopsync.errors import ItopsyncError
from itopsync.model import Side
from itopsync.simulator import Agent, BareRefusal, FaultKind, Refusal, Simulator
from itopsync.store import Store
from tests.engine.rig import PICTURE, RESOLVED, TEAM
from tests.torture.killing import MortalRig
from tests.torture.ledger import Ledger

STRIKES_REQUESTS = (
    FaultKind.LOST_BEFORE, FaultKind.LOST_AFTER, FaultKind.LANDS_LATE, FaultKind.HTML_500, FaultKind.HTML_200,
    FaultKind.MAINTENANCE, FaultKind.INVALID_LOGIN, FaultKind.MISSING_RIGHT, FaultKind.READ_ONLY, FaultKind.HUGE_ERROR,
    FaultKind.OVERWRITES, FaultKind.OVERWRITTEN, FaultKind.VANISHING_ATTACHMENT,
)  # fmt: skip
STRIKES_PEOPLE = (FaultKind.LATE_COMMIT, FaultKind.LATE_UPLOAD, FaultKind.LATE_DRAFT, FaultKind.LOST_DRAFT)
WRITES = ("core/create", "core/update", "core/apply_stimulus", "core/delete")
VERBS = st.sampled_from([(), *((verb,) for verb in WRITES), ("core/get",)])
STIMULI: dict[str, dict[str, Any]] = {
    "ev_assign": TEAM,
    "ev_reassign": TEAM,
    "ev_pending": {"pending_reason": "On leave"},
    "ev_resolve": RESOLVED,
    "ev_close": {"user_satisfaction": "1", "user_comment": "Thanks"},
    "ev_reopen": {},
}
SIDES = st.sampled_from(list(Side))
NUMBERS = st.integers(0, 99)
AT_MOST = 4
"""Tickets on external."""


class AnyHistory(RuleBasedStateMachine):
    """People, faults, clocks and kills in any order; :meth:`teardown` brings all to rest and judges."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="itopsync-"))
        self.rig = MortalRig(self.folder, template=_template())
        self.ledger = Ledger(self.rig)
        self.count = 0

    # people

    @precondition(lambda self: len(self.ledger.tickets) < AT_MOST)
    @rule(cls=st.sampled_from(["UserRequest", "Incident"]), history=st.integers(0, 2), assigned=st.booleans())
    def opens(self, cls: str, history: int, assigned: bool) -> None:
        number = self.rig.customer.create(cls, title=self._word("Ticket"), service_id=1)
        self.ledger.tickets.append((cls, number))
        for _ in range(history):
            self._writes(Side.EXTERNAL, cls, number, self._word("Note"))
        if assigned:
            self._moves(Side.EXTERNAL, cls, number, "ev_assign")

    @rule()
    def opens_in_internal(self) -> None:
        self.ledger.secrets.append(self._word("Unlinked"))
        text = f"<p>{self.ledger.secrets[-1]}</p>"
        self.ledger.own.append(self.rig.operator.create("UserRequest", title="Ours", private_log=text))

    @rule(side=SIDES, place=NUMBERS, again=st.booleans())
    def notes(self, side: Side, place: int, again: bool) -> None:
        if (found := self._pick(side, place)) is not None:
            self._writes(side, *found, "Thanks." if again else self._word("Note"))

    @rule(side=SIDES, place=NUMBERS)
    def pastes_a_picture(self, side: Side, place: int) -> None:
        if (found := self._pick(side, place)) is not None:
            picture = self._agent(side).paste_image(found[0], self._there(side, *found), "s.png", "image/png", PICTURE)
            self._writes(side, *found, self._word("Note"), picture)

    @rule(place=NUMBERS)
    def notes_for_internal_alone(self, place: int) -> None:
        if (found := self._pick(Side.INTERNAL, place)) is not None:
            self.ledger.secrets.append(self._word("Secret"))
            text = f"<p>#internal {self.ledger.secrets[-1]}</p>"
            self.rig.operator.note(found[0], self._there(Side.INTERNAL, *found), text)

    @rule(side=SIDES, place=NUMBERS, name=st.sampled_from(["title", "urgency", "description"]))
    def edits(self, side: Side, place: int, name: str) -> None:
        if (found := self._pick(side, place)) is None:
            return
        value = str(self.count % 4 + 1) if name == "urgency" else self._word("Text")
        self._agent(side).update(found[0], self._there(side, *found), **{name: value})
        if side is Side.INTERNAL:
            self.ledger.edited.add(found)

    @rule(side=SIDES, place=NUMBERS)
    def attaches(self, side: Side, place: int) -> None:
        if (found := self._pick(side, place)) is not None:
            data = self._word("Data").encode()
            self._agent(side).attach(found[0], self._there(side, *found), "a.txt", "text/plain", data)

    @rule(side=SIDES, place=NUMBERS, which=NUMBERS)
    def deletes_a_file(self, side: Side, place: int, which: int) -> None:
        if (found := self._pick(side, place)) is None:
            return
        files = [
            one
            for one in self._simulator(side).ticket(found[0], self._there(side, *found))["attachments"]
            if not one["temp_id"].startswith("itopsync-demo-p-")
        ]
        if files:
            chosen = files[which % len(files)]
            self.ledger.deleted_copies += chosen["temp_id"].startswith("itopsync-")
            self._agent(side).delete_attachment(chosen["id"])

    @rule(side=SIDES, place=NUMBERS, stimulus=st.sampled_from(sorted(STIMULI)))
    def moves(self, side: Side, place: int, stimulus: str) -> None:
        if (found := self._pick(side, place)) is not None:
            self._moves(side, *found, stimulus)

    @precondition(lambda self: len(self.ledger.tickets) > 1 and not self.ledger.gone)
    @rule(side=SIDES, place=NUMBERS)
    def deletes_a_ticket(self, side: Side, place: int) -> None:
        if (found := self._pick(side, place)) is not None and self._copy(*found) is not None:
            self._agent(side).delete(found[0], self._there(side, *found))
            self.ledger.gone.add(found)

    # what strikes

    @rule(side=SIDES, kind=st.sampled_from(STRIKES_REQUESTS), verbs=VERBS, after=st.integers(0, 4), times=st.integers(1, 2))
    def strikes(self, side: Side, kind: FaultKind, verbs: tuple[str, ...], after: int, times: int) -> None:
        self._simulator(side).faults.add(
            kind, verbs=verbs, after=after, times=times, accounts=["sync"], applied=after % 2 == 0, seconds=60 + 50 * after
        )

    @rule(side=SIDES, kind=st.sampled_from(STRIKES_PEOPLE), seconds=st.integers(30, 1200))
    def strikes_people(self, side: Side, kind: FaultKind, seconds: int) -> None:
        self._simulator(side).faults.add(kind, times=1, accounts=["agent"], seconds=seconds)

    @rule(side=SIDES, minutes=st.integers(-10, 10))
    def clock_jumps(self, side: Side, minutes: int) -> None:
        self._simulator(side).land()  # what is on its way comes when the other clock says
        self._simulator(side).clock_offset = timedelta(minutes=minutes)

    @rule(minutes=st.sampled_from([1, 5, 30, 300]))
    def time_passes(self, minutes: int) -> None:
        self.rig.wait(minutes=minutes)

    # itopsync

    @rule(kind=st.sampled_from([POLL, POLL, POLL, SWEEP]), kill=st.none() | st.integers(0, 120))
    def syncs(self, kind: str, kill: int | None) -> None:
        self.rig.wait(minutes=1)
        self.rig.run(lambda: self._cycle(kind), kill)
        self.rig.wait(minutes=1)

    # the end

    def teardown(self) -> None:
        try:
            self._come_to_rest()
            found = list(self.ledger.violations())
            before = self.rig.written()
            self.rig.wait(minutes=10)
            self.rig.engine.cycle()
            if self.rig.written() != before:
                found.append("a further cycle still wrote")
            assert found == []
        finally:
            self.rig.stop()
            shutil.rmtree(self.folder)

    def _come_to_rest(self) -> None:
        for simulator in (self.rig.external, self.rig.internal):
            simulator.faults.clear()
            simulator.land()
            simulator.clock_offset = timedelta()
        for minutes in (1, 10, 10, 10, 120, 400, 10, 10):
            self.rig.wait(minutes=minutes)
            self.rig.engine.cycle(SWEEP if minutes == 120 else POLL)

    # small things

    def _cycle(self, kind: str) -> None:
        try:
            self.rig.engine.cycle(kind)
        except ItopsyncError as stop:
            note(f"stopped: {stop}")

    def _word(self, word: str) -> str:
        self.count += 1
        return f"{word} {self.count}."

    def _simulator(self, side: Side) -> Simulator:
        return self.rig.external if side is Side.EXTERNAL else self.rig.internal

    def _agent(self, side: Side) -> Agent:
        return self.rig.customer if side is Side.EXTERNAL else self.rig.operator

    def _copy(self, cls: str, number: int) -> int | None:
        """The id of a ticket's copy that is there and known."""
        try:
            link = self.rig.link(number, cls)
        except AssertionError:
            return None
        known = link.internal is not None and self.rig.internal.store.get(cls, link.internal.id) is not None
        return link.internal.id if known and link.internal is not None else None

    def _there(self, side: Side, cls: str, number: int) -> int:
        copy = self._copy(cls, number)
        assert side is Side.EXTERNAL or copy is not None
        return number if side is Side.EXTERNAL or copy is None else copy

    def _pick(self, side: Side, place: int) -> tuple[str, int] | None:
        """One of the tickets that are on *side*."""
        there = [
            one
            for one in self.ledger.tickets
            if one not in self.ledger.gone
            and self.rig.external.store.get(*one) is not None
            and (side is Side.EXTERNAL or self._copy(*one) is not None)
        ]
        return there[place % len(there)] if there else None

    def _writes(self, side: Side, cls: str, number: int, text: str, picture: str = "") -> None:
        if self._simulator(side).store.get(cls, self._there(side, cls, number)) is None:
            return  # it is not to be seen yet
        self._agent(side).note(cls, self._there(side, cls, number), f"<p>{text}</p>{picture}")
        self.ledger.notes.setdefault((side, cls, number), []).append(text)

    def _moves(self, side: Side, cls: str, number: int, stimulus: str) -> None:
        try:
            self._agent(side).stimulus(cls, self._there(side, cls, number), stimulus, **STIMULI[stimulus])
        except (Refusal, BareRefusal):
            note(f"{stimulus} is not possible now")


_made: list[Path] = []


def _template() -> Path:
    """A fresh store, to be copied."""
    if not _made:
        path = Path(tempfile.mkdtemp(prefix="itopsync-")) / "template.sqlite"
        Store.open(f"sqlite:///{path}").close()
        _made.append(path)
    return _made[0]


SHORT = settings(
    max_examples=12, stateful_step_count=25, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
DEEP = settings(SHORT, max_examples=250, stateful_step_count=40, derandomize=False)


def test_any_short_history_ends_in_agreement() -> None:
    run_state_machine_as_test(AnyHistory, settings=SHORT)


@pytest.mark.torture
def test_any_history_ends_in_agreement() -> None:
    run_state_machine_as_test(AnyHistory, settings=DEEP)
