"""The servers' own addresses: whether pictures and links are recognised by them, and whether both are the same server."""

from __future__ import annotations

from collections.abc import Iterator

from itopsync.check.finding import Finding, fault, ok, warning
from itopsync.errors import Missing
from itopsync.itop import oql
from itopsync.itop.rows import Row
from itopsync.itop.server import Server
from itopsync.model import Side
from itopsync.reconcile.route import marks_of_internal
from itopsync.reconcile.rules import Rules

_IDENTITY = ("id", "ref", "finalclass", "title", "description", "start_date", "last_update", "private_log")
_SAMPLE = 5


def check_public_url(server: Server, rules: Rules) -> Iterator[Finding]:
    """Compare ``public_url`` with iTop's own address, with which the address of each picture begins."""
    side, settings = server.side, rules.of(server.side)
    own = server.own_address()
    if not own:
        yield ok(side, f"public_url {settings.public_url}: the server does not tell its own address, so it cannot be verified")
    elif own == settings.public_url:
        yield ok(side, f"public_url {settings.public_url} is its own address")
    elif own == settings.url:
        yield warning(
            side,
            f"its own address (app_root_url) is {own}, and public_url is {settings.public_url}",
            f"If people use {own}, remove {side}.public_url; otherwise set app_root_url of that iTop to the one they use.",
        )
    else:
        yield fault(
            side,
            f"its own address (app_root_url) is {own}, which is neither url nor public_url: pictures and links in its texts will "
            "not be recognised",
            f"Set {side}.public_url to {own}.",
        )


def check_pictures(server: Server) -> Iterator[Finding]:
    """Request a picture that does not exist: iTop serves pasted pictures from a separate page."""
    try:
        server.image(0, "itopsync")
    except Missing:
        yield ok(server.side, "pasted pictures can be fetched")


def check_they_differ(external: Server, internal: Server) -> Iterator[Finding]:
    """Report it if both sides are one server: its tickets would be copied onto itself."""
    own = external.own_address()
    if own and own == internal.own_address():
        yield fault(
            Side.INTERNAL,
            f"both sides have the address {own} (app_root_url): they are one server, or one has the other's app_root_url",
            "Check external.url and internal.url, and app_root_url in both iTop configurations.",
        )
    elif alike := _same_ticket(external, internal):
        yield warning(
            Side.INTERNAL,
            f"both sides have the same ticket {alike}: they are one server, or one was made from a copy of the other",
            "Check external.url and internal.url. If one was made from a copy, set scope.since to a time after that.",
        )


def check_rings(external: Server, rules: Rules) -> Iterator[Finding]:
    """Count the tickets that another pair copied from internal to external: they are not carried back."""
    conditions = (f"private_log LIKE '%-v-{station}%'" for station in sorted(marks_of_internal(rules)))
    count = external.count("Ticket", f"SELECT Ticket WHERE {' OR '.join(conditions)}")
    if count:
        yield ok(Side.EXTERNAL, f"tickets that another pair copied from internal: {count}; they are not copied back")


def _same_ticket(external: Server, internal: Server) -> str:
    """A ticket that both show with the same log and dates; a copy made by itopsync has an additional entry."""
    ours = external.get("Ticket", "SELECT Ticket", _IDENTITY, limit=_SAMPLE).rows
    if not ours:
        return ""
    query = f"SELECT Ticket WHERE id IN {oql.ids(row.id for row in ours)}"
    theirs = [_fields(row) for row in internal.get("Ticket", query, _IDENTITY).rows]
    return next((str(row.fields["ref"]) for row in ours if _fields(row) in theirs), "")


def _fields(row: Row) -> dict[str, object]:
    return dict(row.fields)
