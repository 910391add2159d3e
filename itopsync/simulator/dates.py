"""Dates as an iTop server stores and shows them, in its naive local time.

They are stored and compared as ``YYYY-MM-DD HH:MM:SS``, and shown in ``date_and_time_format``, in PHP's notation.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

INTERNAL = "%Y-%m-%d %H:%M:%S"
DEFAULT_FORMAT = "Y-m-d H:i:s"
_PHP_LETTERS = {
    "Y": "%Y", "y": "%y", "m": "%m", "d": "%d", "H": "%H", "h": "%I", "i": "%M", "s": "%S", "a": "%p", "A": "%p",
}  # fmt: skip
_GIVEN = re.compile(r"^\s*(\d{4}-\d{2})-([0-2]\d|3[01])(.*?)\s*$", re.DOTALL)
_PATTERN = re.compile(r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$")


@lru_cache(maxsize=100_000)
def local(timestamp: int, timezone: ZoneInfo) -> str:
    """Seconds since 1970 in the stored form in ``timezone``; both occurrences of the repeated autumn hour look alike."""
    return datetime.fromtimestamp(timestamp, timezone).strftime(INTERNAL)


@lru_cache(maxsize=100)
def _strftime(php_format: str) -> str:
    return "".join(_PHP_LETTERS.get(letter, letter) for letter in php_format)


@lru_cache(maxsize=100_000)
def shown(stored: str, php_format: str) -> str:
    """A stored date in the server's display format."""
    if php_format == DEFAULT_FORMAT:
        return stored
    return datetime.fromisoformat(stored).strftime(_strftime(php_format))


def is_stored_form(text: str) -> bool:
    """Whether iTop accepts ``text`` as a date in a write. It checks only the form: see :func:`exists`."""
    return _PATTERN.match(text) is not None


def exists(stored: str) -> bool:
    """Whether the day and time exist; the database refuses others."""
    try:
        datetime.fromisoformat(stored)
    except ValueError:
        return False
    return True


def timestamp_of(text: str, timezone: ZoneInfo) -> int:
    """Seconds since 1970 of a date given for a log entry: local time unless it has an offset.

    PHP accepts far more; this accepts a date, optionally with a time and an offset, in which a day beyond the end of the month
    belongs to the next. Raises ValueError for anything else.
    """
    found = _GIVEN.match(text)
    if found is None:
        raise ValueError(text)
    month, day, rest = found.groups()
    given = datetime.fromisoformat(f"{month}-01{rest.replace(' UTC', 'Z')}") + timedelta(days=int(day) - 1)
    if given.tzinfo is None:
        given = given.replace(tzinfo=timezone)
    return int(given.timestamp())


def http_date(moment: datetime) -> str:
    """The ``Date`` header."""
    return moment.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
