"""A restore took a file from one ticket, and took others back in time: the file was deleted by nobody."""

from __future__ import annotations

import pytest

from itopsync.model import Side
from itopsync.reconcile.by_hand import retried
from itopsync.reconcile.files import COPIES_GONE, ORIGINALS_GONE
from itopsync.simulator import FaultKind
from itopsync.store.records import CycleKind
from tests.engine.rig import Rig
from tests.engine.verifying import compared


def _copies(rig: Rig, side: Side) -> int:
    return sum(len(each["attachments"]) for each in rig.simulator(side).tickets())


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("restored", list(Side))
def test_a_file_gone_from_one_ticket_is_held_where_another_ticket_went_back(rig: Rig, side: Side, restored: Side) -> None:
    """The other's own loss does not count as gone while that ticket is held. *side*: whose people attached the two files."""
    numbers = [rig.customer.create("UserRequest", title=f"No. {place}") for place in range(2)]
    rig.settle(2)
    rig.wait(minutes=11)
    backup = rig.simulator(restored).snapshot()
    places = [{Side.EXTERNAL: number, Side.INTERNAL: rig.copy_of(number)} for number in numbers]
    for place in places:
        rig.agent(side).attach("UserRequest", place[side], "a.txt", "text/plain", b"a")
    rig.agent(restored).note("UserRequest", places[0][restored], "<p>after</p>")
    rig.settle(2)
    rig.simulator(restored).restore(backup)
    rig.wait(hours=3)
    for kind in (CycleKind.SWEEP, CycleKind.POLL):
        rig.wait(minutes=10)
        rig.engine.cycle(kind)
    (obstacle,) = rig.link(numbers[1]).obstacles
    assert obstacle.reason == (ORIGINALS_GONE if side is restored else COPIES_GONE)
    assert _copies(rig, restored.other) == 2
    for number in numbers:
        rig.store.links.amend(rig.link(number).id, lambda link: retried(link, rig.now), rig.now)
    rig.settle(3)
    assert [_copies(rig, each) for each in (restored.other, restored)] == [2, 0 if side is restored else 2]
    assert compared(rig) == []


def test_a_copy_that_somebody_deleted_on_each_side_meanwhile_is_no_restore(rig: Rig) -> None:
    numbers = [rig.customer.create("UserRequest", title=title) for title in ("Printer", "Screen")]
    rig.settle(1)
    for number in numbers:
        rig.customer.attach("UserRequest", number, "theirs.txt", "text/plain", b"theirs")
        rig.operator.attach("UserRequest", rig.copy_of(number), "ours.txt", "text/plain", b"ours")
    rig.settle(2)
    first, second = (rig.link(number).files for number in numbers)
    rig.operator.delete_attachment(next(file.copy_id for file in first if file.origin is Side.EXTERNAL and file.copy_id))
    rig.customer.delete_attachment(next(file.copy_id for file in second if file.origin is Side.INTERNAL and file.copy_id))
    rig.wait(minutes=1)
    assert rig.sync().outcome == "well"
    assert [rig.link(number).obstacles for number in numbers] == [(), ()]


@pytest.mark.parametrize("sweeps", [1, 2, 4])
@pytest.mark.parametrize("held", [False, True])
def test_the_last_copy_of_a_file_is_kept_if_the_others_were_left_before_it_was_known(rig: Rig, held: bool, sweeps: int) -> None:
    """Its upload got no answer. *held*: the other tickets went back far enough to be held; *sweeps*: before a person retries."""
    numbers = [rig.customer.create("UserRequest", title=f"No. {place}") for place in range(4)]
    rig.settle(2)
    backup = rig.external.snapshot()
    if held:
        rig.wait(minutes=40)
    for number in numbers[:3]:
        rig.customer.note("UserRequest", number, "<p>after</p>")
        rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    rig.settle(1)
    rig.customer.attach("UserRequest", numbers[3], "last.txt", "text/plain", b"z")
    rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], accounts=["sync"], times=1)
    rig.wait(minutes=1)
    rig.engine.cycle()
    assert _copies(rig, Side.INTERNAL) == 4
    rig.external.restore(backup)
    for _ in range(sweeps):
        rig.wait(minutes=1)
        rig.engine.cycle(CycleKind.SWEEP)
    for number in numbers:
        rig.store.links.amend(rig.link(number).id, lambda link: retried(link, rig.now), rig.now)
    for _ in range(6):
        rig.wait(minutes=2)
        rig.engine.cycle(CycleKind.SWEEP)
    assert _copies(rig, Side.INTERNAL) == 4
    (obstacle,) = rig.link(numbers[3]).obstacles
    assert obstacle.reason == ORIGINALS_GONE
    # what somebody deletes later is no part of that restore
    deleted = rig.customer.attach("UserRequest", numbers[0], "new.txt", "text/plain", b"new")
    rig.customer.attach("UserRequest", numbers[1], "newer.txt", "text/plain", b"newer")
    rig.settle(2)
    assert _copies(rig, Side.INTERNAL) == 6
    rig.customer.delete_attachment(deleted)
    rig.settle(3)
    assert _copies(rig, Side.INTERNAL) == 5
    assert rig.link(numbers[0]).obstacles == ()
