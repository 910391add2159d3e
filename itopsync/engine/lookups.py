"""Looks up what defaults depend on besides the ticket: criteria once, conditions and callers in batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from types import MappingProxyType
from typing import Generic, Self, TypeVar

from itopsync.errors import AccessRefused, BadQuery, RemoteError, SideUnavailable
from itopsync.itop import oql
from itopsync.itop.objects import is_a, key_of, target_of
from itopsync.itop.piecewise import NO_ID, read_piecewise
from itopsync.itop.server import Server
from itopsync.model import Link, Observation, Ref, Side, Ticket
from itopsync.reconcile.defaults import (
    EMAIL_OF,
    RESTS,
    Asked,
    Found,
    LookedUp,
    Lookup,
    Question,
    Unasked,
    plain,
    route_of,
)
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.state import correspond

LASTING = timedelta(hours=1)
"""How long results are kept: objects on the servers change independently of ``sync.toml``."""
AT_ONCE = 100
"""How many values one query looks for."""
SOON = timedelta(seconds=5)
"""If a server takes longer than this to fail on several values at once, they are not tried one by one."""
MANY_TIMES = 5
"""A failed question rests for this multiple of the time that the server took to fail, so it never takes most of our time."""
MOST_CALLERS = 1_000
"""How many callers' ids are remembered; nothing else about callers is."""


T = TypeVar("T")
F = TypeVar("F")
Silent = Mapping[Ref, dict[Question, str]]
"""Ticket → what a server fails to answer about it → why."""


class _WholeFails(Exception):
    """A server fails on a question as a whole."""

    def __init__(self, failure: RemoteError) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass(frozen=True)
class _Read(Generic[T, F]):
    """What a server answered about several values, and why it failed on the others."""

    found: dict[T, F]
    failed: dict[T, str]
    rest: timedelta
    """How long the failed ones rest."""
    whole: bool
    """Whether the server failed on the question as a whole."""


@dataclass(frozen=True)
class Need:
    """A ticket that may get defaults in this cycle."""

    ticket: Ticket
    """The external one."""
    sides: tuple[Side, ...]
    """The sides on which it may get them."""
    caller: bool
    """Whether its caller may be needed."""

    @classmethod
    def of(cls, link: Link, seen: Observation, rules: Rules) -> Self | None:
        """What a link may need: everything for a new copy; if the states differ, whatever a state may demand on either side."""
        if seen.external is None:
            return None
        if link.internal is None:
            return cls(seen.external, (Side.INTERNAL,), True)
        states = rules.for_external(link.external.cls).state
        if seen.internal is None or correspond(states, seen.external.state, seen.internal.state):
            return None
        lacks_caller = seen.internal.fields.get(EMAIL_OF) == ""  # a class without callers shows none
        return cls(seen.external, tuple(Side), lacks_caller)


