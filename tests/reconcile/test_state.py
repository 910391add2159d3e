"""The SOP's state row: a state moved in external goes to internal, one moved in internal goes back, and internal wins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from itopsync.model import Agreed, Heading, Link, Side
from tests.reconcile.making import EXTERNAL, INTERNAL, agreed, both, kept, parked, plan, rules, ticket, writes

US_ON_THE_WAY = Heading(INTERNAL, ("assigned", "pending"))


def at(external: str, internal: str) -> Link:
    """A link whose sides last agreed on these states."""
    link = agreed()
    return replace(link, base=replace(link.base, state=Agreed(external, internal)))


def stimuli(link: Link, external: str, internal: str, **changes: object) -> list[tuple[Side, str | None]]:
    """What is sent to whom where both tickets are in these states."""
    seen = both(ticket(EXTERNAL, external), ticket(INTERNAL, internal))
    return [(write.side, write.stimulus) for write in writes(plan(link, seen, rules(**changes)))]


@pytest.mark.parametrize(
    ("base", "external", "internal", "sent"),
    [
        ("new", "assigned", "new", [(INTERNAL, "ev_assign")]),
        ("new", "new", "assigned", [(EXTERNAL, "ev_assign")]),
        ("new", "pending", "new", [(INTERNAL, "ev_assign"), (INTERNAL, "ev_pending")]),
        ("assigned", "assigned", "resolved", [(EXTERNAL, "ev_resolve")]),
        ("resolved", "closed", "resolved", [(INTERNAL, "ev_close")]),
        ("resolved", "assigned", "resolved", [(INTERNAL, "ev_reopen")]),
        ("assigned", "assigned", "assigned", []),
    ],
)
def test_the_side_that_stood_still_follows(base: str, external: str, internal: str, sent: list[tuple[Side, str]]) -> None:
    assert stimuli(at(base, base), external, internal) == sent


def test_internal_wins_where_both_moved() -> None:
    assert stimuli(at("assigned", "assigned"), "pending", "resolved") == [(EXTERNAL, "ev_assign"), (EXTERNAL, "ev_resolve")]


def test_but_what_external_has_closed_since_it_was_where_internal_is_now_stays_closed() -> None:
    assert stimuli(at("assigned", "assigned"), "closed", "resolved") == [(INTERNAL, "ev_close")]


@pytest.mark.parametrize(("base", "internal"), [("resolved", "assigned"), ("assigned", "pending")])
def test_what_external_has_closed_otherwise_waits_for_a_person(base: str, internal: str) -> None:
    planned = plan(at(base, base), both(ticket(EXTERNAL, "closed"), ticket(INTERNAL, internal)))
    assert [write.stimulus for write in writes(planned)] == [None]  # the notice alone
    assert "state" in parked(planned)


def test_a_timer_is_no_move_beside_a_persons() -> None:
    assert stimuli(at("assigned", "assigned"), "pending", "escalated_ttr") == [(INTERNAL, "ev_pending")]


def test_two_timers_are_settled_as_two_persons_would() -> None:
    assert stimuli(at("new", "new"), "escalated_tto", "escalated_ttr")[0][0] is EXTERNAL


def test_a_state_that_may_not_go_that_way_is_left_and_told() -> None:
    link, seen = at("new", "new"), both(ticket(EXTERNAL), ticket(INTERNAL, "assigned"))

    planned = plan(link, seen, rules(rules__state="to_internal"))

    assert planned.actions == ()
    assert ("not carried by the rules", "state") in kept(planned)


# what a dead process leaves behind


def test_where_we_took_a_side_is_no_persons_move() -> None:
    link = at("assigned", "assigned")
    link = replace(link, base=replace(link.base, heading=US_ON_THE_WAY))

    assert stimuli(link, "resolved", "pending") == [(INTERNAL, "ev_assign"), (INTERNAL, "ev_resolve")]


def test_a_side_that_went_back_after_we_had_followed_it_is_followed_back() -> None:
    link = at("assigned", "assigned")
    link = replace(link, base=replace(link.base, heading=US_ON_THE_WAY))

    assert stimuli(link, "assigned", "pending") == [(INTERNAL, "ev_assign")]


def test_a_person_who_moves_on_from_where_we_took_it_leads() -> None:
    link = at("assigned", "assigned")
    link = replace(link, base=replace(link.base, heading=US_ON_THE_WAY))

    assert stimuli(link, "assigned", "resolved") == [(EXTERNAL, "ev_resolve")]


# where no way leads


@pytest.mark.parametrize(
    ("cls", "base", "external", "internal", "reason"),
    [
        (
            "UserRequest",
            ("new", "new"),
            "odd",
            "new",
            "internal knows no state 'odd'; name what it corresponds to in the state map",
        ),
        (
            "UserRequest",
            ("resolved", "closed"),
            "assigned",
            "closed",
            "internal is at 'closed', which nothing leaves; the other side",
        ),
        (
            "Incident",
            ("new", "new"),
            "assigned",
            "escalated_tto",
            "leaving it crashes that server; a person must move it towards",
        ),
        ("NormalChange", ("validated", "new"), "assigned", "new", "through a decision nobody took here; take it in internal"),
    ],
)
def test_what_has_no_way_is_parked_with_what_to_do(
    cls: str, base: tuple[str, str], external: str, internal: str, reason: str
) -> None:
    link = agreed(cls=cls)
    link = replace(link, base=replace(link.base, state=Agreed(*base)))

    planned = plan(link, both(ticket(EXTERNAL, external, cls=cls), ticket(INTERNAL, internal, cls=cls)))

    assert [write for write in writes(planned) if write.stimulus] == []
    assert reason in parked(planned)["state"]


def test_a_state_is_tried_again_once_what_was_refused_with_it_is_corrected() -> None:
    link = at("assigned", "assigned")
    seen = both(ticket(EXTERNAL, "assigned"), ticket(INTERNAL, "pending", pending_reason="Refused"))
    (write,) = writes(plan(link, seen))
    refused = replace(link, obstacles=tuple(item.parked("it is refused") for item in write.items if item.key == "state"))
    assert [write.stimulus for write in writes(plan(refused, seen), EXTERNAL)] == []
    corrected = both(ticket(EXTERNAL, "assigned"), ticket(INTERNAL, "pending", pending_reason="Better"))
    assert [write.stimulus for write in writes(plan(refused, corrected), EXTERNAL)] == ["ev_pending"]
