"""Somebody overwrites or empties a whole log of one copy, as iTop's CSV import does: that is this ticket's trouble alone."""

from __future__ import annotations

import pytest

from itopsync.engine import linking
from itopsync.errors import SafetyStop
from itopsync.model import Ref, Side
from itopsync.reconcile.by_hand import unlinked
from itopsync.reconcile.copied import Bridge
from itopsync.simulator.caselog import CaseLog, Entry
from itopsync.store.records import CycleKind
from tests.engine.rig import Rig
from tests.engine.verifying import compared


def overwrite(rig: Rig, copy: int, *texts: str) -> CaseLog:
    """Put *texts* in the place of the copy's whole log; return what was there."""
    row, now = rig.internal.store.get("UserRequest", copy), rig.now
    assert row is not None
    entries = [Entry("Agent", 3, int(now.timestamp()), f"<p>{text}</p>") for text in texts]
    rig.internal.store.put({**row, "private_log": CaseLog(entries)})
    rig.operator.update("UserRequest", copy, impact="2")
    before: CaseLog = row["private_log"]
    return before


@pytest.mark.parametrize("texts", [(), ("Imported",)])
def test_it_holds_up_no_other_ticket_and_what_is_told_goes_on_with_it(rig: Rig, texts: tuple[str, ...]) -> None:
    numbers = [rig.customer.create("UserRequest", title=f"No. {place}") for place in range(3)]
    rig.sync()
    for number in numbers:
        rig.customer.note("UserRequest", number, f"<p>Hers {number}</p>")
        rig.operator.note("UserRequest", rig.copy_of(number), f"<p>Ours {number}</p>")
    rig.settle(2)
    first, *others = numbers
    copy = rig.copy_of(first)
    overwrite(rig, copy, *texts)
    for number in numbers:
        rig.customer.note("UserRequest", number, f"<p>Later {number}</p>")
    rig.settle(2)
    for number in others:
        assert "Later" in "".join(rig.texts(Side.INTERNAL, rig.copy_of(number)))
    link = rig.link(first)
    (obstacle,) = link.obstacles
    assert "overwritten or emptied" in obstacle.reason
    # what it tells
    external, internal = Ref(Side.EXTERNAL, "UserRequest", first), Ref(Side.INTERNAL, "UserRequest", copy)
    assert (
        f"`itopsync unlink {link.id}` leaves it; if that is the right ticket, `itopsync link {external} {internal} --history`"
        in obstacle.reason
    )
    rig.store.links.amend(link.id, lambda known: unlinked(known, rig.now, notice=True), rig.now)
    rig.settle(2)
    assert len(rig.texts(Side.INTERNAL, copy)) == len(texts)  # it bears no mark of ours, so nothing is noted there
    linking.join(rig.pair, linking.compare(rig.inspector, external, internal, history=Bridge()))
    rig.settle()
    said = "".join(rig.texts(Side.INTERNAL, copy))
    assert [said.count(f"{words} {first}") for words in ("Hers", "Later")] == [1, 1]
    there = "".join(rig.texts(Side.EXTERNAL, first))
    assert [there.count(words) for words in (f"Ours {first}", *texts)] == [1] * (1 + len(texts))
    assert compared(rig) == []


