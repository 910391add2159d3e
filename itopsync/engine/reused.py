"""Handles ids of ended links that show a ticket again: the same one, as after a restored backup, or a new one that got the same
id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import VERSION_TIME, Link, LinkStatus, Ref, Side, Sighting, Ticket
from itopsync.reconcile.ends import bereft_of_copy, seen_again
from itopsync.reconcile.identity import TITLE, bereft, given_again, was_never_copied
from itopsync.reconcile.rules import ClassRules, Kind, Rules
from itopsync.store.records import Ended
from itopsync.store.store import Store

log = structlog.get_logger(__name__)


Change = Callable[[Link], Link]


@dataclass(frozen=True)
class Reused:
    """What a look at the tickets of ended links showed."""

    versions: Mapping[int, str]
    """Link → the version at which its ticket was looked at."""
    changed: Mapping[int, Change]
    """Link → a function that parks it, because its ticket is back or its id was reused."""
    forgotten: Mapping[int, Sighting]
    """Link → its ticket, if that was never copied; it is treated like a ticket that was never seen."""


def find_reused(server: Server, store: Store, rules: Rules, ended: Mapping[int, Ended]) -> Reused:
    """Look at the tickets of one side that changed after their links had ended; write nothing.

    :raises SideUnavailable: the side cannot be asked
    """
    links = store.links.get(ended)
    versions: dict[int, str] = {}
    changed: dict[int, Change] = {}
    forgotten: dict[int, Sighting] = {}
    for cls in rules.classes:
        theirs = {ended[link.id].sighting.ref: link for link in links if link.external.cls == cls.external}
        shown, failed = _read(server, cls, theirs)
        for ref, link in theirs.items():
            ticket, known = shown.get(ref), ended[link.id]
            if ticket is not None and ref == link.external and was_never_copied(link, ticket, was_gone=known.was_gone):
                forgotten[link.id] = known.sighting
                continue
            if ticket is not None:
                again = partial(_again, ticket, cls, rules, _other_holder(store, link))
                if again(link) is not link:
                    changed[link.id] = again
            if ticket is not None or (ref in failed and not known.was_gone):
                versions[link.id] = known.sighting.version
    return Reused(versions, changed, forgotten)


def _read(server: Server, cls: ClassRules, refs: Iterable[Ref]) -> tuple[Mapping[Ref, Ticket], Collection[Ref]]:
    """Read what tells whether these are the tickets that were linked; also return those that cannot be read."""
    side = server.side
    wanted = side.pick(
        Attributes(fields={cls.since_attribute: Kind.DATE, VERSION_TIME: Kind.DATE, TITLE: Kind.TEXT}),
        Attributes(fields={}, logs=cls.internal_logs),
    )
    shown: dict[Ref, Ticket] = {}
    failed: set[Ref] = set()
    for name in {ref.cls for ref in refs if ref.cls == cls.of(side)}:
        found, unreadable = server.readable_tickets(name, [ref.id for ref in refs if ref.cls == name], wanted)
        shown |= {ticket.ref: ticket for ticket in found.values()}
        failed |= {Ref(side, name, number) for number in unreadable}
    return shown, failed


def _again(ticket: Ticket, cls: ClassRules, rules: Rules, holder: Link | None, link: Link) -> Link:
    """The ended *link*, parked if *ticket*, seen under one of its ids, calls for that; otherwise unchanged.

    *holder* is the other link to which the copy's id now belongs, if there is one.
    """
    if link.status is not LinkStatus.TOMBSTONE:  # an operator has taken it up meanwhile
        return link
    if ticket.ref.side is Side.EXTERNAL and (another := given_again(link, ticket, cls)) is not None:
        return another
    again = seen_again(link, ticket, cls, rules)
    if again is None or holder is None:
        return again or link
    return bereft_of_copy(again, holder) if ticket.ref.side is Side.EXTERNAL else link


def take_up(store: Store, reused: Reused, now: datetime) -> None:
    """Apply these changes in the store, each to the link as stored, since handling the other side may have changed it."""
    for number, again in reused.changed.items():
        link = store.links.amend(number, again, now)
        if link is not None:
            for obstacle in link.obstacles:
                log.warning("parked", link=number, ticket=str(link.external), item=obstacle.key.kind, reason=obstacle.reason)
    store.tombstones.forget(reused.forgotten)


def take_copy(store: Store, link: Link, loaded: Link, now: datetime) -> bool:
    """If *link* has got its copy since it was *loaded*, take the copy from any other link that still names it, and park that.

    False: the other link is being written.
    """
    holder = None if link.internal == loaded.internal else _other_holder(store, link)
    return holder is None or store.links.amend(holder.id, lambda known: bereft(known, link), now) is not None


def _other_holder(store: Store, link: Link) -> Link | None:
    """The other link that still names the copy of *link*, if there is one."""
    holder = None if link.internal is None else store.links.of(link.internal)
    return None if holder is None or holder.id == link.id or holder.status is LinkStatus.TOMBSTONE else holder


def without_original(links: Iterable[Link], external: Server, rules: Rules) -> list[int]:
    """The ids of those ended *links* whose external ticket is gone, so that no copy of it can be made.

    Links of classes that are no longer configured are left out.

    :raises SideUnavailable: external cannot be asked
    """
    configured = {cls.external for cls in rules.classes}
    by_class: dict[str, list[Link]] = {}
    for link in links:
        if link.external.cls in configured:
            by_class.setdefault(link.external.cls, []).append(link)
    found: list[int] = []
    for cls, group in by_class.items():
        shown, hidden = external.readable_sightings(cls, "", [link.external.id for link in group])
        there = {sighting.ref.id for sighting in shown} | hidden.keys()
        found += [link.id for link in group if link.external.id not in there]
    return sorted(found)
