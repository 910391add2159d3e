"""Something was restored from a backup: what docs/how-to/restore.md says of it, tried."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from itopsync.engine import linking
from itopsync.engine.steering import Steering
from itopsync.errors import SafetyStop
from itopsync.model import FileStatus, LinkStatus, Ref, Side, Sighting
from itopsync.reconcile.by_hand import retried
from itopsync.reconcile.files import COPIES_GONE, ORIGINALS_GONE
from itopsync.reconcile.plan import Remove
from itopsync.reconcile.rebuilding import without_copy
from itopsync.reconcile.rules import Limits
from itopsync.store.records import CycleKind, RequestKind
from tests.engine.rig import TEAM, Rig
from tests.engine.test_work import with_settings
from tests.engine.verifying import compared


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


def test_a_store_that_was_restored_doubles_none_of_very_many_copies(rig: Rig) -> None:
    path = rig.folder / "store.sqlite"
    _opens(rig, "Before")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(rig.folder / "backup.sqlite"),))
    for n in range(130):
        rig.customer.create("UserRequest", title=f"After {n}")
    rig.sync()
    copies = {int(ticket["id"]) for ticket in rig.internal.tickets()}
    assert len(copies) == 131
    rig.stop()
    for leftover in rig.folder.glob("store.sqlite*"):
        leftover.unlink()
    shutil.copy(rig.folder / "backup.sqlite", path)
    rig.start()
    rig.sync()
    assert {int(ticket["id"]) for ticket in rig.internal.tickets()} == copies
    assert rig.differences() == []


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


# copies of files that a restore took away


def _with_files(rig: Rig, count: int, side: Side) -> list[int]:
    """So many linked tickets, each with a file of *side* whose copy the other side's restore has taken away."""
    numbers = [_opens(rig, f"No. {place}") for place in range(count)]
    rig.settle(1)
    backup = rig.simulator(side.other).snapshot()
    for number in numbers:
        there = number if side is Side.EXTERNAL else rig.copy_of(number)
        rig.agent(side).attach("UserRequest", there, "a.txt", "text/plain", str(number).encode())
    rig.settle(1)
    assert rig.differences() == []
    rig.simulator(side.other).restore(backup)
    rig.wait(minutes=1)
    return numbers


def _retry_all(rig: Rig) -> None:
    """``itopsync retry --all``"""
    taken = rig.store.requests.take(rig.store.requests.ask(RequestKind.RETRY, "somebody", rig.now), rig.now)
    assert taken is not None
    Steering(rig.store, rig.configuration.rules, lambda: rig.now, rig.inspector).carry_out(taken)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("more", ["", '[rules]\ndeletion = "both"\n'])
def test_copies_that_a_restore_took_from_several_tickets_are_told_and_made_again_when_one_says_so(
    tmp_path: Path, side: Side, more: str
) -> None:
    rig = Rig(tmp_path, more)
    numbers = _with_files(rig, 3, side)
    planned, _ = rig.inspector.preview()
    assert [remark.reason for each in planned for remark in each.plan.remarks] == [COPIES_GONE] * 3
    rig.sync()
    assert [obstacle.reason for number in numbers for obstacle in rig.link(number).obstacles] == [COPIES_GONE] * 3
    assert rig.store.links.troubles().items.parked == 3
    rig.settle(3)
    assert rig.differences() != []
    _retry_all(rig)
    rig.settle(3)
    assert rig.differences() == []
    assert compared(rig) == []
    assert rig.store.links.troubled(10) == ()
    rig.stop()


def test_more_of_them_than_a_person_deletes_stop_the_cycle_first(rig: Rig) -> None:
    numbers = _with_files(rig, 11, Side.EXTERNAL)
    with pytest.raises(SafetyStop, match="11 linked tickets are gone, or copies of files or the log on them") as stop:
        rig.sync()
    assert stop.value.kind == "missing"
    rig.engine.cycle(accept={"missing"})
    assert all(rig.link(number).obstacles for number in numbers)
    _retry_all(rig)
    rig.settle(2)
    assert rig.differences() == []


@pytest.mark.parametrize("others", [0, 1_000])
def test_what_is_found_gone_later_is_held_like_the_others(rig: Rig, others: int) -> None:
    """As where the cycle was broken off that had found several, and however many links were in trouble before."""
    seen = (Sighting(Ref(Side.EXTERNAL, "UserRequest", 10_000 + place), "", "v1") for place in range(others))
    rig.store.links.add(map(without_copy, seen), rig.now)
    numbers = _with_files(rig, 3, Side.EXTERNAL)
    rig.wait(minutes=1)
    rig.engine.cycle(only=[rig.link(number).id for number in numbers[:2]])
    assert not rig.link(numbers[2]).obstacles
    rig.sync()
    assert [obstacle.reason for obstacle in rig.link(numbers[2]).obstacles] == [COPIES_GONE]


