"""What servers are asked for defaults that depend on the ticket: criteria once, conditions and callers in batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from types import MappingProxyType
from typing import Self

from itopsync.errors import AccessRefused, BadQuery, RemoteError, SideUnavailable
from itopsync.itop import oql
from itopsync.itop.objects import is_a, key_of, target_of
from itopsync.itop.piecewise import NO_ID, read_piecewise
from itopsync.itop.server import Server
from itopsync.model import Link, Observation, Ref, Side, Ticket
from itopsync.reconcile.defaults import EMAIL_OF, Answers, Asked, Found, Lookup, Unasked, plain, route_of
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.state import correspond

LASTING = timedelta(hours=1)
"""After this time what was found is looked up again, once it is needed: the servers' organisations change without the file."""
AT_ONCE = 100
"""How many values one query looks for."""
MOST_CALLERS = 1_000
"""How many callers are remembered, by their ids; of those, nothing else is."""


@dataclass(frozen=True)
class Need:
    """A ticket that may get defaults in this cycle."""

    ticket: Ticket
    """The external one."""
    sides: tuple[Side, ...]
    """Where it may get them."""
    caller: bool
    """Whether its caller may be needed."""

    @classmethod
    def of(cls, link: Link, seen: Observation, rules: Rules) -> Self | None:
        """What a link may need: everything for a new copy; where the states differ, what a state may demand on either side."""
        if seen.external is None:
            return None
        if link.internal is None:
            return cls(seen.external, (Side.INTERNAL,), True)
        states = rules.for_external(link.external.cls).state
        if seen.internal is None or correspond(states, seen.external.state, seen.internal.state):
            return None
        return cls(seen.external, tuple(Side), not seen.internal.fields.get(EMAIL_OF, "kept"))


