"""Compiles the routes of a side: what each demands of the external ticket, and what is tried for each value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from itopsync.config.attributes import ClassPair
from itopsync.config.defaults import BY_EMAIL, Settable, candidates, check_values
from itopsync.config.faults import Faults
from itopsync.config.loader import check
from itopsync.config.routes_file import read_routes
from itopsync.errors import clip
from itopsync.itop.attributes import is_key
from itopsync.itop.settings import ServerSection
from itopsync.model import Side
from itopsync.reconcile.defaults import EMAIL_OF, ByEmail, Candidate, Demand, Lookup, Route, Routing, plain
from itopsync.settings.hints import listed, meant_or
from itopsync.settings.routes import RouteSection
from itopsync.settings.section import Surroundings

NAME = "_friendlyname"
"""After a key: the attribute that is the name of what it points to."""
_LONGEST_NAME = 80
_CLASS = "class"


@dataclass(frozen=True)
class WrittenRoute:
    """A route as written, and the collector of its faults."""

    section: RouteSection
    name: str
    place: str
    """Its key in the file, with a dot; empty in a CSV file."""
    faults: Faults


@dataclass(frozen=True)
class SideRoutes:
    """Everything that a side's table says about its defaults."""

    side: Side
    defaults: Mapping[str, object]
    """As written."""
    routes: Sequence[WrittenRoute]

    @property
    def names(self) -> Collection[str]:
        """Everything that a default or a route gives a value, in order."""
        return tuple(dict.fromkeys((*self.defaults, *(name for route in self.routes for name in route.section.set))))

    @property
    def looked_at(self) -> Collection[str]:
        """What the routes look at on the external ticket."""
        return {name for route in self.routes for name in route.section.when if name != _CLASS}

    @property
    def ask_for_callers(self) -> bool:
        """Whether a caller is looked up by e-mail anywhere."""
        values = (value for table in (self.defaults, *(route.section.set for route in self.routes)) for value in table.values())
        return any(isinstance(each, Mapping) and BY_EMAIL in each for value in values for each in candidates(value))


def written_routes(section: ServerSection, side: Side, surroundings: Surroundings, faults: Faults) -> SideRoutes:
    """The routes of a side's table, then those of its CSV file."""
    routes = [
        WrittenRoute(route, _named(route, f"route {place + 1}"), f"{side}.routes.{place}.", faults)
        for place, route in enumerate(section.routes)
    ]
    if section.routes_file:
        path = surroundings.folder / Path(section.routes_file).expanduser()
        for number, table, in_line in read_routes(path, f"{side}.routes_file", faults):
            route = check(RouteSection, table, surroundings, in_line)
            routes.append(WrittenRoute(route, _named(route, f"{path.name} line {number}"), "", in_line))
    return SideRoutes(side, section.defaults, routes)


def _named(route: RouteSection, otherwise: str) -> str:
    return clip(route.name, _LONGEST_NAME) or otherwise


def compile_routing(written: SideRoutes, pairs: Sequence[ClassPair], settable: Settable) -> Routing:
    """Compile a side's routes for these classes. A fault is added to its route's faults."""
    before = {name: _tried(written.side, name, value)[:-1] for name, value in written.defaults.items()}
    return Routing(
        tuple(_compile(route, pairs, settable) for route in written.routes),
        MappingProxyType({name: several for name, several in before.items() if several}),
    )


def looked_at(pair: ClassPair, routes: Collection[SideRoutes]) -> tuple[str, ...]:
    """What must be read of an external ticket of this class for the routes of both sides."""
    known = readable(pair)
    demands = (demand for each in routes for route in each.routes for demand in route.section.when.items())
    names = [_read_as(name, demand) for name, demand in demands if name in known]
    names += [EMAIL_OF for each in routes if each.ask_for_callers and EMAIL_OF in known]
    return tuple(dict.fromkeys(names))


def readable(pair: ClassPair) -> frozenset[str]:
    """The attributes of the external class that a route may look at."""
    attributes = pair.external.attributes.keys()
    return pair.external.keys | attributes | pair.sections.keys() | ({"priority"} if "urgency" in attributes else set())


