"""When the next cycle is due, and what becomes of one that fails."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import pytest

from itopsync.config import Schedule
from itopsync.daemon import cycles
from itopsync.daemon.cycles import AdaptiveTrigger, Cycles
from itopsync.store.records import CycleKind

NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Desk:
    """Cycles by a clock that a test moves: both clocks at once, or the one that people set."""

    def __init__(self) -> None:
        self.ticks, self.wall, self.chance = 1_000.0, NOON, 0.0
        self.takes, self.moved = 0.0, False
        self.ran: list[str] = []
        self.raised: BaseException | None = None
        self.again: timedelta | None = None

    def start(
        self,
        poll: str | float = 10.0,
        sweep: str | timedelta = HOUR,
        last_sweep: datetime | None = None,
    ) -> None:
        pace = poll if isinstance(poll, str) else timedelta(seconds=poll)
        self.cycles = Cycles(self._cycle, chance=lambda: self.chance)
        self.plan(Schedule(poll=pace, sweep=sweep), last_sweep)

    def plan(self, schedule: Schedule, last_sweep: datetime | None = None) -> None:
        self.cycles.plan(schedule, last_sweep)

    def wait(self, seconds: float) -> None:
        self.ticks += seconds
        self.wall += timedelta(seconds=seconds)

    def run(self, *, takes: float = 0.0, moved: bool = False) -> float:
        """Run what is due, which is one cycle; return in how many seconds the next one is due."""
        before = len(self.ran)
        self.takes, self.moved = takes, moved
        left = self.cycles.run_due()
        assert len(self.ran) == before + 1
        return left

    def next(self, *, takes: float = 0.0, moved: bool = False) -> float:
        """Wait until a cycle is due and run it; return in how many seconds the next one is due."""
        self.wait(self.cycles.run_due())
        return self.run(takes=takes, moved=moved)

    def _cycle(self, kind: CycleKind) -> None:
        self.ran.append(kind)
        began = self.wall
        self.wait(self.takes)
        if self.raised is not None:
            raise self.raised
        self.cycles.ended(kind, began, moved=self.moved, again=self.again)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.combine(made.wall.date(), made.wall.timetz())

    monkeypatch.setattr(cycles, "datetime", Clock)
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Clock)
    monkeypatch.setattr(cycles, "_clock_ahead", lambda: made.wall.timestamp() - made.ticks)
    return made


def test_the_first_poll_is_due_at_once(desk: Desk) -> None:
    desk.start()
    desk.run()
    assert desk.ran == [CycleKind.POLL]


def test_it_is_quick_while_something_moves_and_ever_slower_while_nothing_does(desk: Desk) -> None:
    desk.start()
    assert desk.run(moved=True) == 10
    assert [desk.next(moved=True) for _ in range(2)] == [10, 10]
    quiet = [desk.next() for _ in range(8)]
    assert quiet[:3] == [12.5, 15.625, 19.53125]
    assert quiet[-2:] == [40, 40]
    assert desk.next(moved=True) == 10


def test_without_a_slower_pace_it_keeps_its_own(desk: Desk) -> None:
    desk.start(poll=300.0)
    assert [desk.run(), desk.next(), desk.next()] == [300, 300, 300]


def test_it_reckons_from_the_beginning_of_a_cycle_and_catches_up_once(desk: Desk) -> None:
    desk.start()
    assert desk.run(takes=4, moved=True) == 6
    assert desk.next(takes=95, moved=True) == 0
    assert desk.run(takes=1, moved=True) == 9


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 15), (0.5, 17), (0.999, 18.996)])
def test_at_most_the_jitter_is_added_while_nothing_moves(desk: Desk, chance: float, wait: float) -> None:
    desk.chance = chance
    desk.start(poll=12.0)
    assert desk.run() == pytest.approx(wait)


def test_nothing_is_added_while_something_moves(desk: Desk) -> None:
    desk.chance = 0.999
    desk.start(poll=12.0)
    assert desk.run(moved=True) == 12


def test_a_cron_expression_holds_at_all_times(desk: Desk) -> None:
    desk.start(poll="*/5 * * * *")
    assert desk.run(moved=True) == 280  # 12:05:00
    assert desk.next(takes=0.5) == 299.5


def test_what_a_cron_expression_asked_for_during_a_long_cycle_is_made_up_for_once(desk: Desk) -> None:
    desk.start(poll="* * * * *", sweep="0 0 2 1 *")
    assert desk.run(takes=150) == 0
    assert desk.run() == 10
    assert desk.next() == 60


def test_a_day_that_never_comes_holds_nothing_else_up(desk: Desk) -> None:
    desk.start(poll="0 0 30 2 *")
    assert desk.run() == 3_600
    assert desk.next() == 3_600
    desk.start(sweep="0 0 30 2 *")
    assert desk.run(moved=True) == 10
    assert desk.ran == [CycleKind.POLL, CycleKind.SWEEP, CycleKind.POLL]


def test_a_sweep_takes_the_place_of_a_poll(desk: Desk) -> None:
    desk.start()
    desk.run()
    desk.wait(3_600)
    assert desk.run(takes=5, moved=True) == 5
    assert desk.ran == [CycleKind.POLL, CycleKind.SWEEP]
    assert desk.next(moved=True) == 10
    assert desk.ran == [CycleKind.POLL, CycleKind.SWEEP, CycleKind.POLL]


@pytest.mark.parametrize(
    ("ago", "wait"),
    [
        pytest.param(timedelta(minutes=50), 600, id="within its span"),
        pytest.param(-timedelta(days=3), 3_600, id="in the future, by a clock that was wrong"),
    ],
)
def test_sweeps_go_on_across_restarts(desk: Desk, ago: timedelta, wait: float) -> None:
    """Else a process that is started anew each night would never sweep."""
    desk.start(poll=86_400.0, last_sweep=NOON - ago)
    assert desk.run() == wait
    desk.next()
    assert desk.ran == [CycleKind.POLL, CycleKind.SWEEP]


def test_a_sweep_that_was_due_long_ago_comes_first(desk: Desk) -> None:
    desk.start(last_sweep=NOON - timedelta(days=3))
    assert desk.run(moved=True) == 10
    assert desk.ran == [CycleKind.SWEEP]


@pytest.mark.parametrize("days", [-1, 1])
@pytest.mark.parametrize(("poll", "wait"), [(10.0, 10), ("*/5 * * * *", 280)])
def test_a_clock_that_is_set_by_a_day_holds_nothing_up(desk: Desk, days: int, poll: str | float, wait: float) -> None:
    desk.start(poll, sweep="0 0 2 1 *")
    assert desk.run(moved=True) == wait
    desk.wall += timedelta(days=days)
    if days == 1 and isinstance(poll, str):
        assert desk.run(moved=True) == wait  # it was due meanwhile
    else:
        assert desk.cycles.run_due() == wait
    assert desk.ran.count(CycleKind.SWEEP) == 0
    assert desk.next(moved=True) == (10 if wait == 10 else 300)


def test_a_sweep_waits_for_its_span_although_the_clock_is_set(desk: Desk) -> None:
    desk.start(poll=86_400.0)
    desk.run()
    desk.wall += timedelta(days=300)
    assert desk.cycles.run_due() == 3_600


@pytest.mark.parametrize("kind", [CycleKind.POLL, CycleKind.SWEEP])
def test_a_poll_is_due_again_when_a_cycle_wants_it(desk: Desk, kind: CycleKind) -> None:
    desk.start(poll="0 0 1 1 *", last_sweep=NOON - HOUR if kind == CycleKind.SWEEP else None)
    desk.again = timedelta(seconds=5)
    assert desk.run(takes=2) == 5
    desk.again = None
    assert desk.next() > 3_000
    assert desk.ran == [kind, CycleKind.POLL]


def test_a_new_schedule_begins_with_a_poll(desk: Desk) -> None:
    desk.start(poll=3_000.0)
    desk.run()
    desk.plan(Schedule(poll=timedelta(seconds=20), sweep=HOUR))
    assert desk.run(moved=True) == 20


@pytest.mark.parametrize("error", [ZeroDivisionError(), SystemExit(3), KeyboardInterrupt()])
def test_what_a_cycle_raises_is_raised_and_nothing_is_run_after_it(
    desk: Desk, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    desk.start(last_sweep=NOON - HOUR)
    desk.raised = error
    with pytest.raises(type(error)), caplog.at_level(logging.INFO, "apscheduler"):
        desk.cycles.run_due()
    assert desk.ran == [CycleKind.SWEEP]  # the poll was due too
    assert caplog.records == []
    with pytest.raises(type(error)):
        desk.cycles.run_due()


def test_chance_is_asked_anew_each_time() -> None:
    chances = iter([0.25, 0.75])
    trigger = AdaptiveTrigger(timedelta(seconds=10), timedelta(seconds=10), timedelta(seconds=4), lambda: next(chances))
    assert [trigger.get_next_fire_time(None, NOON) - NOON for _ in range(2)] == [timedelta(seconds=11), timedelta(seconds=13)]
