"""Recovers a lost store from the markers in iTop: links, entries and files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from itopsync.engine.inspect import Inspector
from itopsync.engine.observe import logs_of
from itopsync.engine.pair import Pair
from itopsync.engine.plan import Planned
from itopsync.engine.retry import report_fault
from itopsync.engine.scope import in_scope
from itopsync.engine.store_guard import (
    BEGUN,
    DONE,
    REBUILDING,
    claim,
    classes_of_copies,
    refuse_copies_on_external,
    refuse_other_servers,
    remember_classes,
    remember_logs,
)
from itopsync.itop.attributes import Attributes
from itopsync.itop.piecewise import NO_ID
from itopsync.model import UNSAVED, VERSION_TIME, Attachment, Link, LinkStatus, Ref, Side, Sighting, Ticket
from itopsync.reconcile.authors import Makers, agreed_upon, bare, makers, writers
from itopsync.reconcile.by_hand import to_be_copied
from itopsync.reconcile.markers import prefix, ticket_marker
from itopsync.reconcile.rebuilding import Rebuilt, rebuilt, without_copy, youngest_of
from itopsync.reconcile.rules import ClassRules, Kind, Rules
from itopsync.reconcile.ticket_markers import read_ticket_markers

_AT_ONCE = 200
_ALL = 1_000_000


@dataclass(frozen=True)
class Unreadable:
    """A ticket that its server fails to show; no link can be made without it."""

    ref: Ref
    reason: str


@dataclass(frozen=True)
class WithoutCopy:
    """An external ticket in scope that has no copy though a younger one does; perhaps a person deleted the copy."""

    external: Ref
    number: str


@dataclass(frozen=True)
class UnknownAccount:
    """An unknown account that wrote markers of copies. Anybody can paste a marker, so only a person can say if it was ours."""

    id: str
    tickets: tuple[Ref, ...]
    """Internal tickets that bear such a marker."""


@dataclass(frozen=True)
class AnotherBearer:
    """An internal ticket that bears the mark of an external one as the copy does: a second copy or a clone of it."""

    ref: Ref
    number: str
    external: Ref


Found = Rebuilt | Unreadable | WithoutCopy | UnknownAccount | AnotherBearer


def rebuild(
    inspector: Inspector, *, create_missing: bool = False, ours: Collection[str] = (), people: Collection[str] = ()
) -> Iterator[Found]:
    """Find every copy in internal by its marker, and make the links that the store does not know. Write to neither server.

    A deletion leaves no trace in iTop. So tickets and files that have no copy though younger ones do are parked, unless
    *create_missing*: then later cycles copy them, along with those that an earlier call parked.

    Markers count only if our own accounts wrote them: the present one, or former ones, which *ours* names by their ids on
    internal. If other accounts wrote such markers, and they are not among *people*, they are reported, and nothing more is done.

    A rebuild that is interrupted can be run again for the rest; no cycle runs on the store until one has completed.

    :raises StoreError: the store is another pair's
    """
    pair = inspector.pair
    store = pair.store
    refuse_other_servers(store, pair.servers, pair.rules, claim(store, pair.rules))
    refuse_copies_on_external(pair.servers[Side.EXTERNAL], pair.rules)
    store.facts.put(REBUILDING, BEGUN)
    pair.learn_accounts()
    bearers = {cls.external: _bearers(pair, cls) for cls in pair.rules.classes}
    _remember_accounts(pair, {Side.INTERNAL: ours})
    unknown = list(_unknown_accounts(pair, bearers.values(), people))
    if unknown:
        yield from unknown
        return
    youngest = dict.fromkeys(Side, 0) if create_missing else youngest_of(_copied_files(pair), pair.rules.pair)
    unread: set[Ref] = set()
    last = 0
    for cls in pair.rules.classes:
        copies, others = _copies(pair.rules, cls, bearers[cls.external].tickets)
        last = max([last, *(external.id for external, _ in copies)])
        yield from bearers[cls.external].unreadable
        for start in range(0, len(copies), _AT_ONCE):
            some = [each for each in copies[start : start + _AT_ONCE] if pair.store.links.of(each[0]) is None]
            yield from (other for external, _ in some for other in others[external])
            for found in _make_links(inspector, some, youngest):
                unread |= {found.ref} if isinstance(found, Unreadable) else set()
                yield found
    if create_missing:
        for link in store.links.troubled(_ALL):
            store.links.amend(link.id, lambda known: to_be_copied(known, pair.clock()), pair.clock())
    else:
        yield from _park(pair, _without_copy(pair, bearers, last), unread)
    store.facts.put(REBUILDING, DONE)


def _unknown_accounts(pair: Pair, bearers: Iterable[_Bearers], people: Collection[str]) -> Iterator[UnknownAccount]:
    """The unknown accounts that alone wrote some ticket's marker. None if we do not know our own account."""
    known = pair.rules.internal.accounts
    if not known:
        return
    makers = [each.makers for each in bearers]
    for account in sorted(agreed_upon(made for each in makers for made in each.values()) - known - set(people)):
        tickets = {ticket for each in makers for made in each.values() for ticket, writer in made.items() if writer == account}
        yield UnknownAccount(account, tuple(sorted(tickets)))


