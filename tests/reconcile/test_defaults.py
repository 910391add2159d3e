"""Defaults that depend on the ticket, as rules: the first route that fits, what falls back, and that nobody is carried."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import product
from time import process_time
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.model import ItemKind, Ref, Side, Ticket
from itopsync.reconcile.defaults import (
    Asked,
    ByEmail,
    Candidate,
    Chosen,
    Demand,
    Found,
    LookedUp,
    Lookup,
    Route,
    Routing,
    Unasked,
    choose,
    hidden,
    route_of,
)
from itopsync.reconcile.plan import Create, Write
from itopsync.reconcile.planner import plan_link
from tests.reconcile.world import DEFAULTS, World

NAMES = ("org_id", "caller_id", "team_id", "agent_id", "service_id")
PEOPLE = ("org_id", "caller_id", "team_id", "agent_id")
VALUES = ("", "1", "2", "acme", "acme west", "vpn")
THEIRS = frozenset({"900001", "900002"})
"""Ids that only external has."""

LOOKUPS = [Lookup(Side.EXTERNAL, "org_id", (("code", code),)) for code in "ab"]
OURS = [Lookup(Side.INTERNAL, "team_id", (("name", name),)) for name in "cd"]
CONDITIONS = ("", "", "this.urgency = 1", "this.impact = 1")

texts = st.sampled_from(VALUES)
demands = st.builds(
    Demand,
    st.sampled_from(["org_id", "org_id_friendlyname", "title"]),
    st.frozensets(texts, max_size=2),
    st.frozensets(st.sampled_from(["*", "acme*", "?", "*n", "acme"]), max_size=2),
    st.sampled_from([None, None, *LOOKUPS]),
).filter(lambda demand: bool(demand.values or demand.patterns or demand.lookup))
candidates: st.SearchStrategy[Candidate] = st.one_of(st.integers(10, 20), st.sampled_from(OURS), st.just(ByEmail()))
values = st.dictionaries(st.sampled_from(NAMES), st.lists(candidates, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3)
routes = st.builds(
    Route,
    st.uuids().map(str),
    values,
    st.frozensets(st.sampled_from(["UserRequest", "Incident"]), max_size=1),
    st.lists(demands, max_size=2).map(tuple),
    st.sampled_from(CONDITIONS),
)
routings = st.builds(Routing, st.lists(routes, max_size=5).map(tuple), values)
found: st.SearchStrategy[Found] = st.one_of(st.none(), st.lists(st.integers(1, 3), unique=True, max_size=2).map(tuple))
looked_up = st.builds(
    LookedUp,
    st.fixed_dictionaries(dict.fromkeys((*LOOKUPS, *OURS), found)),
    st.fixed_dictionaries({condition: st.sampled_from([True, False, None]) for condition in set(CONDITIONS) if condition}),
    found.map(lambda people: (people,)),
)
tickets = st.builds(
    lambda cls, fields: Ticket(Ref(Side.EXTERNAL, cls, 17), "R-000017", "v1", "new", fields),
    st.sampled_from(["UserRequest", "Incident"]),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("org_id", "org_id_friendlyname", "title"), texts)),
)
asked = st.builds(Asked, tickets, looked_up)


def ticket(**fields: str) -> Ticket:
    return Ticket(Ref(Side.EXTERNAL, "UserRequest", 17), "R-000017", "v1", "new", fields)


def chosen(routing: Routing, given: Asked) -> Chosen:
    return choose(Side.INTERNAL, routing, DEFAULTS, NAMES, given)


def fits(route: Route, given: Asked) -> bool | None:
    """Whether a route fits, told once more and by hand; None if the server cannot tell."""
    told: list[bool | None] = []
    if route.classes:
        told.append(given.ticket.ref.cls in route.classes)
    for demand in route.demands:
        shown = given.ticket.fields.get(demand.attribute)
        ids = () if demand.lookup is None else given.looked_up.found[demand.lookup]
        told.append(shown is not None and (shown in demand.values or any(_like(shown, each) for each in demand.patterns)))
        if not told[-1] and shown is not None and demand.lookup is not None:
            told[-1] = None if ids is None else shown in map(str, ids)
    if route.condition:
        told.append(given.looked_up.meets[route.condition])
    return False if False in told else None if None in told else True


def _like(text: str, pattern: str) -> bool:
    head, star, tail = pattern.partition("*")
    if not star:
        return len(text) == len(pattern) and all(want in (char, "?") for char, want in zip(text, pattern, strict=True))
    return len(text) >= len(head + tail) and text.startswith(head) and text.endswith(tail)


# the first route that fits


@given(routings, asked)
def test_the_first_route_that_fits_is_taken_and_no_other(routing: Routing, given: Asked) -> None:
    first = next((route for route in routing.routes if fits(route, given)), None)
    assert route_of(routing, given) is first
    told = [key.which for key in chosen(routing, given).routes_taken if key.kind is ItemKind.ROUTE]
    assert told == ([first.name if first else "internal.defaults"] if routing.routes else [])


@given(routings, asked)
def test_a_route_that_is_not_taken_changes_nothing(routing: Routing, given: Asked) -> None:
    first = route_of(routing, given)
    alone = replace(routing, routes=(first,) if first else ())
    assert chosen(routing, given).values == chosen(alone, given).values


@given(routings, asked)
def test_every_value_is_what_is_written_or_exactly_the_one_thing_found(routing: Routing, given: Asked) -> None:
    route = route_of(routing, given)
    for name, value in chosen(routing, given).values.items():
        tried = (*(route.values.get(name, ()) if route else ()), *routing.before.get(name, ()))
        taken = [_taken(each, given.looked_up) for each in tried]
        assert value == next((each for each in taken if each is not None), DEFAULTS[name])


def _taken(candidate: Candidate, given: LookedUp) -> int | str | None:
    if not isinstance(candidate, Lookup | ByEmail):
        return candidate
    ids = given.callers[0] if isinstance(candidate, ByEmail) else given.found[candidate]
    return ids[0] if ids is not None and len(ids) == 1 else None


# what falls back


@given(routings, asked)
def test_whatever_is_not_found_there_is_a_value_and_it_is_told(routing: Routing, given: Asked) -> None:
    nothing = replace(given.looked_up, found=dict.fromkeys(given.looked_up.found, ()), callers=((),))
    result = chosen(routing, replace(given, looked_up=nothing))
    assert result.values.keys() == set(NAMES)
    route = route_of(routing, replace(given, looked_up=nothing))
    for name in NAMES:
        tried = (*(route.values.get(name, ()) if route else ()), *routing.before.get(name, ()))
        plain = next((place for place, each in enumerate(tried) if not isinstance(each, Lookup | ByEmail)), len(tried))
        told = [key for key in result.routes_taken if key.kind is ItemKind.FALL_BACK and key.which.startswith(f"{name}: ")]
        assert len(told) == plain


@given(routings, asked)
def test_what_is_told_says_nothing_of_the_ticket(routing: Routing, given: Asked) -> None:
    secret = {name: f"hush {value}" for name, value in given.ticket.fields.items()}
    told = chosen(routing, replace(given, ticket=replace(given.ticket, fields=secret))).routes_taken
    assert "hush" not in "".join(told)


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ((), "nobody in internal has the external caller's e-mail"),
        ((1, 2), "several people in internal have the external caller's e-mail"),
        (None, "the external caller's e-mail cannot be looked up"),
    ],
)
def test_why_a_caller_falls_back(people: Found, words: str) -> None:
    routing = Routing((Route("all", {"caller_id": (ByEmail(),)}, demands=(Demand("org_id", frozenset({"3"})),)),))
    result = chosen(routing, Asked(ticket(org_id="3"), LookedUp(callers=(people,))))
    assert result.values["caller_id"] == DEFAULTS["caller_id"]
    assert result.routes_taken == ("route:all", f"fall-back:caller_id: {words}")


# what was not asked


@given(routings, asked)
def test_nothing_is_guessed_that_was_not_asked(routing: Routing, given: Asked) -> None:
    """With look-ups left out, the choice is the same, or it is not made."""
    whole = chosen(routing, given)
    for fewer in (
        replace(given.looked_up, found=MappingProxyType({})),
        replace(given.looked_up, meets=MappingProxyType({})),
        replace(given.looked_up, callers=()),
    ):
        with suppress(Unasked):
            assert chosen(routing, replace(given, looked_up=fewer)) == whole


# routes behind others


@given(st.lists(routes, max_size=6), asked)
def test_a_hidden_route_is_never_taken(several: list[Route], given: Asked) -> None:
    certain = replace(given.looked_up, found={key: ids or () for key, ids in given.looked_up.found.items()})
    certain = replace(certain, meets={key: bool(met) for key, met in given.looked_up.meets.items()})
    taken = route_of(Routing(tuple(several)), replace(given, looked_up=certain))
    assert all(route is not taken for route, _ in hidden(several))


@given(st.lists(routes, max_size=8))
def test_all_that_are_hidden_are_found_with_the_first_that_hides_them(several: list[Route]) -> None:
    pairs = [(later, [each for each in several[:place] if each.hides(later)]) for place, later in enumerate(several)]
    assert list(hidden(several)) == [(later, hiding[0]) for later, hiding in pairs if hiding]


@pytest.mark.parametrize(
    ("earlier", "later", "is_hidden"),
    [
        (Demand("org_id", frozenset({"1", "2"})), Demand("org_id", frozenset({"2"})), True),
        (Demand("org_id", frozenset({"2"})), Demand("org_id", frozenset({"1", "2"})), False),
        (Demand("title", patterns=frozenset({"*"})), Demand("title", patterns=frozenset({"vpn*"})), True),
        (Demand("title", patterns=frozenset({"vpn*"})), Demand("title", frozenset({"vpn down"})), True),
        (Demand("title", patterns=frozenset({"vpn*"})), Demand("title", patterns=frozenset({"vpn"})), False),
        (Demand("org_id", lookup=LOOKUPS[0]), Demand("org_id", lookup=LOOKUPS[0]), True),
        (Demand("org_id", lookup=LOOKUPS[0]), Demand("org_id", lookup=LOOKUPS[1]), False),
        (Demand("org_id", frozenset({"1"})), Demand("title", frozenset({"1"})), False),
    ],
)
def test_a_route_behind_another(earlier: Demand, later: Demand, is_hidden: bool) -> None:
    first, second = (Route(name, {}, demands=(demand,)) for name, demand in (("one", earlier), ("two", later)))
    assert [(each.name, before.name) for each, before in hidden([first, second])] == ([("two", "one")] if is_hidden else [])


@pytest.mark.parametrize(
    ("earlier", "later", "is_hidden"),
    [
        ({}, {"classes": frozenset({"Incident"})}, True),
        ({"classes": frozenset({"Incident"})}, {}, False),
        ({"condition": "this.id = 1"}, {"condition": "this.id = 1"}, True),
        ({"condition": "this.id = 1"}, {}, False),
        ({}, {"condition": "this.id = 1"}, True),
    ],
)
def test_a_class_or_a_condition_behind_another(earlier: dict[str, Any], later: dict[str, Any], is_hidden: bool) -> None:
    demand = (Demand("org_id", frozenset({"1"})),)
    first, second = Route("one", {}, demands=demand), Route("two", {}, demands=demand)
    assert bool(list(hidden([replace(first, **earlier), replace(second, **later)]))) is is_hidden


# how values are compared


@pytest.mark.parametrize(
    ("pattern", "text", "same"),
    [
        ("net*", "Network down", True),
        ("net*", "The network", False),
        ("*net*", "The network", True),
        ("a?c", "ABC", True),
        ("a?c", "ac", False),
        ("[acme]*", "[Acme] new", True),
        ("[acme]*", "a new one", False),
        ("ströme", "STRÖME", True),
        ("*", "", True),
        ("a*", "a\nb", True),
    ],
)
def test_a_pattern(pattern: str, text: str, same: bool) -> None:
    assert Demand("title", patterns=frozenset({pattern})).fits(ticket(title=text), {}) is same


def test_no_text_makes_a_pattern_slow() -> None:
    began = process_time()
    for count in (5, 50):
        pattern = "*".join(["", *"a" * count, "b"])
        assert not Demand("title", patterns=frozenset({pattern})).fits(ticket(title="a" * 60_000), {})
    assert process_time() - began < 2


def test_what_a_ticket_does_not_have_fits_nothing() -> None:
    assert not Demand("service_id", frozenset({""}), frozenset({"*"})).fits(ticket(org_id="3"), {})


# what is carried


def by_a_person(side: Side, **fields: str) -> World:
    """A world whose external ticket names organisations and people that only external has."""
    world = World()
    world.edits(side, **fields)
    return world


@given(routings, looked_up, st.fixed_dictionaries({name: st.sampled_from(sorted(THEIRS)) for name in NAMES}))
def test_no_organisation_person_or_service_of_external_is_ever_carried(
    routing: Routing, given: LookedUp, theirs: dict[str, str]
) -> None:
    """Whatever the routes, what a copy gets was configured or found in internal; the ticket's own ids only decide."""
    world = by_a_person(Side.EXTERNAL, **theirs, org_id_friendlyname="acme")
    rules = replace(world.rules, internal=replace(world.rules.internal, routing=routing))
    rules = replace(rules, classes=(replace(rules.classes[0], on_create=NAMES),))
    (create,) = plan_link(world.link, world.observation, rules, world.now, looked_up=given).actions
    assert isinstance(create, Create)
    mine = {str(create.fields[name]) for name in NAMES}
    assert not mine & THEIRS
    may = {*map(str, DEFAULTS.values()), *map(str, range(10, 21)), "1", "2", "3"}
    assert mine <= may


