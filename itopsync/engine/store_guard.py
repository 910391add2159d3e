"""Checks that the store belongs to this pair and is complete; with any other, tickets would be duplicated or mixed up."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from itopsync.errors import AccessRefused, BadQuery, StoreError
from itopsync.itop.attributes import Attributes
from itopsync.model import Link, Observation, Ref, Side, Ticket
from itopsync.reconcile.identity import is_as_known
from itopsync.reconcile.markers import prefix
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.reconcile.ticket_markers import read_ticket_markers
from itopsync.settings.addresses import identity

if TYPE_CHECKING:
    from itopsync.itop.server import Server
    from itopsync.store.store import Store

PAIR, REBUILDING, BEGUN, DONE = "pair", "rebuilding", "begun", "done"
"""The store's facts about its pair and its rebuilding."""
_TAGS = "keep_internal"
"""The fact that holds each prefix that keeps or once kept notes in internal, and until when it applies."""
_ADDRESSES = "addresses"
"""The fact that holds internal's present and former addresses."""
_SIDES = "sides"
"""The fact that holds where each side was when the pair last ran."""
_SAMPLE = 20
"""How many tickets are looked at to see which server it is."""
_ENOUGH = 5
"""One in so many of them must be there as it was known."""
_NAMED = 5
"""How many of them a message names."""
_CLOCKS = timedelta(hours=26)
"""How far ahead of our clock a note may be dated if the timezone configured for its server is wrong."""


def refuse_wrong(store: Store, servers: Mapping[Side, Server], rules: Rules) -> None:
    """Check that the store is this pair's own, and complete, before it is used.

    :raises StoreError: it is not
    """
    refuse_other_pair(store, rules)
    refuse_other_servers(store, servers, rules, _moved(store.facts.get(_SIDES), rules))
    refuse_incomplete(store, servers, rules)


def refuse_other_pair(store: Store, rules: Rules) -> None:
    """Check that the store belongs to no other pair, as every command does before using a store.

    :raises StoreError: it is another pair's
    """
    refuse_other_name(store.address.name, store.facts.get(PAIR), rules)


def refuse_other_name(store: str, known: str | None, rules: Rules) -> None:
    """Check that a store belongs to no other pair. *store*: its name in messages; *known*: the name of its pair.

    :raises StoreError: it is another pair's
    """
    if known is not None and known != rules.pair:
        raise StoreError(
            f"{store}: this store is of pair '{known}', and the configuration's pair is '{rules.pair}'. Put '{known}' back, "
            "or, if this is another pair's store, the right one into store.url: under another name, with a new store, every "
            "ticket would be copied once more."
        )


def claim(store: Store, rules: Rules) -> frozenset[Side]:
    """Record in the store which pair it belongs to, the prefixes that keep notes internal, and internal's addresses.

    Returns the sides whose address has changed since :func:`recognise` recorded it: they may be other servers.

    :raises StoreError: it is another pair's, or the log in which copies bear their markers is no longer paired, so that no copy
        would be found again
    """
    known = store.facts.several(
        (PAIR, _TAGS, _ADDRESSES, _SIDES, *(name(cls) for cls in rules.classes for name in (_logs_fact, _classes_fact)))
    )
    refuse_other_name(store.address.name, known.get(PAIR), rules)
    if _SIDES not in known:
        store.facts.put(_SIDES, json.dumps(_where(rules)))
    if PAIR not in known:
        store.facts.put(PAIR, rules.pair)
    if known.get(_TAGS) != (tags := _tags_fact(rules)):
        store.facts.put(_TAGS, tags)
    moved = _moved(known.get(_SIDES), rules)
    if Side.INTERNAL not in moved and known.get(_ADDRESSES) != (addresses := json.dumps(sorted(rules.internal.addresses))):
        store.facts.put(_ADDRESSES, addresses)
    for cls in rules.classes:
        used = _names(known.get(_logs_fact(cls)))
        if used and not used & set(cls.internal_logs):
            raise _not_paired(store, cls, used)
        if cls.internal_logs[0] not in used:
            remember_logs(store, cls, cls.internal_logs[:1])
        if cls.internal not in _names(known.get(_classes_fact(cls))):
            remember_classes(store, cls, (cls.internal,))
    return moved


def recognise(store: Store, servers: Mapping[Side, Server], rules: Rules, sides: Collection[Side]) -> None:
    """Check that *sides*, whose addresses have changed, are the servers that they were, and record their addresses.

    :raises StoreError: one is another server
    :raises RemoteError: one cannot be asked
    """
    refuse_other_servers(store, servers, rules, sides)
    known = json.loads(store.facts.get(_SIDES) or "{}")
    store.facts.put(_SIDES, json.dumps(known | {side: where for side, where in _where(rules).items() if side in sides}))


