"""MySQL's comparison of text, and the functions that OQL passes on to it."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any

from itopsync.simulator.dates import INTERNAL

#: MySQL counts days from the year 0, Python from the year 1.
_DAYS_BEFORE = 365
_NUMBER = re.compile(r"^\s*[-+]?\d+(\.\d+)?")
_DATE_LETTERS = {
    "Y": "%Y", "y": "%y", "m": "%m", "d": "%d", "H": "%H", "h": "%I", "i": "%M", "s": "%S", "S": "%S",
    "M": "%B", "b": "%b", "a": "%a", "W": "%A", "j": "%j", "p": "%p", "T": "%H:%M:%S", "w": "%w", "v": "%V",
}  # fmt: skip


def fold(text: str) -> str:
    """The text as the collation utf8mb4_unicode_ci compares it: ignoring case, accents and trailing spaces."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(character for character in decomposed if not unicodedata.combining(character))
    return text.casefold().rstrip(" ")


def number(value: Any) -> float | int | None:
    """A value as MySQL converts it to a number: its leading digits, else 0."""
    if value is None or isinstance(value, (int, float)):
        return value
    found = _NUMBER.match(str(value))
    if not found:
        return 0
    return float(found[0]) if "." in found[0] else int(found[0])


def moment(value: Any) -> datetime | None:
    """A date or date with time, or None for anything else."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None


def complete_date(text: str) -> str | None:
    """A date literal in the stored form, with midnight for a missing time; None if it is not a date."""
    found = moment(text)
    return found.strftime(INTERNAL) if found is not None else None


@lru_cache(maxsize=2_000)
def like(pattern: str) -> Callable[[str], bool]:
    """A function that tests folded text against a LIKE pattern."""
    folded = fold(pattern) if not pattern.endswith(" ") else fold(pattern) + " "
    inner = folded[1:-1]
    if len(folded) > 1 and folded[0] == folded[-1] == "%" and not set(inner) & set("%_\\"):
        return lambda text: inner in text
    parts: list[str] = []
    escaped = False
    for character in folded:
        if escaped:
            parts.append(re.escape(character))
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            parts.append({"%": ".*", "_": "."}.get(character, re.escape(character)))
    compiled = re.compile("".join(parts), re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None


def as_text(value: Any) -> str:
    """A value as MySQL converts it to text."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def _substring(text: Any, start: Any, length: Any = None) -> str | None:
    if text is None or start is None:
        return None
    whole, begin = as_text(text), int(number(start) or 0)
    if begin == 0:
        return ""
    rest = whole[begin - 1 :] if begin > 0 else (whole[begin:] if -begin <= len(whole) else "")
    return rest if length is None else rest[: max(0, int(number(length) or 0))]


def _shift(value: Any, amount: Any, unit: str, sign: int) -> str | None:
    start, count = moment(value), number(amount)
    if start is None or count is None:
        return None
    count = int(count) * sign
    if unit in ("MONTH", "YEAR"):
        months = start.year * 12 + start.month - 1 + count * (12 if unit == "YEAR" else 1)
        year, month = divmod(months, 12)
        last = (date(year + month // 11, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
        result = start.replace(year=year, month=month + 1, day=min(start.day, last))
    else:
        result = start + timedelta(**{unit.lower() + "s": count})
    is_day = ":" not in str(value) and unit in ("DAY", "MONTH", "YEAR")
    return result.strftime("%Y-%m-%d" if is_day else INTERNAL)


def _date_part(part: str) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        found = moment(value)
        return getattr(found, part) if found is not None else None

    return take


def _format_date(value: Any, template: Any) -> str | None:
    found = moment(value)
    if found is None or template is None:
        return None
    numbers = {"e": found.day, "c": found.month, "k": found.hour}
    letters = _DATE_LETTERS | {letter: str(value) for letter, value in numbers.items()}
    return found.strftime(re.sub(r"%(.)", lambda match: letters.get(match[1], match[1]), str(template)))


def _text_of(template: str) -> Callable[[Any], str | None]:
    def render(value: Any) -> str | None:
        found = moment(value)
        return found.strftime(template) if found is not None else None

    return render


def _address_number(value: Any) -> int | None:
    try:
        return int(IPv4Address(as_text(value)))
    except ValueError:
        return None


def _number_address(value: Any) -> str | None:
    found = number(value)
    return None if found is None else str(IPv4Address(int(found)))


def _round(value: Any, digits: Any = 0) -> float | int | None:
    found, places = number(value), int(number(digits) or 0)
    if found is None:
        return None
    scaled = math.floor(abs(found) * 10**places + 0.5) / 10**places * (1 if found >= 0 else -1)
    return scaled if places > 0 else int(scaled)


def _to_days(value: Any) -> int | None:
    found = moment(value)
    return found.toordinal() + _DAYS_BEFORE if found is not None else None


def _from_days(value: Any) -> str | None:
    found = number(value)
    return date.fromordinal(int(found) - _DAYS_BEFORE).isoformat() if found and found > _DAYS_BEFORE else None


#: Functions that depend only on their arguments. NOW, CURRENT_DATE, IF and date arithmetic are compiled in oql_query.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ELT": lambda index, *texts: texts[int(index) - 1] if index and 0 < int(index) <= len(texts) else None,
    "COALESCE": lambda *values: next((value for value in values if value is not None), None),
    "ISNULL": lambda value: int(value is None),
    "CONCAT": lambda *values: None if None in values else "".join(as_text(value) for value in values),
    "SUBSTR": _substring,
    "TRIM": lambda value: None if value is None else as_text(value).strip(" "),
    "DATE": _text_of("%Y-%m-%d"),
    "TIME": _text_of("%H:%M:%S"),
    "DATE_FORMAT": _format_date,
    "YEAR": _date_part("year"),
    "MONTH": _date_part("month"),
    "DAY": _date_part("day"),
    "TO_DAYS": _to_days,
    "FROM_DAYS": _from_days,
    "ROUND": _round,
    "FLOOR": lambda value: None if value is None else math.floor(number(value) or 0),
    "INET_ATON": _address_number,
    "INET_NTOA": _number_address,
}


def shift_date(value: Any, amount: Any, unit: str, sign: int) -> str | None:
    """DATE_ADD (``sign`` 1) and DATE_SUB (-1)."""
    return _shift(value, amount, unit, sign)
