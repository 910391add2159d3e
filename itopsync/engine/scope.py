"""Applies the configured scope to what has been waiting for its copy since the scope was another one.

Scope decides about creation only: a ticket that waits for its copy must be in scope when that is made. This is checked only if
the scope was changed since the ticket was seen: with the condition ``status = 'new'``, say, a ticket is copied even if
somebody has taken it up meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

import structlog

from itopsync.engine.pair import Pair
from itopsync.engine.poll import scope_of, since, since_of
from itopsync.itop.server import Server
from itopsync.model import Ref, Side
from itopsync.reconcile.markers import digest
from itopsync.reconcile.rules import Rules, not_kept
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

_SCOPE = "scope"
"""The fact that holds a digest of each class's scope as of the last cycle."""


def heed(pair: Pair, now: datetime) -> None:
    """Drop what waits for a copy and is now out of scope; it returns once in scope. Look at a class that is back.

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
    """The links that wait for a copy and no longer meet the scope, if it was changed since the last cycle.

    Nothing is asked if it was not. A ticket that the server fails to show stays.

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
