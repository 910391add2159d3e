"""A store that is gone is found again from the markers in iTop: links, entries and files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from itopsync.engine.belonging import REBUILDING, claim
from itopsync.engine.fault import fault_of
from itopsync.engine.observe import attributes
from itopsync.engine.poll import in_scope
from itopsync.itop.server import Server
from itopsync.model import Attachment, Link, LinkStatus, Observation, Ref, Side, Sighting, Ticket
from itopsync.reconcile.authors import agreed_upon, bare, makers, writers
from itopsync.reconcile.by_hand import to_be_copied
from itopsync.reconcile.identity import prefix, ticket_marker
from itopsync.reconcile.marks import marks_of
from itopsync.reconcile.plan import Plan
from itopsync.reconcile.rebuilding import Rebuilt, rebuilt, without_copy, youngest_of
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.store.store import Store

_AT_ONCE = 200
_ALL = 1_000_000


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


@dataclass(frozen=True)
class WithoutCopy:
    """An external ticket in scope that has no copy though younger ones have: perhaps a person had deleted it."""

    external: Ref
    number: str


Found = Rebuilt | Unreadable | WithoutCopy


def rebuild(
    engine: Planner,
    servers: Mapping[Side, Server],
    store: Store,
    clock: Callable[[], datetime],
    *,
    create_missing: bool = False,
) -> Iterator[Found]:
    """Find every copy in internal by its marker and make the links that the store does not know. Writes to neither server.

    A deletion leaves no trace in iTop. So tickets and files that have no copy though younger ones have are parked, unless
    *create_missing*: then they are copied by the cycles to come, as are those that an earlier call has parked.

    It can be broken off, and run again for the rest; until it came to its end once, no cycle runs on the store.

    :raises StoreError: the store is another pair's
    """
    claim(store, engine.rules)
    store.facts.put(REBUILDING, "begun")
    engine.learn_accounts()
    internal = servers[Side.INTERNAL]
    bearers = {cls.external: _bearers(engine.rules, internal, cls) for cls in engine.rules.classes}
    _remember(engine, store, {Side.INTERNAL: agreed_upon(one.makers for one in bearers.values())})
    youngest = dict.fromkeys(Side, 0) if create_missing else youngest_of(_copied_files(servers, engine.rules), engine.rules.pair)
    unread: set[Ref] = set()
    last = 0
    for cls in engine.rules.classes:
        copies = _copies(engine.rules, cls, bearers[cls.external].tickets)
        last = max([last, *(one.id for one, _ in copies)])
        yield from bearers[cls.external].unreadable
        for start in range(0, len(copies), _AT_ONCE):
            lost = [(one, copy) for one, copy in copies[start : start + _AT_ONCE] if store.links.of(one) is None]
            links = tuple(Link(-1 - place, one, copy, LinkStatus.LINKED) for place, (one, copy) in enumerate(lost))
            planned = engine.plan(links)
            _remember(engine, store, writers(((plan.link, seen) for plan, seen in planned), engine.rules))
            told = [_rebuilt(plan, seen, engine.rules, youngest) for plan, seen in planned]
            found = [one for one in told if isinstance(one, Rebuilt)]
            found = [one for one in found if one.link.status is LinkStatus.TOMBSTONE or not _is_linked(store, one.link.internal)]
            store.links.add([one.link for one in found], clock())
            yield from found
            failed = [one for one in told if isinstance(one, Unreadable)]
            unread |= {one.ref for one in failed}
            yield from failed
    if create_missing:
        for link in store.links.troubled(_ALL):
            store.links.amend(link.id, lambda one: to_be_copied(one, clock()), clock())
    else:
        yield from _park(_without_copy(engine.rules, servers, store, bearers, last), unread, store, clock)
    store.facts.put(REBUILDING, None)


def _copied_files(servers: Mapping[Side, Server], rules: Rules) -> Mapping[Side, tuple[Attachment, ...]]:
    return {side: server.attachments_where(f"temp_id LIKE '{prefix(rules.pair)}a-%'") for side, server in servers.items()}


def _without_copy(
    rules: Rules, servers: Mapping[Side, Server], store: Store, bearers: Mapping[str, _Bearers], last: int
) -> Iterator[list[Sighting]]:
    """The external tickets in scope, piece by piece, that no link knows, though a younger one has a copy: *last* at the most."""
    internal = servers[Side.INTERNAL]
    for cls in rules.classes:
        log = cls.logs[0].name(Side.INTERNAL)
        hidden = bearers[cls.external].unreadable
        for piece in in_scope(servers[Side.EXTERNAL], rules, cls):
            older = [one for one in piece if one.ref.id < last]
            unknown = store.polls.compare(Side.EXTERNAL, older, ignored=False).unknown
            if hidden:  # a copy that cannot be read is one
                marks = ((one, f"{log} LIKE '%{ticket_marker(rules.pair, one.ref)}%'") for one in unknown)
                unknown = tuple(one for one, marked in marks if not internal.sightings(cls.internal, marked))
            yield list(unknown)


def _park(
    pieces: Iterable[list[Sighting]], unread: Collection[Ref], store: Store, clock: Callable[[], datetime]
) -> Iterator[WithoutCopy]:
    for piece in pieces:
        lonely = [one for one in piece if one.ref not in unread]
        store.links.add([without_copy(one) for one in lonely], clock())
        yield from (WithoutCopy(one.ref, one.number) for one in lonely)


def _rebuilt(plan: Plan, seen: Observation, rules: Rules, youngest: Mapping[Side, int]) -> Rebuilt | Unreadable:
    if plan.unread is not None:
        return Unreadable(plan.link.external, str(plan.unread))
    try:
        return rebuilt(plan, seen, rules, youngest)
    except Exception as error:
        return Unreadable(plan.link.external, str(fault_of(error, plan.link)))


def _is_linked(store: Store, copy: Ref | None) -> bool:
    known = store.links.of(copy) if copy is not None else None
    return known is not None and known.status is not LinkStatus.TOMBSTONE


@dataclass(frozen=True)
class _Bearers:
    """The tickets of one internal class that bear a ticket's mark of this pair."""

    tickets: list[Ticket]
    """In the order of their ids, with what is marked in their log and nothing else."""
    makers: Mapping[Ref, frozenset[str]]
    unreadable: list[Unreadable]


