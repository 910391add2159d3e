"""A server gives the id of an attachment again, after a restored backup or a restart: it is another file, and it arrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from itopsync.engine.rebuild import rebuild
from itopsync.engine.report import Count
from itopsync.model import FileStatus, Side
from itopsync.reconcile.by_hand import retried
from itopsync.simulator import Simulator
from itopsync.store.records import CycleKind
from tests.engine.pair import DEEP, on_pairs_of
from tests.engine.rig import Crash, Rig
from tests.engine.verifying import compared
from tests.sampling import in_steps_of
from tests.store.databases import run

both_sides = pytest.mark.parametrize("side", list(Side))


def _opens(rig: Rig) -> int:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    return number


def _carried(rig: Rig, side: Side) -> tuple[int, int]:
    """A ticket and its file, which has arrived."""
    number = _opens(rig)
    old = _attaches(rig, side, number, "old")
    rig.settle(1)
    return number, old


def _there(rig: Rig, side: Side, number: int) -> int:
    return number if side is Side.EXTERNAL else rig.copy_of(number)


def _attaches(rig: Rig, side: Side, number: int, data: str) -> int:
    return rig.agent(side).attach("UserRequest", _there(rig, side, number), f"{data}.txt", "text/plain", data.encode())


def _gives_again(simulator: Simulator, file: int) -> None:
    """The database forgets the highest id that it gave."""
    simulator.store.table("Attachment").next_id = file


def _replaces(rig: Rig, side: Side, number: int, old: int, data: str = "new") -> None:
    """The file is gone and another one bears its id, before anybody has looked."""
    rig.agent(side).delete_attachment(old)
    _gives_again(rig.simulator(side), old)
    rig.wait(minutes=40)  # polls look for ids below the highest no more
    assert _attaches(rig, side, number, data) == old


def _held(rig: Rig, side: Side, number: int) -> list[str]:
    there = rig.simulator(side).ticket("UserRequest", _there(rig, side, number))["attachments"]
    return [attachment["contents"].data.decode() for attachment in there]


def _at_rest(rig: Rig, *, left: int = 0) -> None:
    """Nothing is written any more; so many copies are *left* whose files are gone."""
    rig.settle(2)
    written = rig.written()
    rig.settle(1)
    assert rig.written() == written
    assert [each.what for each in rig.differences()] == ["files"] * left
    assert list(compared(rig)) == []


@on_pairs_of(DEEP)
@both_sides
def test_the_new_file_arrives_and_the_copy_of_the_old_one_is_left(rig: Rig, side: Side) -> None:
    number, old = _carried(rig, side)
    assert _held(rig, side.other, number) == ["old"]
    rig.engine.cycle(CycleKind.SWEEP)
    _replaces(rig, side, number, old)
    rig.wait(minutes=1)
    rig.engine.cycle(CycleKind.SWEEP)
    assert _held(rig, side.other, number) == ["old", "new"]
    _at_rest(rig, left=1)
    rig.wait(minutes=10)
    assert not rig.engine.cycle().counts[Count.LINKS]


@both_sides
def test_a_restored_server_gives_an_id_again(rig: Rig, side: Side) -> None:
    number = _opens(rig)
    backup = rig.simulator(side).snapshot()
    old = _attaches(rig, side, number, "old")
    rig.settle(1)
    rig.simulator(side).restore(backup)
    rig.wait(minutes=1)
    assert _attaches(rig, side, number, "new") == old
    rig.sync()  # the poll that lists it compares more than its id
    assert _held(rig, side.other, number) == ["old", "new"]  # it is the last one
    _at_rest(rig, left=1)


@both_sides
def test_verify_tells_what_bears_another_ones_id(rig: Rig, side: Side) -> None:
    number, old = _carried(rig, side)
    _replaces(rig, side, number, old)
    told = "\n".join(compared(rig))
    assert f"attachment {old} has no copy on {side.other}" in told
    assert f"attachment {old} is gone, but its copy is still there" in told


@in_steps_of(4)
@both_sides
def test_a_crash_at_any_boundary_takes_no_copy_for_the_other_files(rig: Rig, side: Side, step: int) -> None:
    number = _opens(rig)
    backups = [simulator.snapshot() for simulator in (rig.external, rig.internal)]
    for boundary in range(0, 60, step):
        for simulator, backup in zip((rig.external, rig.internal), backups, strict=True):
            simulator.restore(backup)
        rig.engine.cycle(CycleKind.SWEEP)
        rig.store.links.amend(rig.link(number).id, lambda link: retried(link, rig.now), rig.now)  # they went back in time
        rig.settle(2)
        old = _attaches(rig, side, number, f"old {boundary}")
        rig.wait(minutes=1)
        rig.engine.cycle(CycleKind.SWEEP)
        assert _held(rig, side.other, number) == [f"old {boundary}"]
        _replaces(rig, side, number, old, f"new {boundary}")
        rig.agent(side).note("UserRequest", _there(rig, side, number), f"<p>{boundary}</p>")
        rig.wait(minutes=1)
        left = boundary

        def dies(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash

        rig.probe = dies
        try:
            rig.engine.cycle()
        except Crash:
            rig.restart()
        else:
            rig.probe = None
            break
        rig.settle(2)
        assert _held(rig, side.other, number) == [f"old {boundary}", f"new {boundary}"]
    else:
        raise AssertionError("the boundaries never ended")
    assert boundary > 5
    _at_rest(rig, left=1)


@both_sides
def test_the_copy_that_was_deleted_was_the_other_files(rig: Rig, side: Side) -> None:
    number, old = _carried(rig, side)
    (copy,) = rig.simulator(side.other).ticket("UserRequest", _there(rig, side.other, number))["attachments"]
    rig.agent(side.other).delete_attachment(copy["id"])
    rig.settle(1)
    assert rig.link(number).files[0].status is FileStatus.COPY_DELETED
    rig.engine.cycle(CycleKind.SWEEP)
    _replaces(rig, side, number, old)
    rig.wait(minutes=1)
    rig.engine.cycle(CycleKind.SWEEP)
    assert _held(rig, side.other, number) == ["new"]
    _at_rest(rig)


def test_what_was_parked_was_the_other_file(rig: Rig) -> None:
    number = _opens(rig)
    data = b"x" * (rig.configuration.rules.limits.file_size + 1)
    old = rig.customer.attach("UserRequest", number, "large.bin", "application/octet-stream", data)
    rig.settle(1)
    assert rig.link(number).obstacles != ()
    _replaces(rig, Side.EXTERNAL, number, old)
    rig.customer.note("UserRequest", number, "<p>Smaller.</p>")
    rig.settle(1)
    assert _held(rig, Side.INTERNAL, number) == ["new"]
    assert rig.link(number).obstacles == ()


def _after_an_upgrade(rig: Rig) -> None:
    """Copies whose markers say only an id, and a store that knows no more."""
    for simulator in (rig.external, rig.internal):
        for row in list(simulator.store.rows("Attachment")):
            if str(row["temp_id"]).startswith("itopsync-demo-a-"):
                simulator.store.put({**row, "temp_id": row["temp_id"].partition(".")[0]})
    rig.stop()
    run(rig.configuration.store_url, "UPDATE file SET born = ''")
    rig.start()


def _after_a_lost_store(rig: Rig) -> None:
    rig.stop()
    for leftover in rig.folder.glob("store.sqlite*"):
        leftover.unlink()
    rig.start()
    list(rebuild(rig.inspector))


def _after_both(rig: Rig) -> None:
    _after_an_upgrade(rig)
    _after_a_lost_store(rig)


@both_sides
@pytest.mark.parametrize("after", [_after_an_upgrade, _after_a_lost_store, _after_both])
def test_what_is_not_known_yet_is_learnt_without_a_write(rig: Rig, side: Side, after: Callable[[Rig], None]) -> None:
    number = _opens(rig)
    old = _attaches(rig, side, number, "old")
    rig.settle(2)
    rig.engine.cycle(CycleKind.SWEEP)
    after(rig)
    written = rig.written()
    rig.settle(1)
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.written() == written
    assert rig.link(number).files[0].born
    _replaces(rig, side, number, old)
    rig.wait(minutes=1)
    rig.engine.cycle(CycleKind.SWEEP)
    assert _held(rig, side.other, number) == ["old", "new"]
    _at_rest(rig, left=1)


@both_sides
def test_a_store_lost_meanwhile_takes_no_copy_for_the_other_files(rig: Rig, side: Side) -> None:
    number, old = _carried(rig, side)
    _replaces(rig, side, number, old)
    _after_a_lost_store(rig)
    rig.settle(1)
    assert _held(rig, side.other, number) == ["old", "new"]
    rig.settle(2)
    written = rig.written()
    rig.settle(1)
    assert rig.written() == written
    assert compared(rig) == []


def test_a_server_that_shows_its_dates_another_way_changes_nothing(rig: Rig) -> None:
    number = _opens(rig)
    for side in Side:
        _attaches(rig, side, number, f"of {side}")
    rig.settle(2)
    written = rig.written()
    for simulator in (rig.external, rig.internal):
        simulator.date_format = "d/m/Y H:i"
    rig.stop()
    other = {"date_format": "d/m/Y H:i"}
    settings = rig.configuration
    external, internal = (server.model_copy(update=other) for server in (settings.external, settings.internal))
    rig.configuration = replace(settings, external=external, internal=internal)
    rig.start()
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(2)
    assert rig.written() == written
    assert rig.differences() == []
