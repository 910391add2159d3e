"""What each deed of the rogues comes to, in every form of it; and that it is seen where the code does not withstand it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from itopsync.model import Side
from tests.engine.pair import Versions, usual_versions
from tests.torture.desks import Desks
from tests.torture.rogues import Rogues

OWN = tuple(deed for deed in Rogues.DEEDS if deed not in Rogues.__mro__[1].DEEDS)  # type: ignore[attr-defined]  # People's


def seen(
    *deeds: str, choices: range = range(4), versions: Versions | None = None, classes: tuple[str, ...] = ("UserRequest",)
) -> list[str]:
    """The violations after people have done *deeds*, each with every one of *choices*, on both sides and two tickets."""
    with closing(Desks(versions=versions or usual_versions())) as desks:
        rig, people = desks.rig, desks.people
        for _ in range(2):
            for cls in classes:
                people.open(cls, 1, 0)
        people.open_in_internal()
        rig.sync()
        for choice in choices:
            for deed in deeds:
                for side in Side:
                    people.do(deed, side, choice, choice * 7 + 1 if deed == "paste_a_copy" else choice)
                    rig.wait(minutes=1)
            rig.sync()
        desks.rest()
        return desks.violations()


@pytest.mark.parametrize("deed", OWN)
def test_whatever_rogues_do_both_sides_agree(deed: str) -> None:
    assert seen(deed, choices=range(10)) == []
