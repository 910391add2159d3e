"""Whether a server's dates are read correctly: its clock, timezone and date format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from itopsync.check.finding import Finding, fault, ok, warning
from itopsync.itop import oql
from itopsync.itop.dates import DateFormatWrong, has_seconds
from itopsync.itop.rows import Row
from itopsync.itop.server import Server
from itopsync.model import VERSION_TIME
from itopsync.reconcile.rules import Rules

_CLOCK_OFF = timedelta(minutes=5)
_RECENT = timedelta(hours=30)
"""More than the largest difference between timezones (26 hours)."""
_SAMPLE = 20
_OQL_TIME = "%Y-%m-%d %H:%M:%S"


def check_timezone(server: Server, rules: Rules, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Compare the server's clock (HTTP ``Date``) with ours, and with its latest change, which cannot lie in the future."""
    side, zone = server.side, server.settings.timezone
    changed = server.changed_tickets(_names(server, rules), clock() - _RECENT)
    off = abs(changed.at - clock())
    if off > _CLOCK_OFF:
        yield warning(
            side,
            f"its clock and this host's differ by {off.total_seconds() / 60:.0f} minutes",
            "Nothing is missed, but the servers date the entries: synchronise both clocks by NTP.",
        )
    else:
        yield ok(side, f"its clock agrees with this host's within {off.total_seconds():.0f} s")
    try:
        read = (_read(server, sighting.version) for sighting in changed.sightings if sighting.version)
        latest = max((at for at in read if at - changed.at < _RECENT), default=None)  # no timezone shifts a date further
    except DateFormatWrong:  # reported by check_format
        return
    if latest is None:
        yield ok(side, f"timezone {zone}: no ticket changed recently, so it cannot be verified")
    elif latest - changed.at > _CLOCK_OFF:
        ahead = (latest - changed.at).total_seconds() / 3600
        yield fault(
            side,
            f"timezone {zone}: a ticket changed {ahead:.1f} hours in the future, so the server is in another timezone; or its "
            "clock was fast and has been set back",
            f"Set {side}.timezone to the timezone in that iTop's configuration. If it is that already, change nothing: this "
            f"passes within {ahead:.1f} hours.",
        )
    else:
        ago = max((changed.at - latest).total_seconds(), 0) / 60
        yield ok(side, f"timezone {zone}: the latest change was {ago:.0f} min ago (if it was later, the timezone is wrong)")


def check_format(server: Server, rules: Rules) -> Iterator[Finding]:
    """Read some dates and query the server for tickets with these dates, which also detects days taken for months.

    :raises DateFormatWrong: a date does not match the configured format
    """
    side, date_format = server.side, server.settings.date_format
    query = f"SELECT Ticket WHERE finalclass IN {oql.names(_names(server, rules))}"
    sample = [row for row in server.get("Ticket", query, ("id", VERSION_TIME), limit=_SAMPLE).rows if row.fields[VERSION_TIME]]
    if not sample:
        yield ok(side, f"date_format {date_format}: there is no ticket yet, so it cannot be verified")
        return
    suspects = {row.id: row.fields[VERSION_TIME] for row in _misread(server, sample)}
    if suspects:  # a ticket may have changed in between
        again = server.get("Ticket", f"SELECT Ticket WHERE id IN {oql.ids(suspects)}", ("id", VERSION_TIME)).rows
        suspects = {row.id: row.fields[VERSION_TIME] for row in _misread(server, again) if row.fields == _shown(row, suspects)}
    if suspects:
        shown = next(iter(suspects.values()))
        yield fault(
            side,
            f"date_format {date_format}: it reads {shown!r} as {_read(server, shown):%d %B %Y, %H:%M:%S} UTC, which is wrong",
            f"Set {side}.date_format to the date_and_time_format in that iTop's configuration.",
        )
    else:
        yield ok(side, f"date_format {date_format}: {len(sample)} dates are read as the server means them")


def _names(server: Server, rules: Rules) -> list[str]:
    return sorted({cls.of(server.side) for cls in rules.classes})


def _read(server: Server, shown: str) -> datetime:
    return datetime.fromisoformat(server.clock.read(VERSION_TIME, shown))


def _shown(row: Row, suspects: dict[int, str]) -> dict[str, str]:
    return {"id": str(row.id), VERSION_TIME: suspects[row.id]}


def _misread(server: Server, rows: Iterable[Row]) -> list[Row]:
    """The rows that the server does not find under the dates that we read."""
    rows = tuple(rows)
    if not rows:
        return []
    span = timedelta(0 if has_seconds(server.settings.date_format) else 59)
    conditions = []
    for row in rows:
        begin = datetime.fromisoformat(server.clock.write(server.clock.read(VERSION_TIME, row.fields[VERSION_TIME])))
        times = f"{VERSION_TIME} >= '{begin:{_OQL_TIME}}' AND {VERSION_TIME} <= '{begin + span:{_OQL_TIME}}'"
        conditions.append(f"(id = {row.id} AND {times})")
    found = {row.id for row in server.get("Ticket", f"SELECT Ticket WHERE {' OR '.join(conditions)}", ("id",)).rows}
    return [row for row in rows if row.id not in found]