def _make_links(inspector: Inspector, copies: Iterable[tuple[Ref, Ref]], youngest: Mapping[Side, int]) -> Iterator[Found]:
    """Make the links of a few tickets and their copies, none of which the store knows."""
    pair = inspector.pair
    lost = [Link(UNSAVED, external, copy, LinkStatus.LINKED) for external, copy in copies]
    planned = inspector.plan(lost)
    _remember_accounts(pair, writers(((each.plan.link, each.seen) for each in planned), pair.rules))
    told = [_rebuilt(pair, each, youngest) for each in planned]
    made = [each for each in told if isinstance(each, Rebuilt)]
    made = [each for each in made if each.link.status is LinkStatus.TOMBSTONE or not _is_linked(pair, each.link.internal)]
    pair.store.links.add([each.link for each in made], pair.clock())
    yield from made
    yield from (each for each in told if isinstance(each, Unreadable))


def _copied_files(pair: Pair) -> Mapping[Side, tuple[Attachment, ...]]:
    ours = f"temp_id LIKE '{prefix(pair.rules.pair)}a-%'"
    return {side: server.attachments_where(ours) for side, server in pair.servers.items()}


def _without_copy(pair: Pair, bearers: Mapping[str, _Bearers], last: int) -> Iterator[list[Sighting]]:
    """The external tickets in scope below the id *last* that the store does not know and that have no copy, range by range."""
    external, internal, rules = pair.servers[Side.EXTERNAL], pair.servers[Side.INTERNAL], pair.rules
    for cls in rules.classes:
        hidden, logs = bearers[cls.external].unreadable, bearers[cls.external].logs
        for piece in in_scope(external, rules, cls):
            older = [sighting for sighting in piece.found if sighting.ref.id < last]
            unknown = pair.store.polls.compare(Side.EXTERNAL, older, ignored=False).unknown
            if hidden:  # a copy that cannot be read is a copy nevertheless
                marks = ((each, ticket_marker(rules.pair, each.ref)) for each in unknown)
                unknown = tuple(
                    each for each, mark in marks if not any(internal.sightings(name, _marked(logs[name], mark)) for name in logs)
                )
            yield list(unknown)


def _park(pair: Pair, pieces: Iterable[list[Sighting]], unread: Collection[Ref]) -> Iterator[WithoutCopy]:
    for piece in pieces:
        lonely = [sighting for sighting in piece if sighting.ref not in unread]
        pair.store.links.add([without_copy(sighting) for sighting in lonely], pair.clock())
        yield from (WithoutCopy(sighting.ref, sighting.number) for sighting in lonely)


def _rebuilt(pair: Pair, planned: Planned, youngest: Mapping[Side, int]) -> Rebuilt | Unreadable:
    plan = planned.plan
    if plan.unread is not None:
        return Unreadable(plan.link.external, str(plan.unread))
    try:
        return rebuilt(plan, planned.seen, pair.rules, youngest, pair.clock())
    except Exception as error:
        return Unreadable(plan.link.external, str(report_fault(error, plan.link)))


def _is_linked(pair: Pair, copy: Ref | None) -> bool:
    known = pair.store.links.of(copy) if copy is not None else None
    return known is not None and known.status is not LinkStatus.TOMBSTONE


