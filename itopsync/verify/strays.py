"""Finds stray copies: internal tickets that are marked as copies, but to which no link leads.

One appears if a create arrives twice, or after its link has gone on with another copy. Nothing that people do there is carried,
and no link shows that. So stray copies are looked for by their markers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from itopsync.itop import oql
from itopsync.itop.attributes import Attributes
from itopsync.itop.reader import by_ranges
from itopsync.itop.server import Server
from itopsync.model import Link, LinkStatus, Ref, Side, Sighting, Ticket
from itopsync.reconcile.rules import Rules

_HEAD = re.compile(r"(?:\s|<[^<>]*>)*")
"""Everything before the first word."""


@dataclass(frozen=True)
class Stray:
    """An internal ticket to which no link leads, and the external ticket whose copy it is marked as."""

    internal: Ref
    number: str
    external: Ref
    link: Link | None
    """The link of the external ticket."""

    @property
    def what(self) -> str:
        """What it is, and what to do about it."""
        link, lost = self.link, "what people write on it goes nowhere"
        if link is None or link.internal is None:
            still = "If that is so after a sweep too, stop the service and run `itopsync rebuild`, or close it"
            return f"is a copy of {self.external}, but no link leads to it: {lost}. {still}"
        used = f"{link.internal_number} ({link.internal})" if link.internal_number else str(link.internal)
        whose = "whose link has ended, with" if link.status is LinkStatus.TOMBSTONE else "whose copy in use is"
        rest = f"{lost}. Close it, unless it is a clone. See `itopsync show {self.external}`"
        return f"is a second copy of {self.external}, {whose} {used}, or a clone of that: {rest}"


def find_strays(
    server: Server,
    rules: Rules,
    places: Mapping[str, Sequence[str]],
    unknown: Callable[[Sequence[Sighting]], Sequence[Sighting]],
    link_of: Callable[[Ref], Link | None],
) -> Iterator[Stray]:
    """Find the stray copies that are not closed yet. Only what our own account wrote counts: anybody can paste a marker.

    *places*: internal class that may hold copies → the logs that may contain their markers; *unknown* returns those of some
    internal tickets that are in no link, *link_of* the link of an external one.

    :raises SideUnavailable: the server cannot be asked
    """
    for name, logs in places.items() if rules.internal.accounts else ():
        for marked in _marked(server, name, logs, f"itopsync-{rules.pair}-t-"):
            numbers = {sighting.ref.id: sighting.number for sighting in unknown(marked)}
            shown, _ = server.readable_tickets(name, sorted(numbers), Attributes(logs=tuple(logs)))
            for number, ticket in sorted(shown.items()):
                for external in _copied(ticket, logs, rules):
                    link = link_of(external)
                    if not _leads_to(link, ticket.ref) and not _is_closed(ticket, external, rules):
                        yield Stray(ticket.ref, numbers[number], external, link)


def _leads_to(link: Link | None, copy: Ref) -> bool:
    """Whether *copy* is the link's, or will be: a link without a copy looks for an existing one before it has one made."""
    return link is not None and (link.internal == copy or (link.internal is None and link.status is not LinkStatus.TOMBSTONE))


def _is_closed(ticket: Ticket, external: Ref, rules: Rules) -> bool:
    lifecycle = rules.for_external(external.cls).state.internal
    known = {state for each in lifecycle.transitions.values() for state in each.values()} | lifecycle.transitions.keys()
    return ticket.state in known and not lifecycle.transitions.get(ticket.state)


def _copied(ticket: Ticket, logs: Sequence[str], rules: Rules) -> list[Ref]:
    """The external tickets whose copy it is, by the heads of the entries that we wrote on it, not on its parent."""
    entries = sorted((entry for log in logs for entry in ticket.logs.get(log, ())), key=lambda entry: entry.at)
    copied: dict[Ref, None] = {}
    marker = re.compile(rf"itopsync-{re.escape(rules.pair)}-([thu])-([A-Za-z_]\w*)\.(\d+)")
    for entry in entries:
        head = _HEAD.match(entry.html)
        found = marker.findall(head[0]) if head and entry.author_id in rules.internal.accounts else []
        named = {kind: (cls, int(number)) for kind, cls, number in found}
        if named.get("h", (ticket.ref.cls, ticket.ref.id)) != (ticket.ref.cls, ticket.ref.id):
            continue
        if "t" in named:
            copied[Ref(Side.EXTERNAL, *named["t"])] = None
        if "u" in named:
            copied.pop(Ref(Side.EXTERNAL, *named["u"]), None)
    kept = {cls.external for cls in rules.classes}
    return [external for external in copied if external.cls in kept]


def _marked(server: Server, name: str, logs: Sequence[str], mark: str) -> Iterator[Sequence[Sighting]]:
    """The tickets of a class that have *mark* anywhere in one of *logs*; reads only their ids and numbers, range by range."""
    marked = " OR ".join(f"this.{log} LIKE {oql.literal(f'%{mark}%')}" for log in logs)

    def read(condition: str) -> tuple[int, Sequence[Sighting]]:
        there = server.count(name, f"SELECT {oql.name(name)} AS this WHERE {condition}")
        return there, server.sightings(name, f"({marked}) AND {condition}") if there else ()

    return by_ranges(server, name, "", read) if logs else iter(())