class Lookups:
    """Looks up what the defaults of tickets depend on, and remembers it for a while. Safe to use from several threads."""

    def __init__(self, servers: Mapping[Side, Server], rules: Rules, clock: Callable[[], datetime]) -> None:
        self._servers, self._clock = servers, clock
        self._routing = {side: rules.side(side).routing for side in Side}
        self._classes = {side: tuple(dict.fromkeys(cls.cls(side) for cls in rules.classes)) for side in Side}
        self._by_email = self._routing[Side.INTERNAL].asks_for_callers
        self._lock = Lock()
        self._at: datetime | None = None
        self._found: Mapping[Lookup, Found] = {}
        self._callers: dict[str, Found] = {}
        self._targets: dict[tuple[Side, str], str | None] = {}

    def __bool__(self) -> bool:
        return any(self._routing.values())

    def forget(self) -> None:
        """Look everything up again when it is next needed."""
        self._at = None

    def answers(self, needs: Sequence[Need]) -> tuple[dict[Ref, Answers], dict[Ref, RemoteError]]:
        """Ask all that decides on the defaults of these tickets, in as few calls as there are kinds of questions.

        What a server refuses to answer is remembered as that, and told where it matters. Where it fails on what one ticket asks
        while it answers all else, that ticket gets its error instead.

        :raises SideUnavailable: a server does not answer
        """
        if not needs or not self:
            return {}, {}
        with self._lock:
            try:
                self._look_up_again()
            except SideUnavailable as error:
                self._see_that_both_answer()
                return {}, {need.ticket.ref: error for need in needs}
            found, failed = read_piecewise(
                range(len(needs)),
                lambda part: self._ask([needs[place] for place in part]),
                lambda _part, _failure: self._see_that_both_answer(),
            )
        return dict(found), {needs[place].ticket.ref: error for place, error in failed.items()}

    def _ask(self, needs: Sequence[Need]) -> list[tuple[Ref, Answers]]:
        found = MappingProxyType(self._found)
        meets = self._ask_conditions(needs, found)
        callers = self._ask_callers(needs) if self._by_email else {}
        return [(need.ticket.ref, Answers(found, meets[need.ticket.ref], callers.get(need.ticket.ref, ()))) for need in needs]

    def _see_that_both_answer(self) -> bool:
        """Ask both servers for nothing. :raises SideUnavailable: it is the server that fails, and not what was asked"""
        for side, server in self._servers.items():
            cls = self._classes[side][0]
            server.get(cls, f"SELECT {oql.name(cls)} WHERE id = {NO_ID}", ("id",))
        return True

    # criteria

    def _look_up_again(self) -> None:
        now = self._clock()
        if self._at is not None and self._at <= now < self._at + LASTING:
            return
        self._callers.clear()
        self._targets.clear()
        lookups = dict.fromkeys(lookup for routing in self._routing.values() for lookup in routing.lookups)
        self._found = dict(look_up(self._servers, lookups, self._target))
        self._at = now

    def _target(self, side: Side, key: str) -> str | None:
        if (side, key) not in self._targets:
            self._targets[side, key] = target_of(self._servers[side], self._classes[side], key)
        return self._targets[side, key]

    # conditions

    def _ask_conditions(self, needs: Sequence[Need], found: Mapping[Lookup, Found]) -> dict[Ref, dict[str, bool | None]]:
        """Ask for each ticket only the conditions that decide, up to the first route that fits."""
        meets: dict[Ref, dict[str, bool | None]] = {need.ticket.ref: {} for need in needs}
        while wanted := self._undecided(needs, found, meets):
            for (cls, condition), refs in wanted.items():
                met = self._meeting(cls, condition, [ref.id for ref in refs])
                for ref in refs:
                    meets[ref][condition] = None if met is None else ref.id in met
        return meets

    def _undecided(
        self, needs: Sequence[Need], found: Mapping[Lookup, Found], meets: Mapping[Ref, Mapping[str, bool | None]]
    ) -> dict[tuple[str, str], set[Ref]]:
        wanted: dict[tuple[str, str], set[Ref]] = {}
        for need in needs:
            ref = need.ticket.ref
            for side in need.sides:
                try:
                    route_of(self._routing[side], Asked(need.ticket, Answers(found, meets[ref])))
                except Unasked as unasked:
                    wanted.setdefault((ref.cls, str(unasked.what)), set()).add(ref)
        return wanted

    def _meeting(self, cls: str, condition: str, ids: Collection[int]) -> set[int] | None:
        query = f"SELECT {oql.name(cls)} AS this WHERE this.id IN {oql.ids(sorted(ids))} AND ({condition})"
        try:
            return {row.id for row in self._servers[Side.EXTERNAL].get(cls, query, ("id",)).rows}
        except BadQuery:
            return None

    # callers

    def _ask_callers(self, needs: Sequence[Need]) -> dict[Ref, tuple[Found, ...]]:
        """Find the callers by their e-mails, which are kept nowhere."""
        callers = {need.ticket.ref: need.ticket.fields.get(EMAIL_OF, "") for need in needs if need.caller}
        asked = sorted({number for number in callers.values() if number.isdecimal()} - self._callers.keys())
        found: dict[str, Found] = {}
        for start in range(0, len(asked), AT_ONCE):
            found |= self._people_of(asked[start : start + AT_ONCE])
        told: dict[Ref, tuple[Found, ...]] = {
            ref: (self._callers.get(number, found.get(number, ())),) for ref, number in callers.items()
        }
        self._callers |= {number: people for number, people in found.items() if people is not None and len(people) == 1}
        for number in list(self._callers)[: max(0, len(self._callers) - MOST_CALLERS)]:
            del self._callers[number]
        return told

    def _people_of(self, numbers: Sequence[str]) -> dict[str, Found]:
        """External people, by id → those in internal with the same e-mail."""
        emails = self._read(Side.EXTERNAL, "id", numbers, "email")
        known = {number: plain(email) for email, each in (emails or {}).items() for number in map(str, each) if plain(email)}
        people = self._read(Side.INTERNAL, "email", sorted(set(known.values())), "email") if known else {}
        if emails is None or people is None:
            return dict.fromkeys(numbers, None)
        return {number: people.get(known.get(number, ""), ()) for number in numbers}

    def _read(self, side: Side, name: str, values: Sequence[str], shown: str) -> dict[str, tuple[int, ...]] | None:
        """What a side's people *show* → their ids, of those whose *name* is one of *values*; None if it may not be read."""
        target = self._target(side, EMAIL_OF)
        if target is None:
            return None
        try:
            return by_value(self._servers[side], target, name, values, shown)
        except (BadQuery, AccessRefused):
            return None


def look_up(
    servers: Mapping[Side, Server], lookups: Iterable[Lookup], target: Callable[[Side, str], str | None]
) -> Iterator[tuple[Lookup, Found]]:
    """Look up each of *lookups*: those by one attribute together, the others one by one. *target* tells what a key points to."""
    together: dict[tuple[Side, str, str], list[Lookup]] = {}
    for lookup in lookups:
        cls = target(lookup.side, lookup.key)
        if cls is None:
            yield lookup, None
        elif len(lookup.criterion) == 1:
            together.setdefault((lookup.side, cls, lookup.criterion[0][0]), []).append(lookup)
        else:
            yield lookup, _find(servers[lookup.side], cls, lookup)
    for (side, cls, name), several in together.items():
        for start in range(0, len(several), AT_ONCE):
            yield from _find_together(servers[side], cls, name, several[start : start + AT_ONCE])


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
        else:  # the server finds alike what we do not, such as letters with accents: it says which is which
            yield lookup, _find(server, cls, lookup)


def by_value(server: Server, cls: str, name: str, values: Sequence[str], shown: str) -> dict[str, tuple[int, ...]]:
    """What objects of *cls* *show* → their ids, of those whose *name* is one of *values*, as the server compares."""
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
