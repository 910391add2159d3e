"""Links two existing tickets by hand: finds, inspects and compares them first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from itopsync.engine.inspect import Inspector
from itopsync.engine.pair import Pair
from itopsync.engine.plan import Planned
from itopsync.errors import ItopsyncError, Refused, clip
from itopsync.itop import oql
from itopsync.itop.server import Server
from itopsync.model import UNSAVED, Link, LinkStatus, Observation, Ref, Side, Ticket
from itopsync.reconcile.by_hand import Joined, joined, to_compare
from itopsync.reconcile.copied import UNSEEN, WITHIN, Bridge, FileLook, Looks
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.ticket_markers import pair_that_links
from itopsync.store.store import Store

AT_ONCE = 1000
"""How many numbers are looked up in one call."""


class CannotLink(Exception):
    """Two tickets cannot be linked: *what* is wrong, the *remedy*, and the *side* of the ticket at fault, if only one is."""

    def __init__(self, what: str, remedy: str, side: Side | None = None) -> None:
        self.what, self.remedy, self.side = what, remedy, side
        super().__init__(f"{what}: {remedy}")


@dataclass(frozen=True)
class Place:
    """A ticket that matches a given number."""

    ref: Ref
    number: str

    def __str__(self) -> str:
        return f"{self.number} ({self.ref})" if self.number else str(self.ref)


def locate(server: Server, rules: Rules, texts: Collection[str]) -> dict[str, Ref | CannotLink]:
    """Text → the ticket that it names on one side: ``external:UserRequest:17``, ``UserRequest:17`` or a number, ``R-000017``.

    Makes one call for each class and thousand texts.
    """
    side, classes = server.side, sorted({cls.of(server.side) for cls in rules.classes})
    found: dict[str, Ref | CannotLink] = {}
    named: dict[str, Ref] = {}
    for text in dict.fromkeys(texts):
        ref = Ref.parse(text.strip(), side)
        if ref is None:
            continue
        if ref.side is not side:
            found[text] = CannotLink(f"{text} is on {ref.side}", f"name a ticket on {side} here", side)
        elif ref.cls not in classes:
            found[text] = CannotLink(f"{ref.cls} is not kept in step on {side}", f"sync.toml names {', '.join(classes)}", side)
        else:
            named[text] = ref
    numbers = {text: text.strip().upper() for text in texts if text not in found and text not in named}
    there = _there(server, named.values())
    known = numbered(server, dict.fromkeys(classes, ""), sorted(set(numbers.values())))
    for text in (*named, *numbers):
        places = known.get(numbers[text], ()) if text in numbers else tuple(filter(None, (there.get(named[text]),)))
        found[text] = _the_one(side, text, places)
    return found


def _there(server: Server, refs: Iterable[Ref]) -> dict[Ref, Place]:
    wanted: dict[str, list[int]] = {}
    for ref in refs:
        wanted.setdefault(ref.cls, []).append(ref.id)
    seen = (each for name, ids in wanted.items() for each in server.sightings(name, "", ids))
    return {each.ref: Place(each.ref, each.number) for each in seen}


def numbered(server: Server, classes: Mapping[str, str], numbers: Sequence[str]) -> dict[str, tuple[Place, ...]]:
    """Number → the tickets that bear it. *numbers* are in capitals. Makes one call for each class and thousand numbers.

    :param classes: class → a condition that its tickets must meet; empty for none
    """
    found: dict[str, tuple[Place, ...]] = {}
    for start in range(0, len(numbers), AT_ONCE):
        listed = ",".join(oql.literal(number) for number in numbers[start : start + AT_ONCE])
        for name, condition in classes.items():
            bearing = f"this.ref IN ({listed})"
            for each in server.sightings(name, f"{bearing} AND ({condition})" if condition else bearing):
                number = each.number.upper()
                found[number] = (*found.get(number, ()), Place(each.ref, each.number))
    return found


def _the_one(side: Side, text: str, places: Sequence[Place]) -> Ref | CannotLink:
    if not places:
        what = f"{side} has no ticket {clip(text, 60)!r} of a synced class that our account may see"
        return CannotLink(what, "check the number, and the account's allowed organisations", side)
    if len(places) > 1:
        return CannotLink(f"{text!r} may be {' or '.join(str(place) for place in places)}", "name one of these", side)
    return places[0].ref


def compare(inspector: Inspector, external: Ref, internal: Ref, *, history: Bridge | None) -> Joined:
    """Look at two tickets, and return the link that they would make. Nothing is written anywhere.

    :raises CannotLink: their classes do not correspond, or one of them is gone or in another link, perhaps another pair's
    :raises Refused: a server fails to show one of them
    """
    (told,) = compare_all(inspector, [(external, internal)], history=history)
    if not isinstance(told, Joined):
        raise told
    return told


def compare_all(
    inspector: Inspector, pairs: Sequence[tuple[Ref, Ref]], *, history: Bridge | None
) -> list[Joined | CannotLink | ItopsyncError]:
    """Compare several pairs; return the link of each, or why there can be none. No ticket may be in two pairs.

    With *history*, files are read if both tickets of a pair have some.
    """
    pair = inspector.pair
    refused = {each: why for each in pairs if (why := why_not(pair, *each)) is not None}
    links = [Link(UNSAVED, *each, LinkStatus.LINKED) for each in pairs if each not in refused]
    looked_at = {(each.loaded.external, each.loaded.internal): each for each in inspector.inspect(links)} if links else {}
    return [refused[each] if each in refused else _compared(pair, looked_at[each], history=history) for each in pairs]


def why_not(pair: Pair, external: Ref, internal: Ref) -> CannotLink | None:
    """Why the rules or the store forbid linking the two; None if they allow it."""
    if external.cls not in pair.rules.kept:
        return CannotLink(f"{external.cls} is not kept in step", "add it to sync.toml", Side.EXTERNAL)
    counterpart = pair.rules.for_external(external.cls).internal
    if counterpart != internal.cls:
        what = f"{external.cls} is kept in step with {counterpart}, and {internal} is another class"
        return CannotLink(what, f"name a ticket of class {counterpart}", Side.INTERNAL)
    return _why_taken(pair.store, external, internal)


def _compared(pair: Pair, looked_at: Planned, *, history: Bridge | None) -> Joined | CannotLink | ItopsyncError:
    link = looked_at.loaded
    if looked_at.plan.unread is not None:
        return looked_at.plan.unread
    for side in Side:
        ticket = looked_at.seen.of(side)
        if ticket is None:
            return CannotLink(f"{link.ref(side)} is not there, or our account cannot see it", "check the account's rights", side)
        if side is Side.INTERNAL and (why := _linked_elsewhere(pair.rules, ticket)) is not None:
            return why
    looks = UNSEEN if history is None else _looks(pair, link, looked_at.seen)
    return joined(link, looked_at.seen, pair.rules, pair.clock(), history=history, looks=looks)


def _linked_elsewhere(rules: Rules, internal: Ticket) -> CannotLink | None:
    """Why *internal* cannot be linked: another pair has linked it, and would carry one customer's words to the other."""
    other = pair_that_links(internal, rules.pair, rules.internal.accounts)
    if other is None:
        return None
    what = f"{internal.ref} is linked by pair {other!r} already, by that pair's mark in it"
    remedy = f"run `itopsync unlink {internal.ref}` with the configuration of {other!r} first, and let a cycle of that pair run"
    return CannotLink(what, remedy, Side.INTERNAL)


