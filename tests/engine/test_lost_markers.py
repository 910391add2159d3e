"""A server that drops our markers: one thing is written to it, and remembered; then the cycle stops until that is mended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from itopsync.engine import marker_loss
from itopsync.errors import SafetyStop
from itopsync.model import Side
from itopsync.reconcile.safety import Excess
from itopsync.simulator.losing import LosesMarks
from itopsync.store.records import WriteKind
from tests.engine.rig import Crash, Rig

LOGS = LosesMarks(parts=frozenset({"logs"}))
FILES = LosesMarks(parts=frozenset({"files"}))
SIDES = pytest.mark.parametrize("side", list(Side), ids=str)


def _linked(rig: Rig) -> int:
    number = rig.customer.create("UserRequest", title="Printer broken")
    rig.sync()
    return number


def _note(rig: Rig, origin: Side, number: int, text: str) -> None:
    rig.agent(origin).note("UserRequest", _there(rig, origin, number), f"<p>{text}</p>")


def _there(rig: Rig, side: Side, number: int) -> int:
    return number if side is Side.EXTERNAL else rig.copy_of(number)


def _stops(rig: Rig) -> SafetyStop:
    with pytest.raises(SafetyStop) as stop:
        rig.sync()
    assert stop.value.kind == Excess.MARKERS
    return stop.value


def _mend(rig: Rig, side: Side) -> None:
    rig.simulator(side).loses_marks = ()
    marker_loss.forget(rig.store, side)


@SIDES
def test_one_entry_goes_then_nothing_until_it_is_mended_and_nothing_stands_twice(rig: Rig, side: Side) -> None:
    number = _linked(rig)
    rig.simulator(side).loses_marks = (LOGS,)
    for text in ("one", "two", "three"):
        _note(rig, side.other, number, text)
        _note(rig, side, number, f"{text} back")
    before = rig.written()

    stop = _stops(rig)
    assert "loses our markers" in str(stop)
    assert "itopsync-demo-n-" in str(stop)
    assert "one" not in str(stop).partition("Nothing more")[0].split()
    assert len([entry for entry in rig.texts(side, _there(rig, side, number)) if "one</p>" in entry]) == 1
    written = rig.written()
    assert written > before
    for _ in range(3):
        _stops(rig)
    rig.restart()
    _stops(rig)
    assert rig.written() == written

    _mend(rig, side)
    rig.sync()
    rig.settle()
    for text in ("one", "two", "three"):
        assert sum(f">{text}</p>" in entry for entry in rig.texts(side, _there(rig, side, number))) == 1, text
        assert sum(f">{text} back</p>" in entry for entry in rig.texts(side.other, _there(rig, side.other, number))) == 1
    assert rig.sync().counts[WriteKind.WRITE] == 0


@SIDES
def test_a_write_without_an_answer_to_such_a_server_is_known_again_by_what_it_is(rig: Rig, side: Side) -> None:
    number = _linked(rig)
    rig.simulator(side).loses_marks = (LOGS,)
    _note(rig, side.other, number, "one")
    rig.probe = _crash_after("core/update")
    with pytest.raises(Crash):
        rig.sync()
    rig.restart()
    rig.wait(minutes=10)
    _stops(rig)
    assert sum("one" in text for text in rig.texts(side, _there(rig, side, number))) == 1

    _mend(rig, side)
    rig.wait(minutes=1)
    rig.engine.cycle(accept=[Excess.MARKERS])
    rig.settle()
    assert sum("one" in text for text in rig.texts(side, _there(rig, side, number))) == 1
    assert sum("one" in text for text in rig.texts(side.other, _there(rig, side.other, number))) == 1


def test_a_copy_whose_marker_was_dropped_is_no_other_ticket_and_gets_it_later(rig: Rig) -> None:
    rig.internal.loses_marks = (LOGS,)
    number = rig.customer.create("UserRequest", title="Printer broken", private_log="<p>history</p>")
    rig.customer.create("UserRequest", title="Another")
    _stops(rig)
    made = len(rig.internal.tickets())
    assert made == 1
    _stops(rig)
    assert len(rig.internal.tickets()) == made

    _mend(rig, Side.INTERNAL)
    rig.sync()
    rig.settle()
    assert len(rig.internal.tickets()) == 2
    texts = rig.texts(Side.INTERNAL, rig.copy_of(number))
    assert sum("history" in text for text in texts) == 1
    assert sum('<a name="itopsync-demo-t-' in text for text in texts) == 1
    assert rig.sync().counts[WriteKind.WRITE] == 0


def test_notes_of_one_second_are_each_known_again(rig: Rig) -> None:
    rig.internal.loses_marks = (LOGS,)
    number = rig.customer.create("UserRequest", title="Printer broken", private_log="<p>one</p>")
    rig.customer.note("UserRequest", number, "<p>two</p>")
    _stops(rig)

    _mend(rig, Side.INTERNAL)
    rig.sync()
    rig.settle()
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert [sum(f">{text}</p>" in entry.text for entry in copy["private_log"]) for text in ("one", "two")] == [1, 1]
    assert copy["attachments"] == []


def test_a_create_without_an_answer_to_such_a_server_makes_no_second_copy(rig: Rig) -> None:
    rig.internal.loses_marks = (LOGS,)
    number = rig.customer.create("UserRequest", title="Printer broken", private_log="<p>history</p>")
    rig.probe = _crash_after("core/create")
    with pytest.raises(Crash):
        rig.sync()
    rig.restart()
    rig.wait(minutes=10)
    _stops(rig)
    assert len(rig.internal.tickets()) == 1

    _mend(rig, Side.INTERNAL)
    rig.wait(minutes=1)
    rig.engine.cycle(accept=[Excess.MARKERS])
    rig.settle()
    assert len(rig.internal.tickets()) == 1
    assert sum("history" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(number))) == 1


@SIDES
def test_a_file_whose_marker_was_dropped_is_neither_sent_again_nor_back(rig: Rig, side: Side) -> None:
    number = _linked(rig)
    rig.simulator(side).loses_marks = (FILES,)
    for name in ("a.txt", "b.txt"):
        rig.agent(side.other).attach("UserRequest", _there(rig, side.other, number), name, "text/plain", name.encode())
    _stops(rig)
    files = {each: len(rig.simulator(each).ticket("UserRequest", _there(rig, each, number))["attachments"]) for each in Side}
    assert files == {side: 1, side.other: 2}

    _mend(rig, side)
    rig.sync()
    rig.settle()
    for each in Side:
        names = [
            file["contents"].filename
            for file in rig.simulator(each).ticket("UserRequest", _there(rig, each, number))["attachments"]
        ]
        assert sorted(names) == ["a.txt", "b.txt"]
    assert rig.sync().writes == []


def test_a_server_that_hides_its_markers_on_reading_stops_the_cycle_before_anything_is_written(rig: Rig) -> None:
    number = _linked(rig)
    _note(rig, Side.EXTERNAL, number, "one")
    rig.sync()
    rig.internal.loses_marks = (LosesMarks(way="out"),)
    _note(rig, Side.EXTERNAL, number, "two")
    before = rig.written()
    _stops(rig)
    assert rig.written() == before


def _crash_after(verb: str) -> Callable[[str], None]:
    def probe(where: str) -> None:
        if where == f"after:{verb}":
            raise Crash

    return probe


def test_of_two_notes_of_one_second_the_one_that_was_sent_is_known_again(rig: Rig) -> None:
    """Both have the same date and the same first line."""
    number = _linked(rig)
    rig.external.loses_marks = (LOGS,)
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>#internal kept</p>")
    _note(rig, Side.INTERNAL, number, "one")
    rig.probe = _crash_after("core/update")
    with pytest.raises(Crash):
        rig.sync()
    rig.restart()
    rig.wait(minutes=10)
    _stops(rig)
    _mend(rig, Side.EXTERNAL)
    rig.engine.cycle(accept=[Excess.MARKERS])
    rig.settle()
    assert sum("one" in text for text in rig.texts(Side.EXTERNAL, number)) == 1
