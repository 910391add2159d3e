"""Finds deleted attachments, which leave no trace: by counting, then by halving, so that it lists only after a loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from itopsync.itop.server import Server
from itopsync.model import Ref, Side
from itopsync.reconcile.markers import prefix
from itopsync.reconcile.rules import Rules
from itopsync.store.store import Store

AT_ONCE = 5_000
"""How many tickets' attachments one call counts. The query contains the tickets' ids: iTop takes 0.8 s to read 5,000 of them
the first time and 0.14 s after that, and 6.5 s for 20,000."""
LIST_FROM = 400
"""For up to this many tickets, attachments are listed instead of halving again."""


@dataclass(frozen=True)
class Searched:
    """The result of a search for tickets whose attachments differ from the known ones."""

    links: frozenset[int] = frozenset()
    """Links with such a ticket."""
    after: int = 0
    """The link after which this part of the search began."""
    last: int | None = None
    """The link after which the next part begins; None after the last part."""


def where_searched(side: Side) -> str:
    """The fact that holds where the last search for deleted attachments ended, if there is more to search."""
    return f"deletions.{side}"


def search(side: Side, server: Server, store: Store, rules: Rules, *, live: bool, after: int) -> Searched:
    """Search one part of the linked tickets with attachments, starting after link *after*; one call if nothing has changed.

    *live*: search the tickets that can still change; otherwise the rest, which is left to sweeps.
    """
    part = store.attachments.by_ticket(side, AT_ONCE, live=live, after=after)
    looking = _Search(side, server, store, prefix(rules.pair), part.highest)
    missing = looking.missing(part.tickets) if part.tickets else 0
    other = looking.tickets(part.tickets, missing) if missing else set()
    links = (store.links.of(ref) for ref in sorted(other))
    return Searched(frozenset(link.id for link in links if link is not None), after, part.last)


def search_all(side: Side, server: Server, store: Store, rules: Rules, *, live: bool) -> frozenset[int]:
    """Search all parts; return the links whose tickets' attachments differ from the known ones."""
    found: frozenset[int] = frozenset()
    after: int | None = 0
    while after is not None:
        part = search(side, server, store, rules, live=live, after=after)
        found |= part.links
        after = part.last
    return found


Owners = Mapping[str, Mapping[int, int]]
"""Class → ticket → expected number of attachments."""


@dataclass(frozen=True)
class _Search:
    """A search among attachments up to the highest known id; the poll finds later ones."""

    side: Side
    server: Server
    store: Store
    ours: str
    """The prefix of our own markers."""
    highest: int

    def tickets(self, owners: Owners, missing: int) -> set[Ref]:
        """The tickets whose attachments differ from the known ones; *missing* are gone in total."""
        found: set[Ref] = set()
        for part in self._parts(owners, missing):
            there: dict[tuple[str, int], set[int]] = {}
            for attachment in self.server.attachments_where(self._condition(part)):
                there.setdefault((attachment.cls, attachment.item_id), set()).add(attachment.id)
            for cls, counts in part.items():
                for ticket, count in counts.items():
                    ids = there.get((cls, ticket), set())
                    if len(ids) != count or ids != self.store.attachments.of(self.side, cls, [ticket]):
                        found.add(Ref(self.side, cls, ticket))
        return found

    def _parts(self, owners: Owners, missing: int) -> Iterator[Owners]:
        """Narrow *owners* down to the parts with differences; *missing* of their attachments are gone (if negative, extra)."""
        if missing == 0:
            return
        if sum(map(len, owners.values())) <= LIST_FROM:
            yield owners
            return
        left, right = _halves(owners)
        in_left = self.missing(left)
        yield from self._parts(left, in_left)
        yield from self._parts(right, missing - in_left)

    def missing(self, owners: Owners) -> int:
        """How many attachments of *owners* are gone, minus how many are extra."""
        known = sum(sum(counts.values()) for counts in owners.values())
        return known - self.server.count_attachments(self._condition(owners))

    def _condition(self, owners: Owners) -> str:
        """The OQL condition for attachments on *owners* up to the highest known id, without our uploaded pictures and texts."""
        on = " OR ".join(
            f"(item_class = '{cls}' AND item_id IN ({','.join(map(str, sorted(counts)))}))"
            for cls, counts in sorted(owners.items())
        )
        ours = self.ours
        known = f"(ISNULL(temp_id) OR temp_id NOT LIKE '{ours}%' OR temp_id LIKE '{ours}a-%')"
        return f"({on}) AND {known} AND id <= {self.highest}"


def _halves(owners: Owners) -> tuple[Owners, Owners]:
    """Split *owners* into two halves, in order."""
    ordered = sorted((cls, ticket) for cls, counts in owners.items() for ticket in counts)
    halves: tuple[dict[str, dict[int, int]], dict[str, dict[int, int]]] = ({}, {})
    for place, (cls, ticket) in enumerate(ordered):
        half = halves[place >= len(ordered) // 2]
        half.setdefault(cls, {})[ticket] = owners[cls][ticket]
    return halves
