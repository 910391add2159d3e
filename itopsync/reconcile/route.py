"""Which servers a ticket came through. A pair's copies name them, so that pairs in a ring do not copy for ever.

A chain is fine: another pair may take what one pair copied from external to a third server. But nothing is copied to a server
that its ticket came from, or through the same pair twice.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from itopsync.model import Ticket
from itopsync.reconcile.markers import digest, station_of
from itopsync.reconcile.richtext import any_markers
from itopsync.reconcile.rules import ClassRules, Rules, SideRules


def stations(external: Ticket, cls: ClassRules, rules: Rules) -> tuple[str, ...]:
    """The stations that the copy of *external* must name: external itself, this pair, and all that *external* names as a copy."""
    return tuple(sorted(_came_by(external, cls) | _server(rules.external) | _pair(rules)))


def comes_back(external: Ticket, cls: ClassRules, rules: Rules) -> bool:
    """Whether *external* is a copy of something that came from internal, or through this pair before."""
    return not _came_by(external, cls).isdisjoint(_server(rules.internal) | _pair(rules))


def marks_of_internal(rules: Rules) -> frozenset[str]:
    """The stations that mark a copy as having come from internal."""
    return _server(rules.internal)


def _came_by(external: Ticket, cls: ClassRules) -> frozenset[str]:
    """The stations named in the first entry of each log, which may bear a copy's marker."""
    first = (entry for log in cls.logs for entry in external.logs.get(log.external, ())[:1])
    named = (station_of(marker) for entry in first for marker in any_markers(entry.html))
    return frozenset(station for station in named if station)


def _server(side: SideRules) -> frozenset[str]:
    parts = (urlsplit(address.lower()) for address in side.addresses)
    return frozenset(digest("server", f"{part.netloc}{part.path.rstrip('/')}")[:16] for part in parts)


def _pair(rules: Rules) -> frozenset[str]:
    return frozenset({digest("pair", rules.pair, rules.external.url, rules.internal.url)[:16]})
