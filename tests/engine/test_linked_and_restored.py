"""Tickets linked by hand, of which internal shows another one under the same id and number: nothing goes between the two."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from itopsync.engine import linking
from itopsync.errors import SafetyStop
from itopsync.model import LinkStatus, Ref, Side
from itopsync.reconcile.copied import Bridge
from itopsync.store.records import CycleKind
from tests.engine.rig import RESOLVED, TEAM, Rig
from tests.engine.test_overwritten_logs import overwrite
from tests.torture.leaks import leaks


def _linked(rig: Rig, history: Bridge | None) -> tuple[int, int]:
    """A ticket of each side, linked by hand."""
    number = rig.customer.create("UserRequest", title="Printer", start_date="2026-11-01 00:00:00")
    internal = rig.operator.create("UserRequest", title="Printer, told by telephone")
    refs = Ref(Side.EXTERNAL, "UserRequest", number), Ref(Side.INTERNAL, "UserRequest", internal)
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=history))
    return number, internal


@pytest.mark.parametrize("history", [None, Bridge()], ids=["without", "with"])
@pytest.mark.parametrize("carried", ["no mark yet", "the mark alone", "notes"])
def test_another_ticket_under_that_number_is_not_the_linked_one(rig: Rig, history: Bridge | None, carried: str) -> None:
    rig.sync()
    empty = rig.internal.snapshot()
    rig.wait(hours=1)
    number, internal = _linked(rig, history)
    if carried != "no mark yet":
        rig.settle(2)
    if carried == "notes":
        rig.customer.note("UserRequest", number, "<p>Hello</p>")
        rig.operator.note("UserRequest", internal, "<p>Good day</p>")
        rig.settle(2)
    rig.wait(hours=1)
    rig.internal.restore(empty)
    rig.wait(minutes=7)
    assert rig.operator.create("UserRequest", title="Salaries", description="<p>Secret</p>") == internal
    rig.operator.note("UserRequest", internal, "<p>Secret</p>")
    rig.operator.attach("UserRequest", internal, "Secret.txt", "text/plain", b"Secret")
    rig.customer.note("UserRequest", number, "<p>Anybody there?</p>")
    with pytest.raises(SafetyStop, match="1 linked ids are other tickets than before"):
        rig.settle(3)
    rig.engine.cycle(accept={"replaced"})
    rig.settle(2)
    assert rig.link(number).status is LinkStatus.PARKED
    assert list(leaks(rig.external, ["Secret"])) == []
    assert [text for text in rig.texts(Side.INTERNAL, internal) if "Secret" not in text] == []


@pytest.mark.parametrize("stock", ["", "<p>On it</p>"])
def test_nor_is_one_from_the_same_form_before_the_mark(rig: Rig, stock: str) -> None:
    rig.sync()
    empty = rig.internal.snapshot()
    number = rig.customer.create("UserRequest", title="Printer", start_date="2026-11-01 00:00:00")
    form = {"title": "Printer", **({"private_log": stock} if stock else {})}
    internal = rig.operator.create("UserRequest", **form)
    refs = Ref(Side.EXTERNAL, "UserRequest", number), Ref(Side.INTERNAL, "UserRequest", internal)
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=None))
    rig.internal.restore(empty)
    rig.wait(minutes=7)
    assert rig.operator.create("UserRequest", **form) == internal
    rig.operator.note("UserRequest", internal, "<p>Secret</p>")
    with pytest.raises(SafetyStop, match="1 linked ids are other tickets than before"):
        rig.settle(3)
    assert list(leaks(rig.external, ["Secret"])) == []


def test_the_linked_one_is_known_again_where_a_save_wiped_out_the_mark_and_another_moved_its_start(rig: Rig) -> None:
    rig.sync()
    number, internal = _linked(rig, None)
    rig.operator.note("UserRequest", internal, "<p>Good day</p>")
    form = rig.operator.open("UserRequest", internal)
    rig.engine.cycle()
    rig.operator.update("UserRequest", internal, start_date="2026-11-20 00:00:07")
    form.save(private_log="<p>Saved late</p>")
    rig.settle(3)
    texts = rig.texts(Side.INTERNAL, internal)
    assert [sum(word in text for text in texts) for word in ("Linked by hand", "Good day", "Saved late")] == [1, 1, 1]
    assert rig.link(number).obstacles == ()


@pytest.mark.parametrize("edited", ["start_date", "title", "title and description"])
@pytest.mark.parametrize("older", [False, True])
def test_a_ticket_that_somebody_edits_before_it_is_marked_is_the_linked_one(rig: Rig, edited: str, older: bool) -> None:
    """*older*: linked by a version that did not record when the ticket began."""
    rig.sync()
    number, internal = _linked(rig, None)
    if older:
        link = rig.link(number)
        rig.store.links.amend(link.id, lambda known: replace(known, base=replace(known.base, began="")), rig.now)
    rig.wait(minutes=7)
    values = {"start_date": "2026-11-19 08:00:00", "title": "Plotter", "description": "<p>It smokes</p>"}
    rig.operator.update("UserRequest", internal, **{name: values[name] for name in edited.split(" and ")})
    rig.settle(2)
    assert rig.link(number).status is LinkStatus.LINKED
    assert sum("Linked by hand" in text for text in rig.texts(Side.INTERNAL, internal)) == 1


def test_another_ticket_that_began_some_quarters_of_an_hour_later_is_not_the_linked_one(rig: Rig) -> None:
    rig.sync()
    empty = rig.internal.snapshot()
    _, internal = _linked(rig, None)
    rig.settle(2)
    began = rig.internal.ticket("UserRequest", internal)["start_date"]
    rig.internal.restore(empty)
    rig.wait(hours=1)
    later = (datetime.fromisoformat(began) + timedelta(minutes=45)).isoformat(" ")
    assert rig.operator.create("UserRequest", title="Salaries", start_date=later) == internal
    rig.operator.note("UserRequest", internal, "<p>Secret</p>")
    rig.settle(3)
    (obstacle,) = rig.link(1).obstacles
    assert "overwritten or emptied" in obstacle.reason  # it may be the linked one, and nothing is carried
    assert list(leaks(rig.external, ["Secret"])) == []


@pytest.mark.parametrize("worked_on", ["internal", "external"])
def test_where_its_log_was_overwritten_nothing_is_carried(rig: Rig, worked_on: str) -> None:
    """As by iTop's CSV import: the old log is one entry now, with what may not leave."""
    number, internal = _linked(rig, None)
    rig.settle(2)
    if worked_on == "internal":
        rig.operator.note("UserRequest", internal, "<p>#internal Secret</p>")
    else:
        rig.customer.note("UserRequest", number, "<p>Hello</p>")
    rig.settle(2)
    overwrite(rig, internal, "Linked by hand ... Secret")
    rig.wait(minutes=1)
    for _ in range(3):
        rig.engine.cycle(CycleKind.SWEEP)
        rig.wait(minutes=10)
    assert list(leaks(rig.external, ["Secret"])) == []
    (obstacle,) = rig.link(number).obstacles
    assert "was overwritten or emptied" in obstacle.reason


