"""Sweeps find what no poll can see, and verifying says where the sides differ."""

from __future__ import annotations

from itopsync.engine.report import Count
from itopsync.model import LinkStatus, Side
from itopsync.reconcile.plan import Write
from itopsync.store.records import CycleKind
from tests.engine.rig import RESOLVED, TEAM, Rig


def _opens(rig: Rig, title: str = "Printer", **fields: object) -> int:
    return rig.customer.create("UserRequest", title=title, **fields)


def _closed(rig: Rig) -> int:
    """A linked request that is closed on both sides, with three files."""
    number = _opens(rig, service_id=1)
    for name in ("a", "b", "c"):
        rig.customer.attach("UserRequest", number, f"{name}.txt", "text/plain", name.encode())
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    rig.customer.stimulus("UserRequest", number, "ev_resolve", **RESOLVED)
    rig.customer.stimulus("UserRequest", number, "ev_close", user_satisfaction="1")
    rig.sync()
    rig.settle()
    return number


def test_a_file_that_goes_from_a_closed_ticket_is_found_by_the_next_sweep(rig: Rig) -> None:
    number = _closed(rig)
    gone = rig.external.ticket("UserRequest", number)["attachments"][1]
    rig.customer.delete_attachment(gone["id"])
    rig.settle(1)
    assert rig.differences() != []
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(1)
    assert rig.differences() == []


def test_a_file_of_a_ticket_that_can_still_change_is_found_gone_by_the_next_poll_with_few_calls(rig: Rig) -> None:
    numbers = [_opens(rig, f"No. {n}") for n in range(100)]
    files = [rig.customer.attach("UserRequest", number, f"{number}.txt", "text/plain", b"x") for number in numbers for _ in "ab"]
    rig.sync()
    rig.settle()
    asked = rig.external.served
    rig.sync()
    idle = rig.external.served - asked
    rig.customer.delete_attachment(files[77])
    asked = rig.external.served
    rig.sync()
    assert rig.external.served - asked - idle <= 12
    rig.sync()
    assert rig.differences() == []


def test_a_ticket_that_comes_into_scope_without_a_change_of_its_own_is_sent(rig: Rig) -> None:
    rig.restrict("org_id_friendlyname = 'Renamed'")
    number = _opens(rig)
    rig.sync()
    assert rig.internal.tickets() == []
    rig.customer.update("Organization", 3, name="Renamed")
    rig.wait(days=1)
    rig.sync()
    assert rig.internal.tickets() == []
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.link(number).status is LinkStatus.LINKED


def test_a_ticket_that_is_gone_is_found_by_the_next_sweep(rig: Rig) -> None:
    number = _opens(rig)
    rig.sync()
    rig.settle()
    rig.customer.delete("UserRequest", number)
    rig.settle(1)
    assert rig.link(number).status is LinkStatus.LINKED
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.link(number).status is LinkStatus.TOMBSTONE


def test_a_sweep_of_what_agrees_writes_nothing(rig: Rig) -> None:
    for n in range(10):
        _opens(rig, f"No. {n}")
    rig.sync()
    rig.settle()
    before = rig.written()
    report = rig.engine.cycle(CycleKind.SWEEP)
    assert rig.written() == before
    assert report.counts[Count.LOOKED_AT] == 10


def test_verifying_writes_nothing_and_names_what_differs(rig: Rig) -> None:
    number = _opens(rig)
    other = _opens(rig, "Other")
    rig.sync()
    rig.operator.note("UserRequest", rig.copy_of(other), "<p>#internal ours</p>")
    rig.customer.note("UserRequest", number, "<p>Not carried yet</p>")
    before = rig.written()
    found = {planned.plan.link.external.id: planned.plan for planned in rig.inspector.verify()}
    assert rig.written() == before
    (action,) = found[number].actions
    assert isinstance(action, Write)
    assert action.side is Side.INTERNAL
    assert found[other].actions == ()
    assert [remark.kept for remark in found[other].remarks] == ["note kept in internal"]


def test_a_scope_that_cannot_be_asked_for_is_told_by_a_sweep_as_by_a_poll(rig: Rig) -> None:
    _opens(rig)
    rig.sync()
    rig.restrict("this.no_such_attribute = 1")
    report = rig.engine.cycle(CycleKind.SWEEP)
    assert report.outcome == "unavailable"
    assert "no_such_attribute" in report.problems[Side.EXTERNAL]
