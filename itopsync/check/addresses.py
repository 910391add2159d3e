"""What the servers call themselves: whether pictures and links are known by it, and whether both are one."""

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
    """Compare with what iTop calls itself: that it writes before the address of each picture in a text."""
    side, settings = server.side, rules.side(server.side)
    own = server.own_address()
    if not own:
        yield ok(side, f"public_url {settings.public_url}: the server does not tell what it calls itself")
    elif own == settings.public_url:
        yield ok(side, f"public_url {settings.public_url} is what it calls itself")
    elif own == settings.url:
        yield warning(
            side,
            f"it calls itself {own}, and public_url is {settings.public_url}",
            f"If people use {own}, take {side}.public_url away; else set app_root_url of that iTop to the address they use.",
        )
    else:
        yield fault(
            side,
            f"it calls itself {own}, which is neither url nor public_url: pictures and links in its texts will not be known",
            f"Set {side}.public_url to {own}.",
        )


def check_pictures(server: Server) -> Iterator[Finding]:
    """Ask for a picture that does not exist: iTop hands pasted ones out by a page of its own."""
    try:
        server.image(0, "itopsync")
    except Missing:
        yield ok(server.side, "pasted pictures can be fetched")


def check_they_differ(external: Server, internal: Server) -> Iterator[Finding]:
    """One server under two addresses would have its tickets copied onto itself."""
    own = external.own_address()
    if own and own == internal.own_address():
        yield fault(
            Side.INTERNAL,
            f"both sides call themselves {own}: they are one server, or one has the other's app_root_url",
            "See external.url and internal.url, and app_root_url in both configurations of iTop.",
        )
    elif alike := _same_ticket(external, internal):
        yield warning(
            Side.INTERNAL,
            f"both sides have the very same ticket {alike}: they are one server, or one was made from a copy of the other",
            "See external.url and internal.url. If one was made from a copy, set scope.since to a time after that.",
        )


def check_rings(external: Server, rules: Rules) -> Iterator[Finding]:
    """Another pair may carry tickets of internal to external: those are not carried back."""
    marks = (f"private_log LIKE '%-v-{station}%'" for station in sorted(marks_of_internal(rules)))
    count = external.count("Ticket", f"SELECT Ticket WHERE {' OR '.join(marks)}")
    if count:
        yield ok(Side.EXTERNAL, f"tickets that another pair copied from internal: {count}; no copy of them goes back")


def _same_ticket(external: Server, internal: Server) -> str:
    """A ticket that both show, with its log and its dates; a copy that we made has an entry more."""
    ours = external.get("Ticket", "SELECT Ticket", _IDENTITY, limit=_SAMPLE).rows
    if not ours:
        return ""
    query = f"SELECT Ticket WHERE id IN {oql.ids(row.id for row in ours)}"
    theirs = [_told(row) for row in internal.get("Ticket", query, _IDENTITY).rows]
    return next((str(row.fields["ref"]) for row in ours if _told(row) in theirs), "")


def _told(row: Row) -> dict[str, object]:
    return dict(row.fields)
