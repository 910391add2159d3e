"""Which tickets may belong together is proposed by a field or by title and time, and what is not certain is marked."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from itopsync.engine import linking
from itopsync.engine.linking import CannotLink
from itopsync.engine.proposing import Proposal, by_field, by_title
from itopsync.model import Ref, Side
from tests.engine.rig import Rig

OLD = "2026-11-01 00:00:00"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def external(rig: Rig, title: str = "Printer", at: str = OLD, cls: str = "UserRequest") -> int:
    return rig.customer.create(cls, title=title, start_date=at)


def internal(rig: Rig, title: str = "Printer", at: str = OLD, cls: str = "UserRequest", field: str = "") -> int:
    return rig.operator.create(cls, title=title, start_date=at, servicesubcategory_id=0, **({FIELD: field} if field else {}))


FIELD = "pending_reason"
"""Stands for one that an older bridge had added to internal's data model."""


def refs(proposals: list[Proposal]) -> list[tuple[int, int, bool]]:
    return [(each.external.ref.id, each.internal.ref.id, each.doubtful) for each in proposals]


def numbered(rig: Rig, key: int) -> str:
    return str(rig.external.ticket("UserRequest", key)["ref"])


# by a field


def test_tickets_whose_field_names_the_number_belong_together(rig: Rig) -> None:
    first, second, third = (external(rig, f"No. {n}") for n in range(3))
    named = [
        internal(rig, field=numbered(rig, third)),
        internal(rig, field=f"customer's {numbered(rig, first).lower()}, by mail"),
    ]
    internal(rig, field="none")
    internal(rig)
    assert refs(by_field(rig.pair, FIELD)) == [(first, named[1], False), (third, named[0], False)]
    assert {each.reason for each in by_field(rig.pair, FIELD)} == {
        f"{FIELD} names {numbered(rig, first)}",
        f"{FIELD} names {numbered(rig, third)}",
    }
    assert second


def test_a_ticket_that_several_name_or_that_names_several_is_doubtful(rig: Rig) -> None:
    first, second, third = (external(rig) for _ in range(3))
    twice = [internal(rig, field=numbered(rig, first)) for _ in range(2)]
    both = internal(rig, field=f"{numbered(rig, second)} {numbered(rig, third)}")
    proposed = by_field(rig.pair, FIELD)
    assert refs(proposed) == [(first, twice[0], True), (first, twice[1], True), (second, both, True), (third, both, True)]
    assert all(each.reason.startswith("several candidates; ") for each in proposed)


def test_tickets_of_classes_that_do_not_go_together_are_doubtful(rig: Rig) -> None:
    theirs = external(rig)
    ours = internal(rig, cls="Incident", field=numbered(rig, theirs))
    (proposed,) = by_field(rig.pair, FIELD)
    assert (proposed.internal.ref, proposed.doubtful) == (Ref(Side.INTERNAL, "Incident", ours), True)
    assert proposed.reason.startswith("classes that are not kept in step with each other; ")


def test_what_is_linked_is_not_proposed(rig: Rig) -> None:
    two = [(key := external(rig, f"No. {n}"), internal(rig, f"No. {n}", field=numbered(rig, key))) for n in range(2)]
    link = [Ref(side, "UserRequest", key) for side, key in zip(Side, two[0], strict=True)]
    linking.join(rig.pair, linking.compare(rig.inspector, *link, history=None))
    assert refs(by_field(rig.pair, FIELD)) == refs(by_title(rig.pair, DAY)) == [(*two[1], False)]


def test_a_field_that_no_class_has_is_told(rig: Rig) -> None:
    with pytest.raises(CannotLink, match="no synced class of internal has an attribute external_ref"):
        by_field(rig.pair, "external_ref")


# by title and time


def test_tickets_of_the_same_title_that_began_together_belong_together(rig: Rig) -> None:
    theirs = external(rig, "Printer  on 2nd floor", "2026-11-01 12:00:00")  # 05:00 UTC, in Jakarta
    ours = internal(rig, "printer on 2nd FLOOR", "2026-11-01 06:30:00")  # 05:30 UTC, in Paris
    internal(rig, "Printer on 3rd floor", "2026-11-01 06:00:00")
    internal(rig, "Printer on 2nd floor", "2026-11-01 07:01:00")
    (proposed,) = by_title(rig.pair, HOUR)
    assert refs([proposed]) == [(theirs, ours, False)]
    assert proposed.reason == "same title, began 30 min apart: Printer on 2nd floor"
    assert by_title(rig.pair, timedelta(minutes=29)) == []


def test_of_several_candidates_none_is_certain(rig: Rig) -> None:
    earlier, later = external(rig, at="2026-11-01 12:00:00"), external(rig, at="2026-11-01 12:20:00")
    there = internal(rig, at="2026-11-01 06:10:00")
    assert refs(by_title(rig.pair, HOUR)) == [(earlier, there, True), (later, there, True)]


def test_tickets_that_are_too_old_to_matter_are_left_out(rig: Rig) -> None:
    theirs, ours = external(rig, "New", "2026-11-10 12:00:00"), internal(rig, "New", "2026-11-10 06:00:00")
    external(rig, "Old", "2026-10-10 12:00:00")
    internal(rig, "Old", "2026-10-10 06:00:00")
    assert refs(by_title(rig.pair, HOUR, date(2026, 11, 1))) == [(theirs, ours, False)]
    assert len(by_title(rig.pair, HOUR)) == 2


def test_tickets_beyond_the_scope_are_left_out(rig: Rig) -> None:
    ours, theirs = (external(rig, title) for title in ("Ours", "Theirs"))
    there = [internal(rig, title, field=numbered(rig, key)) for title, key in (("Ours", ours), ("Theirs", theirs))]
    assert len(by_field(rig.pair, FIELD)) == len(by_title(rig.pair, DAY)) == 2
    rig.restrict("this.title LIKE 'O%' OR this.title LIKE 'P%'")
    assert refs(by_field(rig.pair, FIELD)) == refs(by_title(rig.pair, DAY)) == [(ours, there[0], False)]


def test_a_hundred_tickets_take_as_many_calls_as_one(rig: Rig) -> None:
    def calls() -> int:
        before = rig.external.requests.total + rig.internal.requests.total
        assert by_title(rig.pair, DAY)
        assert by_field(rig.pair, FIELD)
        return rig.external.requests.total + rig.internal.requests.total - before

    internal(rig, "No. 0", field=numbered(rig, external(rig, "No. 0")))
    few = calls()
    for number in range(1, 100):
        internal(rig, f"No. {number}", field=numbered(rig, external(rig, f"No. {number}")))
    assert calls() == few
