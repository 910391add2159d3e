"""Parents and children that are linked both: iTop copies a parent's entries into its children on each side by itself."""

from __future__ import annotations

import pytest

from itopsync.model import Side
from tests.engine.rig import Rig
from tests.engine.verifying import compared

REQUEST = "UserRequest"


@pytest.fixture
def family(rig: Rig) -> dict[str, dict[Side, int]]:
    """A parent and its child, both linked, which are so on both sides."""
    parent, child = (rig.customer.create(REQUEST, title=title) for title in ("Parent", "Child"))
    rig.sync()
    rig.settle(1)
    both = {
        name: {Side.EXTERNAL: number, Side.INTERNAL: rig.copy_of(number)}
        for name, number in (("parent", parent), ("child", child))
    }
    for side in Side:
        rig.agent(side).update(REQUEST, both["child"][side], parent_request_id=both["parent"][side])
    rig.settle(1)
    return both


@pytest.mark.parametrize("origin", Side)
def test_a_parents_note_is_once_in_the_parent_and_twice_in_the_other_sides_child(
    rig: Rig, family: dict[str, dict[Side, int]], origin: Side
) -> None:
    rig.agent(origin).note(REQUEST, family["parent"][origin], "<p>Said to the parent</p>")
    rig.agent(origin).note(REQUEST, family["child"][origin], "<p>Said to the child</p>")
    rig.sync()
    rig.settle(2)

    def count(word: str) -> dict[tuple[str, Side], int]:
        return {
            (name, side): sum(word in text for text in rig.texts(side, ids[side]))
            for name, ids in family.items()
            for side in Side
        }

    told, own = count("Said to the parent"), count("Said to the child")
    assert told == {("parent", origin): 1, ("parent", origin.other): 1, ("child", origin): 1, ("child", origin.other): 2}
    assert own == {("parent", origin): 0, ("parent", origin.other): 0, ("child", origin): 1, ("child", origin.other): 1}
    assert compared(rig) == []
    written = rig.written()
    rig.settle(2)
    assert rig.written() == written


def test_a_family_on_one_side_only_doubles_no_note(rig: Rig) -> None:
    parent, child = (rig.customer.create(REQUEST, title=title) for title in ("Parent", "Child"))
    rig.sync()
    rig.customer.update(REQUEST, child, parent_request_id=parent)
    rig.settle(1)
    rig.customer.note(REQUEST, parent, "<p>Out there</p>")
    rig.operator.note(REQUEST, rig.copy_of(parent), "<p>In here</p>")
    rig.settle(3)
    logs = [rig.texts(Side.EXTERNAL, number) for number in (parent, child)]
    logs += [rig.texts(Side.INTERNAL, rig.copy_of(number)) for number in (parent, child)]
    assert max(sum(word in text for text in log) for word in ("Out there", "In here") for log in logs) == 1
    assert compared(rig) == []
