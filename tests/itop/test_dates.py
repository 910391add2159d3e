"""A server's dates, in its own format and timezone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from itopsync.errors import SideUnavailable
from itopsync.itop.dates import Clock, DateFormatWrong, pattern
from itopsync.model import Side

JAKARTA, PARIS = ZoneInfo("Asia/Jakarta"), ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("date_format", "value", "expected"),
    [
        ("Y-m-d H:i:s", "2026-11-24 10:13:07", "2026-11-24T03:13:07Z"),
        ("d/m/Y H:i", "24/11/2026 10:13", "2026-11-24T03:13:00Z"),
        ("j.n.y G:i", "4.1.26 9:05", "2026-01-04T02:05:00Z"),
        ("m/d/Y h:i A", "11/24/2026 12:13 AM", "2026-11-23T17:13:00Z"),
        ("m/d/Y g:i:s a", "11/24/2026 1:13:05 pm", "2026-11-24T06:13:05Z"),
        (r"Y-m-d\TH:i:s", "2026-11-24T10:13:07", "2026-11-24T03:13:07Z"),
        ("Y-m-d H:i:s", "2026-11-24", "2026-11-24"),
        ("H:i d/m/Y", "24/11/2026", "2026-11-24"),
        ("Y-m-d H:i:s", "", ""),
    ],
)
def test_a_date_is_read_in_the_format_of_the_server(date_format: str, value: str, expected: str) -> None:
    assert Clock(Side.EXTERNAL, JAKARTA, date_format).read("start_date", value) == expected


@pytest.mark.parametrize("value", ["24/11/2026 10:13", "2026-02-31 00:00:00", "2026-11-24 10:13", "0001-01-01 00:00:00"])
def test_a_date_that_does_not_fit_names_side_attribute_value_and_key(value: str) -> None:
    with pytest.raises(DateFormatWrong) as caught:
        Clock(Side.INTERNAL, PARIS).read("start_date", value)
    assert isinstance(caught.value, SideUnavailable)
    for word in ("internal: start_date", value, "'Y-m-d H:i:s'", "date_format"):
        assert word in str(caught.value)


def test_a_text_that_was_taken_for_a_date_is_not_quoted() -> None:
    clock = Clock(Side.INTERNAL, PARIS)
    for value in ("the printer of Mrs Miller", "2026-11-24 is the day", "1234 5678 secret"):
        with pytest.raises(DateFormatWrong, match=f"start_date is a text of {len(value)} characters"):
            clock.read("start_date", value)
        assert clock.read_entry(value) is None


@pytest.mark.parametrize("value", ["0000-00-00 00:00:00", "0000-00-00", "00:00"])
def test_what_stands_where_there_is_no_date_is_none(value: str) -> None:
    assert Clock(Side.INTERNAL, PARIS).read("start_date", value) == ""


@pytest.mark.parametrize("value", ["", "0000-00-00 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "yesterday"])
def test_an_entry_s_date_that_is_none_is_told_as_none(value: str) -> None:
    assert Clock(Side.INTERNAL, JAKARTA).read_entry(value) is None


def test_a_year_of_three_digits_is_carried_as_it_is() -> None:
    clock = Clock(Side.EXTERNAL, PARIS)
    read = clock.read("start_date", "0202-05-01 08:00:00")
    assert read == "0202-05-01T07:50:39Z"  # Paris's own time of old
    assert clock.write(read) == "0202-05-01 08:00:00"
    assert clock.write_entry(datetime(202, 5, 1, tzinfo=UTC)) == "1971-01-01T01:00:00+01:00"


@pytest.mark.parametrize(("date_format", "complaint"), [("D, d M Y", "'D'"), ("d/m/Y d", "twice"), ("H:i G", "twice")])
def test_a_format_that_cannot_be_read_is_refused_at_once(date_format: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        pattern(date_format)


def test_the_autumn_hour_is_read_as_its_first() -> None:
    clock = Clock(Side.INTERNAL, PARIS)
    assert clock.read("start_date", "2026-10-25 02:30:00") == "2026-10-25T00:30:00Z"
    assert clock.read_entry("2026-10-25 02:30:00") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_attributes_are_written_local_and_entries_with_their_offset() -> None:
    clock = Clock(Side.INTERNAL, PARIS)
    assert clock.write("2026-11-24T03:13:07Z") == "2026-11-24 04:13:07"
    assert clock.write("2026-11-24") == "2026-11-24"
    assert clock.write("") == ""
    assert clock.write_entry(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == "2026-10-25T02:30:00+02:00"
    assert clock.write_entry(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == "2026-10-25T02:30:00+01:00"


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (datetime(2026, 7, 1, 10, tzinfo=UTC), "2026-07-01 12:00:00"),
        # 00:55 UTC reads 02:55, but a change at 01:10 UTC reads 02:10: it must not be missed.
        (datetime(2026, 10, 25, 0, 55, tzinfo=UTC), "2026-10-25 01:55:00"),
        (datetime(2026, 10, 25, 1, 10, tzinfo=UTC), "2026-10-25 02:10:00"),
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), "2026-03-29 01:30:00"),
    ],
)
def test_nothing_that_changes_later_reads_earlier(since: datetime, expected: str) -> None:
    assert Clock(Side.INTERNAL, PARIS).earliest(since) == expected
