"""Ids that a server gives again, as after a restored backup: what ended under one, and what bears it now, are told apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import Link, LinkStatus, Sighting
from itopsync.reconcile.identity import bereft, given_again, was_never_copied
from itopsync.reconcile.rules import Kind, Rules
from itopsync.store.records import Ended
from itopsync.store.store import Store


@dataclass(frozen=True)
class Reused:
    """The tickets of ended links that were looked at."""

    versions: Mapping[int, str]
    """Link → the version at which its ticket was looked at."""
    parked: tuple[Link, ...]
    """What has become of those whose ticket is another one, for a person to decide."""
    forgotten: Mapping[int, Sighting]
    """Link → its ticket, where nothing was ever copied: like a ticket that was never seen."""


def find_reused(server: Server, store: Store, rules: Rules, ended: Mapping[int, Ended]) -> Reused:
    """Look at external tickets that changed after their links had ended; write nothing.

    :raises SideUnavailable: external cannot be asked
    """
    links = store.links.get(ended)
    versions: dict[int, str] = {}
    parked: list[Link] = []
    forgotten: dict[int, Sighting] = {}
    for cls in rules.classes:
        theirs = [link for link in links if link.external.cls == cls.external]
        if not theirs:
            continue
        wanted = Attributes(fields={cls.since_attribute: Kind.DATE})
        shown, failed = server.readable_tickets(cls.external, [link.external.id for link in theirs], wanted)
        for link in theirs:
            ticket, known = shown.get(link.external.id), ended[link.id]
            if ticket is not None and was_never_copied(link, ticket, was_gone=known.was_gone):
                forgotten[link.id] = known.sighting
                continue
            if ticket is not None and (again := given_again(link, ticket, cls)) is not None:
                parked.append(again)
            if ticket is not None or link.external.id in failed:
                versions[link.id] = known.sighting.version
    return Reused(versions, tuple(parked), forgotten)


def take_up(store: Store, reused: Reused, now: datetime) -> None:
    """Store what has become of the links whose tickets are others now, unless an operator was quicker."""
    for link in reused.parked:
        store.links.amend(link.id, partial(_instead, link), now)
    store.tombstones.forget(reused.forgotten)


def _instead(link: Link, known: Link) -> Link:
    return link if known.status is LinkStatus.TOMBSTONE else known


def free_copy(store: Store, link: Link, loaded: Link, now: datetime) -> bool:
    """See that no other link holds the copy that *link* has got since it was *loaded*; False if such a one is written on."""
    if link.internal is None or link.internal == loaded.internal:
        return True
    holder = store.links.of(link.internal)
    if holder is None or holder.id == link.id or holder.status is LinkStatus.TOMBSTONE:
        return True
    return store.links.amend(holder.id, lambda known: bereft(known, link), now) is not None
