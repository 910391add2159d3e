"""Decides which external tickets are to be copied, and drops those that are waiting but left the scope when it was changed.

Scope affects only creation: a ticket that waits for its copy must be in scope when the copy is made. This is checked only if the
scope was changed after the ticket was seen: with the condition ``status = 'new'``, for example, a ticket is copied even if
somebody has taken it up meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import structlog

from itopsync.engine.pair import Pair
from itopsync.itop.piecewise import NO_ID
from itopsync.itop.reader import by_ranges
from itopsync.itop.server import Server
from itopsync.model import Ref, Side, Sighting
from itopsync.reconcile.markers import digest
from itopsync.reconcile.rules import ClassRules, Rules, not_kept
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

_SCOPE = "scope"
"""The fact that holds a digest of each class's scope as of the last cycle."""


class InScope(NamedTuple):
    """External tickets to be copied."""

    found: tuple[Sighting, ...]
    hidden: frozenset[Ref]
    """Those that the server fails to show."""


def in_scope(server: Server, rules: Rules, cls: ClassRules) -> Iterator[InScope]:
    """The external tickets of one class to be copied, range by range. Those without a usable id are logged."""
    if not rules.new_tickets:
        return iter(())

    def read(condition: str) -> tuple[int, InScope]:
        found, failed = server.readable_sightings(cls.external, condition)
        if NO_ID in failed:
            log.warning("unusable id", side=Side.EXTERNAL)
        hidden = frozenset(Ref(Side.EXTERNAL, cls.external, number) for number in failed if number != NO_ID)
        return len(found), InScope(found, hidden)

    return by_ranges(server, cls.external, f"({scope_of(rules, cls)})", read)


def all_in_scope(server: Server, rules: Rules, cls: ClassRules) -> list[Sighting]:
    """The external tickets of one class to be copied that the server shows."""
    return [sighting for piece in in_scope(server, rules, cls) for sighting in piece.found]


def scope_of(rules: Rules, cls: ClassRules) -> str:
    """The OQL condition that an external ticket of one class, called ``this``, must meet to be copied."""
    return f"{since_of(rules, cls)} AND ({cls.scope})" if cls.scope else since_of(rules, cls)


def since_of(rules: Rules, cls: ClassRules) -> str:
    """The part of :func:`scope_of` that leaves old tickets alone."""
    return f"this.{cls.since_attribute} >= '{since(rules):%Y-%m-%d %H:%M:%S}'"


def since(rules: Rules) -> datetime:
    """``scope.since`` in external's local time."""
    return datetime.fromisoformat(rules.since).astimezone(rules.external.timezone)


def in_scope_among(server: Server, rules: Rules, unknown: Iterable[Sighting]) -> Iterable[Sighting]:
    """The *unknown* tickets that are to be copied."""
    by_class: dict[str, list[int]] = {}
    for sighting in unknown:
        by_class.setdefault(sighting.ref.cls, []).append(sighting.ref.id)
    if rules.new_tickets:
        for name, ids in by_class.items():
            yield from server.sightings(name, scope_of(rules, rules.for_external(name)), sorted(ids))


def heed(pair: Pair, now: datetime) -> None:
    """Drop the links that wait for a copy and are now out of scope; a sweep finds their tickets if they come back into scope.

    The links of a class that is configured again become due.

    :raises RemoteError: external cannot be asked
    """
    store, before, scopes = pair.store, _before(pair.store), _scopes(pair.rules)
    if before == scopes:
        return
    behind = left_behind(pair)
    with store.transaction():
        store.links.drop(behind)
        for name in scopes.keys() - before.keys() if before else ():
            store.links.mark_class_due(name, now)
        store.facts.put(_SCOPE, json.dumps(scopes))
    if behind:
        log.info("out of scope", links=len(behind))


def left_behind(pair: Pair) -> frozenset[int]:
    """The links that wait for a copy and are out of scope now, if the scope was changed since the last cycle.

    If it was not, nothing is asked. A ticket that the server fails to show counts as in scope.

    :raises RemoteError: external cannot be asked
    """
    before, scopes, found = _before(pair.store), _scopes(pair.rules), set[int]()
    for cls in pair.rules.classes if pair.rules.new_tickets else ():
        if before.get(cls.external) == scopes[cls.external]:
            continue
        waiting = pair.store.links.without_copy(cls.external)
        if waiting:
            meet, hidden = pair.servers[Side.EXTERNAL].readable_sightings(
                cls.external, scope_of(pair.rules, cls), sorted(waiting)
            )
            within = {sighting.ref.id for sighting in meet} | hidden.keys()
            found |= {link for ticket, link in waiting.items() if ticket not in within}
    return frozenset(found)


def why_not(server: Server, rules: Rules, ref: Ref) -> str | None:
    """Why an external ticket without a copy gets none; None if it is in scope.

    :raises RemoteError: external cannot be asked
    """
    cls = next((each for each in rules.classes if each.external == ref.cls), None)
    if cls is None:
        return not_kept(ref.cls)
    if not rules.new_tickets:
        return "no new tickets are taken up (rules.new_tickets)"
    if not server.sightings(ref.cls, since_of(rules, cls), [ref.id]):
        return f"it is older than scope.since ({since(rules):%Y-%m-%d %H:%M} there, compared with {cls.since_attribute})"
    if cls.scope and not server.sightings(ref.cls, cls.scope, [ref.id]):
        return f"it does not meet scope.condition or classes.{ref.cls}.scope"
    return None


def _before(store: Store) -> Mapping[str, str]:
    known: Mapping[str, str] = json.loads(store.facts.get(_SCOPE) or "{}")
    return known


def _scopes(rules: Rules) -> Mapping[str, str]:
    return {cls.external: digest(scope_of(rules, cls)) for cls in rules.classes}