def _bearers(rules: Rules, internal: Server, cls: ClassRules) -> _Bearers:
    log = cls.logs[0].name(Side.INTERNAL)
    sightings, hidden = internal.readable_sightings(cls.internal, f"this.{log} LIKE '%{prefix(rules.pair)}t-{cls.external}.%'")
    numbers = [*(one.ref.id for one in sightings), *hidden]
    tickets, failures = internal.readable_tickets(cls.internal, numbers, attributes(cls, Side.INTERNAL))
    unreadable = [Unreadable(Ref(Side.INTERNAL, cls.internal, number), str(why)) for number, why in sorted(failures.items())]
    shown = [ticket for _, ticket in sorted(tickets.items())]
    return _Bearers([bare(one, log, rules.pair) for one in shown], makers(shown, log, rules.pair), unreadable)


def _copies(rules: Rules, cls: ClassRules, tickets: Iterable[Ticket]) -> list[tuple[Ref, Ref]]:
    """The external tickets of a class and their copies: the first where a marker stands on several, or one that was parted."""
    found: dict[Ref, Ref] = {}
    parted: dict[Ref, Ref] = {}
    for ticket in tickets:
        marks = marks_of(ticket, cls.logs[0].name(Side.INTERNAL), rules.pair, rules.internal.accounts)
        for group, externals in ((found, marks.standing), (parted, marks.former)):
            for external in externals:
                if external.cls == cls.external:
                    group.setdefault(external, ticket.ref)
    return sorted((parted | found).items())


def _remember(engine: Planner, store: Store, accounts: Mapping[Side, Collection[str]]) -> None:
    """Take those for former accounts of ours that wrote what only we write."""
    new = {side: set(found) - engine.rules.side(side).accounts for side, found in accounts.items()}
    for side, found in new.items():
        if found:
            state = store.polls.side(side)
            store.polls.put_side(replace(state, former_accounts=state.former_accounts | found))
    if any(new.values()):
        engine.learn_accounts()