class Lookups:
    """Looks up what the defaults of tickets depend on, and remembers it for a while. Safe to use from several threads."""

    def __init__(self, servers: Mapping[Side, Server], rules: Rules, clock: Callable[[], datetime]) -> None:
        self._servers, self._clock = servers, clock
        self._routing = {side: rules.of(side).routing for side in Side}
        self._classes = {side: tuple(dict.fromkeys(cls.of(side) for cls in rules.classes)) for side in Side}
        self._by_email = self._routing[Side.INTERNAL].asks_for_callers
        self._lock = Lock()
        self._at: datetime | None = None
        self._lookups = tuple(dict.fromkeys(each for routing in self._routing.values() for each in routing.lookups))
        self._found: dict[Lookup, Found] = {}
        self._slow: dict[Side, str] = {}
        self._resting: dict[object, tuple[str, datetime, datetime]] = {}
        self._callers: dict[str, Found] = {}
        self._targets: dict[tuple[Side, str], str | None] = {}

    def __bool__(self) -> bool:
        return any(self._routing.values())

    def forget(self) -> None:
        """Look everything up again when it is next needed."""
        self._at = None

    def ask_for(self, needs: Sequence[Need]) -> dict[Ref, LookedUp]:
        """Look up everything that decides on these tickets' defaults, in about one call for each kind of question.

        What a server refuses to answer is remembered as such, and reported where it matters. If it fails on a question but
        answers a trivial one, that question is silent for the tickets that need it, and rests for a while.

        :raises SideUnavailable: a server does not answer
        """
        if not needs or not self:
            return {}
        with self._lock:
            self._slow.clear()
            self._look_up_again()
            unanswered: dict[Question, str] = {
                lookup: why for lookup in self._lookups if (why := self._why_at_rest(lookup)) is not None
            }
            silent: Silent = {need.ticket.ref: dict(unanswered) for need in needs}
            found = MappingProxyType(dict(self._found))
            meets = self._ask_conditions(needs, found, silent)
            callers = self._ask_callers(needs, silent) if self._by_email else {}
        refs = (need.ticket.ref for need in needs)
        return {ref: LookedUp(found, meets[ref], callers.get(ref, ()), silent[ref]) for ref in refs}

    # what a server fails on

    def _read(
        self,
        sides: Collection[Side],
        values: Sequence[T],
        read: Callable[[Sequence[T]], Iterable[tuple[T, F]]],
        fails: Callable[[], bool] = lambda: False,
    ) -> _Read[T, F]:
        """Read many *values* at once; if a server fails on a few of them, narrow the failure down to these.

        The question fails as a whole if the failure took long, or if *fails* says so. After a very long failure, the sides are
        asked nothing more in this call of :meth:`ask_for`.

        :raises SideUnavailable: one of *sides* fails on a trivial question too
        """
        if (why := next((self._slow[side] for side in sides if side in self._slow), None)) is not None:
            return _Read({}, dict.fromkeys(values, why), RESTS, whole=True)
        begun, asked = self._clock(), False

        def see_whose_fault(part: Sequence[int], failure: RemoteError) -> bool:
            nonlocal asked
            for side in sides:
                cls = self._classes[side][0]
                self._servers[side].get(cls, f"SELECT {oql.name(cls)} WHERE id = {NO_ID}", ("id",))
            if (len(part) > 1 and self._clock() - begun > SOON) or (not asked and fails()):
                raise _WholeFails(failure)
            asked = True
            return True

        try:
            found, failed = read_piecewise(
                range(len(values)), lambda part: list(read([values[place] for place in part])), see_whose_fault
            )
        except _WholeFails as error:
            found, failed, whole = [], dict.fromkeys(range(len(values)), error.failure), True
        else:
            whole = False
        reasons = {values[place]: str(error) for place, error in failed.items()}
        rest = min(max(RESTS, MANY_TIMES * (self._clock() - begun)), LASTING)
        if rest > RESTS:
            self._slow |= {side: why for side in sides for why in reasons.values()}
        return _Read(dict(found), reasons, rest, whole=whole)

    def _let_rest(self, question: object, why: str, rest: timedelta) -> None:
        now = self._clock()
        self._resting[question] = (why, now, now + rest)

    def _why_at_rest(self, question: object) -> str | None:
        """Why *question* is not asked now, since a server has just failed on it; None if it may be asked."""
        why, since, until = self._resting.get(question, ("", self._clock(), self._clock()))
        return why if since <= self._clock() < until else None

    # criteria

    def _look_up_again(self) -> None:
        """Look up what is unknown or out of date."""
        now = self._clock()
        if self._at is None or not self._at <= now < self._at + LASTING:
            self._callers.clear()
            self._targets.clear()
            self._found.clear()
            self._at = now
        missing = (each for each in self._lookups if each not in self._found and self._why_at_rest(each) is None)
        for several in alike(missing):
            read = self._read((several[0].side,), several, lambda some: look_up(self._servers, some, self._target))
            self._found |= read.found
            for lookup, why in read.failed.items():
                self._let_rest(lookup, why, read.rest)

    def _target(self, side: Side, key: str) -> str | None:
        if (side, key) not in self._targets:
            self._targets[side, key] = target_of(self._servers[side], self._classes[side], key)
        return self._targets[side, key]

    # conditions

    def _ask_conditions(
        self, needs: Sequence[Need], found: Mapping[Lookup, Found], silent: Silent
    ) -> dict[Ref, dict[str, bool | None]]:
        """Ask, for each ticket, only the conditions that decide, up to the first route that fits."""
        meets: dict[Ref, dict[str, bool | None]] = {need.ticket.ref: {} for need in needs}
        while wanted := self._undecided(needs, found, meets, silent):
            for (cls, condition), refs in wanted.items():
                met, failed = self._ask_condition(cls, condition, sorted(ref.id for ref in refs))
                for ref in refs:
                    if ref.id in failed:
                        silent[ref][condition] = failed[ref.id]
                    else:
                        meets[ref][condition] = met[ref.id]
        return meets

    def _ask_condition(self, cls: str, condition: str, ids: Sequence[int]) -> tuple[dict[int, bool | None], dict[int, str]]:
        """Whether each ticket meets the condition, None if the server refuses it; and why it fails on others."""
        if (why := self._why_at_rest((cls, condition))) is not None:
            return {}, dict.fromkeys(ids, why)

        def fails() -> bool:
            try:
                self._meeting(cls, condition, [NO_ID])
            except SideUnavailable:
                return True
            return False

        read = self._read((Side.EXTERNAL,), ids, lambda some: self._meeting(cls, condition, some), fails)
        if read.whole:
            self._let_rest((cls, condition), next(iter(read.failed.values())), read.rest)
        return read.found, read.failed

    def _undecided(
        self,
        needs: Sequence[Need],
        found: Mapping[Lookup, Found],
        meets: Mapping[Ref, Mapping[str, bool | None]],
        silent: Silent,
    ) -> dict[tuple[str, str], set[Ref]]:
        wanted: dict[tuple[str, str], set[Ref]] = {}
        for need in needs:
            ref = need.ticket.ref
            for side in need.sides:
                try:
                    route_of(self._routing[side], Asked(need.ticket, LookedUp(found, meets[ref])))
                except Unasked as unasked:
                    if unasked.what not in silent[ref]:
                        wanted.setdefault((ref.cls, str(unasked.what)), set()).add(ref)
        return wanted

    def _meeting(self, cls: str, condition: str, ids: Sequence[int]) -> list[tuple[int, bool | None]]:
        query = f"SELECT {oql.name(cls)} AS this WHERE this.id IN {oql.ids(ids)} AND ({condition})"
        try:
            met = {row.id for row in self._servers[Side.EXTERNAL].get(cls, query, ("id",)).rows}
        except BadQuery:
            return [(each, None) for each in ids]
        return [(each, each in met) for each in ids]

    # callers

    def _ask_callers(self, needs: Sequence[Need], silent: Silent) -> dict[Ref, tuple[Found, ...]]:
        """Find the callers by their e-mail addresses, which are stored nowhere."""
        callers = {need.ticket.ref: need.ticket.fields.get(EMAIL_OF, "") for need in needs if need.caller}
        asked = sorted({number for number in callers.values() if number.isdecimal()} - self._callers.keys())
        found: dict[str, Found] = {}
        failed: dict[str, str] = {}
        for start in range(0, len(asked), AT_ONCE):
            several = asked[start : start + AT_ONCE]
            if (why := self._why_at_rest(None)) is not None:
                failed |= dict.fromkeys(several, why)
                continue
            read = self._read(tuple(Side), several, lambda some: self._people_of(some).items())
            found |= read.found
            failed |= read.failed
            if read.whole:
                self._let_rest(None, read.failed[several[0]], read.rest)
        for ref, number in callers.items():
            silent[ref] |= {None: failed[number]} if number in failed else {}
        told: dict[Ref, tuple[Found, ...]] = {
            ref: (self._callers.get(number, found.get(number, ())),) for ref, number in callers.items() if number not in failed
        }
        self._callers |= {number: people for number, people in found.items() if people is not None and len(people) == 1}
        for number in list(self._callers)[: max(0, len(self._callers) - MOST_CALLERS)]:
            del self._callers[number]
        return told

    def _people_of(self, numbers: Sequence[str]) -> dict[str, Found]:
        """External person's id → the people in internal with the same e-mail address."""
        emails = self._by_value(Side.EXTERNAL, "id", numbers)
        known = {number: plain(email) for email, each in (emails or {}).items() for number in map(str, each) if plain(email)}
        people = self._by_value(Side.INTERNAL, "email", sorted(set(known.values()))) if known else {}
        if emails is None or people is None:
            return dict.fromkeys(numbers, None)
        return {number: people.get(known.get(number, ""), ()) for number in numbers}

    def _by_value(self, side: Side, name: str, values: Sequence[str]) -> dict[str, tuple[int, ...]] | None:
        """E-mail address → ids of the people on *side* whose *name* has one of *values*; None if we may not read that."""
        target = self._target(side, EMAIL_OF)
        if target is None:
            return None
        try:
            return by_value(self._servers[side], target, name, values, "email")
        except (BadQuery, AccessRefused):
            return None


