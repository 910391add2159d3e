"""A ticket that went back in time: by how much, and what else explains it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from itopsync.model import Agreed, Link, Observation, Side
from itopsync.reconcile import by_hand
from tests.reconcile.making import EXTERNAL, INTERNAL, MINUTE, NOW, agreed, both, parked, plan, rules, ticket, writes

HOUR = timedelta(hours=1)
MORNING = datetime(2026, 11, 24, 8, 0, 7, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 25, 0, 40, 7, tzinfo=UTC)
"""20 minutes before Paris reads the same hour again."""


def _seen(changed: datetime, side: Side, state: str = "new") -> Observation:
    return both().with_(side, ticket(side, state, last_update=changed.isoformat()))


def _looked_at(changed: datetime, side: Side) -> Link:
    return agreed(_seen(changed, side))


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("back", [21 * MINUTE, timedelta(hours=9, seconds=1), timedelta(days=30)])
def test_a_ticket_that_went_back_is_left_to_a_person(side: Side, back: timedelta) -> None:
    planned = plan(_looked_at(MORNING, side), _seen(MORNING - back, side, "assigned"))
    assert planned.actions == ()
    (reason,) = parked(planned).values()
    assert reason.startswith(f"{side} shows an earlier state of the ticket than before")
    assert reason.endswith(f"writes there again what {side.other} has: set timezone and date_format right first")
    assert planned.link.base == _looked_at(MORNING, side).base


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("back", [timedelta(), -9 * MINUTE, 9 * MINUTE, 19 * MINUTE])
def test_a_long_save_is_no_restore_nor_a_clock_that_was_fast_and_is_slow(side: Side, back: timedelta) -> None:
    assert parked(plan(_looked_at(MORNING, side), _seen(MORNING - back, side))) == {}


@pytest.mark.parametrize("side", list(Side))
def test_a_corrected_timezone_or_a_clock_that_is_set_right_is_no_restore(side: Side) -> None:
    seen = _seen(MORNING - timedelta(hours=3), side)
    other = rules(**{f"{side}__timezone": "America/New_York"})
    assert parked(plan(_looked_at(MORNING, side), seen, other)) == {}
    assert parked(plan(_looked_at(MORNING, side), seen, now=MORNING - timedelta(hours=2))) == {}
    assert parked(plan(_looked_at(MORNING, side), seen, now=MORNING)) != {}


@pytest.mark.parametrize("side", list(Side))
def test_a_time_that_was_yet_to_come_when_it_was_looked_at_tells_nothing(side: Side) -> None:
    ahead = plan(agreed(), _seen(NOW + 30 * MINUTE, side)).link
    set_right = _seen(NOW + 5 * MINUTE, side)
    assert parked(plan(ahead, set_right, now=NOW + 5 * MINUTE)) == {}
    seen_later = plan(ahead, _seen(NOW + 30 * MINUTE, side), now=NOW + 40 * MINUTE).link
    assert parked(plan(seen_later, set_right, now=NOW + 41 * MINUTE)) != {}


def test_the_hour_that_comes_twice_is_no_restore() -> None:
    early = AUTUMN - 20 * MINUTE - timedelta(seconds=3)
    assert parked(plan(_looked_at(AUTUMN, INTERNAL), _seen(early, INTERNAL))) == {}
    assert parked(plan(_looked_at(AUTUMN, EXTERNAL), _seen(early, EXTERNAL))) != {}  # Jakarta knows no such hour


def test_once_a_person_says_retry_the_other_side_counts_as_moved() -> None:
    link = agreed(both(ticket(EXTERNAL, "assigned", last_update=MORNING.isoformat()), ticket(INTERNAL, "assigned")))
    assert link.base.state == Agreed("assigned", "assigned")
    restored = both(
        ticket(EXTERNAL, last_update=(MORNING - 30 * MINUTE + timedelta(seconds=1)).isoformat()), ticket(INTERNAL, "assigned")
    )
    held = plan(link, restored).link

    planned = plan(by_hand.retried(held, NOW), restored)

    assert [(each.side, each.leads_to) for each in writes(planned)] == [(EXTERNAL, "assigned")]
    assert planned.link.obstacles == ()
    assert parked(plan(planned.link, restored)) == {}


def _resolved_and_held() -> tuple[Link, Observation]:
    """A link at rest, whose external ticket was restored to its first state, and is held for that."""
    known = agreed(both(ticket(EXTERNAL, "assigned", last_update=MORNING.isoformat()), ticket(INTERNAL, "assigned")))
    restored = both(ticket(EXTERNAL, last_update=(MORNING - 2 * HOUR).isoformat()), ticket(INTERNAL, "assigned"))
    return plan(known, restored).link, restored


SAVED = ticket(EXTERNAL, last_update=(MORNING + HOUR).isoformat(), title="Printer, still")
"""The restored ticket, after somebody has saved it."""


def test_a_save_on_the_restored_ticket_makes_no_move_of_what_the_restore_did() -> None:
    held, restored = _resolved_and_held()
    planned = plan(held, restored.with_(EXTERNAL, SAVED))
    assert planned.actions == ()
    assert parked(planned) == parked(plan(held, restored))


def test_nor_does_one_before_the_next_look_at_what_a_person_has_let_pass() -> None:
    held, restored = _resolved_and_held()
    planned = plan(by_hand.retried(held, NOW), restored.with_(EXTERNAL, SAVED))
    assert [(each.side, each.leads_to) for each in writes(planned) if each.leads_to] == [(EXTERNAL, "assigned")]


MENDED = {"date_format": "m/d/Y H:i", "timezone": "America/New_York"}
"""What ``sync.toml`` says once it is right."""


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("mended", MENDED)
def test_once_dates_are_read_right_what_was_held_for_them_goes_on(side: Side, mended: str) -> None:
    known = _looked_at(MORNING, side)
    held = plan(known, _seen(MORNING - timedelta(days=60), side, "assigned")).link
    mine = rules(**{f"{side}__{mended}": MENDED[mended]})
    planned = plan(held, _seen(MORNING + HOUR, side, "assigned"), mine)
    assert parked(planned) == {}
    assert [(each.side, each.leads_to) for each in writes(planned) if each.leads_to] == [(side.other, "assigned")]
    assert planned.link.obstacles == ()


@pytest.mark.parametrize("mended", MENDED)
def test_a_ticket_that_was_restored_stays_held_all_the_same(mended: str) -> None:
    held, restored = _resolved_and_held()
    mine = rules(**{f"external__{mended}": MENDED[mended]})
    still = plan(held, restored, mine)
    assert parked(still) == parked(plan(held, restored))
    assert parked(plan(still.link, restored.with_(EXTERNAL, SAVED), mine)) != {}, "it was older by the right dates"
    saved = plan(held, restored.with_(EXTERNAL, SAVED))
    assert parked(plan(saved.link, restored.with_(EXTERNAL, SAVED), mine)) != {}, "somebody had saved it while it was held"


def test_a_retry_of_what_is_held_counts_however_dates_are_read_then() -> None:
    held, restored = _resolved_and_held()
    planned = plan(by_hand.retried(held, NOW), restored.with_(EXTERNAL, SAVED), rules(external__date_format="m/d/Y H:i"))
    assert [(each.side, each.leads_to) for each in writes(planned) if each.leads_to] == [(EXTERNAL, "assigned")]


@pytest.mark.parametrize("parked_first", [False, True])
def test_neither_does_a_person_who_parks_and_resumes_it(parked_first: bool) -> None:
    held, restored = _resolved_and_held()
    known = agreed(both(ticket(EXTERNAL, "assigned", last_update=MORNING.isoformat()), ticket(INTERNAL, "assigned")))
    resumed = by_hand.resumed(by_hand.parked(known if parked_first else held, "somebody"), NOW)
    planned = plan(resumed, restored)
    assert [each.side for each in writes(planned) if each.leads_to] == ([] if parked_first else [EXTERNAL])
    assert bool(parked(planned)) == parked_first
