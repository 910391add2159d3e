"""Clock, timezone and date format, held against what the server shows."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from itopsync.model import Side
from tests.check.conftest import Checked

EXTERNAL, INTERNAL = Side


def test_a_clock_that_is_off(rig: Checked) -> None:
    rig.external.clock_offset = timedelta(minutes=20)
    assert rig.warning(EXTERNAL).startswith("its clock and this host's differ by 20 minutes.")


def test_a_timezone_in_which_a_ticket_changes_in_the_future(rig: Checked) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.settings(EXTERNAL, timezone=ZoneInfo("America/Los_Angeles"))
    assert rig.fault(EXTERNAL) == (
        "timezone America/Los_Angeles: a ticket changed 15.0 hours in the future, so the server is in another timezone; "
        "or its clock was fast and has been set back. Set external.timezone to the timezone in that iTop's configuration. "
        "If it is that already, change nothing: this passes within 15.0 hours."
    )


def test_a_timezone_that_is_too_far_ahead_is_told_by_an_age_that_does_not_fit(rig: Checked) -> None:
    rig.operator.create("UserRequest", title="Printer")
    rig.settings(INTERNAL, timezone=ZoneInfo("Asia/Jakarta"))
    assert "the latest change was 360 min ago" in rig.told(INTERNAL, "timezone")


def test_the_latest_of_many_changes_counts(rig: Checked) -> None:
    for n in range(60):
        rig.customer.create("UserRequest", title=f"No. {n:02}")
    rig.wait(hours=3)
    rig.customer.note("UserRequest", 1, "<p>Now</p>")
    assert "the latest change was 0 min ago" in rig.told(EXTERNAL, "timezone")


def test_without_a_change_nothing_is_claimed(rig: Checked) -> None:
    assert rig.told(EXTERNAL, "timezone").endswith("no ticket changed recently, so it cannot be verified")
    assert rig.told(EXTERNAL, "date_format").endswith("there is no ticket yet, so it cannot be verified")


def test_a_date_that_is_none_of_the_format_is_one_fault(rig: Checked) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.settings(EXTERNAL, date_format="d/m/Y H:i")
    fault = rig.fault(EXTERNAL)
    assert "last_update is '2026-11-24 10:00:00', which is not a date in the format 'd/m/Y H:i'" in fault
    assert fault.endswith("Set date_format of external to that server's date_and_time_format.")


def test_days_that_are_taken_for_months_are_found(rig: Checked) -> None:
    rig.now = rig.now.replace(month=12, day=3)
    rig.external.date_format = "m/d/Y H:i"
    rig.customer.create("UserRequest", title="Printer")
    rig.settings(EXTERNAL, date_format="d/m/Y H:i")
    assert rig.fault(EXTERNAL) == (
        "date_format d/m/Y H:i: it reads '12/03/2026 10:00' as 12 March 2026, 03:00:00 UTC, which is wrong. "
        "Set external.date_format to the date_and_time_format in that iTop's configuration."
    )


@pytest.mark.parametrize("date_format", ["d/m/Y H:i", "m/d/Y h:i A", "d.m.y H:i:s"])
def test_other_formats_are_right_as_well(rig: Checked, date_format: str) -> None:
    rig.now = rig.now.replace(second=42)
    rig.internal.date_format = date_format
    rig.operator.create("UserRequest", title="Printer")
    rig.settings(INTERNAL, date_format=date_format)
    assert rig.wrong() == []
    assert rig.told(INTERNAL, "date_format").endswith("1 dates are read as the server means them")