def _looks(pair: Pair, link: Link, seen: Observation) -> Looks:
    """The names and digests of both tickets' files, if both have some. Read one by one, as they may be large."""
    return {key: _look(pair.servers[key[0]], key[1]) for key in to_compare(link, seen, pair.rules, pair.clock())}


def _look(server: Server, number: int) -> FileLook | None:
    try:
        file = server.attachment_file(number)
    except Refused:
        return None
    return FileLook(file.name, sha256(file.data).hexdigest())


def linked(store: Store, external: Ref, internal: Ref) -> Link | None:
    """The link of the two, if they are already linked with each other."""
    known = store.links.of(external)
    together = known is not None and known.internal == internal and known.status in (LinkStatus.LINKED, LinkStatus.PARKED)
    return known if together else None


def _why_taken(store: Store, external: Ref, internal: Ref) -> CannotLink | None:
    """Why the two cannot be linked: one of them is in another link, or a write is under way. None if neither."""
    for ref in (external, internal):
        known = store.links.of(ref)
        if known is None or known.status is LinkStatus.TOMBSTONE:
            continue
        if known.internal is None and known.in_doubt:
            return CannotLink(f"a copy of {ref} may have been made just now", "try again in a few minutes", ref.side)
        parting = known.status is LinkStatus.UNLINKING
        if known.internal is None or (parting and (known.external, known.internal) == (external, internal)):
            continue
        other = known.internal if ref == known.external else known.external
        if parting:
            remedy = f"the next cycle ends that; or run `itopsync unlink {known.id} --no-notice`"
            return CannotLink(f"{ref} is being unlinked from {other}", remedy, ref.side)
        what = f"{ref} is linked with {other} already (link {known.id})"
        return CannotLink(what, f"run `itopsync unlink {known.id}` first", ref.side)
    return None


def told_of(pairs: Iterable[tuple[Ref, Ref]]) -> str:
    """Pairs of tickets as a request's argument, external's first: ``UserRequest:17=UserRequest:42``, separated by blanks."""
    return " ".join("=".join(f"{ref.cls}:{ref.id}" for ref in pair) for pair in pairs)


def pairs_of(text: str) -> list[tuple[Ref, Ref]]:
    """Parse what :func:`told_of` returned. :raises ValueError: there is no pair, or something else."""
    found: list[tuple[Ref, Ref]] = []
    for pair in text.split():
        named = (Ref.parse(name, side) for side, name in zip(Side, pair.split("="), strict=True))
        external, internal = filter(None, named)
        found.append((external, internal))
    if not found:
        raise ValueError("no pair")
    return found


def arguments_of(pairs: Iterable[tuple[Ref, Ref]], history: Bridge | None) -> dict[str, str]:
    """The arguments of a request to link *pairs*."""
    arguments = {"pairs": told_of(pairs)}
    if history is not None:
        accounts = (f"{side}:{account}" for side, ids in history.accounts.items() for account in sorted(ids))
        within = str(int(history.within.total_seconds()))
        arguments |= {"history": "yes", "copied_by": " ".join(accounts), "within": within}
    return arguments


def history_of(arguments: Mapping[str, str]) -> Bridge | None:
    """How a request's arguments say to carry the history; None if not at all. :raises ValueError: they are malformed."""
    if arguments.get("history") != "yes":
        return None
    named = [account.partition(":") for account in arguments.get("copied_by", "").split()]
    accounts = {side: frozenset(number for name, _, number in named if Side(name) is side) for side in Side}
    within = arguments.get("within")
    return Bridge(accounts, timedelta(seconds=int(within)) if within else WITHIN)


def join(pair: Pair, made: Joined) -> Link:
    """Store the link; the next cycle writes its marker in internal.

    :raises CannotLink: something has changed meanwhile
    """
    link = pair.store.links.join(made.link, pair.clock())
    if link is None:
        raise CannotLink("one of the two is being written on just now", "try again in a moment")
    return link
