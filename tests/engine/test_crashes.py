"""A process that dies, and answers that never come: in the end each thing is there exactly once."""

from __future__ import annotations

from collections import Counter

import pytest

from itopsync.model import Side
from itopsync.simulator import FaultKind
from tests.engine.rig import PICTURE, RESOLVED, TEAM, Crash, Rig
from tests.sampling import some

WRITES = ("core/create", "core/update", "core/apply_stimulus", "core/delete")


def _a_full_day(rig: Rig) -> tuple[int, int]:
    """A linked request with everything outstanding, in both directions, and a new one with a history."""
    number = rig.customer.create("UserRequest", title="Printer", private_log="<p>One</p>", service_id=1)
    rig.customer.attach("UserRequest", number, "old.txt", "text/plain", b"old")
    rig.sync()
    copy = rig.copy_of(number)
    (gone,) = rig.external.ticket("UserRequest", number)["attachments"]
    rig.customer.delete_attachment(gone["id"])
    picture = rig.customer.paste_image("UserRequest", number, "s.png", "image/png", PICTURE)
    rig.customer.note("UserRequest", number, f"<p>Two</p>{picture}")
    rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    rig.customer.update("UserRequest", number, urgency="1")
    rig.operator.note("UserRequest", copy, "<p>Three</p>")
    rig.operator.note("UserRequest", copy, "<p>Four</p>")
    rig.operator.attach("UserRequest", copy, "b.txt", "text/plain", b"b")
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    rig.operator.stimulus("UserRequest", copy, "ev_resolve", **RESOLVED)
    other = rig.customer.create("Incident", title="Mail", private_log=f"<p>Down {picture}</p>")
    rig.customer.note("Incident", other, "<p>Still down</p>")
    return number, other


def _each_once(rig: Rig) -> None:
    assert rig.differences() == []
    for simulator in (rig.external, rig.internal):
        for ticket in simulator.tickets():
            texts = Counter(entry.text for entry in ticket["private_log"])
            assert max(texts.values(), default=1) == 1
            names = Counter((attachment["contents"].filename, attachment["temp_id"]) for attachment in ticket["attachments"])
            assert max(names.values(), default=1) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("countdown", some(range(12), 3))
def test_a_crash_around_any_write_loses_and_doubles_nothing(rig: Rig, moment: str, countdown: int) -> None:
    _a_full_day(rig)
    left = countdown

    def probe(where: str) -> None:
        nonlocal left
        when, _, verb = where.partition(":")
        if when == moment and verb in WRITES:
            if left == 0:
                raise Crash
            left -= 1

    rig.probe = probe
    with pytest.raises(Crash):
        rig.settle(2)  # the second cycle removes what is gone
    rig.restart()
    rig.settle()
    _each_once(rig)


NO_ANSWER = [
    *(FaultKind.LOST_BEFORE, FaultKind.LOST_AFTER, FaultKind.REFUSED_AFTER),
    *(FaultKind.HTML_500, FaultKind.HTML_200, FaultKind.LANDS_LATE),
]


@pytest.mark.parametrize("verb", WRITES)
@pytest.mark.parametrize("after", some(range(3), 3))
@pytest.mark.parametrize("kind", NO_ANSWER)
def test_a_lost_answer_loses_and_doubles_nothing(rig: Rig, kind: FaultKind, verb: str, after: int) -> None:
    _a_full_day(rig)
    for simulator in (rig.external, rig.internal):
        simulator.faults.add(kind, verbs=[verb], accounts=["sync"], times=1, after=after, applied=True, seconds=100)
    rig.sync()
    rig.settle()
    _each_once(rig)
    before = rig.written()
    rig.sync()
    assert rig.written() == before


@pytest.mark.parametrize("kind", [FaultKind.OVERWRITTEN, FaultKind.OVERWRITES])
@pytest.mark.parametrize("after", range(4))
def test_an_entry_that_an_agents_save_wipes_out_is_written_again(rig: Rig, kind: FaultKind, after: int) -> None:
    _a_full_day(rig)
    for simulator in (rig.external, rig.internal):
        simulator.faults.add(kind, times=1, after=after, accounts=["sync"])
    rig.sync()
    rig.settle()
    for simulator in (rig.external, rig.internal):
        texts = [entry.text for ticket in simulator.tickets() for entry in ticket["private_log"]]
        for word in ("One", "Two", "Three", "Four", "Down", "Still down"):
            assert sum(f"<p>{word}" in text for text in texts) == 1


def test_a_kill_between_polls_and_writes_keeps_what_was_found(rig: Rig) -> None:
    number, _ = _a_full_day(rig)

    def probe(where: str) -> None:
        if where.startswith("before:core/create"):
            raise Crash

    rig.probe = probe
    with pytest.raises(Crash):
        rig.sync()
    rig.restart()
    rig.wait(days=2)  # far beyond the overlap: only what was stored as dirty can tell
    rig.engine.cycle()
    rig.settle()
    assert rig.external.ticket("UserRequest", number)["status"] == "resolved"
    assert rig.differences() == []


def test_an_unknown_outcome_is_let_settle_before_anything_is_written_to_the_ticket(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Slow")
    rig.internal.faults.add(FaultKind.LANDS_LATE, verbs=["core/create"], times=1, seconds=240)
    rig.sync()
    rig.sync()
    assert rig.writes(Side.INTERNAL) == []
    rig.wait(minutes=5)
    rig.sync()
    assert len(rig.internal.tickets()) == 1
    assert rig.internal.ticket("UserRequest", rig.copy_of(number))["title"] == "Slow"


def test_a_kill_on_the_way_of_a_new_copy_through_its_states_is_no_move_of_a_person(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Late", service_id=1)
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    rig.customer.stimulus("UserRequest", number, "ev_resolve", **RESOLVED)

    def probe(where: str) -> None:
        if where == "after:core/apply_stimulus":
            raise Crash

    rig.probe = probe
    with pytest.raises(Crash):
        rig.sync()
    rig.restart()
    rig.settle()
    assert rig.external.ticket("UserRequest", number)["status"] == "resolved"
    _each_once(rig)


@pytest.mark.parametrize(("side", "looks"), [(Side.EXTERNAL, 0), (Side.EXTERNAL, 2), (Side.INTERNAL, 2)])
def test_a_file_that_is_withdrawn_after_a_kill_goes_from_the_other_side(rig: Rig, side: Side, looks: int) -> None:
    """So does that of a new ticket, at which nobody has looked."""
    number = rig.customer.create("UserRequest", title="Printer")
    rig.settle(looks)
    there = number if side is Side.EXTERNAL else rig.copy_of(number)
    file = rig.agent(side).attach("UserRequest", there, "a.txt", "text/plain", b"a")
    landed = False

    def probe(where: str) -> None:
        nonlocal landed
        if where == "after:core/create" and any(each["attachments"] for each in rig.simulator(side.other).tickets()):
            landed = True
            raise Crash

    rig.probe = probe
    with pytest.raises(Crash):
        rig.sync()
    assert landed
    rig.restart()
    rig.agent(side).delete_attachment(file)
    rig.settle(4)
    assert [each["attachments"] for each in rig.simulator(side.other).tickets()] == [[]]
    assert rig.link(number).files == ()
