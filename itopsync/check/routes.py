"""One side's routes: whether what they name exists, whether they can be reached, and whether what they set fits together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from itopsync.check.defaults import FITS, Fit
from itopsync.check.finding import Finding, fault, ok, warning
from itopsync.engine.lookups import alike, by_value, look_up
from itopsync.errors import AccessRefused, BadQuery
from itopsync.itop import oql
from itopsync.itop.attributes import is_key
from itopsync.itop.objects import target_of
from itopsync.itop.server import Server
from itopsync.model import Side
from itopsync.reconcile.defaults import EMAIL_OF, Candidate, Demand, Found, Lookup, Route, hidden, shown
from itopsync.reconcile.rules import Rules

_AT_ONCE = 100
_SHOWN = "friendlyname"
"""The name by which a ticket shows what a key points to."""


@dataclass(frozen=True)
class _Use:
    """Where something is named."""

    where: str
    is_set: bool
    """Whether tickets get what is found, or else must have it."""
    is_shown: bool = False
    """Whether a ticket shows it, so that our account need not read it."""


def check_routes(server: Server, rules: Rules) -> Iterator[Finding]:
    """Look up on one server everything that either side's routes name there, and examine this side's routes."""
    side = server.side
    uses = _uses(side, rules)
    classes = tuple(dict.fromkeys(cls.of(side) for cls in rules.classes))
    targets = {key: target_of(server, classes, key) for key in sorted({lookup.key for lookup in uses})}
    found = dict(each for several in alike(uses) for each in look_up({side: server}, several, lambda _, key: targets[key]))
    for lookup, ids in found.items():
        yield from _judge(side, lookup, ids, targets[lookup.key], uses[lookup])
    routing = rules.of(side).routing
    for route, earlier in hidden(routing.routes):
        yield warning(
            side,
            f"{side}.routes: no ticket reaches {route.name}: {earlier.name}, which stands before it, takes all of its tickets",
            "Put it before that one, or remove it.",
        )
    yield from _misfits(server, rules, found)
    if side is Side.EXTERNAL:
        yield from _check_patterns(server, rules, classes)
        yield from _check_conditions(server, rules)
    if rules.internal.routing.asks_for_callers:
        yield from _check_people(server, classes)
    if routing.routes:
        yield ok(side, f"{side}.routes: {len(routing.routes)} routes, which name {len(found)} objects here")


def _uses(side: Side, rules: Rules) -> dict[Lookup, list[_Use]]:
    """Each look-up on *side*, including ids → where the configuration uses it."""
    uses: dict[Lookup, list[_Use]] = {}
    for owner in Side:
        for route in rules.of(owner).routing.routes:
            where = f"{owner}.routes: {route.name}"
            for demand in route.demands:
                if demand.lookup and demand.lookup.side is side:
                    uses.setdefault(demand.lookup, []).append(_Use(f"{where}: when.{demand.attribute}", False))
                for lookup in _shown_by_tickets(demand) if side is Side.EXTERNAL else ():
                    uses.setdefault(lookup, []).append(_Use(f"{where}: when.{lookup.key}", False, is_shown=True))
            for key, candidates in route.values.items() if owner is side else ():
                for lookup in filter(None, (_named(side, key, each) for each in candidates)):
                    uses.setdefault(lookup, []).append(_Use(f"{where}: set.{key}", True))
    for key, candidates in rules.of(side).routing.before.items():
        for lookup in filter(None, (_named(side, key, each) for each in candidates)):
            uses.setdefault(lookup, []).append(_Use(f"{side}.defaults.{key}", True))
    return uses


def _shown_by_tickets(demand: Demand) -> Iterator[Lookup]:
    """The objects whose name or id a route demands of a key. A ticket shows these, so syncing itself never looks them up."""
    key = demand.attribute.removesuffix(f"_{_SHOWN}")
    by = "id" if key == demand.attribute else _SHOWN
    yield from (Lookup(Side.EXTERNAL, key, ((by, value),)) for value in sorted(demand.values) if value and is_key(key))


def _named(side: Side, key: str, candidate: Candidate) -> Lookup | None:
    """What a candidate names; an id is looked up like a criterion."""
    if isinstance(candidate, int) and is_key(key) and candidate:
        return Lookup(side, key, (("id", str(candidate)),))
    return candidate if isinstance(candidate, Lookup) else None


def _judge(side: Side, lookup: Lookup, ids: Found, target: str | None, uses: Sequence[_Use]) -> Iterator[Finding]:
    is_set = any(use.is_set for use in uses)
    where = f"{uses[0].where}{f' and {len(uses) - 1} more' if len(uses) > 1 else ''}"
    if ids is None and all(use.is_shown for use in uses):
        return
    if ids is None:
        what = f"{where} cannot be looked up ({lookup})"
        yield warning(side, what, "Give the account the right to read what it points to, or fix the criterion or the query.")
    elif not ids and is_set and lookup.criterion[:1] and lookup.criterion[0][0] == "id":
        yield fault(side, f"{where} finds no {target} ({shown(dict(lookup.criterion))})", "Name one that exists.")
    elif not ids and is_set:
        yield warning(
            side, f"{where} finds no {target} ({lookup}): the next value is used instead", "Name one that exists, or remove it."
        )
    elif not ids:
        yield warning(side, f"{where} finds no {target} ({lookup}): no ticket has it", "Name one that exists, or remove it.")
    elif len(ids) > 1 and is_set:
        yield warning(
            side,
            f"{where} finds {len(ids)} objects of {target}, not one ({lookup}): the next value is used instead",
            "Make the criterion narrower, or name the object by its id.",
        )


# what fits together


def _misfits(server: Server, rules: Rules, found: Mapping[Lookup, Found]) -> Iterator[Finding]:
    """Pairs of values of one route that iTop's forms do not offer together; only what routes set is compared."""
    side = server.side
    ids = [(route, _ids(side, route, found)) for route in rules.of(side).routing.routes]
    for fit in FITS:
        wanted: dict[tuple[int, int], str] = {}
        for route, values in ids:
            if fit.name in values and fit.within in values:
                wanted.setdefault((values[fit.name], values[fit.within]), route.name)
        for start in range(0, len(wanted), _AT_ONCE):
            some = dict(list(wanted.items())[start : start + _AT_ONCE])
            there = _pairs(server, fit, sorted({mine for mine, _ in some}))
            for pair, name in some.items():
                if there is not None and pair not in there:
                    what = f"{side}.routes: {name}: its {fit.name} {fit.wrong} its {fit.within}"
                    remedy = "Name one that fits, or fix it in iTop: otherwise whoever edits such a ticket has to choose again."
                    yield warning(side, f"{what}: iTop accepts it, but its forms do not offer it", remedy)