def alike(lookups: Iterable[Lookup]) -> Iterator[Sequence[Lookup]]:
    """Group the look-ups that one call can answer: by one attribute, for one key of one side."""
    together: dict[object, list[Lookup]] = {}
    for lookup in lookups:
        single = len(lookup.criterion) == 1
        together.setdefault((lookup.side, lookup.key, lookup.criterion[0][0]) if single else lookup, []).append(lookup)
    for several in together.values():
        for start in range(0, len(several), AT_ONCE):
            yield several[start : start + AT_ONCE]


def look_up(
    servers: Mapping[Side, Server], lookups: Sequence[Lookup], target: Callable[[Side, str], str | None]
) -> Iterator[tuple[Lookup, Found]]:
    """Look up one group of :func:`alike`. *target* tells which class a key points to."""
    first = lookups[0]
    server, cls = servers[first.side], target(first.side, first.key)
    if cls is None:
        yield from ((lookup, None) for lookup in lookups)
    elif len(first.criterion) == 1:
        yield from _find_together(server, cls, first.criterion[0][0], lookups)
    else:
        yield from ((lookup, _find(server, cls, lookup)) for lookup in lookups)


def _find_together(server: Server, cls: str, name: str, lookups: Sequence[Lookup]) -> Iterator[tuple[Lookup, Found]]:
    values = {lookup: lookup.criterion[0][1] for lookup in lookups}
    try:
        found = by_value(server, cls, name, sorted(set(values.values())), name)
    except (BadQuery, AccessRefused):
        found = None
    alike = found is not None and found.keys() <= {plain(value) for value in values.values()}
    for lookup, value in values.items():
        if found is None:
            yield lookup, None
        elif alike:
            yield lookup, found.get(plain(value), ())
        else:  # the server takes more values for equal than we do, such as accented letters: ask it for each by itself
            yield lookup, _find(server, cls, lookup)


def by_value(server: Server, cls: str, name: str, values: Sequence[str], shown: str) -> dict[str, tuple[int, ...]]:
    """Value of *shown* → ids of the objects of *cls* whose attribute *name* equals one of *values*, as the server compares."""
    some = ",".join(value if name == "id" and value.isdecimal() else oql.literal(value) for value in values)
    query = f"SELECT {oql.name(cls)} WHERE {oql.name(name)} IN ({some})"
    found: dict[str, tuple[int, ...]] = {}
    for row in server.get(cls, query, tuple(dict.fromkeys(("id", shown)))).rows:
        value = plain(str(row.fields.get(shown) or ""))
        found[value] = (*found.get(value, ()), row.id)
    return found


def _find(server: Server, cls: str, lookup: Lookup) -> Found:
    try:
        rows = server.get(cls, key_of(cls, lookup.query or dict(lookup.criterion)), ("id",)).rows
        return tuple(row.id for row in rows if len(rows) > 1 or is_a(server, cls, row))
    except (BadQuery, AccessRefused):
        return None
