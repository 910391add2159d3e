"""What holds for every date, timezone and format."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.itop.dates import INTERNAL, Clock, DateFormatWrong
from itopsync.model import Side

ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Paris",
        "Asia/Jakarta",
        "America/New_York",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "Africa/Casablanca",
        "America/Sao_Paulo",
        "Pacific/Apia",
        "Antarctica/Troll",
    ]
).map(ZoneInfo)
FORMATS = {
    "Y-m-d H:i:s": "%Y-%m-%d %H:%M:%S",
    "d/m/Y H:i:s": "%d/%m/%Y %H:%M:%S",
    "d/m/Y H:i": "%d/%m/%Y %H:%M",
    "m/d/y h:i:s A": "%m/%d/%y %I:%M:%S %p",
    r"d.m.Y \u\m H\hi": "%d.%m.%Y um %Hh%M",
}
"""In PHP's notation, and in Python's."""
FIRST, LAST = datetime(2001, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
ORDINARY = st.integers(0, int((LAST - FIRST).total_seconds())).map(lambda seconds: FIRST + timedelta(seconds=seconds))
# Where clocks are put: within a few hours of it, which a draw from fifty years hardly meets.
TURNS = st.sampled_from(
    [
        datetime(2026, 10, 25, 1, tzinfo=UTC),
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 11, 1, 6, tzinfo=UTC),
        datetime(2026, 4, 4, 15, tzinfo=UTC),
        datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
        datetime(2011, 12, 30, 10, tzinfo=UTC),
    ]
)
NEAR_TURNS = st.builds(lambda turn, seconds: turn + timedelta(seconds=seconds), TURNS, st.integers(-20_000, 20_000))
MOMENTS = ORDINARY | NEAR_TURNS


@given(MOMENTS, ZONES, st.sampled_from(sorted(FORMATS)))
def test_what_a_server_shows_is_read_as_the_moment_it_was(moment: datetime, zone: ZoneInfo, php: str) -> None:
    local = moment.astimezone(zone)
    read = datetime.fromisoformat(Clock(Side.EXTERNAL, zone, php).read("start_date", local.strftime(FORMATS[php])))
    shown = moment if "s" in php else moment.replace(second=0)
    first = local.replace(fold=0).astimezone(UTC).replace(second=shown.second)
    assert read == first
    # Only in the hour that comes twice is it another moment, and then the earlier one.
    assert read == shown or (local.fold == 1 and timedelta() < shown - read <= timedelta(hours=3))


@given(MOMENTS, ZONES)
def test_what_is_written_is_what_is_read_back(moment: datetime, zone: ZoneInfo) -> None:
    clock = Clock(Side.EXTERNAL, zone)
    written = clock.write(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
    again = clock.read("start_date", written)
    assert clock.write(again) == written
    assert clock.read("start_date", clock.write(again)) == again


@given(MOMENTS, ZONES)
def test_an_entry_s_date_keeps_its_moment_in_any_hour(moment: datetime, zone: ZoneInfo) -> None:
    clock = Clock(Side.EXTERNAL, zone)
    written = clock.write_entry(moment)
    assert datetime.fromisoformat(written) == moment
    # iTop stores it as its local time.
    assert clock.read_entry(moment.astimezone(zone).strftime(INTERNAL)) in (
        moment,
        moment.astimezone(zone).replace(fold=0).astimezone(UTC),
    )


@given(MOMENTS, st.integers(0, 100_000), ZONES)
def test_no_later_change_reads_earlier_than_the_earliest(since: datetime, later: int, zone: ZoneInfo) -> None:
    shown = (since + timedelta(seconds=later)).astimezone(zone).strftime(INTERNAL)
    assert Clock(Side.EXTERNAL, zone).earliest(since) <= shown


@given(st.text(max_size=30), ZONES, st.sampled_from(sorted(FORMATS)))
def test_any_text_is_a_date_or_says_that_it_is_none(text: str, zone: ZoneInfo, php: str) -> None:
    clock = Clock(Side.EXTERNAL, zone, php)
    try:
        read = clock.read("start_date", text)
    except DateFormatWrong:
        return
    assert not text or datetime.fromisoformat(read)


OUT_OF_UTC = {("Asia/Jakarta", "0001-01-01 00:00:00"), ("America/New_York", "9999-12-31 23:59:59")}


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "America/New_York"])
@pytest.mark.parametrize("value", ["0001-01-01 00:00:00", "9999-12-31 23:59:59"])
def test_a_date_at_the_end_of_time_is_read_or_refused(zone: str, value: str) -> None:
    clock = Clock(Side.EXTERNAL, ZoneInfo(zone))
    assert clock.read_entry(value) is None
    if (zone, value) in OUT_OF_UTC:
        with pytest.raises(DateFormatWrong, match=value):
            clock.read("x", value)
    else:
        assert clock.write(clock.read("x", value)) == value
