"""The values that a ticket gets on a side where nobody has chosen one: from the first route that fits it, else the fall-back.

They depend only on the rules, the external ticket, and what was looked up before (:class:`LookedUp`). No value of the external
ticket is carried: it only decides which of the side's own values are taken.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType

from itopsync.model import ItemKey, ItemKind, Side, Ticket

EMAIL_OF = "caller_id"
"""The only attribute whose person is looked up by e-mail; agents are never carried, not even in this way."""

Found = tuple[int, ...] | None
"""The ids that a look-up found; None if the server cannot answer it."""


RESTS = timedelta(minutes=5)
"""How long a question rests after a server failed to answer it."""


class Unasked(Exception):
    """A question must be answered before the defaults of a ticket are known: a look-up, a condition, or its caller (None)."""

    def __init__(self, what: Question) -> None:
        super().__init__(str(what))
        self.what, self.where = what, ""
        """*what* is unanswered, and *where* the configuration asks it."""


@dataclass(frozen=True)
class Lookup:
    """Objects that the configuration names by a criterion or a query; looked up once, not for each ticket."""

    side: Side
    key: str
    """The ticket attribute that points to them."""
    criterion: tuple[tuple[str, str], ...] = ()
    """Pairs of attribute and value."""
    query: str = ""
    """OQL, instead of a criterion."""

    def __str__(self) -> str:
        return self.query or ", ".join(f"{name} = {value}" for name, value in self.criterion)


@dataclass(frozen=True)
class ByEmail:
    """The person in internal with the e-mail address of the external ticket's caller."""


Question = Lookup | str | None
"""What servers are asked: a look-up, a condition, or a ticket's caller (None)."""
Candidate = Lookup | ByEmail | str | int
"""A candidate value, or a look-up that yields one."""


@dataclass(frozen=True)
class Demand:
    """What a route demands of one attribute of the external ticket: one of these values, patterns or objects."""

    attribute: str
    """The attribute to read: ``org_id``, or ``org_id_friendlyname`` for the name of the object it points to."""
    values: frozenset[str] = frozenset()
    """In lower case."""
    patterns: frozenset[str] = frozenset()
    """In lower case, with ``*`` and ``?``."""
    lookup: Lookup | None = None

    def fits(self, ticket: Ticket, found: Mapping[Lookup, Found]) -> bool | None:
        """Whether *ticket* meets it; None if the server cannot tell. :raises Unasked: its look-up was not made"""
        shown = ticket.fields.get(self.attribute)
        return False if shown is None else self._takes(plain(shown), found)

    def _takes(self, shown: str, found: Mapping[Lookup, Found]) -> bool | None:
        if shown in self.values or any(_matches(shown, pattern) for pattern in self.patterns):
            return True
        if self.lookup is None:
            return False
        if self.lookup not in found:
            raise Unasked(self.lookup)
        ids = found[self.lookup]
        return None if ids is None else shown in map(str, ids)

    def follows_from(self, other: Demand) -> bool:
        """Whether every ticket that meets *other* meets this demand too."""
        same = self.attribute == other.attribute and other.lookup in (None, self.lookup)
        patterns = all(pattern in self.patterns or "*" in self.patterns for pattern in other.patterns)
        return same and patterns and all(self._takes(value, {self.lookup: ()} if self.lookup else {}) for value in other.values)


