"""A store that was lost is made anew from what stands in iTop."""

from __future__ import annotations

import shutil

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


def _lose_the_store(rig: Rig) -> list[Rebuilt]:
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    rig.start()
    return list(rebuild(rig.engine, rig.server(Side.INTERNAL), rig.store, lambda: rig.now))


def test_where_the_sides_were_at_rest_the_next_cycle_writes_nothing(rig: Rig) -> None:
    number = _day(rig)
    copy, before = rig.copy_of(number), rig.written()
    (found,) = _lose_the_store(rig)
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
    (found,) = _lose_the_store(rig)
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
    _lose_the_store(rig)
    rig.sync()
    assert sum("Four" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(number))) == 1
    assert rig.differences() == []


def test_a_copy_without_its_original_is_left_alone(rig: Rig) -> None:
    number = _day(rig)
    rig.customer.delete("UserRequest", number)
    (found,) = _lose_the_store(rig)
    assert found.link.status is LinkStatus.TOMBSTONE
    before = rig.written()
    rig.settle()
    assert rig.written() == before


def test_a_store_that_knows_links_is_not_rebuilt(rig: Rig) -> None:
    _day(rig)
    with pytest.raises(StoreError, match="knows links already"):
        next(rebuild(rig.engine, rig.server(Side.INTERNAL), rig.store, lambda: rig.now))


def test_a_lost_store_is_refused_before_anything_is_written(rig: Rig) -> None:
    _day(rig)
    before = rig.written()
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    rig.start()
    for _ in range(2):
        with pytest.raises(StoreError, match="Run `itopsync rebuild`"):
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
    assert [plan.actions for plan, _ in rig.engine.preview()] == [()]
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
