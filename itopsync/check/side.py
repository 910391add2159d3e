"""One server looked at: does it answer, may our account do what it must, and does the configuration fit it?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial

from itopsync.check.defaults import check_defaults
from itopsync.check.finding import Finding, fault, ok, warning
from itopsync.config import Configuration
from itopsync.config.catalogue import classes as known_classes
from itopsync.engine.observe import VERSION_TIME, attributes
from itopsync.engine.poll import in_scope
from itopsync.errors import BadQuery, RemoteError, SideUnavailable
from itopsync.itop import Server
from itopsync.model import Side, Ticket
from itopsync.reconcile.rules import ClassRules, Rules

_CLOCK_OFF = timedelta(minutes=5)
_RECENT = timedelta(hours=26)
_ADDRESS = re.compile(r"""(https?://[^"'\s<>]+?)/pages/(?:ajax\.document|UI)\.php""")
_PICTURES = "/pages/ajax.document.php?operation=download_"


def check_side(configuration: Configuration, server: Server, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Look at one server. Where it does not answer or takes no login, the rest is not tried, and that is said."""
    side, rules = server.side, configuration.rules
    try:
        server.check_login()
    except RemoteError as error:
        yield fault(side, _text(error), "Nothing else of this side was looked at; mend this and check again.")
        return
    yield ok(side, f"{server.settings.url} answers and takes the login of {server.settings.username}")
    yield from _guarded(side, "the clock", lambda: _clock(server, clock))
    usable: list[ClassRules] = []
    for cls in rules.classes:
        found = list(_guarded(side, cls.cls(side), partial(_class, server, cls)))
        yield from found
        if not any(finding.remedy for finding in found):
            usable.append(cls)
    yield from _guarded(side, "attachments", lambda: _attachment_rights(server))
    yield from _guarded(side, "the timezone", lambda: _timezone(server, usable, clock()))
    yield from _guarded(side, "public_url", lambda: _public_url(server, rules))
    yield from _guarded(side, "public logs", lambda: _public_logs(server, usable))
    yield from _guarded(side, "defaults", lambda: check_defaults(server, rules))
    if side is Side.EXTERNAL:
        yield from _guarded(side, "the scope", lambda: _scope(server, rules, usable))


def _guarded(side: Side, about: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What *look* finds; what the server refuses on the way is a finding too."""
    try:
        yield from look()
    except RemoteError as error:
        yield fault(side, f"{about}: {_text(error)}", "Give the account this right, or mend what is named.")


def _text(error: RemoteError) -> str:
    return str(error).removeprefix(f"{error.side}: ")


def _clock(server: Server, clock: Callable[[], datetime]) -> Iterator[Finding]:
    at = server.get("Organization", "SELECT Organization", ("id",), limit=1).at
    off = abs(at - clock())
    if off > _CLOCK_OFF:
        yield warning(
            server.side,
            f"its clock and this host's differ by {off.total_seconds() / 60:.0f} minutes",
            "Nothing is missed for it, but entries are dated by the servers: let both keep time by NTP.",
        )
    else:
        yield ok(server.side, f"its clock agrees with this host's within {off.total_seconds():.0f} s")


def _class(server: Server, cls: ClassRules) -> Iterator[Finding]:
    side, name = server.side, cls.cls(server.side)
    wanted = attributes(cls, side)
    try:
        rows = server.get(name, f"SELECT {name}", wanted.names, limit=1)
    except BadQuery as error:
        yield fault(side, f"{name}: {_text(error)}", f"See [classes] and its attributes: this server's {name} is another.")
        return
    ids = [row.id for row in rows.rows]
    read: dict[int, Ticket] = server.tickets(name, ids, wanted) if ids else {}
    if ids and not read:
        yield fault(side, f"{name}: a ticket is counted that cannot be read", "See the account's organisations and profiles.")
        return
    if not server.may_create(name):
        verb = "create and change" if side is Side.INTERNAL else "change"
        yield fault(side, f"the account may not {verb} {name}, or the server is in read-only mode", "Give it a profile that may.")
        return
    yield ok(side, f"{name}: {rows.found} tickets seen; all attributes are there, and the account may write")


def _attachment_rights(server: Server) -> Iterator[Finding]:
    side = server.side
    server.count_attachments("id > 0")
    if not server.may_create("Attachment"):
        yield fault(side, "the account may not add attachments", "Give it a profile that may.")
    elif not server.may_delete("Attachment"):
        yield fault(side, "the account may not delete attachments", "Give it a profile that may, or set rules.deletion to never.")
    else:
        yield ok(side, "the account may add and delete attachments")


def _timezone(server: Server, usable: list[ClassRules], now: datetime) -> Iterator[Finding]:
    """A ticket that changed in the future tells that the timezone is wrong; one that changed just now, that it may be right."""
    side, zone = server.side, server.settings.timezone.key
    if not usable:
        return
    changed = server.changed_tickets(sorted({cls.cls(side) for cls in usable}), now - _RECENT)
    times = []
    for cls in usable:
        ids = [one.ref.id for one in changed.sightings if one.ref.cls == cls.cls(side)]
        tickets = server.tickets(cls.cls(side), ids[-50:], attributes(cls, side))
        times += [datetime.fromisoformat(ticket.fields[VERSION_TIME]) for ticket in tickets.values()]
    latest = max(times, default=None)
    if latest is None:
        yield ok(side, f"timezone {zone}: no ticket changed lately that could tell otherwise")
    elif latest - changed.at > _CLOCK_OFF:
        ahead = (latest - changed.at).total_seconds() / 3600
        yield fault(
            side,
            f"a ticket changed {ahead:.1f} hours in the future, as {zone} would have it: the server's timezone is another",
            f"Set {side}.timezone to what stands as 'timezone' in iTop's own configuration.",
        )
    else:
        yield ok(side, f"timezone {zone}: the latest change was {latest:%Y-%m-%d %H:%M} UTC, which is plausible")


def _public_url(server: Server, rules: Rules) -> Iterator[Finding]:
    """iTop writes its own address into the texts that show a picture."""
    side = server.side
    settings = rules.side(side)
    query = f"SELECT Ticket WHERE description LIKE '%{_PICTURES}%'"
    rows = server.get("Ticket", query, ("description",), limit=1).rows
    found = _ADDRESS.search(str(rows[0].fields["description"])) if rows else None
    if found is None:
        yield ok(side, f"public_url {settings.public_url}: no picture in any description that could tell otherwise")
    elif found[1] not in (settings.url, settings.public_url):
        yield warning(
            side,
            f"its texts show pictures at {found[1]}, which is neither url nor public_url",
            f"Set {side}.public_url to the address that people use, or their pictures are not carried.",
        )
    else:
        yield ok(side, f"public_url {settings.public_url} is what its texts show")


def _public_logs(server: Server, usable: list[ClassRules]) -> Iterator[Finding]:
    for cls in usable:
        name = cls.cls(server.side)
        known = known_classes().get(name)
        paired = {log.name(server.side) for log in cls.logs}
        if known is None or "public_log" not in known.logs or "public_log" in paired:
            continue
        count = server.count(name, f"SELECT {name} WHERE public_log LIKE '%=%'")
        if count:
            yield warning(
                server.side,
                f"{name}: {count} tickets have entries in their public log, which is not paired",
                "If people are to read them on the other side, add a [[logs]] table for public_log.",
            )


def _scope(server: Server, rules: Rules, usable: list[ClassRules]) -> Iterator[Finding]:
    total = 0
    for cls in usable:
        try:
            total += len(in_scope(server, rules, cls))
        except SideUnavailable:
            raise
        except RemoteError as error:
            yield fault(
                server.side, f"scope of {cls.external}: {_text(error)}", "Mend the OQL condition in [scope] or [classes]."
            )
    limit = rules.limits.creations
    if total > limit:
        yield warning(
            server.side,
            f"{total} tickets are in scope, and at most {limit} copies are made in one cycle",
            "Set scope.since later, or run `itopsync run-once --accept creations` once.",
        )
    else:
        yield ok(server.side, f"{total} tickets are in scope: so many copies there will be")
