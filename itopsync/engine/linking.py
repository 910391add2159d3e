"""Links two existing tickets by hand: finds, inspects and compares them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from itopsync.engine.inspect import Inspector
from itopsync.engine.pair import Pair
from itopsync.itop import oql
from itopsync.itop.server import Server
from itopsync.model import UNSAVED, Link, LinkStatus, Ref, Side
from itopsync.reconcile.by_hand import Joined, joined
from itopsync.reconcile.rules import Rules
from itopsync.store.store import Store

REF = re.compile(r"(?:(external|internal):)?([A-Za-z]\w*):(\d{1,10})")
"""A ticket as ``external:UserRequest:17``, or without the side."""


class CannotLink(Exception):
    """The two cannot be linked; the message says why, and what to do."""


@dataclass(frozen=True)
class Place:
    """A ticket that an operator may mean."""

    ref: Ref
    number: str

    def __str__(self) -> str:
        return f"{self.number} ({self.ref})" if self.number else str(self.ref)


def locate(server: Server, rules: Rules, text: str) -> tuple[Place, ...]:
    """The tickets on one side that *text* may mean: ``external:UserRequest:17``, ``UserRequest:17`` or a number, ``R-000017``.

    :raises CannotLink: *text* names another side, or a class that is not configured
    """
    side, typed = server.side, text.strip()
    classes = sorted({cls.cls(side) for cls in rules.classes})
    found = REF.fullmatch(typed)
    if found is None:
        number = f"this.ref = {oql.literal(typed.upper())}"
        return tuple(Place(each.ref, each.number) for name in classes for each in server.sightings(name, number))
    if found[1] not in (None, side):
        raise CannotLink(f"{typed} is on {found[1]}: name the ticket on external first, then the one on internal")
    if found[2] not in classes:
        raise CannotLink(f"{found[2]} is not kept in step on {side}: sync.toml names {', '.join(classes)}")
    return tuple(Place(each.ref, each.number) for each in server.sightings(found[2], "", [int(found[3])]))


def compare(inspector: Inspector, external: Ref, internal: Ref, *, history: bool) -> Joined:
    """Look at both tickets, and return the link they would make. Nothing is written anywhere.

    :raises CannotLink: their classes do not correspond, one of them is gone or is in another link
    :raises Refused: a server fails to show one of them
    """
    pair = inspector.pair
    cls = pair.rules.for_external(external.cls)
    if cls.internal != internal.cls:
        raise CannotLink(f"{external.cls} is kept in step with {cls.internal}, and {internal} is another class")
    refuse_linked(pair.store, external, internal)
    link = Link(UNSAVED, external, internal, LinkStatus.LINKED)
    (looked_at,) = inspector.inspect((link,))
    if looked_at.plan.unread is not None:
        raise looked_at.plan.unread
    for side, ref in ((Side.EXTERNAL, external), (Side.INTERNAL, internal)):
        if looked_at.seen.of(side) is None:
            raise CannotLink(f"{ref} is not there, or our account cannot see it")
    return joined(link, looked_at.seen, pair.rules, pair.clock(), history=history)


def refuse_linked(store: Store, external: Ref, internal: Ref) -> None:
    """Check that neither ticket is in another link, and that nothing is under way.

    :raises CannotLink: one is, or something is
    """
    for ref in (external, internal):
        known = store.links.of(ref)
        if known is None or known.status is LinkStatus.TOMBSTONE:
            continue
        if known.internal is None and known.in_doubt:
            raise CannotLink(f"a copy of {ref} may have been made just now: try again in a few minutes")
        parting = known.status is LinkStatus.UNLINKING
        if known.internal is None or (parting and (known.external, known.internal) == (external, internal)):
            continue
        other = known.internal if ref == known.external else known.external
        if parting:
            raise CannotLink(
                f"{ref} is being unlinked from {other}: the next cycle ends that; or run `itopsync unlink {known.id} --no-notice`"
            )
        raise CannotLink(f"{ref} is linked with {other} already (link {known.id}): run `itopsync unlink {known.id}` first")


def join(pair: Pair, made: Joined) -> Link:
    """Store the link; the next cycle writes its marker in internal.

    :raises CannotLink: something has changed meanwhile
    """
    link = pair.store.links.join(made.link, pair.clock())
    if link is None:
        raise CannotLink("one of the two is being written on just now: try again in a moment")
    return link


def told(counts: Mapping[Side, int], noun: str) -> str:
    """The counts on both sides, in words."""
    return ", ".join(f"{counts.get(side, 0)} {noun} on {side}" for side in Side)