def refuse_other_servers(store: Store, servers: Mapping[Side, Server], rules: Rules, sides: Collection[Side]) -> None:
    """Check that *sides* are the servers that they were: that some of the linked tickets are there as they were known.

    Otherwise one server's tickets would be kept in step with another's, also where both are exchanged. The first and the last
    links are looked at, as a restored server lacks the last ones. A few may look alike by chance.

    :raises StoreError: one is another server
    :raises RemoteError: one cannot be asked
    """
    links = store.links.first_and_last(_SAMPLE) if sides else ()
    kept = [link for link in links if link.external.cls in rules.kept]
    for side in filter(sides.__contains__, Side):
        tickets, unreadable = _read(servers[side], rules, kept)
        judged: dict[Ref, bool] = {}
        for link in kept:
            ref = link.ref(side)
            if ref is None or ref in unreadable:
                continue
            known = is_as_known(link, Observation(None, None).with_(side, tickets.get(ref)), side, rules)
            if known is not None:
                judged[ref] = known
        if sum(judged.values()) * _ENOUGH < len(judged):
            named = ", ".join([str(ref) for ref, known in judged.items() if not known][:_NAMED])
            raise StoreError(
                f"{side}.url leads to another server: of {len(judged)} linked tickets, {sum(judged.values())} are there as "
                f"they were known (not {named}). Put the former address back; nothing was written. If it is the right one, "
                "and they are gone for good, unlink each of them."
            )
    if Side.EXTERNAL in sides:
        refuse_copies_on_external(servers[Side.EXTERNAL], rules)


def _read(server: Server, rules: Rules, links: Iterable[Link]) -> tuple[dict[Ref, Ticket], set[Ref]]:
    """The linked tickets of one side, and those that it fails to show."""
    wanted: dict[tuple[str, str], list[int]] = {}
    for link in links:
        if (ref := link.ref(server.side)) is not None:
            wanted.setdefault((link.external.cls, ref.cls), []).append(ref.id)
    tickets: dict[Ref, Ticket] = {}
    unreadable: set[Ref] = set()
    for (external, name), ids in wanted.items():
        found, failed = server.readable_tickets(name, ids, Attributes.of(rules.for_external(external), server.side))
        tickets |= {ticket.ref: ticket for ticket in found.values()}
        unreadable |= {Ref(server.side, name, number) for number in failed}
    return tickets, unreadable


def _moved(known: str | None, rules: Rules) -> frozenset[Side]:
    """The sides that are not where they were."""
    if known is None:
        return frozenset()
    were, are = json.loads(known), _where(rules)
    return frozenset(side for side in Side if identity(were[side]) != identity(are[side]))


def _where(rules: Rules) -> dict[str, str]:
    return {side: rules.of(side).url for side in Side}


def with_what_was(rules: Rules, store: Store, now: datetime) -> Rules:
    """*rules*, with the prefixes and addresses of earlier configurations: what was kept internal then stays there.

    These are the prefixes removed from ``keep_internal``, and internal's former addresses, except any that are external's now.
    A store that knows tickets but no prefix is assumed to have had the default ones.
    """
    facts = store.facts.several((_TAGS, _ADDRESSES))
    here = rules.internal.addresses
    others = {identity(address) for address in rules.external.addresses}
    were = (address for address in json.loads(facts.get(_ADDRESSES, "[]")) if address not in here)
    former_addresses = tuple(address for address in were if identity(address) not in others)
    fact = facts.get(_TAGS)
    before = () if fact is None and knows_nothing(store) else Rules.keep_internal
    known: Mapping[str, str | None] = dict.fromkeys(before) if fact is None else json.loads(fact)
    former = {tag: now + _CLOCKS if until is None else datetime.fromisoformat(until) for tag, until in known.items()}
    return replace(
        rules,
        internal=replace(rules.internal, former_addresses=former_addresses),
        kept_before=tuple((tag, former[tag]) for tag in sorted(former) if tag not in rules.keep_internal),
    )


def _tags_fact(rules: Rules) -> str:
    former = {tag: until.isoformat() for tag, until in rules.kept_before}
    return json.dumps(dict.fromkeys(rules.keep_internal) | former)


def remember_logs(store: Store, cls: ClassRules, names: Iterable[str]) -> None:
    """Record that copies of an external class have, or may get, their markers in these logs."""
    used = _names(store.facts.get(_logs_fact(cls)))
    if not used.issuperset(names):
        store.facts.put(_logs_fact(cls), ",".join(sorted(used.union(names))))


def classes_of_copies(store: Store, *classes: ClassRules) -> tuple[str, ...]:
    """The internal classes that may hold copies of external *classes*: each configured one, followed by former ones."""
    known = store.facts.several(map(_classes_fact, classes))
    return tuple(
        dict.fromkeys(name for cls in classes for name in (cls.internal, *sorted(_names(known.get(_classes_fact(cls))))))
    )


def remember_classes(store: Store, cls: ClassRules, names: Iterable[str]) -> None:
    """Record that these internal classes hold, or may get, copies of an external class."""
    used = _names(store.facts.get(_classes_fact(cls)))
    if not used.issuperset(names):
        store.facts.put(_classes_fact(cls), ",".join(sorted(used.union(names))))


