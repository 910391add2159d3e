"""A store that is gone is found again from the markers in iTop: links, entries and files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from itopsync.engine.belonging import REBUILDING, claim
from itopsync.engine.fault import fault_of
from itopsync.engine.observe import attributes
from itopsync.itop.server import Server
from itopsync.model import Link, LinkStatus, Observation, Ref, Side
from itopsync.reconcile.identity import prefix
from itopsync.reconcile.marks import marks_of
from itopsync.reconcile.plan import Plan
from itopsync.reconcile.rebuilding import Rebuilt, rebuilt
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.store.store import Store

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


@dataclass(frozen=True)
class Unreadable:
    """A ticket that its server fails to show: its link is not made, for what both sides show is all there is to make it of."""

    ref: Ref
    reason: str


def rebuild(engine: Planner, internal: Server, store: Store, clock: Callable[[], datetime]) -> Iterator[Rebuilt | Unreadable]:
    """Find every copy in internal by its marker and make the links that the store does not know. Writes to neither server.

    It can be broken off, and run again for the rest; until it came to its end once, no cycle runs on the store.

    :raises StoreError: the store is another pair's
    """
    claim(store, engine.rules)
    store.put_fact(REBUILDING, "begun")
    engine.learn_accounts()
    for cls in engine.rules.classes:
        copies, unreadable = _copies(engine, internal, cls)
        yield from unreadable
        for start in range(0, len(copies), _AT_ONCE):
            lost = [(one, copy) for one, copy in copies[start : start + _AT_ONCE] if store.link_of(one) is None]
            links = tuple(Link(-1 - place, one, copy, LinkStatus.LINKED) for place, (one, copy) in enumerate(lost))
            planned = engine.plan(links)
            told = [_rebuilt(plan, seen, engine.rules) for plan, seen in planned]
            yield from (one for one in told if isinstance(one, Unreadable))
            found = [one for one in told if isinstance(one, Rebuilt)]
            found = [one for one in found if one.link.status is LinkStatus.TOMBSTONE or not _is_linked(store, one.link.internal)]
            store.add_links([one.link for one in found], clock())
            yield from found
    store.put_fact(REBUILDING, None)


def _rebuilt(plan: Plan, seen: Observation, rules: Rules) -> Rebuilt | Unreadable:
    if plan.unread is not None:
        return Unreadable(plan.link.external, str(plan.unread))
    try:
        return rebuilt(plan, seen, rules)
    except Exception as error:
        return Unreadable(plan.link.external, str(fault_of(error, plan.link)))


def _is_linked(store: Store, copy: Ref | None) -> bool:
    known = store.link_of(copy) if copy is not None else None
    return known is not None and known.status is not LinkStatus.TOMBSTONE


def _copies(engine: Planner, internal: Server, cls: ClassRules) -> tuple[list[tuple[Ref, Ref]], list[Unreadable]]:
    """The external tickets of a class and their copies: the first where a marker stands on several, or one that was parted."""
    rules, log = engine.rules, cls.logs[0].name(Side.INTERNAL)
    found: dict[Ref, Ref] = {}
    parted: dict[Ref, Ref] = {}
    sightings, hidden = internal.readable_sightings(cls.internal, f"this.{log} LIKE '%{prefix(rules.pair)}t-{cls.external}.%'")
    numbers = [*(one.ref.id for one in sightings), *hidden]
    tickets, failures = internal.readable_tickets(cls.internal, numbers, attributes(cls, Side.INTERNAL))
    for number in sorted(tickets):
        marks = marks_of(tickets[number], log, rules.pair, rules.internal.account)
        for group, externals in ((found, marks.standing), (parted, marks.former)):
            for external in externals:
                if external.cls == cls.external:
                    group.setdefault(external, tickets[number].ref)
    unreadable = [Unreadable(Ref(Side.INTERNAL, cls.internal, number), str(why)) for number, why in sorted(failures.items())]
    return sorted((parted | found).items()), unreadable
