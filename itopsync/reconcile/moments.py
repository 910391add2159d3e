"""Parses dates that a server shows, and tells whether they are plausible: people enter the year 202 and the year 9999."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_YEARS = (1970, 9990)
_LIKE_A_DATE = re.compile(r"[0-9][0-9 :./T-]{3,30}Z?(?: ?[AaPp][Mm])?")


def moment(text: str) -> datetime | None:
    """The moment that an attribute's value stands for, in UTC; None if it is none."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def is_date(text: str) -> bool:
    """Whether an attribute's value is a moment, a day or empty."""
    return not text or _DAY.fullmatch(text) is not None or moment(text) is not None


def likely(text: str) -> datetime | None:
    """The same, if a ticket can have begun or changed then; None otherwise. It can be added to without overflow."""
    found = moment(text)
    return found if found is not None and _YEARS[0] < found.year < _YEARS[1] else None


def latest(at: datetime, zone: ZoneInfo) -> datetime:
    """The later of the two moments that clocks in *zone* may have shown as *at*, in the hour that comes twice in autumn."""
    return at.astimezone(zone).replace(fold=1).astimezone(UTC)


def why_not_carried(text: str, zone: ZoneInfo) -> str | None:
    """Why a date cannot be written on a server in *zone*; None if it can. A value that is no date is not quoted."""
    if not text or _DAY.fullmatch(text):
        return None
    found = moment(text)
    if found is not None:
        try:
            found.astimezone(zone)
        except OverflowError:
            found = None
    if found is not None:
        return None
    if _LIKE_A_DATE.fullmatch(text):
        return f"the date {text} cannot be carried: it is none that the other server could hold"
    return f"a text of {len(text)} characters, which is no date, cannot be carried: it is none that the other server could hold"