def test_a_log_that_is_back_heals_by_itself(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.settle(2)
    before = overwrite(rig, rig.copy_of(number))
    rig.customer.note("UserRequest", number, "<p>Meanwhile</p>")
    rig.settle(1)
    assert not rig.texts(Side.INTERNAL, rig.copy_of(number))
    row = rig.internal.store.get("UserRequest", rig.copy_of(number))
    assert row is not None
    rig.internal.store.put({**row, "private_log": before})
    rig.settle()
    assert "Meanwhile" in "".join(rig.texts(Side.INTERNAL, rig.copy_of(number)))
    assert rig.link(number).obstacles == ()


def test_many_at_once_stop_the_cycle(rig: Rig) -> None:
    numbers = [rig.customer.create("UserRequest", title=f"No. {place}") for place in range(11)]
    rig.settle(2)
    for number in numbers:
        overwrite(rig, rig.copy_of(number))
    with pytest.raises(SafetyStop, match="11 linked tickets are gone, or copies of files or the log"):
        rig.sync()
    rig.wait(minutes=1)
    rig.engine.cycle(accept={"missing"})
    rig.settle(30)  # what was accepted is not counted again, however often it is looked at
    rig.engine.cycle(CycleKind.SWEEP)


def test_a_copy_that_people_had_edited_is_still_known(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    other = rig.customer.create("UserRequest", title="Another one")
    rig.customer.note("UserRequest", number, "<p>Hers</p>")
    rig.settle(2)
    copy = rig.copy_of(number)
    rig.operator.update("UserRequest", copy, title="Printer (Lyon)", description="<p>Seen to</p>")
    rig.settle(2)
    overwrite(rig, copy, "Imported")
    rig.customer.note("UserRequest", other, "<p>It beeps</p>")
    rig.settle(2)
    assert "It beeps" in "".join(rig.texts(Side.INTERNAL, rig.copy_of(other)))
    (obstacle,) = rig.link(number).obstacles
    assert "overwritten or emptied" in obstacle.reason


@pytest.mark.parametrize("file", [False, True])
def test_another_ticket_of_the_same_number_title_and_description_is_not_taken_for_it(rig: Rig, file: bool) -> None:
    """Internal was restored from a backup, and gave the copy's id to a ticket of its own."""
    rig.settle(2)
    backup = rig.internal.snapshot()
    words = {"title": "Printer", "description": "<p>It beeps</p>"}
    number = rig.customer.create("UserRequest", **words)
    if file:
        rig.customer.attach("UserRequest", number, "hers.txt", "text/plain", b"hers")
    rig.settle(2)
    copy = rig.copy_of(number)
    rig.internal.restore(backup)
    rig.wait(minutes=7)
    assert rig.operator.create("UserRequest", **words) == copy
    rig.operator.note("UserRequest", copy, "<p>Payroll</p>")
    with pytest.raises(SafetyStop, match="linked ids are other tickets"):
        rig.sync()


def test_what_a_parked_link_with_another_ticket_tells_loses_nothing(rig: Rig) -> None:
    rig.settle(2)
    backup = rig.internal.snapshot()
    number = rig.customer.create("UserRequest", title="Printer")
    rig.customer.note("UserRequest", number, "<p>Hers</p>")
    rig.settle(2)
    copy = rig.copy_of(number)
    rig.internal.restore(backup)
    rig.wait(minutes=7)
    assert rig.operator.create("UserRequest", title="Payroll") == copy
    rig.customer.note("UserRequest", number, "<p>Later</p>")
    with pytest.raises(SafetyStop):
        rig.sync()
    rig.engine.cycle(accept={"replaced"})
    rig.settle(2)
    link = rig.link(number)
    (obstacle,) = link.obstacles
    external = Ref(Side.EXTERNAL, "UserRequest", number)
    assert f"then `itopsync link {external} TICKET --history` links it with a ticket that you open for it" in obstacle.reason
    assert "never with one of internal's own" in obstacle.reason
    rig.store.links.amend(link.id, lambda known: unlinked(known, rig.now, notice=True), rig.now)
    rig.settle(2)
    opened = Ref(Side.INTERNAL, "UserRequest", rig.operator.create("UserRequest", title="Printer"))
    linking.join(rig.pair, linking.compare(rig.inspector, external, opened, history=Bridge()))
    rig.settle()
    said = "".join(rig.texts(Side.INTERNAL, opened.id))
    assert [said.count(words) for words in ("Hers", "Later")] == [1, 1]
    assert rig.texts(Side.EXTERNAL, number) == ["<p>Hers</p>", "<p>Later</p>"]