def _compile(written: WrittenRoute, pairs: Sequence[ClassPair], settable: Settable) -> Route:
    section, faults = written.section, written.faults
    if not faults.any_below(written.place.rstrip(".")):
        if not section.set:
            remedy = 'Write what such tickets get, like set = { org_id = { name = "Acme" } }'
            faults.add(f"{written.place}set", "it sets nothing", remedy)
        if not section.when and not section.condition:
            remedy = f"Say in when or condition which it is for; what all others get stands in {settable.side}.defaults"
            faults.add(f"{written.place}when", "it fits every ticket", remedy)
    check_values(settable, f"{written.place}set", section.set, faults)
    named = _classes(written, pairs)
    meant = [pair for pair in pairs if not named or pair.external_name in named]
    demands = [_demand(written, name, value, meant) for name, value in section.when.items() if name != _CLASS]
    return Route(
        written.name,
        MappingProxyType({name: _tried(settable.side, name, value) for name, value in section.set.items()}),
        named,
        tuple(filter(None, demands)),
        section.condition,
    )


def _classes(written: WrittenRoute, pairs: Sequence[ClassPair]) -> frozenset[str]:
    known = {pair.external_name for pair in pairs}
    value = written.section.when.get(_CLASS, [])
    names = value if isinstance(value, list) else [value]
    for name in names:
        if known and (not isinstance(name, str) or name not in known):
            remedy = meant_or(str(name), known, f"There are: {listed(sorted(known))}")
            written.faults.add(f"{written.place}when.{_CLASS}", f"{clip(str(name), 40)} is not one of the synced classes", remedy)
    return frozenset(map(str, names))


def _demand(written: WrittenRoute, name: str, value: object, pairs: Sequence[ClassPair]) -> Demand | None:
    key, faults = f"{written.place}when.{name}", written.faults
    known = {each for pair in pairs for each in readable(pair)}
    if pairs and name not in known:
        faults.add(key, f"none of the synced classes has an attribute {name}", _instead_of(name, known))
        return None
    if not isinstance(value, Mapping):
        return Demand(name, frozenset(_shown(name, each) for each in _several(value)))
    match dict(value):
        case {"pattern": patterns, **rest} if not rest:
            return Demand(_read_as(name, value), patterns=frozenset(plain(str(each)) for each in _several(patterns)))
        case _ if not is_key(name):
            faults.add(key, f"{name} is not a key, so it points to nothing", 'Write its value, or { pattern = "…" }')
        case {"pattern": _}:
            faults.add(key, "a pattern is compared with the name, and stands alone", "Remove the other keys beside pattern")
        case {"name": names, **rest} if not rest:
            return Demand(_read_as(name, value), frozenset(plain(str(each)) for each in _several(names)))
        case criterion if all(isinstance(part, int | str) for part in criterion.values()):
            return Demand(name, lookup=Lookup(Side.EXTERNAL, name, tuple((each, str(part)) for each, part in criterion.items())))
        case _:
            faults.add(key, "only name and pattern take a list", "Write a route for each value, or an OQL condition")
    return None


def _instead_of(name: str, known: Collection[str]) -> str:
    for ending in (NAME, "_name"):
        if (key := f"{name.removesuffix(ending).removesuffix('_id')}_id") in known and name.endswith(ending):
            return f'Write {key} = {{ name = "…" }}'
    kind = f"classes.<class>.attributes.{name}.kind"
    return meant_or(name, known, f"Remove it, or give its kind in {kind} if that iTop has it")


def _read_as(name: str, demand: object) -> str:
    """The attribute to read; for a key demanded by name or pattern, the one with the name of the object it points to."""
    return f"{name}{NAME}" if is_key(name) and isinstance(demand, Mapping) and demand.keys() <= {"name", "pattern"} else name


def _several(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _shown(name: str, value: object) -> str:
    """A value as a ticket shows it; an empty key is shown as an empty text."""
    return "" if is_key(name) and str(value) == "0" else plain(str(value))


def _tried(side: Side, name: str, value: object) -> tuple[Candidate, ...]:
    return tuple(_candidate(side, name, each) for each in candidates(value))


def _candidate(side: Side, name: str, value: object) -> Candidate:
    if isinstance(value, Mapping):
        if BY_EMAIL in value:
            return ByEmail()
        return Lookup(side, name, tuple((each, str(part)) for each, part in value.items()))
    text = str(value).strip()
    if is_key(name) and text.upper().startswith("SELECT "):
        return Lookup(side, name, query=text)
    return int(text) if is_key(name) and text.isdecimal() else text if isinstance(value, str) else int(text)
