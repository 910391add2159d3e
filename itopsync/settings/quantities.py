"""Durations, sizes and moments as they are written in ``sync.toml``."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from itopsync.errors import clip
from itopsync.settings.section import Written, Wrong

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d{1,12})\s*(ms|s|m|h|d)")
_LONGEST = timedelta(days=3650)
_BYTES = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE = re.compile(r"(\d{1,9})\s*(B|kB|MB|GB|KiB|MiB|GiB)")
_PARTS_OF_CRON = 5
_EARLIEST_YEAR, _LATEST_YEAR = 1970, 9000


def read_duration(text: object) -> timedelta:
    """Parse ``"90s"``, ``"70m"`` or ``"1h 30m"``. :raises ValueError: it is malformed, or longer than ten years."""
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not re.fullmatch(rf"\s*(?:{_DURATION.pattern}\s*)+", text):
        raise ValueError('a duration is written with its unit, as in "90s", "70m", "6h" or "7d"')
    milliseconds = sum(int(number) * _MILLISECONDS[unit] for number, unit in _DURATION.findall(text))
    if milliseconds > _LONGEST // timedelta(milliseconds=1):
        raise ValueError("it is longer than ten years")
    return timedelta(milliseconds=milliseconds)


def read_poll(text: object) -> timedelta | str:
    """Parse a duration, or a cron expression of five parts. :raises ValueError: it is neither."""
    if isinstance(text, str) and len(text.split()) == _PARTS_OF_CRON:
        from itopsync.settings.cron import cron

        try:
            cron(text)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"it is not a cron expression: {clip(str(error), 100)}") from None
        return " ".join(text.split())
    try:
        return read_duration(text)
    except ValueError as error:
        raise ValueError(f'{error}, or as a cron expression, as in "*/5 * * * *"') from None


def write_duration(duration: timedelta) -> str:
    """Format a duration as in ``sync.toml``, in the largest unit that divides it."""
    milliseconds = duration // timedelta(milliseconds=1)
    for unit in ("d", "h", "m", "s"):
        length = _MILLISECONDS[unit]
        if milliseconds and milliseconds % length == 0 and (unit != "d" or milliseconds // length > 1):
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def at_least_a_second(duration: timedelta) -> timedelta:
    """Return *duration*. :raises Wrong: it is shorter than a second."""
    if duration < timedelta(seconds=1):
        raise Wrong("it is shorter than a second", 'Write at least "1s"')
    return duration


def read_size(text: object) -> int:
    """Parse ``"20MB"`` as bytes; a bare number is bytes. :raises ValueError: it is malformed."""
    if type(text) is int:
        return text
    if not isinstance(text, str) or not (found := _SIZE.fullmatch(text.strip())):
        raise ValueError('a size is written with its unit, as in "20MB" or "60kB"')
    return int(found[1]) * _BYTES[found[2]]


def write_size(size: int) -> str:
    """Format bytes as in ``sync.toml``."""
    for unit in ("GB", "MB", "kB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


def read_moment(value: object) -> datetime:
    """Parse a date, or a date and time with or without an offset, from a TOML value or an ISO 8601 string.

    Return a naive datetime if there is no offset. :raises ValueError: it is malformed, or a year that servers do not support.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("a moment is written as 2026-01-31 or 2026-01-31T08:00:00+01:00") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    if isinstance(value, datetime):
        if not _EARLIEST_YEAR <= value.year <= _LATEST_YEAR:
            raise ValueError(f"an iTop server cannot show the year {value.year}")
        return value
    raise ValueError("a moment is written as 2026-01-31 or 2026-01-31T08:00:00+01:00")


def to_utc(moment: datetime, timezone: ZoneInfo) -> datetime:
    """Return *moment* in UTC. Without an offset it is local time in *timezone*; in a repeated hour, the first occurrence."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone)).astimezone(UTC)


_WRITTEN_DURATION = {"type": "string", "pattern": f"^({_DURATION.pattern}\\s*)+$"}
_WRITTEN_SIZE = {"type": ["string", "integer"], "pattern": f"^{_SIZE.pattern}$"}

Duration = Annotated[timedelta, BeforeValidator(read_duration), Written("duration", _WRITTEN_DURATION)]
Span = Annotated[Duration, AfterValidator(at_least_a_second)]
Poll = Annotated[timedelta | str, BeforeValidator(read_poll), Written("duration or cron expression", {"type": "string"})]
Size = Annotated[int, BeforeValidator(read_size), Field(ge=0), Written("size", _WRITTEN_SIZE, write_size)]
Moment = Annotated[datetime, BeforeValidator(read_moment), Written("date", {"type": "string"})]
