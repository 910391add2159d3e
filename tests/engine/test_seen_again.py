"""A link ends as one of its tickets is gone; the ticket comes back: that is told, and a person decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from itopsync.engine import linking
from itopsync.engine.story import explain
from itopsync.model import End, LinkStatus, Ref, Side
from itopsync.reconcile import by_hand
from itopsync.reconcile.copied import Bridge
from itopsync.store.records import CycleKind
from tests.engine.rig import Rig

NAME = "UserRequest"


def _out_of_sight(rig: Rig, side: Side, ticket: int) -> Callable[[], None]:
    """Our account loses sight of one ticket; return what gives it back."""
    simulator = rig.simulator(side)
    account = simulator.accounts["sync"]
    assert all(each["org_id"] == 3 for each in simulator.tickets() if each["id"] != ticket)
    simulator.accounts["sync"] = account.limited_to(3)

    def restore() -> None:
        simulator.accounts["sync"] = account

    return restore


def _deleted(rig: Rig, side: Side, ticket: int) -> Callable[[], None]:
    """Somebody deletes one ticket; return what restores the backup."""
    simulator = rig.simulator(side)
    backup = simulator.snapshot()
    side.pick(rig.customer, rig.operator).delete(NAME, ticket)
    return lambda: simulator.restore(backup)


def _ended(rig: Rig, side: Side, lose: Callable[[Rig, Side, int], Callable[[], None]]) -> tuple[int, Callable[[], None]]:
    """A link whose ticket on *side* is gone, beside another that goes on; and what brings it back."""
    number = rig.customer.create(NAME, title="Printer", org_id=2)
    rig.customer.create(NAME, title="Other", org_id=3)
    rig.sync()
    for ticket in rig.internal.tickets():
        rig.operator.update(NAME, ticket["id"], org_id=2 if ticket["id"] == rig.copy_of(number) else 3)
    rig.sync()
    restore = lose(rig, side, number if side is Side.EXTERNAL else rig.copy_of(number))
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(8)
    link = rig.link(number)
    assert link.status is LinkStatus.TOMBSTONE
    assert link.base.ended is side.pick(End.EXTERNAL_GONE, End.INTERNAL_GONE)
    assert "was gone, or out of our account's sight" in _told(rig, number)
    return number, restore


def _told(rig: Rig, number: int) -> str:
    return explain(rig.pair, rig.inspector.inspect((rig.link(number),))[0]).ended


@pytest.mark.parametrize("lose", [_out_of_sight, _deleted])
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("kind", CycleKind)
def test_a_ticket_that_was_gone_and_is_back_is_told_and_taken_up_again(
    rig: Rig, kind: CycleKind, side: Side, lose: Callable[[Rig, Side, int], Callable[[], None]]
) -> None:
    number, restore = _ended(rig, side, lose)
    restore()
    assert "and is back" in _told(rig, number)
    if kind is CycleKind.POLL:  # which sees what changes
        side.pick(rig.customer, rig.operator).note(NAME, number if side is Side.EXTERNAL else rig.copy_of(number), "<p>Back</p>")
    rig.wait(minutes=1)
    assert rig.engine.cycle(kind).outcome == "troubled"
    link = rig.link(number)
    assert link.status is LinkStatus.PARKED
    assert f"itopsync resume {link.id}" in link.obstacles[0].reason
    assert rig.sync().outcome == "troubled"  # until somebody decides
    rig.customer.note(NAME, number, "<p>Hello</p>")
    rig.operator.note(NAME, rig.copy_of(number), "<p>Good day</p>")
    rig.store.links.amend(link.id, lambda known: by_hand.resumed(known, rig.now), rig.now)
    rig.settle(2)
    assert "Hello" in "".join(rig.texts(Side.INTERNAL, rig.copy_of(number)))
    assert "Good day" in "".join(rig.texts(Side.EXTERNAL, number))
    assert len(rig.internal.tickets()) == 2
    assert rig.differences() == []
    assert rig.sync().outcome == "well"


def test_what_a_person_leaves_stays_mute(rig: Rig) -> None:
    number, restore = _ended(rig, Side.EXTERNAL, _deleted)
    restore()
    rig.engine.cycle(CycleKind.SWEEP)
    rig.store.links.amend(rig.link(number).id, lambda known: by_hand.unlinked(known, rig.now, notice=True), rig.now)
    for _ in range(3):
        rig.customer.note(NAME, number, "<p>Hello</p>")
        rig.engine.cycle(CycleKind.SWEEP)
        assert rig.sync().outcome == "well"
    assert rig.link(number).base.ended is End.UNLINKED
    assert "unlinked by hand; `itopsync link`" in _told(rig, number)


def test_so_does_what_was_unlinked_by_hand_before_its_ticket_went_and_came_back(rig: Rig) -> None:
    number = rig.customer.create(NAME, title="Printer")
    rig.customer.create(NAME, title="Other")
    rig.sync()
    rig.store.links.amend(rig.link(number).id, lambda known: by_hand.unlinked(known, rig.now, notice=False), rig.now)
    for side, ticket in ((Side.EXTERNAL, number), (Side.INTERNAL, rig.copy_of(number))):
        restore = _deleted(rig, side, ticket)
        rig.engine.cycle(CycleKind.SWEEP)
        restore()
        rig.customer.note(NAME, number, "<p>Hello</p>")
        rig.engine.cycle(CycleKind.SWEEP)
        assert rig.sync().outcome == "well"
    assert rig.link(number).status is LinkStatus.TOMBSTONE


def test_a_copy_that_a_person_deleted_is_not_made_again_whatever_the_original_does(rig: Rig) -> None:
    number, _ = _ended(rig, Side.INTERNAL, _deleted)
    for _ in range(3):
        rig.customer.note(NAME, number, "<p>Hello</p>")
        rig.engine.cycle(CycleKind.SWEEP)
        assert rig.sync().outcome == "well"
    assert rig.link(number).status is LinkStatus.TOMBSTONE
    assert len(rig.internal.tickets()) == 1


@pytest.mark.parametrize("first", Side)
def test_where_both_were_gone_a_person_is_asked_once_both_are_back(rig: Rig, first: Side) -> None:
    number = rig.customer.create(NAME, title="Printer")
    rig.customer.create(NAME, title="Other")
    rig.sync()
    back = {Side.EXTERNAL: _deleted(rig, Side.EXTERNAL, number), Side.INTERNAL: _deleted(rig, Side.INTERNAL, rig.copy_of(number))}
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.link(number).base.ended is End.BOTH_GONE
    back[first]()
    assert rig.engine.cycle(CycleKind.SWEEP).outcome == "well"
    assert rig.link(number).base.ended is first.other.pick(End.EXTERNAL_GONE, End.INTERNAL_GONE)
    back[first.other]()
    assert rig.engine.cycle(CycleKind.SWEEP).outcome == "troubled"
    assert rig.link(number).status is LinkStatus.PARKED


def test_one_whose_copy_was_linked_with_another_meanwhile_takes_it_from_nobody(rig: Rig) -> None:
    number, restore = _ended(rig, Side.EXTERNAL, _out_of_sight)
    copy, ended = rig.copy_of(number), rig.link(number).id
    again = rig.customer.create(NAME, title="Printer")
    refs = Ref(Side.EXTERNAL, NAME, again), Ref(Side.INTERNAL, NAME, copy)
    rig.store.links.join(linking.compare(rig.inspector, *refs, history=None).link, rig.now)
    rig.settle(2)
    restore()
    assert rig.engine.cycle(CycleKind.SWEEP).outcome == "troubled"
    link = rig.link(number)
    assert (link.id, link.status, link.internal) == (ended, LinkStatus.PARKED, None)
    assert f"itopsync link external:UserRequest:{number} TICKET --history" in link.obstacles[0].reason
    assert rig.copy_of(again) == copy
    # what the reason names helps
    mine = rig.operator.create(NAME, title="Printer")
    refs = Ref(Side.EXTERNAL, NAME, number), Ref(Side.INTERNAL, NAME, mine)
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=Bridge()))
    rig.customer.note(NAME, number, "<p>Hello</p>")
    rig.settle(2)
    assert "Hello" in "".join(rig.texts(Side.INTERNAL, mine))
    assert rig.sync().outcome == "well"


def test_another_ticket_under_the_id_of_a_copy_that_was_gone_is_not_taken_for_it(rig: Rig) -> None:
    number, _ = _ended(rig, Side.INTERNAL, _deleted)
    copy = rig.copy_of(number)
    rig.internal.store.table("Ticket").next_id = copy
    assert rig.operator.create(NAME, title="Internal's own") == copy
    assert rig.engine.cycle(CycleKind.SWEEP).outcome == "well"
    assert rig.link(number).status is LinkStatus.TOMBSTONE
    assert "and is back" not in _told(rig, number)


def test_a_link_that_ended_before_the_reason_was_noted_says_so(rig: Rig) -> None:
    number, restore = _ended(rig, Side.EXTERNAL, _deleted)
    rig.store.links.amend(rig.link(number).id, lambda link: replace(link, base=replace(link.base, ended=None)), rig.now)
    assert "why was not noted when it ended" in _told(rig, number)
    restore()
    assert rig.engine.cycle(CycleKind.SWEEP).outcome == "well"


def test_both_tickets_back_at_once_are_told_like_one(rig: Rig) -> None:
    number = rig.customer.create(NAME, title="Printer", org_id=2)
    rig.sync()
    copy = rig.copy_of(number)
    backups = {side: rig.simulator(side).snapshot() for side in Side}
    rig.customer.delete(NAME, number)
    rig.operator.delete(NAME, copy)
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(8)
    assert rig.link(number).base.ended is End.BOTH_GONE
    for side in Side:
        rig.simulator(side).restore(backups[side])
    rig.engine.cycle(CycleKind.SWEEP)
    link = rig.link(number)
    assert link.status is LinkStatus.PARKED
    rig.store.links.amend(link.id, lambda known: by_hand.resumed(known, rig.now), rig.now)
    rig.settle()
    assert rig.link(number).status is LinkStatus.LINKED
    assert rig.differences() == []


def test_one_that_goes_again_as_it_is_resumed_is_still_the_same_ticket(rig: Rig) -> None:
    number, restore = _ended(rig, Side.EXTERNAL, _deleted)
    restore()
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.link(number).status is LinkStatus.PARKED
    again = _deleted(rig, Side.EXTERNAL, number)
    rig.store.links.amend(rig.link(number).id, lambda known: by_hand.resumed(known, rig.now), rig.now)
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(8)
    assert rig.link(number).status is LinkStatus.TOMBSTONE
    again()
    rig.engine.cycle(CycleKind.SWEEP)
    link = rig.link(number)
    assert link.status is LinkStatus.PARKED
    assert link.internal is not None
    assert "is back" in link.obstacles[0].reason


def test_a_copy_that_is_back_from_a_backup_without_a_file_takes_none_from_the_other_side(rig: Rig) -> None:
    number = rig.customer.create(NAME, title="Printer")
    rig.sync()
    rig.customer.create(NAME, title="Other")
    copy = rig.copy_of(number)
    backup = rig.internal.snapshot()
    rig.operator.attach(NAME, copy, "staff.txt", "text/plain", b"staff")
    rig.customer.attach(NAME, number, "hers.txt", "text/plain", b"hers")
    rig.settle(2)
    rig.operator.delete(NAME, copy)
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(2)
    assert rig.link(number).status is LinkStatus.TOMBSTONE
    rig.internal.restore(backup)
    rig.wait(minutes=1)
    rig.engine.cycle(CycleKind.SWEEP)
    rig.store.links.amend(rig.link(number).id, lambda link: by_hand.resumed(link, rig.now), rig.now)
    rig.settle(4)
    assert len(rig.external.ticket(NAME, number)["attachments"]) == 2
    assert len(rig.internal.ticket(NAME, copy)["attachments"]) == 1
