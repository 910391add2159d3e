"""What the marks in an internal ticket's log say: whose copy it is, whose it was, and what stays where it is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from itopsync.model import Ref, Ticket
from itopsync.reconcile.markers import here_of, ticket_of, unlinked_of
from itopsync.reconcile.richtext import head_markers


@dataclass(frozen=True)
class TicketMarkers:
    """The marks on one ticket, read in their order."""

    standing: frozenset[Ref] = frozenset()
    """The external tickets whose copy it is. One, unless somebody tampered."""
    former: frozenset[Ref] = frozenset()
    """Those whose copy it was until a person unlinked them."""
    kept: frozenset[str] = frozenset()
    """The markers of the entries and files, of both sides, that stood there when the two were linked by hand."""


def read_ticket_markers(ticket: Ticket, log: str, pair: str, accounts: Collection[str]) -> TicketMarkers:
    """Read the marks in one log of an internal *ticket*: those that *accounts* of ours wrote, or anybody where there are none."""
    standing: set[Ref] = set()
    former: set[Ref] = set()
    kept: frozenset[str] = frozenset()
    for entry in ticket.logs.get(log, ()):
        markers = head_markers(entry.html, pair) if not accounts or entry.author_id in accounts else ()
        where = {ref for marker in markers if (ref := here_of(marker, pair)) is not None}
        if where and ticket.ref not in where:
            continue  # a parent's, copied by iTop
        for external in filter(None, (ticket_of(marker, pair) for marker in markers)):
            if where:
                former, standing, kept = former | standing, set(), frozenset(markers)
            standing.add(external)
            former.discard(external)
        for external in filter(None, (unlinked_of(marker, pair) for marker in markers)):
            if external in standing:
                kept = frozenset()
            standing.discard(external)
            former.add(external)
    return TicketMarkers(frozenset(standing), frozenset(former), kept)


def is_copy(ticket: Ticket, log: str, pair: str, external: Ref, accounts: Collection[str]) -> bool:
    """Whether *ticket* is *external*'s copy by the marks that stand at the heads of our entries."""
    return external in read_ticket_markers(ticket, log, pair, accounts).standing