def test_the_preview_holds_what_is_found_gone_later_as_well(rig: Rig) -> None:
    numbers = _with_files(rig, 3, Side.EXTERNAL)
    rig.wait(minutes=1)
    rig.engine.cycle(only=[rig.link(number).id for number in numbers[:2]])
    planned, _ = rig.inspector.preview()
    (last,) = [each.plan for each in planned if each.loaded.id == rig.link(numbers[2]).id]
    assert [remark.reason for remark in last.remarks] == [COPIES_GONE]


def test_a_copy_that_is_gone_from_one_ticket_was_deleted_on_purpose(rig: Rig) -> None:
    (number,) = _with_files(rig, 1, Side.EXTERNAL)
    assert rig.sync().outcome == "well"
    assert rig.link(number).obstacles == ()
    assert rig.internal.ticket("UserRequest", rig.copy_of(number))["attachments"] == []


# files that a restore took away, of which the copies are the last


def _attach(rig: Rig, side: Side, number: int, name: str = "a.txt") -> int:
    there = number if side is Side.EXTERNAL else rig.copy_of(number)
    return rig.agent(side).attach("UserRequest", there, name, "text/plain", f"{number} {name}".encode())


def _copies(rig: Rig, side: Side) -> int:
    return sum(len(each["attachments"]) for each in rig.simulator(side).tickets())


def _originals_taken_away(rig: Rig, side: Side, count: int, before: int = 1) -> list[int]:
    """So many linked tickets, each with two files of *side* that its restore has taken away, and so many *before* the backup."""
    numbers = [_opens(rig, f"No. {place}") for place in range(count)]
    for place in range(before):
        _attach(rig, side, numbers[place], "before the backup")
    rig.settle(1)
    backup = rig.simulator(side).snapshot()
    for number in (*numbers, *numbers):
        rig.wait(minutes=1)
        _attach(rig, side, number)
    rig.settle(1)
    assert _copies(rig, side.other) == 2 * count + before
    rig.simulator(side).restore(backup)
    rig.wait(minutes=1)
    return numbers


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("meanwhile", [0, 2])
def test_the_last_copies_of_files_that_a_restore_took_stay_until_one_says_so(tmp_path: Path, side: Side, meanwhile: int) -> None:
    """Also where people have attached others since, under ids that are given again."""
    rig = Rig(tmp_path)
    numbers = _originals_taken_away(rig, side, 3)
    fresh = _opens(rig, "A new one") if meanwhile else 0
    rig.wait(minutes=1)
    for place in range(meanwhile):
        _attach(rig, side, fresh, f"new {place}")
    rig.settle(3)
    assert all("was it restored?" in "".join(rig.texts(Side.INTERNAL, rig.copy_of(number))) for number in numbers)
    rig.wait(minutes=10)
    rig.engine.cycle(CycleKind.SWEEP)
    assert _copies(rig, side.other) == 7 + meanwhile
    assert [obstacle.reason for number in numbers for obstacle in rig.link(number).obstacles] == [ORIGINALS_GONE] * 6
    _retry_all(rig)
    rig.settle(3)
    assert _copies(rig, side.other) == 7 + meanwhile
    assert rig.store.links.troubled(10) == ()
    assert compared(rig) == []
    rig.stop()


@pytest.mark.parametrize("side", list(Side))
def test_they_stay_though_somebody_deletes_an_older_file_meanwhile(rig: Rig, side: Side) -> None:
    numbers = _originals_taken_away(rig, side, 3, before=2)
    older = rig.simulator(side).ticket("UserRequest", numbers[0] if side is Side.EXTERNAL else rig.copy_of(numbers[0]))
    rig.agent(side).delete_attachment(older["attachments"][0]["id"])
    rig.settle(3)
    assert _copies(rig, side.other) == 7
    assert [obstacle.reason for number in numbers for obstacle in rig.link(number).obstacles] == [ORIGINALS_GONE] * 6