@dataclass(frozen=True)
class _Bearers:
    """The internal tickets that bear a marker of this pair for tickets of one external class."""

    logs: Mapping[str, Sequence[str]]
    """Class to be searched → its logs to be searched."""
    tickets: list[Ticket]
    """In the order of class and id, with only the marked entries of their logs."""
    makers: Makers
    unreadable: list[Unreadable]


def _bearers(pair: Pair, cls: ClassRules) -> _Bearers:
    """Find the bearers for one class in every internal class that may hold copies: the configured one may have changed."""
    rules, internal, mark = pair.rules, pair.servers[Side.INTERNAL], f"{prefix(pair.rules.pair)}t-{cls.external}."
    anywhere, hidden = internal.readable_sightings("Ticket", f"this.private_log LIKE '%{mark}%'")
    remember_classes(pair.store, cls, {sighting.ref.cls for sighting in anywhere})
    logs = {name: logs_of(pair, name, cls) for name in classes_of_copies(pair.store, cls)}
    shown: list[Ticket] = []
    unreadable: list[Unreadable] = []
    for name, those in logs.items():
        sightings, failed = internal.readable_sightings(name, _marked(those, mark))
        numbers = [*(sighting.ref.id for sighting in sightings), *failed]
        asked = Attributes(fields={VERSION_TIME: Kind.DATE}, logs=tuple(those))
        tickets, failures = internal.readable_tickets(name, numbers, asked)
        shown += [ticket for _, ticket in sorted(tickets.items())]
        unnamed = {number: why for number, why in failed.items() if number == NO_ID}
        unread = sorted({**failures, **unnamed}.items())
        unreadable += [Unreadable(Ref(Side.INTERNAL, name, number), str(why)) for number, why in unread]
        hidden = {number: why for number, why in hidden.items() if number not in numbers}
    unreadable += [Unreadable(Ref(Side.INTERNAL, "Ticket", number), str(why)) for number, why in sorted(hidden.items())]
    marked = [bare(ticket, logs[ticket.ref.cls], rules.pair) for ticket in shown]
    remember_logs(pair.store, cls, {log for ticket in marked for log, entries in ticket.logs.items() if entries})
    return _Bearers(logs, marked, makers(shown, cls.internal_logs, rules.pair), unreadable)


def _marked(logs: Iterable[str], marker: str) -> str:
    """The OQL condition for internal tickets with a marker that begins with *marker* in any of *logs*."""
    return " OR ".join(f"this.{log} LIKE '%{marker}%'" for log in logs)


def _copies(
    rules: Rules, cls: ClassRules, tickets: Iterable[Ticket]
) -> tuple[list[tuple[Ref, Ref]], Mapping[Ref, list[AnotherBearer]]]:
    """The external tickets of a class with their copies, and the other tickets that bear the same markers.

    If several tickets bear the same marker, the copy is the one that a person linked last. If no person linked any, it is one
    that a person unlinked, since no copy is made after that. If there is none either, it is the first, even if it was linked
    with another one since: then the rest are its clones, and if one of these was, that says nothing of the copy.
    """
    bearers: dict[Ref, dict[Ref, tuple[bool, float]]] = {}
    others: dict[Ref, list[AnotherBearer]] = {}
    for ticket in tickets:
        marks = read_ticket_markers(ticket, cls.internal_logs, rules.pair, rules.internal.accounts)
        for external in (each for each in marks.standing | marks.former if each.cls == cls.external):
            stands = external in marks.standing
            linked = marks.by_hand.get(external) if stands else None
            decided = linked is not None or external in marks.unlinked
            bearers.setdefault(external, {})[ticket.ref] = decided, linked.timestamp() if linked else 0.0
            others.setdefault(external, []).extend([AnotherBearer(ticket.ref, ticket.number, external)] if stands else [])
    copies = sorted((external, max(those, key=lambda ref: those[ref])) for external, those in bearers.items())
    return copies, {external: [each for each in others[external] if each.ref != copy] for external, copy in copies}


def _remember_accounts(pair: Pair, accounts: Mapping[Side, Collection[str]]) -> None:
    """Treat accounts that wrote our markers as former accounts of itopsync."""
    new = {side: set(found) - pair.rules.of(side).accounts for side, found in accounts.items()}
    for side, found in new.items():
        if found:
            state = pair.store.polls.side(side)
            pair.store.polls.put_side(replace(state, former_accounts=state.former_accounts | found))
    if any(new.values()):
        pair.learn_accounts()
