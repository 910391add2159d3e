"""Converts dates between a server's naive local time in its own display format and our UTC.

iTop shows attributes in its ``date_and_time_format``, perhaps without seconds, but always expects ``YYYY-MM-DD HH:MM:SS`` in
writes and in OQL, and always lists log entries that way.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from itopsync.errors import SideUnavailable
from itopsync.model import Side

INTERNAL = "%Y-%m-%d %H:%M:%S"
"""The format that iTop accepts, and in which it lists log entries."""
LETTERS = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d{2})",
    "m": r"(?P<m>\d{2})",
    "n": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{2})",
    "j": r"(?P<d>\d{1,2})",
    "H": r"(?P<H>\d{2})",
    "G": r"(?P<H>\d{1,2})",
    "h": r"(?P<h>\d{2})",
    "g": r"(?P<h>\d{1,2})",
    "i": r"(?P<i>\d{2})",
    "s": r"(?P<s>\d{2})",
    "A": r"(?P<a>[AP]M)",
    "a": r"(?P<a>[ap]m)",
}
DAY_LETTERS = "Yymndj"
_OF_AN_ENTRY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
LIKE_A_DATE = re.compile(r"[0-9][0-9 :./-]{3,30}(?:T[0-9:]{4,15})?(?: ?[AaPp][Mm])?")
NO_DATE = re.compile(r"[0 :./-]*(?:T[0:]*)?(?: ?[AaPp][Mm])?")
"""``0000-00-00 00:00:00`` and the like, which MySQL stores for a missing date."""
LENGTH_OF_A_DAY = len("2026-11-24")
FIRST_ENTRY, LAST_ENTRY = datetime(1971, 1, 1, tzinfo=UTC), datetime(9990, 1, 1, tzinfo=UTC)
"""The range of an entry's valid dates: no timezone shifts them beyond Python's range, and iTop is younger."""


class DateFormatWrong(SideUnavailable):
    """The server's dates do not match ``date_format``."""


def pattern(php_format: str) -> re.Pattern[str]:
    r"""Compile a date format in PHP's notation: ``Y y m n d j H G h g i s A a``, with ``\`` to quote a letter.

    :raises ValueError: it contains another letter, or names a part twice
    """
    parts = []
    quoted = False
    for char in php_format:
        if quoted or not (char.isalpha() or char == "\\"):
            parts.append(re.escape(char))
            quoted = False
        elif char == "\\":
            quoted = True
        elif char in LETTERS:
            parts.append(LETTERS[char])
        else:
            raise ValueError(f"the letter {char!r} of the date format {php_format!r} is not known")
    try:
        return re.compile("".join(parts))
    except re.error:
        raise ValueError(f"the date format {php_format!r} names one part twice") from None


def has_seconds(php_format: str) -> bool:
    """Whether dates in this format show seconds."""
    return "s" in pattern(php_format).groupindex


def _day_format(php_format: str) -> str:
    """Return the part of a format from its first to its last letter for a day, in which iTop shows dates without time."""
    places = [place for place, char in enumerate(php_format) if char in DAY_LETTERS]
    return php_format[places[0] : places[-1] + 1] if places else php_format


