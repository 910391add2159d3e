"""Attachments that went leave no trace: they are found by counting, then by halving, so nothing is listed when nothing went."""

from __future__ import annotations

from collections.abc import Iterator

from itopsync.itop import Server
from itopsync.model import Side
from itopsync.reconcile.identity import prefix
from itopsync.reconcile.rules import Rules
from itopsync.store import Store

_LIST_FROM = 64
"""So few known attachments in a range are listed rather than halved again."""


def links_with_deletions(side: Side, server: Server, store: Store, rules: Rules) -> frozenset[int]:
    """The links whose known attachments on *side* are not all there; one call when all are.

    Only of tickets that can still change: the others are a sweep's.
    """
    expected = store.expected_attachments(side, live=True)
    if not expected.count:
        return frozenset()
    scope = _on_known_tickets(side, store, rules)
    gone: set[int] = set()
    for low, high in _ranges_that_differ(side, server, store, scope, expected.highest):
        there = {one.id for one in server.attachments_where(f"{scope} AND id > {low} AND id <= {high}")}
        gone |= set(store.attachment_ids(side, low, high, live=True)) - there
    return frozenset(store.links_of_attachments(side, sorted(gone)).values())


def _ranges_that_differ(side: Side, server: Server, store: Store, scope: str, highest: int) -> Iterator[tuple[int, int]]:
    """Ranges ``low < id <= high`` in which the server counts another number than is known."""
    ranges = [(0, highest)]
    while ranges:
        low, high = ranges.pop()
        known = store.known_attachments(side, low, high, live=True)
        if known == 0 or server.count_attachments(f"{scope} AND id > {low} AND id <= {high}") == known:
            continue
        if known <= _LIST_FROM:
            yield low, high
            continue
        ids = store.attachment_ids(side, low, high, live=True)
        middle = ids[len(ids) // 2]
        ranges += [(low, middle), (middle, high)]


def _on_known_tickets(side: Side, store: Store, rules: Rules) -> str:
    """The condition that finds the attachments that we know of, and no pictures or texts of ours."""
    ours = prefix(rules.pair)
    tickets = " OR ".join(
        f"(item_class = '{cls}' AND item_id IN ({','.join(map(str, ids))}))"
        for cls, ids in sorted(store.ticket_ids(side, live=True).items())
        if ids
    )
    return f"({tickets}) AND (ISNULL(temp_id) OR temp_id NOT LIKE '{ours}%' OR temp_id LIKE '{ours}a-%')"
