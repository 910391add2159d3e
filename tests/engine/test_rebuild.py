"""A store that was lost is made anew from what stands in iTop."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from itopsync.engine.rebuild import rebuild
from itopsync.errors import StoreError
from itopsync.model import LinkStatus, Side
from itopsync.reconcile.rebuilding import Rebuilt
from tests.engine.rig import PICTURE, RESOLVED, TEAM, Rig


def _day(rig: Rig) -> int:
    """A request with notes, a picture, files and a state, in agreement."""
    number = rig.customer.create("UserRequest", title="Printer", private_log="<p>One</p>", service_id=1)
    picture = rig.customer.paste_image("UserRequest", number, "s.png", "image/png", PICTURE)
    rig.customer.note("UserRequest", number, f"<p>Two</p>{picture}")
    rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    rig.sync()
    copy = rig.copy_of(number)
    rig.operator.note("UserRequest", copy, "<p>Three</p>")
    rig.operator.attach("UserRequest", copy, "b.txt", "text/plain", b"b")
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    rig.sync()
    rig.settle(2)
    return number


def _lose_the_store(rig: Rig) -> None:
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    rig.start()


def _rebuild(rig: Rig) -> Iterator[Rebuilt]:
    for one in rebuild(rig.engine, rig.server(Side.INTERNAL), rig.store, lambda: rig.now):
        assert isinstance(one, Rebuilt)
        yield one


def _found_again(rig: Rig) -> list[Rebuilt]:
    _lose_the_store(rig)
    return list(_rebuild(rig))


def test_where_the_sides_were_at_rest_the_next_cycle_writes_nothing(rig: Rig) -> None:
    number = _day(rig)
    copy, before = rig.copy_of(number), rig.written()
    (found,) = _found_again(rig)
    assert (found.differs, found.link.internal and found.link.internal.id) == ((), copy)
    rig.sync()
    rig.settle()
    assert rig.written() == before
    assert rig.copy_of(number) == copy
    assert rig.differences() == []


def test_what_differs_is_listed_and_left_until_it_is_changed(rig: Rig) -> None:
    number = _day(rig)
    copy = rig.copy_of(number)
    rig.operator.update("UserRequest", copy, title="Ours")
    rig.operator.stimulus("UserRequest", copy, "ev_resolve", **RESOLVED)
    before = rig.written()
    (found,) = _found_again(rig)
    assert "title" in found.differs
    assert "state" in found.differs
    rig.sync()
    assert rig.written() == before
    rig.customer.update("UserRequest", number, title="Theirs")
    rig.sync()
    assert rig.internal.ticket("UserRequest", copy)["title"] == "Theirs"


def test_a_note_that_had_not_arrived_arrives(rig: Rig) -> None:
    number = _day(rig)
    rig.customer.note("UserRequest", number, "<p>Four</p>")
    _found_again(rig)
    rig.sync()
    assert sum("Four" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(number))) == 1
    assert rig.differences() == []


def test_a_copy_without_its_original_is_left_alone(rig: Rig) -> None:
    number = _day(rig)
    rig.customer.delete("UserRequest", number)
    (found,) = _found_again(rig)
    assert found.link.status is LinkStatus.TOMBSTONE
    before = rig.written()
    rig.settle()
    assert rig.written() == before


def test_it_makes_only_what_the_store_does_not_know(rig: Rig) -> None:
    """So it may be broken off, and run again."""
    number = _day(rig)
    assert list(_rebuild(rig)) == []
    other = rig.customer.create("Incident", title="Screen")
    rig.sync()
    _lose_the_store(rig)
    first = next(_rebuild(rig))
    (second,) = _rebuild(rig)
    assert {first.link.external.id, second.link.external.id} == {number, other}
    assert list(_rebuild(rig)) == []


def test_a_lost_store_is_refused_before_anything_is_written(rig: Rig) -> None:
    _day(rig)
    before = rig.written()
    _lose_the_store(rig)
    for _ in range(2):
        with pytest.raises(StoreError, match="run `itopsync rebuild`"):
            rig.sync()
    assert rig.written() == before


def test_a_store_from_a_backup_finds_what_was_made_since(rig: Rig) -> None:
    rig.sync()
    rig.stop()
    shutil.copy(rig.folder / "store.sqlite", rig.folder / "backup")
    rig.start()
    _day(rig)
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    shutil.copy(rig.folder / "backup", rig.folder / "store.sqlite")
    rig.start()
    assert [plan.actions for plan, _ in rig.engine.preview()[0]] == [()]
    written = rig.written()
    rig.sync()
    rig.settle()
    assert rig.written() == written
    assert len(rig.internal.tickets()) == 1
    assert rig.differences() == []


def test_a_first_run_waits_until_both_sides_answer(rig: Rig) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.internal.maintenance = True
    assert rig.sync().outcome == "unavailable"
    rig.internal.maintenance = False
    rig.sync()
    assert len(rig.internal.tickets()) == 1
