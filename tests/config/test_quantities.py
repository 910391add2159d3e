"""Durations, sizes and moments are read as they are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.settings.quantities import read_duration, read_moment, read_poll, read_size, to_utc, write_duration, write_size


@given(st.integers(0, 3650 * 86_400_000).map(lambda count: timedelta(milliseconds=count)))
def test_a_duration_is_read_as_it_was_written(duration: timedelta) -> None:
    assert read_duration(write_duration(duration)) == duration


@given(st.integers(0, 10**9 - 1))
def test_a_size_is_read_as_it_was_written(size: int) -> None:
    assert read_size(write_size(size)) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h 30m", 5400), ("1h30m", 5400), (" 7d ", 604_800), ("500ms", 0.5), ("0s", 0)],
)
def test_a_duration_may_have_several_parts(text: str, seconds: float) -> None:
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("duration", "text"),
    [({"minutes": 70}, "70m"), ({"hours": 24}, "24h"), ({"days": 7}, "7d"), ({"milliseconds": 1500}, "1500ms"), ({}, "0s")],
)
def test_a_duration_is_written_as_a_person_would(duration: dict[str, int], text: str) -> None:
    assert write_duration(timedelta(**duration)) == text


@pytest.mark.parametrize(("text", "size"), [("20MB", 20_000_000), ("64 KiB", 65_536), ("2GiB", 2**31), ("7B", 7), (7, 7)])
def test_a_size_has_its_unit(text: str | int, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("read", [read_duration, read_size, read_moment, read_poll])
@pytest.mark.parametrize("value", ["", "x", "-1s", True, None, [], 1.5, "1e3s", "١s x", "99999999999d", "*/0 * * * *"])
def test_what_is_none_is_refused(read: object, value: object) -> None:
    assert callable(read)
    with pytest.raises(ValueError, match=r"."):
        read(value)


def test_an_hour_that_comes_twice_is_the_first_one() -> None:
    paris = ZoneInfo("Europe/Paris")
    assert to_utc(read_moment("2026-10-25T02:30:00"), paris) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert to_utc(read_moment("2026-10-25T02:30:00+01:00"), paris) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
