"""What the markers in an internal ticket's logs say: whose copy it is or was, and what stays where it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from itopsync.model import Entry, Ref, Ticket
from itopsync.reconcile.markers import here_of, pair_of, ticket_of, unlinked_of
from itopsync.reconcile.richtext import any_markers, head_markers

_UNSEEN = timedelta(hours=1)
"""A mark this much older than ours was there for us to see."""


@dataclass(frozen=True)
class TicketMarkers:
    """The markers on one ticket, read in order."""

    standing: frozenset[Ref] = frozenset()
    """The external tickets whose copy it is; at most one, unless somebody has tampered with it."""
    by_hand: Mapping[Ref, datetime] = field(default_factory=dict)
    """External ticket → when a person linked it with this one."""
    former: frozenset[Ref] = frozenset()
    """The external tickets whose copy it was until a person unlinked them, or linked it with another."""
    unlinked: frozenset[Ref] = frozenset()
    """Those of them of which an entry says that a person unlinked them."""
    kept: frozenset[str] = frozenset()
    """The markers of both sides' entries and files from before the two were linked by hand."""


def read_ticket_markers(ticket: Ticket, logs: Sequence[str], pair: str, accounts: Collection[str]) -> TicketMarkers:
    """Read the markers that our *accounts* wrote into *logs* of an internal *ticket*; anybody's if the accounts are unknown."""
    standing: set[Ref] = set()
    former: set[Ref] = set()
    unlinked: set[Ref] = set()
    by_hand: dict[Ref, datetime] = {}
    kept: frozenset[str] = frozenset()
    for entry in entries_in(ticket, logs):
        markers = head_markers(entry.html, pair) if not accounts or entry.author_id in accounts else ()
        where = {ref for marker in markers if (ref := here_of(marker, pair)) is not None}
        if where and ticket.ref not in where:
            continue  # a parent's entry, copied by iTop
        for external in filter(None, (ticket_of(marker, pair) for marker in markers)):
            if where:
                former, standing, kept = former | standing, set(), frozenset(markers)
                by_hand[external] = entry.at
            standing.add(external)
            former.discard(external)
            unlinked.discard(external)
        for external in filter(None, (unlinked_of(marker, pair) for marker in markers)):
            if external in standing:
                kept = frozenset()
            standing.discard(external)
            former.add(external)
            unlinked.add(external)
    return TicketMarkers(frozenset(standing), by_hand, frozenset(former), frozenset(unlinked), kept)


def is_copy(ticket: Ticket, logs: Sequence[str], pair: str, external: Ref, accounts: Collection[str]) -> bool:
    """Whether *ticket* is *external*'s copy according to the markers at the heads of our entries."""
    return external in read_ticket_markers(ticket, logs, pair, accounts).standing


def pair_that_links(ticket: Ticket, pair: str, accounts: Collection[str]) -> str | None:
    """The pair other than *pair* whose copy an internal *ticket* is, by what our *accounts* wrote on it; None if none."""
    return min((other for other, marks in _of_other_pairs(ticket, pair, accounts).items() if marks.standing), default=None)


def pair_that_linked_first(ticket: Ticket, pair: str, external: Ref, accounts: Collection[str]) -> str | None:
    """The pair other than *pair* to which an internal *ticket* belongs that *pair* links with *external* by hand; None if none.

    Until *pair* has marked it, any other mark counts. If two pairs marked it within an hour, neither saw the other's mark
    before: then the earlier one counts.
    """
    ours = read_ticket_markers(ticket, tuple(ticket.logs), pair, accounts).by_hand.get(external)
    if ours is None:
        return pair_that_links(ticket, pair, accounts)
    for other, marks in sorted(_of_other_pairs(ticket, pair, accounts).items()):
        theirs = [marks.by_hand[ref] for ref in marks.standing if ref in marks.by_hand]
        if any(ours - _UNSEEN <= at and (at, other) < (ours, pair) for at in theirs):
            return other
    return None


def _of_other_pairs(ticket: Ticket, pair: str, accounts: Collection[str]) -> dict[str, TicketMarkers]:
    """What the marks of each other pair say. Only logs that *ticket* was read with tell, and it may mark others."""
    ours = [entry for log in ticket.logs.values() for entry in log if entry.author_id in accounts]
    others = {pair_of(marker) for entry in ours for marker in any_markers(entry.html)} - {pair}
    return {other: read_ticket_markers(ticket, tuple(ticket.logs), other, accounts) for other in others}


def entries_in(ticket: Ticket, logs: Sequence[str]) -> list[Entry]:
    """The entries of several logs by date; those of one log keep their order."""
    if len(logs) == 1:
        return list(ticket.logs.get(logs[0], ()))
    entries = [entry for log in logs for entry in ticket.logs.get(log, ())]
    return sorted(entries, key=lambda entry: entry.at)
