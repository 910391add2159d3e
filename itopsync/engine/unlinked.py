"""Why a ticket has no link: what an operator asks when one does not arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from itopsync.engine.belonging import refuse_wrong
from itopsync.engine.linking import REF
from itopsync.engine.poll import since, since_of
from itopsync.itop import oql
from itopsync.itop.server import Server
from itopsync.model import Ref, Side, Sighting
from itopsync.reconcile.rules import Rules
from itopsync.store.store import Store


@dataclass(frozen=True)
class Unlinked:
    """A ticket without a link."""

    ref: Ref
    number: str
    why: str


def unlinked(servers: Mapping[Side, Server], store: Store, rules: Rules, text: str) -> tuple[Unlinked, ...]:
    """The tickets without a link that are there, of any class, and that *text* may mean, each with the reason.

    *text* is a number (``R-000017``) or a ref (``external:UserRequest:17``, or without the side).

    :raises StoreError: the store is not the one that the pair had: none of its tickets has a link there
    """
    found = tuple(
        Unlinked(one.ref, one.number, _why(server, rules, one))
        for side, server in servers.items()
        for one in _seen(side, server, text.strip())
        if store.links.of(one.ref) is None
    )
    if found:
        refuse_wrong(store, servers[Side.INTERNAL], rules)
    return found


def _seen(side: Side, server: Server, typed: str) -> Iterator[Sighting]:
    if typed.isdigit():  # a link's number
        return
    found = REF.fullmatch(typed)
    if found is None:
        yield from server.sightings("Ticket", f"this.ref = {oql.literal(typed.upper())}")
    elif found[1] in {None, side}:
        yield from (one for one in server.sightings("Ticket", "", [int(found[3])]) if one.ref.cls == found[2])


def _why(server: Server, rules: Rules, seen: Sighting) -> str:
    ref = seen.ref
    if ref.side is Side.INTERNAL:
        return "it is internal's own, no copy: such tickets are never carried"
    cls = next((one for one in rules.classes if one.external == ref.cls), None)
    if cls is None:
        return f"its class is not kept in step: there is no [classes.{ref.cls}] in sync.toml"
    if not rules.new_tickets:
        return "no new tickets are taken up (rules.new_tickets)"
    if not server.sightings(ref.cls, since_of(rules, cls), [ref.id]):
        return f"it is older than scope.since ({since(rules):%Y-%m-%d %H:%M} there, compared with {cls.since_attribute})"
    if cls.scope and not server.sightings(ref.cls, cls.scope, [ref.id]):
        return f"it does not meet scope.condition or classes.{ref.cls}.scope"
    return (
        "it is in scope, and the next cycle takes it up; one that came into scope later waits for the next sweep: "
        "`itopsync run-once --sweep`"
    )
