"""Bases, obstacles and marks survive being JSON, whatever stands in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.model import Agreed, Base, NoteRecord, Obstacle, Side
from itopsync.store import codec
from tests.store.arbitrary import bases, moments, obstacles


@given(bases)
def test_a_base_is_read_as_it_was_written(base: Base) -> None:
    assert codec.base_from_json(codec.base_to_json(base)) == base


@given(st.lists(obstacles))
def test_obstacles_are_read_as_they_were_written(written: list[Obstacle]) -> None:
    assert codec.obstacles_from_json(codec.obstacles_to_json(written)) == tuple(written)


@given(st.lists(st.tuples(moments, st.integers(min_value=0))), st.frozensets(st.integers(min_value=0)))
def test_marks_and_drafts_are_read_as_they_were_written(marks: list[tuple[datetime, int]], ids: frozenset[int]) -> None:
    assert codec.marks_from_json(codec.marks_to_json(marks)) == tuple(marks)
    assert codec.set_from_json(codec.set_to_json(ids)) == ids


@given(bases)
def test_a_base_takes_ascii_only_so_that_every_database_takes_it(base: Base) -> None:
    written = codec.base_to_json(base)
    assert written.isascii()
    assert "\0" not in written


def test_a_bare_base_takes_next_to_nothing() -> None:
    assert codec.base_to_json(Base()) == "{}"


def test_a_base_is_json_that_a_person_can_read() -> None:
    at = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
    notes = {"itopsync-demo-n-1": NoteRecord(Side.EXTERNAL, at)}
    base = Base(Agreed("new", "assigned"), {"title": Agreed("aa", "bb")}, notes, apart={"title": Agreed("aa", "bb")})
    assert json.loads(codec.base_to_json(base)) == {
        "state": ["new", "assigned"],
        "fields": {"title": ["aa", "bb"]},
        "notes": {"itopsync-demo-n-1": ["external", "2026-11-24T08:30:00+00:00", 1]},
        "apart": {"title": ["aa", "bb"]},
    }


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime.fromisoformat("2026-11-24T08:30")
    with pytest.raises(ValueError, match="no timezone"):
        codec.marks_to_json([(naive, 1)])
