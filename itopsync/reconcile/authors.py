"""Which accounts were ours before the store was lost: those that wrote our markers in our place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from itopsync.model import Link, Observation, Ref, Side, Ticket
from itopsync.reconcile.entries import NOBODY, read
from itopsync.reconcile.markers import here_of, ticket_of
from itopsync.reconcile.richtext import head_markers
from itopsync.reconcile.rules import Rules

Makers = Mapping[Ref, Mapping[Ref, str]]
"""External ticket → internal ticket that bears its marker in our place → account that wrote it there."""


def makers(tickets: Iterable[Ticket], logs: Sequence[str], pair: str) -> Makers:
    """Who wrote ticket markers in our place: in the first entry of a log, or together with the marker of the ticket itself."""
    found: dict[Ref, dict[Ref, str]] = {}
    for ticket in tickets:
        for place, entry in ((place, entry) for log in logs for place, entry in enumerate(ticket.logs.get(log, ()))):
            markers = head_markers(entry.html, pair)
            where = {ref for marker in markers if (ref := here_of(marker, pair)) is not None}
            if ticket.ref in where or not (where or place):
                for external in filter(None, (ticket_of(marker, pair) for marker in markers)):
                    found.setdefault(external, {})[ticket.ref] = entry.author_id
    return found


def agreed_upon(several: Iterable[Mapping[Ref, str]]) -> frozenset[str]:
    """The accounts that alone wrote some ticket's marker. If two accounts wrote it, one belongs to a person who pasted it."""
    return frozenset().union(*({*made.values()} for made in several if len({*made.values()}) == 1)) - NOBODY


def writers(shown: Iterable[tuple[Link, Observation]], rules: Rules) -> Mapping[Side, frozenset[str]]:
    """Side → the accounts that were first to write a mirror there whose original is on the linked ticket."""
    found: dict[Side, set[str]] = {side: set() for side in Side}
    for link, seen in shown:
        for side in Side:
            here, there = seen.of(side), seen.of(side.other)
            if here is None or there is None:
                continue
            for log in rules.for_external(link.external.cls).logs:
                people = read(link, seen, side.other, log, rules).people
                missing = {person.marker for person in people}
                for entry in here.logs.get(log.of(side), ()):
                    markers = missing.intersection(head_markers(entry.html, rules.pair))
                    found[side] |= {entry.author_id} if markers else set()
                    missing -= markers
    return {side: frozenset(accounts) - NOBODY for side, accounts in found.items()}


def bare(ticket: Ticket, logs: Sequence[str], pair: str) -> Ticket:
    """*ticket* with only the marked entries of *logs*."""
    marked = {log: tuple(entry for entry in ticket.logs.get(log, ()) if head_markers(entry.html, pair)) for log in logs}
    return replace(ticket, fields={}, logs=marked)
