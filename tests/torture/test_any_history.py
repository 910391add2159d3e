"""Whatever people do, whatever strikes, whenever the process dies: in the end each thing is there exactly once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from itopsync.errors import ItopsyncError
from itopsync.model import Side
from itopsync.simulator import FaultKind
from itopsync.simulator.faults import Fault
from itopsync.store.records import CycleKind, CycleOutcome
from tests.engine.pair import DEEP as DEEP_PAIRS
from tests.engine.pair import ENVIRONMENT, MIXED, usual_versions
from tests.engine.rig import BEGIN
from tests.torture.desks import Desks
from tests.torture.oddities import Oddity
from tests.torture.people import CLASSES
from tests.torture.rogues import Rogues

STRIKES_PEOPLE = (FaultKind.LATE_COMMIT, FaultKind.LATE_UPLOAD, FaultKind.LATE_DRAFT, FaultKind.LOST_DRAFT)
STRIKES_REQUESTS = tuple(kind for kind in FaultKind if kind not in (*STRIKES_PEOPLE, FaultKind.BLIND))
WRITES = ("core/create", "core/update", "core/apply_stimulus", "core/delete")
VERBS = st.sampled_from([(), *((verb,) for verb in WRITES), ("core/get",)])
SIDES = st.sampled_from(list(Side))
NUMBERS = st.integers(0, 99)
DEEDS = st.sampled_from(Rogues.DEEDS)
KINDS = st.sampled_from([CycleKind.POLL, CycleKind.POLL, CycleKind.POLL, CycleKind.SWEEP])
Deed = tuple[str, Side, int, int]
MEANWHILE = st.lists(st.tuples(st.integers(0, 60), st.tuples(DEEDS, SIDES, NUMBERS, NUMBERS)), max_size=3)
"""At which boundary of a cycle, and what somebody does just then."""
BEGINNINGS = st.sampled_from([BEGIN, BEGIN, datetime(2027, 10, 30, 23, 50, tzinfo=UTC), datetime(2027, 3, 28, 0, 50, tzinfo=UTC)])
"""The hours that come twice or not at all are among them."""
AT_MOST = 4
"""Tickets on external."""


class AnyHistory(RuleBasedStateMachine):
    """People, faults, clocks and kills in any order; :meth:`teardown` brings all to rest and judges."""

    pairs = (*MIXED, ("3.2", "3.3"))

    @initialize(
        begin=BEGINNINGS,
        pair=NUMBERS,
        classes=st.lists(st.sampled_from(CLASSES), min_size=1, max_size=3),
        moves=st.integers(0, 2),
    )
    def begins(self, begin: datetime, pair: int, classes: Sequence[str], moves: int) -> None:
        self.desks = Desks(begin, usual_versions() if ENVIRONMENT in os.environ else self.pairs[pair % len(self.pairs)])
        self.rig, self.ledger, self.people = self.desks.rig, self.desks.ledger, self.desks.people
        self.blindness: dict[Side, Fault] = {}
        self.odd: tuple[Oddity, Side, int] | None = None
        for cls in classes:
            self.people.open(cls, 1, moves)
        self.rig.sync()

    # people

    @precondition(lambda self: len(self.ledger.tickets) < AT_MOST)
    @rule(cls=st.sampled_from(CLASSES), history=st.integers(0, 2), moves=st.integers(0, 2))
    def opens(self, cls: str, history: int, moves: int) -> None:
        self.people.open(cls, history, moves)

    @rule()
    def opens_in_internal(self) -> None:
        self.people.open_in_internal()

    @rule(deeds=st.lists(st.tuples(DEEDS, SIDES, NUMBERS, NUMBERS), min_size=1, max_size=4))
    def people_act(self, deeds: Sequence[Deed]) -> None:
        for deed in deeds:
            self.people.do(*deed)

    @rule(side=SIDES, place=NUMBERS, choices=st.lists(NUMBERS, min_size=1, max_size=3))
    def one_moves(self, side: Side, place: int, choices: Sequence[int]) -> None:
        for choice in choices:
            self.people.move(side, place, choice)

    @precondition(lambda self: len(self.ledger.tickets) > 1 and not self.ledger.gone)
    @rule(side=SIDES, place=NUMBERS)
    def deletes_a_ticket(self, side: Side, place: int) -> None:
        self.people.delete(side, place)

    # what strikes

    @rule(side=SIDES, kind=st.sampled_from(STRIKES_REQUESTS), verbs=VERBS, after=st.integers(0, 4), times=st.integers(1, 2))
    def strikes(self, side: Side, kind: FaultKind, verbs: tuple[str, ...], after: int, times: int) -> None:
        if kind is FaultKind.HUGE_ERROR:
            verbs = ("core/create",)  # what it says of a ticket that is there holds for good: that its log is full
        self.rig.simulator(side).faults.add(
            kind, verbs=verbs, after=after, times=times, accounts=["sync"], applied=after % 2 == 0, seconds=60 + 50 * after
        )

    @rule(side=SIDES, kind=st.sampled_from(STRIKES_PEOPLE), seconds=st.integers(30, 1200))
    def strikes_people(self, side: Side, kind: FaultKind, seconds: int) -> None:
        self.rig.simulator(side).faults.add(kind, times=1, accounts=["agent"], seconds=seconds)

    @rule(side=SIDES)
    def sees_nothing_or_all_again(self, side: Side) -> None:
        faults = self.rig.simulator(side).faults
        if side in self.blindness:
            faults.remove(self.blindness.pop(side))
        else:
            self.blindness[side] = faults.add(FaultKind.BLIND, accounts=["sync"], verbs=["core/get"])

    @rule(side=SIDES, minutes=st.integers(-10, 10))
    def clock_jumps(self, side: Side, minutes: int) -> None:
        self.rig.simulator(side).land()  # what is on its way comes when the other clock says
        self.rig.simulator(side).clock_offset = timedelta(minutes=minutes)

    @rule(seconds=st.sampled_from([1, 60, 300, 1_800, 18_000]))
    def time_passes(self, seconds: int) -> None:
        self.rig.wait(seconds=seconds)

    # itopsync

    @rule(kind=KINDS, kill=st.none() | st.integers(0, 120), meanwhile=MEANWHILE, seconds=st.sampled_from([0, 1, 60]))
    def syncs(self, kind: CycleKind, kill: int | None, meanwhile: Sequence[tuple[int, Deed]], seconds: int) -> None:
        self.rig.wait(seconds=seconds)
        self.rig.meanwhile = {at: partial(self.people.do, *deed) for at, deed in meanwhile}
        self.rig.run(lambda: self._cycle(kind), kill)
        self.rig.wait(seconds=seconds)

    @rule(side=SIDES, place=NUMBERS, choice=NUMBERS, kill=st.integers(0, 60), back=st.lists(NUMBERS, max_size=2))
    def one_moves_on_while_we_die(self, side: Side, place: int, choice: int, kill: int, back: Sequence[int]) -> None:
        self.people.move(side, place, choice)
        self.rig.wait(minutes=1)
        self.rig.run(lambda: self._cycle(CycleKind.POLL), kill)
        for again in back:
            self.people.move(side, place, again)

    @rule(side=SIDES, cls=st.sampled_from(CLASSES))
    def our_account_is_replaced_around_a_lost_answer(self, side: Side, cls: str) -> None:
        if side in self.blindness:
            return  # not even itself: whoever writes then, and is replaced before it sees again, is never known as ours
        self.desks.lose_an_answer(side)
        if len(self.ledger.tickets) < AT_MOST:
            self.people.open(cls, 1, 0)
        self._cycle(CycleKind.POLL)
        self.desks.change_the_account(side)

    @rule(side=SIDES, place=NUMBERS, choice=NUMBERS)
    def one_corrects_while_the_other_moves_on(self, side: Side, place: int, choice: int) -> None:
        for number in (place, place + 1):
            if (found := self.people.pick(side, number)) is not None:
                self.people.resolve(side, found)
        for _ in range(3):
            self.rig.wait(minutes=2)
            if self._cycle(CycleKind.POLL) is not CycleOutcome.WELL:
                return  # what was said before may be on its way still, and come over what is said now
        self.people.correct_while_the_other_moves_on(side, place, choice)

    # the end

    @rule(how=st.sampled_from(Oddity), side=SIDES, place=NUMBERS)
    def one_will_be_odd(self, how: Oddity, side: Side, place: int) -> None:
        """Once all is at rest, so that no fault is to blame for what waits."""
        self.odd = (how, side, place)

    def teardown(self) -> None:
        try:
            self.desks.rest()
            found = self.desks.violations() or (self.desks.held_up(*self.odd) if self.odd else [])
            assert not found, found
        finally:
            self.desks.close()

    def _cycle(self, kind: CycleKind) -> CycleOutcome | None:
        try:
            return self.rig.engine.cycle(kind).outcome
        except ItopsyncError as stop:
            note(f"stopped: {stop}")
            return None


class AnyDeepHistory(AnyHistory):
    """The same between more pairs of versions, with stories that take long to tell."""

    pairs = DEEP_PAIRS

    @precondition(lambda self: len(self.ledger.tickets) < AT_MOST)
    @rule(cls=st.sampled_from(CLASSES))
    def opens_a_long_story(self, cls: str) -> None:
        self.people.open_a_long_story(cls)


SHORT = settings(
    max_examples=8, phases=[Phase.generate], stateful_step_count=20, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
DEEP = settings(SHORT, max_examples=400, stateful_step_count=40, derandomize=False, phases=[Phase.generate, Phase.shrink])


def test_any_short_history_ends_in_agreement() -> None:
    run_state_machine_as_test(AnyHistory, settings=SHORT)


@pytest.mark.torture
def test_any_history_ends_in_agreement() -> None:
    run_state_machine_as_test(AnyDeepHistory, settings=DEEP)