@dataclass(frozen=True)
class Route:
    """Values for the tickets that meet all its demands."""

    name: str
    values: Mapping[str, tuple[Candidate, ...]]
    """Attribute → its candidates, in order."""
    classes: frozenset[str] = frozenset()
    """The external classes that it is for; empty for all."""
    demands: tuple[Demand, ...] = ()
    condition: str = ""
    """An OQL condition on the external ticket, ``this``."""

    def fits(self, asked: Asked) -> bool | None:
        """Whether a ticket meets all its demands; None if the server cannot tell.

        :raises Unasked: a look-up was not made, or the condition was not asked though everything else fits
        """
        looked_up = asked.looked_up
        fit: list[bool | None] = [not self.classes or asked.ticket.ref.cls in self.classes]
        unasked: Unasked | None = None
        for demand in self.demands:
            try:
                fit.append(demand.fits(asked.ticket, looked_up.found))
            except Unasked as missing:
                unasked = missing
        if unasked is not None and False not in fit:
            raise unasked
        if self.condition and False not in fit:
            if self.condition not in looked_up.meets:
                raise Unasked(self.condition)
            fit.append(looked_up.meets[self.condition])
        return False if False in fit else None if None in fit else True

    def hides(self, later: Route) -> bool:
        """Whether every ticket that fits *later* fits this one too, so that *later* is never taken."""
        of_class = not self.classes or (bool(later.classes) and later.classes <= self.classes)
        same = self.condition in ("", later.condition)
        return of_class and same and all(any(mine.follows_from(its) for its in later.demands) for mine in self.demands)


