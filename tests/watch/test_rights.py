"""Where an account lacks a right, a person is called, and the status and the report tell of it for as long as it lasts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from itopsync.model import Side
from itopsync.status import OK, STALE, freshness, status
from itopsync.store.records import Cause
from tests.engine.rig import Rig
from tests.watch.receiver import Receiver
from tests.watch.service import Service


def _deny(rig: Rig, *rights: tuple[str, str]) -> None:
    rig.internal.accounts["sync"] = replace(rig.internal.accounts["sync"], denied=frozenset(rights))


def test_a_side_that_answers_polls_and_shows_no_ticket_of_one_class_calls_somebody(service: Service, receiver: Receiver) -> None:
    rig = service.rig
    service.cycle()
    rig.customer.create("Incident", title="Mail")
    _deny(rig, ("Incident", "read"))
    for _ in range(20):
        service.cycle()
    (told,) = receiver.documents
    assert (told["event"], told["calls"][0]["side"]) == ("side_down", Side.INTERNAL)
    found = freshness(status(rig.store, "demo", rig.now), timedelta(minutes=15))
    assert found.word == STALE
    assert "Incident" in found.reasons[0]
    _deny(rig)
    service.cycle()
    assert len(rig.internal.tickets()) == 1
    for _ in range(3):
        service.cycle()
    assert freshness(status(rig.store, "demo", rig.now), timedelta(minutes=15)).word == OK
    _deny(rig, ("UserRequest", "read"))
    rig.customer.create("UserRequest", title="Printer")
    for _ in range(10):  # from the first of these on
        service.cycle()
    assert len(receiver.documents) == 1


def test_what_waits_for_a_right_calls_somebody_and_is_reported_as_long_as_it_lasts(service: Service, receiver: Receiver) -> None:
    rig = service.rig
    _deny(rig, ("Incident", "write"))
    number = rig.customer.create("Incident", title="Mail")
    rig.customer.create("UserRequest", title="Printer")
    for _ in range(30):
        service.cycle()
    (told,) = receiver.documents
    assert (told["event"], told["count"], told["calls"][0]["external_number"]) == ("parked", 1, f"I-{number:06}")
    assert "internal: the account lacks the right of creating data of class Incident." in told["summary"]
    (spell,) = rig.store.spells.between(rig.now - timedelta(hours=1), rig.now)
    assert (spell.what.cause, spell.over) == (Cause.PARKED, False)
    _deny(rig)
    for _ in range(30):
        service.cycle()
    assert len(rig.internal.tickets()) == 2
    assert [each.over for each in rig.store.spells.between(rig.now - timedelta(hours=2), rig.now)] == [True]
