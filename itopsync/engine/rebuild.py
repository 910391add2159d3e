"""A store that is gone is found again from the markers in iTop: links, entries and files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol

from itopsync.engine.observe import attributes
from itopsync.errors import StoreError
from itopsync.itop import Server
from itopsync.model import Link, LinkStatus, Observation, Ref, Side
from itopsync.reconcile.identity import prefix
from itopsync.reconcile.marks import marks_of
from itopsync.reconcile.plan import Plan
from itopsync.reconcile.rebuilding import Rebuilt, rebuilt
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.store import Store

_AT_ONCE = 200


class Planner(Protocol):
    """What makes plans: the engine."""

    @property
    def rules(self) -> Rules:
        """The rules, with what was learnt of our accounts."""

    def learn_accounts(self) -> None:
        """Ask both servers who we are."""

    def plan(self, links: tuple[Link, ...]) -> list[tuple[Plan, Observation]]:
        """Observe and plan *links*."""


def refuse_lost_store(internal: Server, rules: Rules) -> None:
    """See that internal holds no copies of this pair: called before a store that knows nothing is used.

    :raises StoreError: it does; with this store, each ticket would get a second copy
    """
    for cls in rules.classes:
        log = cls.logs[0].name(Side.INTERNAL)
        count = internal.count(cls.internal, f"SELECT {cls.internal} WHERE {log} LIKE '%{prefix(rules.pair)}t-%'")
        if count:
            raise StoreError(
                f"internal holds {count} copies of pair {rules.pair} as {cls.internal}, and this store knows of none: was it "
                "lost? Run `itopsync rebuild`, or see store.url."
            )


def rebuild(engine: Planner, internal: Server, store: Store, clock: Callable[[], datetime]) -> Iterator[Rebuilt]:
    """Find every copy in internal by its marker and make its link anew, one after the other. Writes to neither server.

    :raises StoreError: the store knows links already
    :raises Refused: a server fails to show one of the tickets; its link is not made
    """
    counts = store.counts()
    if any(counts[status] for status in LinkStatus):
        raise StoreError("the store knows links already: `itopsync rebuild` is for one that was lost. Name another store.url.")
    engine.learn_accounts()
    for cls in engine.rules.classes:
        copies = _copies(engine, internal, cls)
        for start in range(0, len(copies), _AT_ONCE):
            links = tuple(
                Link(-1 - place, external, copy, LinkStatus.LINKED)
                for place, (external, copy) in enumerate(copies[start : start + _AT_ONCE])
            )
            planned = engine.plan(links)
            for plan, _ in planned:
                if plan.unread is not None:  # what both sides show is all that there is to make a base of
                    raise plan.unread
            found = [rebuilt(plan, seen, engine.rules) for plan, seen in planned]
            store.add_links([one.link for one in found], clock())
            yield from found


def _copies(engine: Planner, internal: Server, cls: ClassRules) -> list[tuple[Ref, Ref]]:
    """The external tickets of a class and their copies: the first where a marker stands on several, or one that was parted."""
    rules, log = engine.rules, cls.logs[0].name(Side.INTERNAL)
    found: dict[Ref, Ref] = {}
    parted: dict[Ref, Ref] = {}
    sightings = internal.sightings(cls.internal, f"this.{log} LIKE '%{prefix(rules.pair)}t-{cls.external}.%'")
    tickets = internal.tickets(cls.internal, [one.ref.id for one in sightings], attributes(cls, Side.INTERNAL))
    for number in sorted(tickets):
        marks = marks_of(tickets[number], log, rules.pair, rules.internal.account)
        for group, externals in ((found, marks.standing), (parted, marks.former)):
            for external in externals:
                if external.cls == cls.external:
                    group.setdefault(external, tickets[number].ref)
    return sorted((parted | found).items())
