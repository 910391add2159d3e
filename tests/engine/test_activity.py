"""What was written is remembered: one row for each write, with when it arrived and nothing that stood in it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from itopsync.model import TICKET, ItemKind, Side
from itopsync.simulator import FaultKind
from itopsync.store.records import ActivityRecord, WriteKind, WriteOutcome
from tests.engine.rig import RESOLVED, TEAM, Crash, Rig


def activity(rig: Rig) -> list[ActivityRecord]:
    """All of it, the oldest first."""
    return list(reversed(rig.store.activity.latest(1_000)))


def test_a_note_is_told_with_the_time_from_its_save_to_its_arrival(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>Which one?</p>")
    rig.sync()
    made, noted = activity(rig)
    assert (made.side, made.action, made.outcome, made.direction) == ("internal", "create", "done", "to_internal")
    assert TICKET in made.items
    assert (noted.side, noted.action, noted.outcome) == (Side.EXTERNAL, WriteKind.WRITE, WriteOutcome.DONE)
    assert [key.kind for key in noted.items] == [ItemKind.NOTE]
    assert noted.age == timedelta(minutes=1)
    assert noted.at - noted.cycle == timedelta()
    assert noted.cycle == rig.store.history.cycles(1)[0].started


def test_each_write_has_one_row_that_names_all_that_it_carried(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer", service_id=1)
    rig.sync()
    copy = rig.copy_of(number)
    rig.operator.note("UserRequest", copy, "<p>One</p>")
    rig.operator.attach("UserRequest", copy, "b.txt", "text/plain", b"b")
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    rig.operator.stimulus("UserRequest", copy, "ev_resolve", **RESOLVED)
    rig.sync()
    rig.settle()
    told = activity(rig)
    assert len(told) == len(rig.writes(Side.INTERNAL)) + len(rig.writes(Side.EXTERNAL))
    assert Counter(each.action for each in told) == {"create": 1, "state": 2, "upload": 1}
    assert [key for each in told for key in each.items if key.kind is ItemKind.STATE] == ["state:assigned", "state:resolved"]
    assert ItemKind.FILE in {key.kind for each in told for key in each.items}


def test_an_idle_cycle_leaves_no_row(rig: Rig) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    before = activity(rig)
    rig.settle()
    assert activity(rig) == before


def test_what_was_refused_or_had_no_answer_is_told_too(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/update"], accounts=["sync"], times=1, applied=True)
    rig.customer.note("UserRequest", number, "<p>Hello</p>")
    rig.sync()
    rig.settle()
    _, unknown = activity(rig)
    assert (unknown.outcome, unknown.age) == (WriteOutcome.UNKNOWN, None)
    assert rig.differences() == []


def test_a_crash_after_the_write_leaves_no_row_of_what_is_not_known(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.customer.note("UserRequest", number, "<p>Hello</p>")

    def probe(where: str) -> None:
        if where == "after:core/update":
            raise Crash

    rig.probe = probe
    with pytest.raises(Crash):
        rig.sync()
    rig.restart()
    assert len(activity(rig)) == 1
    rig.settle()
    assert rig.differences() == []
    assert len(activity(rig)) == 1  # it was found there, and nothing was written


def test_no_word_of_a_ticket_is_remembered(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Zebra", description="<p>Zebra</p>", private_log="<p>Zebra</p>")
    rig.customer.attach("UserRequest", number, "zebra.txt", "text/plain", b"zebra")
    rig.sync()
    assert len(activity(rig)) == 2
    assert "zebra" not in repr(activity(rig)).lower()


def test_what_is_older_than_it_is_kept_goes_by_itself(rig: Rig) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.wait(days=89)
    rig.sync()
    assert len(activity(rig)) == 1
    rig.wait(days=1)
    rig.sync()
    assert activity(rig) == []


def test_how_long_it_is_kept_is_configured(tmp_path: Path) -> None:
    made = Rig(tmp_path, more='[activity]\nkeep = "1d"\n')
    assert made.configuration.engine.keep_activity == timedelta(days=1)
    made.stop()