@given(routings, st.sampled_from(list(Side)))
def test_a_state_takes_the_same_routes(routing: Routing, target: Side) -> None:
    given = LookedUp(dict.fromkeys((*LOOKUPS, *OURS), (2,)), dict.fromkeys(CONDITIONS, True), ((3,),))
    world = World()
    world.sync()
    world.moves(target.other, "ev_assign", team_id="900001", agent_id="900002")
    world.edits(Side.EXTERNAL, org_id="1")
    for name in ("team_id", "agent_id"):
        world.edits(target, **{name: ""})
    rules = world.rules.with_(target, replace(world.rules.of(target), routing=routing))
    actions = plan_link(world.link, world.observation, rules, world.now, looked_up=given).actions
    (write,) = [action for action in actions if isinstance(action, Write) and action.stimulus]
    external = world.tickets[Side.EXTERNAL]
    wanted = choose(target, routing, DEFAULTS, ("agent_id", "team_id"), Asked(external, given))
    assert {name: write.fields[name] for name in ("agent_id", "team_id")} == wanted.values
    assert write.routes_taken == wanted.routes_taken


@pytest.mark.parametrize("missing", ["look-up", "condition"])
def test_what_needs_an_answer_that_is_not_there_waits_and_nothing_else_does(missing: str) -> None:
    demand = (Demand("org_id", lookup=LOOKUPS[0]),) if missing == "look-up" else ()
    route = Route("one", {"team_id": (1,)}, demands=demand, condition="this.id = 1" if missing == "condition" else "")
    world = World()
    world.sync()
    world.moves(Side.EXTERNAL, "ev_assign", team_id="1", agent_id="1")
    world.edits(Side.EXTERNAL, org_id="3")
    world.edits(Side.INTERNAL, team_id="", agent_id="")
    world.writes_note(Side.EXTERNAL, "<p>Hello</p>")
    rules = replace(world.rules, internal=replace(world.rules.internal, routing=Routing((route,))))
    (write,) = plan_link(world.link, world.observation, rules, world.now).actions
    assert isinstance(write, Write)
    assert (write.stimulus, len(write.notes)) == (None, 1)
    known = LookedUp({LOOKUPS[0]: (3,)}, {"this.id = 1": True})
    (write,) = plan_link(world.link, world.observation, rules, world.now, looked_up=known).actions
    assert isinstance(write, Write)
    assert (write.stimulus, write.fields["team_id"], len(write.notes)) == ("ev_assign", 1, 1)


def test_every_pair_of_demands_of_one_attribute_is_judged_as_what_fits_them() -> None:
    """``follows_from`` against all texts there are."""
    some = [frozenset[str](), frozenset({"a"}), frozenset({"a", "b"})]
    masks = [frozenset[str](), frozenset({"*"}), frozenset({"a*"}), frozenset({"?"})]
    every = [Demand("title", values, patterns) for values, patterns in product(some, masks)]
    for mine, its in product(every, every):
        if mine.follows_from(its):
            for text in ("", "a", "b", "ab", "ba"):
                shown = ticket(title=text)
                assert mine.fits(shown, {}) or not its.fits(shown, {})
