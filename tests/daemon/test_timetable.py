"""When the next cycle is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from itopsync.config import Schedule
from itopsync.daemon.timetable import Timetable
from itopsync.engine.report import CycleKind

NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Clock:
    """Time that a test moves: both clocks at once, or the one that people set."""

    ticks: float = 1_000.0
    wall: datetime = NOON
    chance: float = 0.0

    def wait(self, seconds: float) -> None:
        self.ticks += seconds
        self.wall += timedelta(seconds=seconds)

    def timetable(
        self,
        poll: str | float = 10.0,
        quiet: float = 40.0,
        sweep: str | timedelta = HOUR,
        jitter: float = 0.0,
        last_sweep: datetime | None = None,
    ) -> Timetable:
        pace = poll if isinstance(poll, str) else timedelta(seconds=poll)
        schedule = Schedule(pace, sweep, timedelta(seconds=jitter), timedelta(seconds=quiet))
        return Timetable(schedule, last_sweep, clock=lambda: self.wall, ticks=lambda: self.ticks, chance=lambda: self.chance)

    def cycle(self, timetable: Timetable, kind: CycleKind = CycleKind.POLL, *, takes: float = 0.0, moved: bool = False) -> float:
        """Run a cycle; return in how many seconds the next one is due."""
        timetable.began(kind)
        self.wait(takes)
        timetable.ended(moved=moved)
        return timetable.next()[1]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_first_poll_is_due_at_once(clock: Clock) -> None:
    assert clock.timetable().next() == (CycleKind.POLL, 0)


def test_it_is_quick_while_something_moves_and_ever_slower_while_nothing_does(clock: Clock) -> None:
    timetable = clock.timetable()
    assert [clock.cycle(timetable, moved=True) for _ in range(3)] == [10, 10, 10]
    quiet = [clock.cycle(timetable) for _ in range(8)]
    assert quiet[:3] == [12.5, 15.625, 19.53125]
    assert quiet[-2:] == [40, 40]
    assert clock.cycle(timetable, moved=True) == 10


def test_without_a_slower_pace_it_keeps_its_own(clock: Clock) -> None:
    timetable = clock.timetable(poll=300.0, quiet=300.0)
    assert [clock.cycle(timetable) for _ in range(3)] == [300, 300, 300]


def test_it_reckons_from_the_beginning_of_a_cycle_and_catches_up_once(clock: Clock) -> None:
    timetable = clock.timetable()
    assert clock.cycle(timetable, takes=4, moved=True) == 6
    assert clock.cycle(timetable, takes=95, moved=True) == 0
    assert clock.cycle(timetable, takes=1, moved=True) == 9


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 10), (0.5, 12), (0.999, 13.996)])
def test_at_most_the_jitter_is_added(clock: Clock, chance: float, wait: float) -> None:
    clock.chance = chance
    assert clock.cycle(clock.timetable(jitter=4.0), moved=True) == pytest.approx(wait)


def test_a_cron_expression_holds_at_all_times(clock: Clock) -> None:
    timetable = clock.timetable(poll="*/5 * * * *")
    assert clock.cycle(timetable, moved=True) == 280  # 12:05:00
    clock.wait(280)
    assert timetable.next() == (CycleKind.POLL, 0)
    assert clock.cycle(timetable, takes=0.5) == 299.5


def test_a_far_cron_expression_is_looked_at_again_within_the_hour(clock: Clock) -> None:
    timetable = clock.timetable(poll="0 0 1 1 *", sweep="0 0 2 1 *")
    assert clock.cycle(timetable) == 3_600


def test_a_sweep_takes_the_place_of_a_poll(clock: Clock) -> None:
    timetable = clock.timetable()
    clock.cycle(timetable)
    clock.wait(3_600)
    assert timetable.next() == (CycleKind.SWEEP, 0)
    clock.cycle(timetable, CycleKind.SWEEP, takes=5, moved=True)
    assert timetable.next() == (CycleKind.POLL, 5)


@pytest.mark.parametrize(
    ("ago", "wait"),
    [
        pytest.param(timedelta(minutes=50), 600, id="within its span"),
        pytest.param(timedelta(days=3), 0, id="long ago: at once"),
        pytest.param(-timedelta(days=3), 3_600, id="in the future, by a clock that was wrong"),
    ],
)
def test_sweeps_go_on_across_restarts(clock: Clock, ago: timedelta, wait: float) -> None:
    """Else a process that is started anew each night would never sweep."""
    timetable = clock.timetable(poll=86_400.0, quiet=86_400.0, last_sweep=NOON - ago)
    clock.cycle(timetable)
    assert timetable.next() == (CycleKind.SWEEP, wait)


def test_a_clock_that_is_set_back_by_a_day_holds_nothing_up(clock: Clock) -> None:
    timetable = clock.timetable()
    clock.wall -= timedelta(days=1)
    assert clock.cycle(timetable, moved=True) == 10
