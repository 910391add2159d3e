"""A sweep: everything that is linked or in scope is looked at, whatever the polls have seen of it.

It finds what no poll can: a ticket that came into scope without a change of its own, a creation or a change that was missed,
a ticket that is gone, and a file that went from a ticket at its end. A part of all links is read in full each time, so that
after some sweeps each was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from itopsync.engine.deletions import links_with_other_files
from itopsync.engine.poll import in_scope
from itopsync.itop import Server
from itopsync.model import Ref, Side, Sighting
from itopsync.reconcile.rules import Rules
from itopsync.store import Store

_DEEP = "sweep.deep"
"""The fact that tells up to which link the last deep look went."""


@dataclass(frozen=True)
class Swept:
    """What a sweep of one side found; nothing of it is recorded yet."""

    side: Side
    changed: dict[int, str]
    """Link → its ticket's version."""
    other: frozenset[int]
    """Links whose ticket is gone, or has other files than are known."""
    new: tuple[Sighting, ...]
    """External tickets in scope that are not linked."""


def sweep(side: Side, server: Server, store: Store, rules: Rules) -> Swept:
    """Look at everything on one side; writes nothing."""
    sightings: list[Sighting] = []
    gone: set[int] = set()
    other: set[int] = set()
    for live in (True, False):
        for cls, ids in store.ticket_ids(side, live=live).items():
            found = server.sightings(cls, ids=ids)
            sightings += found
            missing = set(ids) - {one.ref.id for one in found}
            gone |= {link.id for number in sorted(missing) if (link := store.link_of(Ref(side, cls, number))) is not None}
        other |= links_with_other_files(side, server, store, rules, live=live)
    compared = store.compare(side, sightings)
    new: tuple[Sighting, ...] = ()
    if side is Side.EXTERNAL:
        scope = tuple(one for cls in rules.classes for one in in_scope(server, rules, cls))
        new = store.compare(side, scope, ignored=False).unknown
    return Swept(side, dict(compared.changed), frozenset(gone | other), new)


def record(store: Store, swept: Swept, now: datetime) -> int:
    """Store what a sweep of one side found, all or nothing; return how many links are due for it."""
    due = dict.fromkeys((*swept.changed, *swept.other), now)
    added = store.record_poll(store.side(swept.side), versions=swept.changed, due=due, new=swept.new, ignored=(), now=now)
    return len(due) + len(added)


def look_deep(store: Store, count: int, now: datetime) -> int:
    """Make the next *count* links due, beginning again behind the last; return how many those are."""
    after = int(store.fact(_DEEP) or 0)
    ids = store.linked_after(after, count)
    store.mark_due(ids, now, now=now)
    store.put_fact(_DEEP, str(ids[-1]) if len(ids) == count else None)
    return len(ids)