def knows_nothing(store: Store) -> bool:
    """Whether the store has never seen a ticket."""
    if store.polls.side(Side.EXTERNAL).cursor is not None:
        return False
    return not any(store.links.counts().values())


def refuse_copies_on_external(external: Server, rules: Rules) -> None:
    """Check that external has no copies of this pair: it would be internal.

    Only markers at the head of our own entries count, as people may quote one anywhere.

    :raises StoreError: it has
    :raises RemoteError: external cannot be asked
    """
    for cls in rules.classes:
        logs = tuple(log.external for log in cls.logs)
        marked = _bearing_markers(cls.external, logs, rules.pair)
        if not external.count(cls.external, marked):
            continue
        numbers = [row.id for row in external.get(cls.external, marked, ("id",), limit=_SAMPLE).rows]
        tickets = external.tickets(cls.external, numbers, Attributes(fields={}, logs=logs)).values()
        if any(read_ticket_markers(ticket, logs, rules.pair, _our_account(external)).standing for ticket in tickets):
            raise StoreError(
                f"external holds copies of pair {rules.pair} as {cls.external}, as only internal does: external.url and "
                "internal.url are exchanged. Put each back in sync.toml; nothing was written."
            )


def refuse_incomplete(store: Store, servers: Mapping[Side, Server], rules: Rules) -> None:
    """Check that neither side has copies of this pair if the store knows none, that no rebuild was broken off, and that every log
    in which copies bear their markers is paired.

    :raises StoreError: otherwise: with this store, tickets would get second copies, or changes on a copy would be lost, or copies
        would be taken for other tickets
    :raises RemoteError: a side cannot be asked
    """
    internal = servers[Side.INTERNAL]
    rebuilding = store.facts.get(REBUILDING)
    if rebuilding == BEGUN:
        raise StoreError(f"{store.address.name}: its rebuilding was broken off. Run `itopsync rebuild` again.")
    known = store.facts.several(map(_logs_fact, rules.classes))
    for cls in rules.classes:
        gone = _names(known.get(_logs_fact(cls))).difference(cls.internal_logs)
        if gone:
            _refuse_unpaired(store, internal, rules.pair, cls, gone)
    if rebuilding == DONE or not knows_nothing(store):
        return
    places = [(cls.internal, cls.internal_logs) for cls in rules.classes]
    for name, logs in (*places, ("Ticket", ("private_log",))):  # another class may have been configured before
        count = internal.count(name, _bearing_markers(name, logs, rules.pair))
        if count:
            raise StoreError(
                f"internal holds {count} copies of pair {rules.pair} as {name}, and this store knows of none. If "
                "it was lost, run `itopsync rebuild`; else see store.url."
            )
    refuse_copies_on_external(servers[Side.EXTERNAL], rules)


def _bearing_markers(name: str, logs: Iterable[str], pair: str) -> str:
    """The query for tickets of a class that bear a copy's marker somewhere."""
    marked = " OR ".join(f"{log} LIKE '%{prefix(pair)}t-%'" for log in logs)
    return f"SELECT {name} WHERE {marked}"


def _our_account(server: Server) -> tuple[str, ...]:
    """Our account on a server; empty if the server does not tell."""
    try:
        return (server.account(),)
    except (BadQuery, AccessRefused):
        return ()


def _refuse_unpaired(store: Store, internal: Server, pair: str, cls: ClassRules, gone: frozenset[str]) -> None:
    """Check that no copy bears its marker in logs that are no longer paired; forget the logs in which certainly none does."""
    counts = {log: [_bearing(internal, name, log, pair, cls) for name in classes_of_copies(store, cls)] for log in gone}
    bearing = {log for log, found in counts.items() if any(found)}
    if bearing:
        raise _not_paired(store, cls, bearing)
    bare = {log for log, found in counts.items() if None not in found}
    if bare:
        store.facts.put(_logs_fact(cls), ",".join(sorted(_names(store.facts.get(_logs_fact(cls))) - bare)))


def _bearing(internal: Server, name: str, log: str, pair: str, cls: ClassRules) -> int | None:
    """How many tickets of the internal class *name* bear a copy's marker in *log*; None if that class may lack the log."""
    try:
        return internal.count(name, f"SELECT {name} WHERE {log} LIKE '%{prefix(pair)}t-{cls.external}.%'")
    except BadQuery:
        return None


def _not_paired(store: Store, cls: ClassRules, logs: Iterable[str]) -> StoreError:
    return StoreError(
        f"{store.address.name}: copies of {cls.external} bear their markers in {' and '.join(sorted(logs))}, which is no "
        "longer paired. Put it back into [[logs]], at whatever place."
    )


def _names(fact: str | None) -> frozenset[str]:
    return frozenset(filter(None, (fact or "").split(",")))


def _logs_fact(cls: ClassRules) -> str:
    """The fact that holds the internal logs with copies' markers, as far as is known."""
    return f"logs:{cls.external}"


def _classes_fact(cls: ClassRules) -> str:
    return f"internal:{cls.external}"
