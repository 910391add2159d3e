"""Proposes which tickets of both sides belong together, for a person to approve. Links nothing and writes nothing.

Of external's tickets, it looks only at those that meet ``scope.condition`` or the class's ``scope``.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from itopsync.engine import linking
from itopsync.engine.linking import CannotLink, Place
from itopsync.engine.pair import Pair
from itopsync.errors import BadQuery, clip
from itopsync.itop.attributes import Attributes
from itopsync.model import LinkStatus, Ref, Side, Ticket
from itopsync.reconcile.moments import likely
from itopsync.reconcile.richtext import plain
from itopsync.reconcile.rules import ClassRules, Kind

_TITLE = "title"
_AT_ONCE = 1000
"""How many tickets are read between two reports of progress."""
_LONGEST = 100
"""The most characters that a ticket's number may have."""
_BETWEEN = re.compile(r"[\s,;|()\[\]]+")
"""Separates the numbers in a field."""


@dataclass(frozen=True)
class Proposal:
    """Two tickets that may belong together, and why."""

    external: Place
    internal: Place
    reason: str
    doubtful: bool = False
    """Either of the two is in another proposal as well, or their classes are not kept in step with each other."""


def by_field(pair: Pair, field: str, since: date | None = None) -> list[Proposal]:
    """Internal tickets that name an external ticket's number in *field*. *since*: only those that began on that day or later.

    :raises CannotLink: no synced class of internal has that attribute
    """
    named: list[tuple[Ticket, str]] = []
    known = 0
    for cls in pair.rules.classes:
        try:
            tickets = list(_unlinked(pair, Side.INTERNAL, cls, {field: Kind.CODE}, [f"this.{field} != ''", *_from(cls, since)]))
        except BadQuery:
            continue
        known += 1
        named += [(ticket, word.upper()) for ticket in tickets for word in _words(ticket.fields[field])]
    if not known:
        raise CannotLink(f"no synced class of internal has an attribute {field}", "check its code in iTop's data model")
    classes = {cls.external: cls.scope for cls in sorted(pair.rules.classes, key=lambda each: each.external)}
    numbers = sorted({number for _, number in named})
    found = linking.numbered(pair.servers[Side.EXTERNAL], classes, numbers)
    return _marked(
        pair,
        (
            Proposal(place, _place(ticket), f"{field} names {place.number}")
            for ticket, number in named
            for place in found.get(number, ())
            if _is_free(pair, place.ref)
        ),
    )


def by_title(pair: Pair, within: timedelta, since: date | None = None) -> list[Proposal]:
    """Tickets with the same title that began at most *within* apart. *since*: only those that began on that day or later."""
    found: list[Proposal] = []
    for cls in pair.rules.classes:
        asked = {_TITLE: Kind.TEXT, cls.since_attribute: Kind.DATE}
        by_words: dict[str, dict[Side, list[tuple[datetime, Ticket]]]] = {}
        for side in Side:
            for ticket in _unlinked(pair, side, cls, asked, [*_from(cls, since), *_of_scope(side, cls)]):
                began, words = likely(ticket.fields[cls.since_attribute]), plain(ticket.fields[_TITLE]).casefold()
                if began is not None and words:
                    by_words.setdefault(words, {each: [] for each in Side})[side].append((began, ticket))
        for sides in by_words.values():
            found += _close(sides[Side.EXTERNAL], sides[Side.INTERNAL], within)
    return _marked(pair, found)


def _close(
    external: Sequence[tuple[datetime, Ticket]], internal: Sequence[tuple[datetime, Ticket]], within: timedelta
) -> Iterator[Proposal]:
    dated = sorted(internal, key=_began)
    for began, original in external:
        near = dated[bisect_left(dated, began - within, key=_began) : bisect_right(dated, began + within, key=_began)]
        for there, copy in near:
            apart = round(abs(began - there) / timedelta(minutes=1))
            reason = f"same title, began {apart} min apart: {clip(original.fields[_TITLE], 100)}"
            yield Proposal(_place(original), _place(copy), reason)


def _began(dated: tuple[datetime, Ticket]) -> datetime:
    return dated[0]


def _from(cls: ClassRules, since: date | None) -> list[str]:
    return [f"this.{cls.since_attribute} >= '{since:%Y-%m-%d} 00:00:00'"] if since is not None else []


def _of_scope(side: Side, cls: ClassRules) -> list[str]:
    return [f"({cls.scope})"] if cls.scope and side is Side.EXTERNAL else []


def _unlinked(pair: Pair, side: Side, cls: ClassRules, fields: dict[str, Kind], conditions: Sequence[str]) -> Iterator[Ticket]:
    """The tickets of a class on one side that are in no link, with the attributes *fields*."""
    server, name = pair.servers[side], cls.of(side)
    numbers = [each.ref.id for each in server.sightings(name, " AND ".join(conditions)) if _is_free(pair, each.ref)]
    for start in range(0, len(numbers), _AT_ONCE):
        part = numbers[start : start + _AT_ONCE]
        yield from server.readable_tickets(name, part, Attributes(fields=fields))[0].values()
        if pair.progress is not None:
            pair.progress(start + len(part), len(numbers))


def _is_free(pair: Pair, ref: Ref) -> bool:
    known = pair.store.links.of(ref)
    return known is None or known.status is LinkStatus.TOMBSTONE or known.internal is None


def _marked(pair: Pair, proposals: Iterable[Proposal]) -> list[Proposal]:
    """The proposals, sorted and without duplicates, with the doubtful ones marked."""
    every = list(dict.fromkeys(proposals))
    uses = Counter(place.ref for each in every for place in (each.external, each.internal))
    return [_judged(pair, each, uses) for each in sorted(every, key=lambda each: (each.external.ref, each.internal.ref))]


def _judged(pair: Pair, proposal: Proposal, uses: Counter[Ref]) -> Proposal:
    external, internal = proposal.external.ref, proposal.internal.ref
    doubts = []
    if pair.rules.for_external(external.cls).internal != internal.cls:
        doubts.append("classes that are not kept in step with each other")
    if uses[external] > 1 or uses[internal] > 1:
        doubts.append("several candidates")
    return replace(proposal, reason="; ".join([*doubts, proposal.reason]), doubtful=True) if doubts else proposal


def _words(value: str) -> set[str]:
    """The parts of a field's value that may be a ticket's number, including the whole value."""
    text = plain(value)
    return {word for word in (text, *_BETWEEN.split(text)) if any(map(str.isdigit, word)) and len(word) <= _LONGEST}


def _place(ticket: Ticket) -> Place:
    return Place(ticket.ref, ticket.number)
