"""A file that our account does not see any more is not taken for deleted where that cannot be told."""

from __future__ import annotations

import pytest

from itopsync.engine import stops
from itopsync.errors import SafetyStop
from itopsync.model import Side
from itopsync.simulator import FaultKind
from itopsync.store.records import CycleKind
from tests.engine.rig import Rig


def _with_a_file(rig: Rig, **fields: int) -> int:
    number = rig.customer.create("UserRequest", title="Printer", org_id=3)
    rig.sync()
    file = rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    if fields:
        rig.external.agent("admin").update("Attachment", file, **fields)
    rig.sync()
    rig.engine.cycle(CycleKind.SWEEP)
    assert len(_copies(rig, number)) == 1
    return number


def _copies(rig: Rig, number: int) -> list[object]:
    return list(rig.internal.ticket("UserRequest", rig.copy_of(number))["attachments"])


def _limit(rig: Rig, *organisations: int) -> None:
    rig.external.accounts["sync"] = rig.external.accounts["sync"].limited_to(*organisations)


def test_a_file_whose_ticket_went_to_another_organisation_keeps_its_copy_and_is_told(rig: Rig) -> None:
    _limit(rig, 2, 3)
    number = _with_a_file(rig)
    rig.external.accounts["sync"] = rig.external.accounts["sync"].limited_to(2)
    rig.customer.update("UserRequest", number, org_id=2)
    for _ in range(3):
        rig.sync()
        rig.settle()
    assert len(_copies(rig, number)) == 1
    (obstacle,) = rig.link(number).obstacles
    assert obstacle.reason == "it is not shown any more, perhaps because its ticket went to another organisation"
    assert any(
        "Not carried: attachment 1 of external (it is not shown" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(number))
    )
    _limit(rig, 2, 3)
    rig.customer.note("UserRequest", number, "<p>Back again</p>")
    rig.sync()
    assert (rig.link(number).obstacles, len(_copies(rig, number))) == ((), 1)


def test_an_account_that_sees_fewer_organisations_deletes_no_copy(rig: Rig) -> None:
    """A file without an organisation is out of sight of an account that is limited to some."""
    number = _with_a_file(rig, item_org_id=0)
    _limit(rig, 3)
    rig.sync()
    with pytest.raises(SafetyStop, match="instead of") as stop:
        rig.sync()
    assert stop.value.kind == "deletions"
    assert len(_copies(rig, number)) == 1
    rig.wait(minutes=5)
    rig.engine.cycle(accept={"deletions"})
    assert _copies(rig, number) == []
    other = _with_a_file(rig)  # and from now on that many are what it sees
    (file,) = rig.external.ticket("UserRequest", other)["attachments"]
    rig.customer.delete_attachment(file["id"])
    rig.sync()
    rig.sync()
    assert _copies(rig, other) == []


def test_what_a_person_has_accepted_as_gone_is_planned(rig: Rig) -> None:
    rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], times=1)
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.internal.faults.add(FaultKind.BLIND, accounts=["sync"], verbs=["core/get"])
    rig.wait(minutes=10)
    with pytest.raises(SafetyStop):
        rig.sync()
    planned, tally = rig.inspector.preview()
    with pytest.raises(SafetyStop, match="no organisation at all"):
        rig.inspector.refuse(planned, tally)
    stop = stops.current(rig.store)
    assert stop is not None
    stops.accept(rig.store, stop)
    rig.inspector.refuse(*rig.inspector.preview())
