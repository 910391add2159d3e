"""A sweep: looks at everything linked or in scope, whatever the polls have seen.

It finds what no poll can: a ticket that came into scope without being changed, a missed creation or change, a ticket that is
gone or back, a file deleted from a ticket that can no longer change, and a file under a reused id. Each sweep reads a share of
all links in full, so that several sweeps together cover them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from itopsync.engine.deletions import search_all
from itopsync.engine.pair import Pair
from itopsync.engine.poll import links_attached
from itopsync.engine.reused import Reused, find_reused, take_up
from itopsync.engine.scope import in_scope
from itopsync.engine.visibility import note_organisations
from itopsync.errors import RemoteError
from itopsync.itop.reader import LIGHT_BATCH
from itopsync.itop.server import Server
from itopsync.model import Ref, Side, Sighting
from itopsync.reconcile.rules import Rules
from itopsync.store.store import Store

_DEEP = "sweep.deep"
"""The fact that holds the last link read in full."""
_A_DRAFT = timedelta(days=1)
"""How long a file that was added to a form may wait until its ticket is saved; it keeps the date on which it was added."""


@dataclass(frozen=True)
class Swept:
    """What a sweep of one side found; none of it is stored yet."""

    side: Side
    changed: dict[int, str]
    """Link → its ticket's version."""
    other: frozenset[int]
    """Links whose ticket is gone or whose attachments differ from the known ones."""
    new: tuple[Sighting, ...]
    """External tickets in scope that are not linked; those that the server fails to show have no number or version."""
    attached: datetime | None
    """Up to when, by the server's clock, attachments were looked for by date."""
    reused: Reused
    """Tickets seen under the ids of ended links: the same ones, back again, or others."""


def sweep_both(pair: Pair, now: datetime, on_failure: Callable[[Side, RemoteError], None]) -> tuple[int, int]:
    """Look at everything on both sides at once; make what is found due at *now*, and also the next share of all links.

    *on_failure* is told of a side that cannot be asked. Return how many links the findings made due, and how many will be read
    as this sweep's share.

    :raises Stopped: we were told to stop
    """
    swept_up = 0
    sweeps = {side: pair.threads.waiters.submit(sweep, side, pair.servers[side], pair.store, pair.rules) for side in Side}
    for side, running in sweeps.items():
        try:
            swept = pair.answer_of(running)
            note_organisations(pair.servers[side], pair.store)
        except RemoteError as error:
            on_failure(side, error)
        else:
            swept_up += record(pair.store, swept, now)
    return swept_up, make_next_due(pair.store, pair.settings.deep, now)


def sweep(side: Side, server: Server, store: Store, rules: Rules) -> Swept:
    """Look at everything on one side, piece by piece; write nothing."""
    changed: dict[int, str] = {}
    other: set[int] = set()
    for live in (True, False):
        _look_at_linked(side, server, store, changed, other, live=live)
        other |= search_all(side, server, store, rules, live=live)
    new: list[Sighting] = []
    if side is Side.EXTERNAL:
        for cls in rules.classes:
            for piece in in_scope(server, rules, cls):
                new += store.polls.compare(side, piece.found, ignored=False).unknown
                new += [Sighting(ref, "", "") for ref in sorted(piece.hidden) if store.links.of(ref) is None]
    attached = store.polls.side(side).cursor
    other |= _newly_attached(side, server, store, rules)
    gone = server.sightings("Ticket", ids=store.tombstones.gone(side, rules.kept))
    reused = find_reused(server, store, rules, store.polls.compare(side, gone).ended)
    return Swept(side, changed, frozenset(other), tuple(new), attached, reused)


def _newly_attached(side: Side, server: Server, store: Store, rules: Rules) -> frozenset[int]:
    """The links whose tickets got files since the last sweep. Polls look only at the highest ids; this finds the rest by date."""
    known = store.facts.get(_attached(side))
    if known is None:
        return frozenset()
    since = server.clock.earliest(datetime.fromisoformat(known) - _A_DRAFT)
    return links_attached(side, store, rules, server.attachments_where(f"creation_date >= '{since}'"))


def _attached(side: Side) -> str:
    """The fact that holds up to when sweeps have looked for attachments by date."""
    return f"sweep.attached.{side}"


def _look_at_linked(side: Side, server: Server, store: Store, changed: dict[int, str], other: set[int], *, live: bool) -> None:
    """Add the links whose tickets changed or are gone. One call reads many tickets of all classes."""
    after: int | None = 0
    while after is not None:
        part = store.links.linked_tickets(side, LIGHT_BATCH, live=live, after=after)
        after = part.last
        wanted = {Ref(side, cls, number) for cls, numbers in part.tickets.items() for number in numbers}
        found = server.sightings("Ticket", ids=[ref.id for ref in wanted])
        changed |= store.polls.compare(side, found).changed
        for ref in sorted(wanted - {sighting.ref for sighting in found}):
            link = store.links.of(ref)
            if link is not None:
                other.add(link.id)


def record(store: Store, swept: Swept, now: datetime) -> int:
    """Store what a sweep of one side found, all links in one transaction; return how many it made due."""
    due = {*swept.changed, *swept.other}
    versions = {**swept.changed, **swept.reused.versions}
    with store.transaction():
        take_up(store, swept.reused, now)
        added = store.polls.record(store.polls.side(swept.side), versions=versions, due=due, new=swept.new, ignored=(), now=now)
    store.facts.put(_attached(swept.side), swept.attached.isoformat() if swept.attached else None)
    return len(due) + len(added)


def make_next_due(store: Store, count: int, now: datetime) -> int:
    """Make the next *count* links due, starting over after the last; return how many that were."""
    after = int(store.facts.get(_DEEP) or 0)
    ids = store.links.linked_after(after, count)
    store.links.mark_due(ids, now, now=now)
    store.facts.put(_DEEP, str(ids[-1]) if ids and len(ids) == count else None)
    return len(ids)