@pytest.mark.parametrize("side", list(Side))
def test_so_do_those_of_a_second_restore_while_the_first_ones_wait_for_a_person(rig: Rig, side: Side) -> None:
    _originals_taken_away(rig, side, 3)
    rig.settle(3)
    numbers = [_opens(rig, f"Later {place}") for place in range(3)]
    rig.settle(1)
    backup = rig.simulator(side).snapshot()
    for number in numbers:
        _attach(rig, side, number)
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(1)
    assert _copies(rig, side.other) == 7 + 3
    rig.simulator(side).restore(backup)
    rig.settle(4)
    assert _copies(rig, side.other) == 7 + 3
    assert [obstacle.reason for number in numbers for obstacle in rig.link(number).obstacles] == [ORIGINALS_GONE] * 3


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("extra", [0, 1])
def test_so_do_those_whose_ids_our_own_copies_get(tmp_path: Path, side: Side, extra: int) -> None:
    """The other side's people attach files before itopsync has looked: their copies bear the ids of what the restore took."""
    rig = Rig(tmp_path)
    numbers = _originals_taken_away(rig, side, 3)
    others = [_opens(rig, "Another")] if extra else []
    for number in (*numbers, *numbers, *others):
        _attach(rig, side.other, number, "from here.txt")
    rig.settle(4)
    assert _copies(rig, side.other) == 7 + 6 + extra
    assert [obstacle.reason for number in numbers for obstacle in rig.link(number).obstacles] == [ORIGINALS_GONE] * 6
    rig.stop()


def test_the_preview_tells_that_they_stay(rig: Rig) -> None:
    _originals_taken_away(rig, Side.INTERNAL, 3)
    rig.sync()
    planned, _ = rig.inspector.preview()
    assert [remark.reason for each in planned for remark in each.plan.remarks] == [ORIGINALS_GONE] * 6
    assert [action for each in planned for action in each.plan.actions] == []


@pytest.mark.parametrize("retried", [False, True])
def test_what_is_left_stays_though_another_file_gets_the_id_of_its_original(rig: Rig, retried: bool) -> None:
    numbers = _originals_taken_away(rig, Side.INTERNAL, 3)
    rig.settle(2)
    if retried:
        _retry_all(rig)
        rig.settle(1)
    for number in numbers:
        _attach(rig, Side.INTERNAL, number, "again.txt")
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(3)
    assert _copies(rig, Side.EXTERNAL) == 7 + 3
    _retry_all(rig)
    rig.settle(3)
    assert _copies(rig, Side.EXTERNAL) == 7 + 3
    assert rig.store.links.troubled(10) == ()


def test_so_does_what_is_found_gone_in_batches_of_one(rig: Rig) -> None:
    _originals_taken_away(rig, Side.INTERNAL, 3)
    with_settings(rig, chunk=1)
    rig.settle(4)
    assert _copies(rig, Side.EXTERNAL) == 7


def test_so_does_what_is_left_of_a_ticket_that_lost_very_many(tmp_path: Path) -> None:
    rig = Rig(tmp_path, limits=Limits(deletions=3))
    numbers = [_opens(rig, f"No. {place}") for place in range(2)]
    rig.settle(1)
    backup = rig.internal.snapshot()
    for number in (*[numbers[0]] * 4, numbers[1]):
        _attach(rig, Side.INTERNAL, number)
    rig.settle(1)
    rig.internal.restore(backup)
    rig.settle(4)
    assert _copies(rig, Side.EXTERNAL) == 5
    for number in numbers:
        rig.store.links.amend(rig.link(number).id, lambda link: retried(link, rig.now), rig.now)
    rig.settle(4)
    assert _copies(rig, Side.EXTERNAL) == 5
    assert rig.store.links.troubled(10) == ()
    rig.stop()


def test_what_people_delete_from_several_tickets_goes(rig: Rig) -> None:
    """Others that came meanwhile are still there, so this was no restore."""
    numbers = [_opens(rig, f"No. {place}") for place in range(3)]
    files = [_attach(rig, Side.INTERNAL, number) for number in numbers]
    rig.settle(1)
    for deleted in (files[0], files[2]):
        rig.operator.delete_attachment(deleted)
    rig.settle(2)
    assert rig.differences() == []
    assert _copies(rig, Side.EXTERNAL) == 1


def test_deletions_that_were_accepted_go(rig: Rig) -> None:
    _originals_taken_away(rig, Side.INTERNAL, 30)
    rig.sync()
    with pytest.raises(SafetyStop) as stop:
        rig.sync()
    assert stop.value.kind == "deletions"
    planned, _ = rig.inspector.preview()
    assert sum(isinstance(action, Remove) for each in planned for action in each.plan.actions) == 60
    rig.wait(minutes=1)
    rig.engine.cycle(accept={"deletions"})
    rig.settle(1)
    assert _copies(rig, Side.EXTERNAL) == 1


# tickets that went back