@pytest.mark.parametrize("entries", [False, True])
def test_what_internal_shows_from_before_the_link_is_no_move(rig: Rig, entries: bool) -> None:
    """Internal is restored from a backup that was made after its ticket was opened, and before the two were linked."""
    rig.sync()
    number = rig.customer.create("UserRequest", title="Printer", start_date="2026-11-01 00:00:00")
    internal = rig.operator.create("UserRequest", title="Printer, told by telephone")
    if entries:
        rig.operator.note("UserRequest", internal, "<p>Good day</p>")
    backup = rig.internal.snapshot()
    rig.wait(hours=1)
    refs = Ref(Side.EXTERNAL, "UserRequest", number), Ref(Side.INTERNAL, "UserRequest", internal)
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=None))
    rig.settle(2)
    rig.operator.attach("UserRequest", internal, "ours.txt", "text/plain", b"ours")
    rig.operator.stimulus("UserRequest", internal, "ev_assign", **TEAM)
    rig.operator.stimulus("UserRequest", internal, "ev_resolve", **RESOLVED)
    rig.settle(2)
    assert rig.external.ticket("UserRequest", number)["status"] == "resolved"
    rig.internal.restore(backup)
    rig.wait(hours=1)
    for _ in range(4):
        rig.engine.cycle(CycleKind.SWEEP)
        rig.wait(minutes=3)
    ticket = rig.external.ticket("UserRequest", number)
    assert (ticket["status"], len(ticket["attachments"])) == ("resolved", 1)
    assert rig.link(number).obstacles


STOCK = "<p>Thank you, we have received your request.</p>"


@pytest.mark.parametrize("by_hand", [False, True])
def test_stock_words_make_no_ticket_the_one_that_had_its_id(rig: Rig, by_hand: bool) -> None:
    """The same agent writes the same first reply on the ticket that a restore took and on the one that gets its id."""
    rig.sync()
    side = Side.INTERNAL if by_hand else Side.EXTERNAL
    empty = rig.simulator(side).snapshot()
    if by_hand:
        number, internal = _linked(rig, None)
    else:
        number = rig.customer.create("UserRequest", title="Printer")
        rig.settle(2)
        internal = rig.copy_of(number)
    rig.agent(side).note("UserRequest", side.pick(number, internal), STOCK)
    rig.settle(2)
    rig.customer.note("UserRequest", number, "<p>Hello</p>")
    rig.settle(2)
    rig.simulator(side).restore(empty)
    rig.wait(hours=50)
    other = rig.agent(side).create("UserRequest", title="Salaries", description="<p>Secret</p>")
    assert other == side.pick(number, internal)
    rig.agent(side).note("UserRequest", other, STOCK)
    rig.wait(minutes=1)
    rig.agent(side).note("UserRequest", other, "<p>Secret</p>")
    with pytest.raises(SafetyStop, match="1 linked ids are other tickets than before"):
        rig.settle(3)
    assert list(leaks(rig.simulator(side.other), ["Secret"])) == []
    assert not any("Hello" in text for text in rig.texts(side, other))
