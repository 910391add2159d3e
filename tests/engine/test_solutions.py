"""A solution reads otherwise on the other server: that may have a plain text there, and addresses of the origin stay."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from itopsync.model import Side
from itopsync.simulator.faults import FaultKind
from tests.engine.pair import Versions, on_pairs_of
from tests.engine.rig import CONFIGURATION, PICTURE, RESOLVED, TEAM, Crash, Rig
from tests.engine.verifying import compared
from tests.sampling import some

FORMS = {
    "bold": "<p>a &amp; b <b>bold</b></p><p>line 2 &lt;c&gt;</p>",
    "a link": '<p>See <a href="https://vendor.example/fix">here</a>.</p>',
    "a list": "<ol><li>Stop</li><li>Start</li></ol>",
    "a picture": "<p>As {picture} shows</p>",
    "lines": "<p>one</p>",
    "an address": "<p>See {url}/pages/UI.php?id=1 and [[UserRequest:1|R-000001]]</p>",
}


PAIRS: tuple[Versions, ...] = (("3.2", "3.1"), ("3.1", "3.2"), ("3.3", "2.7"), ("3.2", "3.2"))


def _resolve(rig: Rig, side: Side, number: int, told: str, *, at_once: bool = False) -> str:
    """Resolve the ticket there, *at_once* or once both sides know that it is assigned; what stands there as its solution."""
    agent = rig.agent(side)
    picture = agent.paste_image("UserRequest", number, "plan.png", "image/png", PICTURE)
    agent.stimulus("UserRequest", number, "ev_assign", **TEAM)
    if not at_once:
        rig.settle()
    solution = told.format(picture=picture, url=rig.simulator(side).url)
    agent.stimulus("UserRequest", number, "ev_resolve", **{**RESOLVED, "solution": solution})
    return str(rig.simulator(side).ticket("UserRequest", number)["solution"])


def _words(rig: Rig, side: Side, number: int) -> str:
    return re.sub("<[^>]+>", "", rig.simulator(side).ticket("UserRequest", number)["solution"])


def _break_at_the_move(rig: Rig, side: Side, broken: str, verb: str = "core/apply_stimulus", skipped: int = 0) -> None:
    """A cycle whose write to *side* with the solution is carried out, and nobody learns of it."""
    if broken == "no answer":
        rig.simulator(side).faults.add(FaultKind.LOST_AFTER, verbs=[verb], accounts=["sync"], times=1, after=skipped)
        rig.sync()
        return
    left = skipped

    def killed(where: str) -> None:
        nonlocal left
        if where.startswith(f"after:{verb}"):
            if not left:
                raise Crash
            left -= 1

    rig.probe = killed
    with pytest.raises(Crash):
        rig.sync()
    rig.restart()


MIXED = {
    "a list, then a picture": "<ul><li>Stop</li><li>Start</li></ul><p>{picture}</p>",
    "a picture, then a list": "<p>{picture}</p><ul><li>Stop</li><li>Start</li></ul>",
    "a picture in a list": "<ol><li>Stop {picture}</li><li>Start</li></ol>",
    "a link and a picture": '<p><a href="https://vendor.example/fix">here</a> {picture}</p>',
    "a table": "<table><tr><td>a</td><td>{picture}</td></tr></table><p>end</p>",
}


@pytest.mark.parametrize("form", some([*FORMS, *MIXED], 2))
@on_pairs_of(PAIRS)
def test_verify_knows_it_in_either_form(rig: Rig, form: str) -> None:
    side = Side.EXTERNAL if rig.external.version != "3.1" else Side.INTERNAL
    number = rig.customer.create("UserRequest", title="Printer")
    rig.settle()
    _resolve(rig, side, number if side is Side.EXTERNAL else rig.copy_of(number), (FORMS | MIXED)[form])
    rig.settle()
    assert compared(rig) == []


@pytest.mark.parametrize("form", some([*FORMS], 3))
@pytest.mark.parametrize("broken", ["no answer", "killed"])
@on_pairs_of(PAIRS)
def test_one_that_went_without_an_answer_does_not_come_back(rig: Rig, broken: str, form: str) -> None:
    side = Side.EXTERNAL if rig.external.version != "3.1" else Side.INTERNAL
    there = rig.simulator(side.other)
    number = rig.customer.create("UserRequest", title="Printer")
    rig.settle()
    told = _resolve(rig, side, number if side is Side.EXTERNAL else rig.copy_of(number), FORMS[form])
    _break_at_the_move(rig, side.other, broken)
    rig.settle()

    numbers = {Side.EXTERNAL: number, Side.INTERNAL: rig.copy_of(number)}
    assert rig.simulator(side).ticket("UserRequest", numbers[side])["solution"] == told
    assert there.ticket("UserRequest", numbers[side.other])["status"] == "resolved"
    rig.agent(side).update("UserRequest", numbers[side], solution="<p>Mended <i>again</i></p>")
    rig.settle()
    assert _words(rig, side.other, numbers[side.other]) == "Mended again"


@pytest.mark.parametrize("form", ["bold", "a list", "a picture", "an address"])
@on_pairs_of(PAIRS)
def test_it_stays_as_it_was_written_when_the_other_side_closes_the_ticket(rig: Rig, form: str) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.settle()
    told = _resolve(rig, Side.INTERNAL, rig.copy_of(number), FORMS[form])
    rig.settle()
    files = rig.internal.ticket("UserRequest", rig.copy_of(number))["attachments"]
    rig.customer.stimulus("UserRequest", number, "ev_close")
    rig.settle()
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert (copy["status"], copy["solution"]) == ("closed", told)
    assert copy["attachments"] == files
    assert compared(rig) == []


@pytest.mark.parametrize("broken", ["no answer", "killed"])
@on_pairs_of(PAIRS[1:3])
def test_what_the_customer_closes_before_we_look_again_is_closed_on_both_sides(rig: Rig, broken: str) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.settle()
    told = _resolve(rig, Side.INTERNAL, rig.copy_of(number), FORMS["a list"])
    _break_at_the_move(rig, Side.EXTERNAL, broken)
    rig.customer.stimulus("UserRequest", number, "ev_close")
    rig.settle()
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert (copy["status"], copy["solution"], rig.link(number).obstacles) == ("closed", told, ())


def test_one_that_stood_there_before_its_state_goes_with_it_over_a_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = CONFIGURATION.replace("[internal.defaults]", '[internal.defaults]\nsolution = "none yet"')
    monkeypatch.setattr("tests.engine.rig.CONFIGURATION", defaults)
    rig = Rig(tmp_path, more="# with a default\n")
    number = rig.customer.create("UserRequest", title="Printer", solution="<p>As last time</p>")
    rig.settle()
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    rig.customer.stimulus("UserRequest", number, "ev_resolve", **{**RESOLVED, "solution": "<p>As last time</p>"})
    rig.settle()
    assert _words(rig, Side.INTERNAL, rig.copy_of(number)) == "As last time"
    rig.stop()


@pytest.mark.parametrize("broken", ["no answer", "killed"])
@on_pairs_of(PAIRS)
def test_one_of_a_ticket_that_was_resolved_before_it_had_a_copy_does_not_come_back_either(rig: Rig, broken: str) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    told = _resolve(rig, Side.EXTERNAL, number, FORMS["a list"] + FORMS["an address"], at_once=True)
    _break_at_the_move(rig, Side.INTERNAL, broken, skipped=1)
    rig.settle()
    assert rig.external.ticket("UserRequest", number)["solution"] == told
    assert rig.internal.ticket("UserRequest", rig.copy_of(number))["status"] == "resolved"


@pytest.mark.parametrize("verb", ["core/apply_stimulus", "core/update"])
@pytest.mark.parametrize("broken", ["no answer", "killed"])
@on_pairs_of(PAIRS)
def test_what_external_corrects_before_we_look_again_is_not_overwritten(rig: Rig, broken: str, verb: str) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.settle()
    _resolve(rig, Side.EXTERNAL, number, FORMS["bold"])
    if verb == "core/update":
        rig.settle()
        rig.customer.update("UserRequest", number, solution="<p>Better</p>")
    _break_at_the_move(rig, Side.INTERNAL, broken, verb)
    rig.customer.update("UserRequest", number, solution="Best")
    rig.settle()
    assert [_words(rig, Side.EXTERNAL, number), _words(rig, Side.INTERNAL, rig.copy_of(number))] == ["Best", "Best"]


@pytest.mark.parametrize("kind", [FaultKind.LOST_BEFORE, FaultKind.HTML_500, FaultKind.REFUSED_AFTER, FaultKind.MAINTENANCE])
def test_what_never_arrived_and_was_taken_back_is_not_held_against_who_writes_the_same_later(
    tmp_path: Path, kind: FaultKind
) -> None:
    more = '[classes.UserRequest.rules]\nform = { title = "both" }\n'
    rig = Rig(tmp_path, more=more)
    number = rig.customer.create("UserRequest", title="Printer")
    rig.settle()
    rig.internal.faults.add(kind, verbs=["core/update"], accounts=["sync"], times=1)
    rig.customer.update("UserRequest", number, title="Scanner")
    rig.sync()
    rig.customer.update("UserRequest", number, title="Printer")
    rig.settle()
    rig.operator.update("UserRequest", rig.copy_of(number), title="Scanner")
    rig.settle()
    for side, there in ((Side.EXTERNAL, number), (Side.INTERNAL, rig.copy_of(number))):
        assert rig.simulator(side).ticket("UserRequest", there)["title"] == "Scanner"
    rig.stop()
