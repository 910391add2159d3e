"""The host's clock is set while a write may still land: its whole time to land is waited for by whatever clock."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from itopsync.engine import host_clock
from itopsync.engine.host_clock import this_boot
from itopsync.simulator import FaultKind
from tests.engine.rig import Rig

LANDS_AFTER = 240
"""Seconds: within `limits.landing`, and after the next cycle."""


@pytest.mark.parametrize("restart", [False, True], ids=["one process", "another process"])
@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(minutes=5), -timedelta(minutes=5), -timedelta(days=3)], ids=str)
@pytest.mark.parametrize("what", ["ticket", "note", "file"])
def test_nothing_is_there_twice(rig: Rig, what: str, step: timedelta, restart: bool) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    if what == "ticket":
        rig.internal.faults.add(FaultKind.LANDS_LATE, verbs=["core/create"], times=1, seconds=LANDS_AFTER)
    else:
        rig.sync()
        verb = "core/update" if what == "note" else "core/create"
        rig.internal.faults.add(FaultKind.LANDS_LATE, verbs=[verb], times=1, seconds=LANDS_AFTER)
        if what == "note":
            rig.customer.note("UserRequest", number, "<p>It smokes.</p>")
        else:
            rig.customer.attach("UserRequest", number, "smoke.txt", "text/plain", b"It smokes.")
    rig.sync()
    rig.ahead += step
    if restart:
        rig.restart()
    rig.sync()
    rig.settle()
    assert len(rig.internal.tickets()) == 1
    assert rig.differences() == []


def test_nothing_is_there_twice_as_the_clock_is_set_within_a_cycle(rig: Rig) -> None:
    rig.pair.settings = replace(rig.pair.settings, look_meanwhile=timedelta(), chunk=1, workers=1)
    late = rig.customer.create("UserRequest", title="Printer")
    rig.internal.faults.add(FaultKind.LANDS_LATE, verbs=["core/create"], times=1, seconds=LANDS_AFTER)
    for number in range(4):
        rig.customer.create("UserRequest", title=f"Other {number}")

    def probe(where: str) -> None:
        if where.startswith("after:core/create"):
            rig.ahead = timedelta(hours=1)

    rig.probe = probe
    rig.sync()
    assert rig.link(late).in_doubt
    rig.settle()
    assert len(rig.internal.tickets()) == 5
    assert rig.differences() == []


def test_nothing_is_there_twice_when_another_boot_has_another_clock(rig: Rig) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.internal.faults.add(FaultKind.LANDS_LATE, verbs=["core/create"], times=1, seconds=LANDS_AFTER)
    rig.sync()
    rig.ahead, rig.boot = timedelta(hours=1), "second"
    rig.restart()
    rig.sync()
    rig.settle()
    assert len(rig.internal.tickets()) == 1
    assert rig.differences() == []


def test_hosts_that_take_turns_do_not_wait_for_ever(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.boot = "second"
    rig.sync()
    rig.customer.note("UserRequest", number, "<p>It smokes.</p>")
    rig.internal.faults.add(FaultKind.LANDS_LATE, verbs=["core/update"], times=1, seconds=LANDS_AFTER)
    for turn in range(5):
        rig.boot = ["first", "second"][turn % 2]
        rig.sync()
    assert not rig.link(number).in_doubt


def test_the_latest_boots_alone_are_remembered(rig: Rig) -> None:
    for number in range(12):
        rig.boot = f"boot {number}"
        rig.sync()
    known = json.loads(rig.store.facts.get("boots") or "")
    assert list(known) == [f"boot {number}" for number in range(4, 12)]


def test_a_step_is_logged_once(rig: Rig) -> None:
    with structlog.testing.capture_logs() as told:
        rig.sync()
        rig.ahead += timedelta(hours=1)
        rig.sync()
        rig.sync()
    assert [line["seconds"] for line in told if line["event"] == "this host's clock was set"] == [3600]


def test_this_boot_began_before_now_and_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = this_boot(), this_boot()
    assert first is not None
    assert second is not None
    assert first.began < datetime.now(UTC)
    assert (first.id, abs(first.began - second.began) < timedelta(seconds=1)) == (second.id, True)
    monkeypatch.setattr(host_clock, "boot_id", str)
    assert this_boot() is None