class Clock:
    """One server's timezone and date format.

    :raises ValueError: on construction, if the format is not usable
    """

    def __init__(self, side: Side, timezone: ZoneInfo, date_format: str = "Y-m-d H:i:s") -> None:
        self._side = side
        self._timezone = timezone
        self._format = date_format
        self._moments = pattern(date_format)
        self._days = pattern(_day_format(date_format))

    def read(self, attribute: str, value: str) -> str:
        """Return an attribute's value as ISO 8601 in UTC, a date without time as ``YYYY-MM-DD``, and a missing one as ``""``.

        The repeated hour in autumn is ambiguous and read as its first occurrence.

        :raises DateFormatWrong: the value does not match the configured format, or is not a date in UTC
        """
        if not value or NO_DATE.fullmatch(value):
            return ""
        try:
            if found := self._moments.fullmatch(value):
                moment = self._moment(found).astimezone(UTC)
                return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
            if found := self._days.fullmatch(value):
                return self._moment(found).date().isoformat()
        except (ValueError, OverflowError):  # such as 31 February: day and month are swapped
            pass
        raise DateFormatWrong(
            self._side,
            f"{attribute} is {_shown(value)}, which is not a date in the format {self._format!r}. "
            f"Set date_format of {self._side} to that server's date_and_time_format",
        )

    def digits(self, value: str) -> str:
        """Return the local date and time that *value* shows as digits, and ``""`` if it shows none.

        A timezone that is corrected in ``sync.toml`` does not change them.
        """
        found = self._moments.fullmatch(value)
        try:
            shown = self._moment(found).replace(tzinfo=None) if found else None
        except ValueError:
            shown = None
        if shown is None:
            return ""
        seconds = "s" in self._moments.groupindex
        return re.sub(r"\D", "", shown.isoformat(timespec="seconds" if seconds else "minutes"))

    def write(self, value: str) -> str:
        """Return an ISO 8601 date as iTop accepts it in an attribute: local time, without an offset.

        :raises ValueError, OverflowError: it is not an ISO 8601 date, or cannot be represented in this timezone
        """
        if len(value) <= LENGTH_OF_A_DAY:
            return value
        return _plain(self._local(datetime.fromisoformat(value)))

    def read_entry(self, value: str) -> datetime | None:
        """Return when a log entry was written, in UTC; None if its date is invalid."""
        try:
            if _OF_AN_ENTRY.fullmatch(value):  # a full log has 385 of them, and strptime takes long
                local = datetime.fromisoformat(value).replace(tzinfo=self._timezone)
            else:
                local = datetime.strptime(value, INTERNAL).replace(tzinfo=self._timezone)
            found = local.astimezone(UTC)
        except (ValueError, OverflowError):
            return None
        return found if FIRST_ENTRY <= found < LAST_ENTRY else None

    def write_entry(self, at: datetime) -> str:
        """Return a log entry's date as iTop accepts it, with an offset, which makes the repeated autumn hour unambiguous.

        A date before the first valid one becomes that.
        """
        return self._local(min(max(at, FIRST_ENTRY), LAST_ENTRY)).isoformat(timespec="seconds")

    def earliest(self, since: datetime) -> str:
        """Return the earliest local time that the server may show for anything from *since* on.

        In autumn, local time goes back by an hour, so that later times may read earlier than *since*.
        """
        naive = since.astimezone(UTC).replace(tzinfo=None)
        offsets = (moment.astimezone(self._timezone).utcoffset() or timedelta() for moment in (since, since + timedelta(hours=3)))
        return _plain(naive + min(offsets))

    def _moment(self, found: re.Match[str]) -> datetime:
        part = {letter: text for letter, text in found.groupdict().items() if text is not None}
        year = int(part["Y"]) if "Y" in part else 2000 + int(part["y"])
        hour = int(part.get("H", 0))
        if "h" in part:
            hour = int(part["h"]) % 12 + (12 if part.get("a", "am").lower() == "pm" else 0)
        time = hour, int(part.get("i", 0)), int(part.get("s", 0))
        return datetime(year, int(part["m"]), int(part["d"]), *time, tzinfo=self._timezone)

    def _local(self, moment: datetime) -> datetime:
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(self._timezone)


def _plain(local: datetime) -> str:
    """A local time as iTop accepts it. ``strftime`` would write the year 202 with three digits."""
    return local.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def _shown(value: str) -> str:
    """Return a date for an error's text, but only the length of anything else: a wrongly configured attribute holds any text."""
    return repr(value) if LIKE_A_DATE.fullmatch(value) else f"a text of {len(value)} characters"
