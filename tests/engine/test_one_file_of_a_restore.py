"""A restore took a file from one ticket, and took others back in time: the file was deleted by nobody."""

from __future__ import annotations

import pytest

from itopsync.model import Side
from itopsync.reconcile.by_hand import retried
from itopsync.reconcile.files import COPIES_GONE, ORIGINALS_GONE
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
