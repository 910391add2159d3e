"""Servers older than 3.1 take and show texts in ways of their own; what people wrote arrives all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from itopsync.model import Side
from itopsync.simulator import Version
from tests.engine.pair import Versions, on_pairs_of
from tests.engine.rig import Rig

OLD: tuple[Versions, ...] = (("3.2", "3.0"), ("3.0", "3.2"))
NUMBERED = '[classes.UserRequest.attributes.title]\ntemplate = "[{number}] {value}"'


@pytest.mark.parametrize(("internal", "letter"), [("2.7", "x"), ("3.0", "é")])
def test_a_title_that_grows_too_long_is_cut_to_what_these_take(tmp_path: Path, internal: Version, letter: str) -> None:
    rig = Rig(tmp_path, more=NUMBERED, versions=("3.2", internal))
    number = rig.customer.create("UserRequest", title=letter * 250)
    rig.settle()
    assert rig.link(number).obstacles == ()
    title = rig.internal.ticket("UserRequest", rig.copy_of(number))["title"]
    assert title.startswith(f"[R-000001] {letter * 100}")
    assert title.endswith("…")
    rig.stop()


@on_pairs_of(OLD)
def test_words_in_several_formats_stay_apart(rig: Rig) -> None:
    text = '<p><b>Red</b> <i>lamp</i> <a href="https://x.example">see</a> <u>here</u>, <b>re</b><i>start</i></p>'
    number = rig.customer.create("UserRequest", title="t", description=text)
    rig.settle()
    rig.customer.note("UserRequest", number, text)
    rig.operator.note("UserRequest", rig.copy_of(number), text)
    rig.settle()
    written = len(rig.writes(Side.INTERNAL)), len(rig.writes(Side.EXTERNAL))
    assert "<b>Red</b> <i>lamp</i>" in rig.internal.ticket("UserRequest", rig.copy_of(number))["description"]
    for side, id in ((Side.EXTERNAL, number), (Side.INTERNAL, rig.copy_of(number))):
        for note in rig.texts(side, id)[-2:]:
            assert "<b>Red</b> <i>lamp</i>" in note
            assert "</a> <u>here</u>, <b>re</b><i>start</i>" in note
    rig.wait(days=1)
    rig.settle()
    assert (len(rig.writes(Side.INTERNAL)), len(rig.writes(Side.EXTERNAL))) == written