def _moved_before_the_restore(rig: Rig, side: Side) -> int:
    """A ticket that *side*'s restore took back to its first state and form, and that the other side has as it was."""
    number = _opens(rig, "Printer")
    rig.settle(1)
    rig.wait(minutes=21)
    backup = rig.simulator(side).snapshot()
    rig.customer.update("UserRequest", number, title="Printer on fire")
    rig.operator.stimulus("UserRequest", rig.copy_of(number), "ev_assign", **TEAM)
    rig.settle(2)
    assert rig.differences() == []
    rig.simulator(side).restore(backup)
    rig.wait(hours=3)
    return number


def _shown(rig: Rig, number: int) -> list[tuple[str, str]]:
    both = rig.external.ticket("UserRequest", number), rig.internal.ticket("UserRequest", rig.copy_of(number))
    return [(each["title"], each["status"]) for each in both]


@pytest.mark.parametrize("side", list(Side))
def test_what_a_restored_ticket_shows_is_no_move_of_anybodys(rig: Rig, side: Side) -> None:
    number = _moved_before_the_restore(rig, side)
    before = _shown(rig, number)
    assert len(set(before)) == 2
    written = rig.written()
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(2)
    assert rig.written() == written
    (obstacle,) = rig.link(number).obstacles
    assert obstacle.parked
    assert obstacle.reason.startswith(f"{side} shows an earlier state of the ticket than before")
    assert compared(rig) == []
    _retry_all(rig)
    rig.settle(3)
    title = "Printer" if side is Side.EXTERNAL else "Printer on fire"
    assert _shown(rig, number) == [(title, "assigned"), (title, "assigned")]
    assert rig.link(number).obstacles == ()
    assert compared(rig) == []


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("at_once", [False, True])
def test_a_retry_of_held_tickets_one_by_one_takes_no_last_copy_away(rig: Rig, side: Side, at_once: bool) -> None:
    numbers = [_opens(rig, f"No. {place}") for place in range(3)]
    rig.settle(1)
    rig.wait(minutes=21)
    backup = rig.simulator(side).snapshot()
    for number in numbers:
        rig.wait(minutes=1)
        _attach(rig, side, number, "lost.txt")
        rig.agent(side).note("UserRequest", number if side is Side.EXTERNAL else rig.copy_of(number), "<p>after</p>")
    rig.settle(2)
    rig.simulator(side).restore(backup)
    rig.wait(hours=3)
    rig.engine.cycle(CycleKind.SWEEP)
    assert [len(rig.link(number).obstacles) for number in numbers] == [1] * 3
    for batch in [numbers] if at_once else [[number] for number in numbers]:
        for number in batch:
            rig.store.links.amend(rig.link(number).id, lambda link: retried(link, rig.now), rig.now)
        rig.settle(3)
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(2)
    assert _copies(rig, side.other) == 3
    assert [pair.status for number in numbers for pair in rig.link(number).files] == [FileStatus.LEFT] * 3


def test_what_leaked_is_told_of_a_ticket_that_is_held(rig: Rig) -> None:
    number = _moved_before_the_restore(rig, Side.INTERNAL)
    rig.engine.cycle(CycleKind.SWEEP)
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>#internal They never pay their bills</p>")
    rig.external.agent("sync").note("UserRequest", number, "<p>They never pay their bills</p>")
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.link(number).obstacles != ()
    (told,) = compared(rig)
    assert told.endswith("is to stay in internal, but its words are on external")


def test_where_both_servers_were_restored_both_count_as_they_are(rig: Rig) -> None:
    number = _opens(rig, "Printer")
    rig.wait(hours=3)
    backups = [(simulator, simulator.snapshot()) for simulator in (rig.external, rig.internal)]
    rig.customer.update("UserRequest", number, title="Printer on fire")
    rig.settle(2)
    for simulator, backup in backups:
        simulator.restore(backup)
    rig.wait(hours=3)
    rig.engine.cycle(CycleKind.SWEEP)
    _retry_all(rig)
    rig.settle(2)
    assert _shown(rig, number) == [("Printer", "new"), ("Printer", "new")]
    assert rig.link(number).obstacles == ()


# files of former copies


def test_what_internal_sent_stays_where_its_ticket_was_deleted_and_another_one_is_linked(rig: Rig) -> None:
    number = _opens(rig, "Printer")
    _attach(rig, Side.INTERNAL, number)
    rig.settle(1)
    rig.operator.delete("UserRequest", rig.copy_of(number))
    rig.settle(2)
    assert rig.link(number).status is LinkStatus.TOMBSTONE
    another = rig.operator.create("UserRequest", title="Printer")
    refs = Ref(Side.EXTERNAL, "UserRequest", number), Ref(Side.INTERNAL, "UserRequest", another)
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=None))
    rig.settle(3)
    assert _copies(rig, Side.EXTERNAL) == 1
    assert rig.link(number).status is LinkStatus.LINKED
    assert compared(rig) == []