def _ids(side: Side, route: Route, found: Mapping[Lookup, Found]) -> dict[str, int]:
    """What a route sets for certain: the ids of its first candidates."""
    ids: dict[str, int] = {}
    for key, (first, *_) in route.values.items():
        lookup = _named(side, key, first)
        matches = found.get(lookup) if lookup else None
        if matches and len(matches) == 1:
            ids[key] = matches[0]
    return ids


def _pairs(server: Server, fit: Fit, ids: Sequence[int]) -> set[tuple[int, int]] | None:
    """The pairs that fit, of those with *ids*; None if the account may not read them."""
    query = f"SELECT {fit.cls} WHERE {fit.mine} IN {oql.ids(ids)}"
    names = tuple(dict.fromkeys(("id", fit.mine, fit.its)))
    try:
        rows = server.get(fit.cls, query, names).rows
    except (AccessRefused, BadQuery):  # syncing does not need to read this class
        return None
    return {(row.id if fit.mine == "id" else int(row.fields[fit.mine]), int(row.fields[fit.its])) for row in rows}


# patterns, conditions and callers


def _check_patterns(server: Server, rules: Rules, classes: Sequence[str]) -> Iterator[Finding]:
    """Check that each pattern matches at least one name."""
    asked: dict[tuple[str, str], str] = {}
    for owner in Side:
        for route in rules.of(owner).routing.routes:
            for demand in route.demands:
                key = demand.attribute.removesuffix(f"_{_SHOWN}")
                for pattern in sorted(demand.patterns) if key != demand.attribute else ():
                    asked.setdefault((key, pattern), f"{owner}.routes: {route.name}: when.{key}")
    for (key, pattern), where in asked.items():
        target = target_of(server, classes, key)
        like = oql.literal(pattern.replace("*", "%").replace("?", "_"))
        try:
            fits = target is None or server.count(target, f"SELECT {target} WHERE {_SHOWN} LIKE {like}") > 0
        except (AccessRefused, BadQuery):  # syncing does not need to read this class
            continue
        if not fits:
            what = f"{where} finds no {target} ({Lookup(server.side, key, ((_SHOWN, pattern),))}): no ticket has it"
            yield warning(server.side, what, "Name one that exists, or remove it.")


def _check_conditions(server: Server, rules: Rules) -> Iterator[Finding]:
    """Query each class once with each condition that applies to it."""
    asked: dict[tuple[str, str], str] = {}
    for owner in Side:
        for route in rules.of(owner).routing.routes:
            classes = route.classes or rules.kept if route.condition else ()
            for cls in sorted(classes):
                asked.setdefault((route.condition, cls), f"{owner}.routes: {route.name}")
    for (condition, cls), where in asked.items():
        try:
            server.count(cls, f"SELECT {oql.name(cls)} AS this WHERE this.id = 0 AND ({condition})")
        except BadQuery:
            what = f"{where}: the condition cannot be evaluated for {cls}, so no {cls} fits"
            yield warning(server.side, what, "Fix the OQL, or name in when.class the classes that have its attributes.")


def _check_people(server: Server, classes: Sequence[str]) -> Iterator[Finding]:
    target = target_of(server, classes, EMAIL_OF) or "Person"
    try:
        by_value(server, target, "email", ["nobody@itopsync.invalid"], "email")
    except (BadQuery, AccessRefused):
        what = "callers cannot be looked up by e-mail, which the account may not read here: all tickets get the fall-back"
        yield warning(server.side, what, "Give the account the right to read the class Person.")
    else:
        yield ok(server.side, "callers can be looked up by e-mail")
