"""What keeps tickets from getting across is remembered with each cycle: since when, and until when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itopsync.engine.pauses import Pause, pause, unpause
from itopsync.errors import SafetyStop
from itopsync.model import Side
from itopsync.reconcile import by_hand
from itopsync.reconcile.rules import Limits
from itopsync.simulator import AccessMode
from itopsync.store.records import Cause, Lasting
from tests.engine.rig import BEGIN, Rig


def lasted(rig: Rig) -> list[tuple[Lasting, int, int | None]]:
    """What is remembered: from which minute to which; None: it lasts."""
    found = rig.store.spells.between(BEGIN, BEGIN + timedelta(days=99))
    return [
        (
            each.what,
            int((each.since - BEGIN).total_seconds() // 60),
            int((each.until - BEGIN).total_seconds() // 60) if each.over else None,
        )
        for each in found
    ]


def test_a_side_is_down_from_the_first_cycle_that_sees_it_to_the_first_that_does_not(rig: Rig) -> None:
    rig.sync()
    rig.internal.maintenance = True
    for _ in range(3):
        rig.sync()
    rig.internal.maintenance = False
    rig.sync()
    assert lasted(rig) == [(Lasting(Cause.DOWN, Side.INTERNAL), 3, 9)]


def test_a_side_that_is_read_only_takes_no_writes(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.internal.access_mode = AccessMode.READ_ONLY
    rig.customer.note("UserRequest", number, "<p>Hello</p>")
    rig.sync()
    rig.sync()
    rig.internal.access_mode = AccessMode.FULL
    rig.settle()
    assert rig.differences() == []
    ((what, since, until),) = lasted(rig)
    assert (what, since) == (Lasting(Cause.NO_WRITES, Side.INTERNAL), 3)
    assert until is not None


def test_a_pause_lasts_until_it_is_ended(rig: Rig) -> None:
    pause(rig.store, Pause(tuple(Side), "anna", "maintenance", rig.now, None))
    rig.sync()
    rig.sync()
    unpause(rig.store, Side)
    rig.sync()
    assert lasted(rig) == [(Lasting(Cause.PAUSED), 1, 5)]


def test_a_stop_lasts_until_a_cycle_gets_through(rig: Rig) -> None:
    for n in range(201):
        rig.customer.create("UserRequest", title=f"No. {n}")
    with pytest.raises(SafetyStop):
        rig.sync()
    rig.wait(minutes=1)
    rig.engine.cycle(accept=["creations"])
    assert lasted(rig) == [(Lasting(Cause.STOPPED), 1, 2)]


def test_what_is_parked_lasts_until_it_arrives_or_is_given_up(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    file = rig.customer.attach("UserRequest", number, "a.bin", "application/octet-stream", bytes(Limits().file_size + 1))
    rig.sync()
    rig.sync()
    (what, since, until) = lasted(rig)[0]
    assert what == Lasting(Cause.PARKED, None, rig.link(number).id, f"file:external:{file}")
    assert (since, until) == (1, None)
    rig.customer.delete_attachment(file)
    rig.sync()
    rig.settle()
    assert lasted(rig)[0][2] is not None


def test_what_a_person_parks_is_parked_too(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.store.links.amend(rig.link(number).id, lambda link: by_hand.parked(link, "anna"), rig.now)
    rig.sync()
    ((what, _, until),) = lasted(rig)
    assert (what.cause, what.link, until) == (Cause.PARKED, rig.link(number).id, None)


def test_what_is_older_than_it_is_kept_goes_by_itself(rig: Rig) -> None:
    rig.internal.maintenance = True
    rig.sync()
    rig.internal.maintenance = False
    rig.sync()
    rig.wait(days=91)
    rig.sync()
    assert lasted(rig) == []