@dataclass(frozen=True)
class Routing:
    """How one side's defaults depend on the ticket."""

    routes: tuple[Route, ...] = ()
    before: Mapping[str, tuple[Candidate, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Attribute → its candidates, whatever the route, tried before the side's default."""

    def __bool__(self) -> bool:
        return bool(self.routes or self.before)

    @property
    def values(self) -> Iterator[Mapping[str, tuple[Candidate, ...]]]:
        """The candidates of each route and of the fall-back: attribute → candidates."""
        yield from (route.values for route in self.routes)
        yield self.before

    @property
    def lookups(self) -> Iterator[Lookup]:
        """Every look-up, with possible repetitions."""
        candidates = (candidate for values in self.values for several in values.values() for candidate in several)
        yield from (candidate for candidate in candidates if isinstance(candidate, Lookup))
        yield from (demand.lookup for route in self.routes for demand in route.demands if demand.lookup)

    @property
    def asks_for_callers(self) -> bool:
        """Whether any candidate is the caller's e-mail."""
        return any(isinstance(each, ByEmail) for values in self.values for several in values.values() for each in several)


NO_ROUTES = Routing()


@dataclass(frozen=True)
class LookedUp:
    """What was looked up on the servers for the defaults of one ticket."""

    found: Mapping[Lookup, Found] = field(default_factory=lambda: MappingProxyType({}))
    meets: Mapping[str, bool | None] = field(default_factory=lambda: MappingProxyType({}))
    """Condition → whether the ticket meets it; None if the server cannot tell."""
    callers: tuple[Found, ...] = ()
    """The people in internal with the caller's e-mail address; an empty tuple if they were not looked up."""
    silent: Mapping[Question, str] = field(default_factory=lambda: MappingProxyType({}))
    """Question that a server fails to answer, though it answers others → why. It may still be answered later."""


NOTHING_LOOKED_UP = LookedUp()


@dataclass(frozen=True)
class Chosen:
    """The values for one ticket."""

    values: Mapping[str, object]
    """Attribute → an id or a plain value; for a default, anything that iTop's REST service accepts."""
    routes_taken: tuple[ItemKey, ...] = ()
    """The route that was taken and any fall-backs, for people to read."""


def choose(side: Side, routing: Routing, defaults: Mapping[str, object], names: Collection[str], asked: Asked) -> Chosen:
    """Choose the values of *names* for a ticket on *side*: the route's, else the fall-back's candidate, else the default.

    :raises Unasked: a question that decides was not asked
    """
    fell_back: list[ItemKey] = []
    route = route_of(routing, asked, fell_back)
    chosen: dict[str, object] = {}
    for name in names:
        found = None
        for where, values in ((_named(route), route.values if route else {}), (f"{side}.defaults", routing.before)):
            with _asked_by(f"{where}: {name}"):
                found = _first(name, values.get(name, ()), asked.looked_up, fell_back)
            if found is not None:
                break
        if found is not None:
            chosen[name] = found
        elif name in defaults:
            chosen[name] = defaults[name]
    taken = [ItemKey.of(ItemKind.ROUTE, route.name if route else f"{side}.defaults")] if routing.routes and chosen else []
    return Chosen(chosen, (*taken, *fell_back))


@dataclass(frozen=True)
class Asked:
    """The external ticket, and what was looked up for it."""

    ticket: Ticket
    looked_up: LookedUp


def route_of(routing: Routing, asked: Asked, fell_back: list[ItemKey] | None = None) -> Route | None:
    """The first route that fits, or None. Routes for which the server cannot tell are added to *fell_back*.

    :raises Unasked: a look-up or a condition that decides was not asked
    """
    for route in routing.routes:
        with _asked_by(_named(route)):
            fits = route.fits(asked)
        if fits:
            return route
        if fits is None and fell_back is not None:
            fell_back.append(ItemKey.of(ItemKind.FALL_BACK, f"route {route.name}: the server cannot tell whether it fits"))
    return None


@contextmanager
def _asked_by(where: str) -> Iterator[None]:
    """Add to an :class:`Unasked` where the configuration asks it."""
    try:
        yield
    except Unasked as unasked:
        unasked.where = where
        raise


def no_answer_yet(unasked: Unasked, why: str) -> str:
    """What people read while a server fails to answer: where the configuration asks what, and how the server fails."""
    kind = "condition" if isinstance(unasked.what, str) else "look-up"
    return f"{unasked.where}: no answer yet to the {kind} ({unasked.what or 'e-mail of the caller'}): {why}"


def _named(route: Route | None) -> str:
    return f"route {route.name}" if route else ""


def hidden(routes: Sequence[Route]) -> Iterator[tuple[Route, Route]]:
    """Each route that no ticket can reach, with the first earlier route that takes all of its tickets."""
    by_value: dict[tuple[str, str], list[int]] = {}
    others: list[int] = []
    for place, route in enumerate(routes):
        # A route that demands certain values hides only routes that demand some of these, so thousands need no comparison.
        mine = [(demand.attribute, value) for demand in route.demands for value in sorted(demand.values)[:1]]
        near = {*others, *(each for demanded in mine for each in by_value.get(demanded, ()))}
        first = next((each for each in sorted(near) if routes[each].hides(route)), None)
        if first is not None:
            yield route, routes[first]
        certain = next((demand for demand in route.demands if not demand.patterns and demand.lookup is None), None)
        for places in [by_value.setdefault((certain.attribute, value), []) for value in certain.values] if certain else [others]:
            places.append(place)


def shown(value: object) -> str:
    """The value of a default, in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {text}" for name, text in value.items())
    return str(value)


def plain(text: str) -> str:
    """*text* as it is compared: case and outer spaces are ignored, as in iTop's own queries."""
    return text.strip().casefold()


def _first(name: str, candidates: Iterable[Candidate], looked_up: LookedUp, fell_back: list[ItemKey]) -> object:
    """The first candidate that yields exactly one value; those before it are added to *fell_back*."""
    for candidate in candidates:
        if not isinstance(candidate, Lookup | ByEmail):
            return candidate
        found = _look_up(candidate, looked_up)
        if found is not None and len(found) == 1:
            return found[0]
        fell_back.append(ItemKey.of(ItemKind.FALL_BACK, f"{name}: {_why(candidate, found)}"))
    return None


def _look_up(candidate: Lookup | ByEmail, looked_up: LookedUp) -> Found:
    if isinstance(candidate, Lookup):
        if candidate not in looked_up.found:
            raise Unasked(candidate)
        return looked_up.found[candidate]
    if not looked_up.callers:
        raise Unasked(None)
    return looked_up.callers[0]


def _why(candidate: Lookup | ByEmail, found: Found) -> str:
    """Why a look-up does not yield exactly one object, without quoting what was looked for."""
    if isinstance(candidate, ByEmail):
        whose = "the external caller's e-mail"
        if found is None:
            return f"{whose} cannot be looked up"
        return f"{'several people in internal have' if found else 'nobody in internal has'} {whose}"
    if found is None:
        return "the look-up fails"
    return f"the look-up finds {len(found)} objects, not one" if found else "the look-up finds nothing"


def _matches(text: str, pattern: str) -> bool:
    return _compiled(pattern).match(text) is not None


@lru_cache(maxsize=10_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of ``*`` and ``?`` only: unlike a person's own regular expression, no text can make it slow."""
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))
