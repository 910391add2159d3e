"""Attachments that went leave no trace: they are found by counting, then by halving, so nothing is listed when nothing went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from itopsync.itop import Server
from itopsync.model import Ref, Side
from itopsync.reconcile.identity import prefix
from itopsync.reconcile.rules import Rules
from itopsync.store import Store

_AT_ONCE = 5_000
"""So many known attachments are counted with one call: the ids of their tickets stand in the query."""
_LIST_FROM = 64
"""So few known attachments are listed rather than halved again."""


def links_with_other_files(side: Side, server: Server, store: Store, rules: Rules, *, live: bool) -> frozenset[int]:
    """The links whose tickets on *side* have other attachments than are known; one call where all are as they were.

    *live* asks about the tickets that can still change, or else about the others, which are a sweep's.
    """
    ids = store.attachment_ids(side, live=live)
    found: set[int] = set()
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        tickets = store.tickets_with_attachments(side, part[0], part[-1], live=live)
        search = _Search(server, _on_tickets(tickets, prefix(rules.pair)))
        known, there = search.run(part)
        found |= set(store.links_of_attachments(side, known).values())
        found |= {link.id for ref in sorted(there) if (link := store.link_of(ref)) is not None}
    return frozenset(found)


@dataclass(frozen=True)
class _Search:
    """A search among the attachments that meet a condition."""

    server: Server
    condition: str

    def run(self, ids: Sequence[int]) -> tuple[list[int], set[Ref]]:
        """Return which of *ids* are gone, and the tickets with attachments that are not among them."""
        gone: list[int] = []
        unknown: set[Ref] = set()
        for part in self._parts(ids, self._missing(ids)):
            listed = self.server.attachments_where(self._within(part))
            gone += sorted(set(part) - {one.id for one in listed})
            unknown |= {Ref(self.server.side, one.cls, one.item_id) for one in listed if one.id not in set(part)}
        return gone, unknown

    def _parts(self, ids: Sequence[int], missing: int) -> Iterator[Sequence[int]]:
        """Cut *ids*, of which *missing* are gone (fewer than none: there are others), to the short parts at fault."""
        if missing == 0:
            return
        if len(ids) <= _LIST_FROM:
            yield ids
            return
        left, right = ids[: len(ids) // 2], ids[len(ids) // 2 :]
        in_left = self._missing(left)
        yield from self._parts(left, in_left)
        yield from self._parts(right, missing - in_left)

    def _missing(self, ids: Sequence[int]) -> int:
        return len(ids) - self.server.count_attachments(self._within(ids))

    def _within(self, ids: Sequence[int]) -> str:
        return f"{self.condition} AND id >= {ids[0]} AND id <= {ids[-1]}"


def _on_tickets(tickets: Mapping[str, list[int]], ours: str) -> str:
    """The condition that finds the attachments of *tickets* that we know of, and no pictures or texts of ours."""
    owners = " OR ".join(
        f"(item_class = '{cls}' AND item_id IN ({','.join(map(str, ids))}))" for cls, ids in sorted(tickets.items())
    )
    return f"({owners}) AND (ISNULL(temp_id) OR temp_id NOT LIKE '{ours}%' OR temp_id LIKE '{ours}a-%')"
