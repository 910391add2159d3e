"""Something was restored from a backup: what docs/how-to/restore.md says of it, tried."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest

from itopsync.errors import SafetyStop
from itopsync.model import LinkStatus, Side
from tests.engine.rig import Rig


def _opens(rig: Rig, title: str) -> int:
    number = rig.customer.create("UserRequest", title=title)
    rig.sync()
    return number


def test_a_store_that_was_restored_doubles_no_note_and_no_file(rig: Rig) -> None:
    number = _opens(rig, "Before")
    path = rig.folder / "store.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(rig.folder / "backup.sqlite"),))
    rig.customer.note("UserRequest", number, "<p>After the backup</p>")
    rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>Answer</p>")
    rig.settle(2)
    assert rig.differences() == []
    written = rig.written()
    rig.stop()
    for leftover in rig.folder.glob("store.sqlite*"):
        leftover.unlink()
    shutil.copy(rig.folder / "backup.sqlite", path)
    rig.start()
    rig.settle(3)
    assert rig.differences() == []
    assert rig.written() == written


def test_internal_was_restored_and_its_ids_are_other_tickets_now(rig: Rig) -> None:
    kept = _opens(rig, "Kept")
    backup = rig.internal.snapshot()
    lost = _opens(rig, "Lost")
    copy = rig.copy_of(lost)
    rig.internal.restore(backup)
    rig.wait(days=1)
    assert rig.operator.create("UserRequest", title="Internal's own, under an id that was given before") == copy
    with pytest.raises(SafetyStop) as stop:
        rig.sync()
    assert stop.value.kind == "replaced"
    rig.wait(minutes=1)
    rig.engine.cycle(accept={"replaced"})
    assert rig.link(lost).status is LinkStatus.PARKED
    assert rig.link(kept).status is LinkStatus.LINKED
    rig.settle(2)
    assert rig.texts(Side.INTERNAL, copy) == []  # nothing of the customer's was written to the other ticket
    assert rig.texts(Side.EXTERNAL, lost) == []


def test_internal_was_restored_and_its_copies_are_gone(rig: Rig) -> None:
    backup = rig.internal.snapshot()
    lost = _opens(rig, "Lost")
    rig.internal.restore(backup)
    rig.customer.note("UserRequest", lost, "<p>Anybody there?</p>")
    rig.settle(2)
    assert rig.link(lost).status is LinkStatus.TOMBSTONE
    assert rig.internal.tickets() == []  # and no new copy is made


def test_external_was_restored_and_what_had_gone_there_is_written_again(rig: Rig) -> None:
    number = _opens(rig, "Printer")
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>Before the backup</p>")
    rig.sync()
    backup = rig.external.snapshot()
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>After the backup</p>")
    rig.sync()
    rig.external.restore(backup)
    assert len(rig.texts(Side.EXTERNAL, number)) == 1
    rig.customer.update("UserRequest", number, title="Printer again")
    rig.settle(2)
    first, second = rig.texts(Side.EXTERNAL, number)
    assert "Before the backup" in first
    assert "After the backup" in second
    assert rig.differences() == []
