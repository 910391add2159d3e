"""Routes: what they compile to, and all that can be wrong with them, in ``sync.toml`` and in a CSV file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itopsync.errors import ConfigurationError, Fault
from itopsync.model import Side
from itopsync.reconcile.defaults import ByEmail, Demand, Lookup, Route, Routing
from tests.config.making import Case, Changes, check_fault, faults, load

SOME = {"team_id": 37}
FITS = {"org_id": 3}
TEAM_A = Lookup(Side.INTERNAL, "team_id", (("name", "A"),))
CELLS = (
    *("name", "when.org_id", "when.org_id.name", "when.class", "set.team_id", "set.team_id.name", "set.caller_id", "condition"),
    *("", "3", "UserRequest", "SELECT Team", '"', "a,b", ";", "set.caller_id.otherwise", "\n", "(", "ü"),
)


def with_route(**route: Any) -> Changes:
    return {"internal.routes": [route]}


def routing(folder: Path, changes: Changes) -> Routing:
    return load(folder, changes).rules.internal.routing


def only(folder: Path, **route: Any) -> Route:
    (found,) = routing(folder, with_route(**route)).routes
    return found


# what they mean


def test_without_routes_nothing_is_asked(tmp_path: Path) -> None:
    rules = load(tmp_path, {}).rules
    assert not rules.internal.routing
    assert not rules.external.routing
    assert rules.classes[0].looked_at == ()


@pytest.mark.parametrize(
    ("when", "demand"),
    [
        ({"org_id": 3}, Demand("org_id", frozenset({"3"}))),
        ({"org_id": "3"}, Demand("org_id", frozenset({"3"}))),
        ({"service_id": 0}, Demand("service_id", frozenset({""}))),
        ({"urgency": [1, "2"]}, Demand("urgency", frozenset({"1", "2"}))),
        ({"request_type": " Incident "}, Demand("request_type", frozenset({"incident"}))),
        ({"org_id": {"name": "Acme"}}, Demand("org_id_friendlyname", frozenset({"acme"}))),
        ({"caller_id": {"name": ["Jo Doe", "Al Roe"]}}, Demand("caller_id_friendlyname", frozenset({"jo doe", "al roe"}))),
        ({"service_id": {"pattern": "Net*"}}, Demand("service_id_friendlyname", patterns=frozenset({"net*"}))),
        ({"title": {"pattern": ["VPN*", "*vpn"]}}, Demand("title", patterns=frozenset({"vpn*", "*vpn"}))),
        ({"org_id": {"code": "AC"}}, Demand("org_id", lookup=Lookup(Side.EXTERNAL, "org_id", (("code", "AC"),)))),
        ({"priority": 1}, Demand("priority", frozenset({"1"}))),
    ],
)
def test_what_a_route_demands(tmp_path: Path, when: dict[str, Any], demand: Demand) -> None:
    assert only(tmp_path, when=when, set=SOME).demands == (demand,)
    (cls,) = load(tmp_path, with_route(when=when, set=SOME)).rules.classes
    assert cls.looked_at == (demand.attribute,)
    assert demand.attribute in cls.attributes(Side.EXTERNAL)
    assert demand.attribute not in cls.attributes(Side.INTERNAL) or not demand.attribute.endswith("_friendlyname")


@pytest.mark.parametrize(
    ("value", "tried"),
    [
        (37, (37,)),
        ("37", (37,)),
        ({"name": "A"}, (TEAM_A,)),
        ("SELECT Team WHERE id = 3", (Lookup(Side.INTERNAL, "team_id", query="SELECT Team WHERE id = 3"),)),
        (
            {"name": "A", "otherwise": {"code": 7, "otherwise": 3}},
            (TEAM_A, Lookup(Side.INTERNAL, "team_id", (("code", "7"),)), 3),
        ),
        ({"otherwise": 3}, (3,)),
    ],
)
def test_what_is_tried_for_a_value(tmp_path: Path, value: object, tried: tuple[object, ...]) -> None:
    assert only(tmp_path, when=FITS, set={"team_id": value}).values["team_id"] == tried


def test_a_plain_value_stays_what_it_is(tmp_path: Path) -> None:
    values = only(tmp_path, when=FITS, set={"origin": "mail", "impact": 1}).values
    assert values == {"origin": ("mail",), "impact": (1,)}


def test_a_class_and_a_condition(tmp_path: Path) -> None:
    route = only(tmp_path, name=" Acme ", when={"class": "UserRequest"}, condition="this.urgency = 1", set=SOME)
    assert (route.name, route.classes) == ("Acme", frozenset({"UserRequest"}))
    assert (route.demands, route.condition) == ((), "this.urgency = 1")


def test_a_caller_by_email_before_the_default(tmp_path: Path) -> None:
    default = {"email_of": "caller_id", "otherwise": {"email": "desk@example.com"}}
    rules = load(tmp_path, {"internal.defaults.caller_id": default}).rules
    assert rules.internal.routing.before == {"caller_id": (ByEmail(),)}
    assert rules.internal.defaults["caller_id"] == {"email": "desk@example.com"}
    assert rules.classes[0].looked_at == ("caller_id",)


def test_a_copy_takes_what_any_route_sets_and_its_class_has(tmp_path: Path) -> None:
    changes = {**with_route(when=FITS, set={"service_id": 3, "team_id": 37}), "classes": {"UserRequest": {}, "NormalChange": {}}}
    classes = load(tmp_path, changes).rules.classes
    assert [cls.on_create for cls in classes] == [
        ("org_id", "caller_id", "service_id", "team_id"),
        ("org_id", "caller_id", "team_id"),
    ]


def test_what_a_class_lacks_is_not_read_of_it(tmp_path: Path) -> None:
    changes = {**with_route(when={"service_id": {"name": "X"}}, set=SOME), "classes": {"UserRequest": {}, "NormalChange": {}}}
    classes = load(tmp_path, changes).rules.classes
    assert [cls.looked_at for cls in classes] == [("service_id_friendlyname",), ()]


def test_an_attribute_of_ones_own_is_named_with_its_kind(tmp_path: Path) -> None:
    changes = {**with_route(when={"region": "west"}, set=SOME), "classes.UserRequest.attributes.region": {"kind": "code"}}
    assert routing(tmp_path, changes).routes[0].demands == (Demand("region", frozenset({"west"})),)


# what is wrong


TABLE: list[Case] = [
    ("no set", with_route(when=FITS), "internal.routes.0.set", "sets nothing", "org_id"),
    ("no demand", with_route(set=SOME), "internal.routes.0.when", "fits every ticket", "internal.defaults"),
    ("another key", with_route(when=FITS, sets=SOME), "internal.routes.0.sets", "no such key", "Did you mean set?"),
    (
        "an unknown attribute",
        with_route(when={"servce_id": 1}, set=SOME),
        "internal.routes.0.when.servce_id",
        "an attribute servce_id",
        "Did you mean service_id?",
    ),
    (
        "a name of its own",
        with_route(when={"org_name": "Acme"}, set=SOME),
        "internal.routes.0.when.org_name",
        "an attribute org_name",
        'Write org_id = { name = "…" }',
    ),
    (
        "an unknown class",
        with_route(when={"class": "UserReqest"}, set=SOME),
        "internal.routes.0.when.class",
        "not one of the synced classes",
        "Did you mean UserRequest?",
    ),
    (
        "a class by pattern",
        with_route(when={"class": {"pattern": "User*"}}, set=SOME),
        "internal.routes.0.when.class",
        "not one of the synced classes",
        "UserRequest",
    ),
    (
        "the name of a text",
        with_route(when={"title": {"name": "x"}}, set=SOME),
        "internal.routes.0.when.title",
        "not a key",
        "pattern",
    ),
    (
        "a pattern with company",
        with_route(when={"org_id": {"pattern": "x", "code": "y"}}, set=SOME),
        "internal.routes.0.when.org_id",
        "stands alone",
        "Remove",
    ),
    (
        "a list of codes",
        with_route(when={"org_id": {"code": ["x", "y"]}}, set=SOME),
        "internal.routes.0.when.org_id",
        "only name and pattern take a list",
        "a route for each",
    ),
    (
        "a demand of no kind",
        with_route(when={"org_id": 2.5}, set=SOME),
        "internal.routes.0.when.org_id",
        "not valid",
        "a value, a list",
    ),
    (
        "an empty demand",
        with_route(when={"org_id": []}, set=SOME),
        "internal.routes.0.when.org_id",
        "not valid",
        "a value, a list",
    ),
    ("an open condition", with_route(condition="(this.id", set=SOME), "internal.routes.0.condition", "not closed", "Close it"),
    ("a value of no kind", with_route(when=FITS, set={"team_id": []}), "internal.routes.0.set.team_id", "not valid", "criterion"),
    (
        "a name for a key",
        with_route(when=FITS, set={"team_id": "Helpdesk"}),
        "internal.routes.0.set.team_id",
        "neither an id nor an OQL query",
        'name = "Helpdesk"',
    ),
    (
        "an unknown value",
        with_route(when=FITS, set={"tem_id": 3}),
        "internal.routes.0.set.tem_id",
        "an attribute tem_id",
        "Did you mean team_id?",
    ),
    (
        "a look-up for a text",
        with_route(when=FITS, set={"origin": {"name": "mail"}}),
        "internal.routes.0.set.origin",
        "not a key",
        "the value itself",
    ),
    ("what iTop keeps", with_route(when=FITS, set={"status": "new"}), "internal.routes.0.set.status", "iTop keeps", "Remove"),
    (
        "the agent by e-mail",
        with_route(when=FITS, set={"agent_id": {"email_of": "agent_id"}}),
        "internal.routes.0.set.agent_id",
        "never carried",
        'caller_id = { email_of = "caller_id" }',
    ),
    (
        "the caller by the agent's e-mail",
        with_route(when=FITS, set={"caller_id": {"email_of": "agent_id"}}),
        "internal.routes.0.set.caller_id",
        "never carried",
        'caller_id = { email_of = "caller_id" }',
    ),
    (
        "an e-mail with company",
        with_route(when=FITS, set={"caller_id": {"email_of": "caller_id", "org_id": 3}}),
        "internal.routes.0.set.caller_id",
        "stands alone",
        "otherwise",
    ),
    (
        "a caller of external by e-mail",
        {"external.routes": [{"when": FITS, "set": {"caller_id": {"email_of": "caller_id"}}}]},
        "external.routes.0.set.caller_id",
        "nobody of internal is told to external",
        "Remove it",
    ),
    (
        "nobody for a caller who is not found",
        {"internal.defaults.caller_id": {"email_of": "caller_id"}},
        "internal.defaults.caller_id",
        "whose e-mail nobody in internal has",
        "otherwise = { email",
    ),
    ("no such file", {"internal.routes_file": "gone.csv"}, "internal.routes_file", "gone.csv cannot be read", "Check the path"),
    ("a folder for a file", {"internal.routes_file": "."}, "internal.routes_file", "cannot be read", "Check the path"),
]


@pytest.mark.parametrize("case", TABLE, ids=[case[0] for case in TABLE])
def test_what_is_wrong_with_a_route(case: Case, tmp_path: Path) -> None:
    check_fault(tmp_path, case)


# from a CSV file


def from_file(folder: Path, text: str | bytes) -> Changes:
    (folder / "routes.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return {"internal.routes_file": "routes.csv"}


def wrong(folder: Path, text: str | bytes) -> dict[str, Fault]:
    """What is wrong with a CSV file, by line and key."""
    found = faults(folder, from_file(folder, text))
    return {where.removeprefix(f"{folder / 'routes.csv'}: "): fault for where, fault in found.items()}


def test_a_line_says_what_a_table_would(tmp_path: Path) -> None:
    text = (
        "name,when.class,when.org_id.name,condition,set.org_id.name,set.team_id,set.caller_id.email_of,set.caller_id.otherwise.email\n"
        'Acme,UserRequest,"Acme, Inc.",this.urgency = 1,Acme Ltd,37,caller_id,desk@acme.example\n'
    )
    in_toml = only(
        tmp_path,
        name="Acme",
        when={"class": "UserRequest", "org_id": {"name": "Acme, Inc."}},
        condition="this.urgency = 1",
        set={
            "org_id": {"name": "Acme Ltd"},
            "team_id": 37,
            "caller_id": {"email_of": "caller_id", "otherwise": {"email": "desk@acme.example"}},
        },
    )
    assert routing(tmp_path, from_file(tmp_path, text)).routes == (in_toml,)


def test_the_file_comes_after_the_table_and_its_lines_have_names(tmp_path: Path) -> None:
    changes = {**with_route(when=FITS, set=SOME), **from_file(tmp_path, "when.org_id,set.team_id\n4,37\n\n5,38\n")}
    assert [route.name for route in routing(tmp_path, changes).routes] == ["route 1", "routes.csv line 2", "routes.csv line 4"]


@pytest.mark.parametrize(
    "text",
    [
        "when.org_id;set.team_id\r\n4;37\r\n",
        b"\xef\xbb\xbfwhen.org_id,set.team_id\n4,37",
        "when.org_id,set.team_id,set.agent_id,name\n4,37\n",
        "when.org_id , set.team_id\n 4 , 37 \n",
    ],
    ids=["semicolons", "a mark of the byte order", "short lines", "spaces"],
)
def test_what_spreadsheets_write(text: str | bytes, tmp_path: Path) -> None:
    (route,) = routing(tmp_path, from_file(tmp_path, text)).routes
    assert (route.demands, route.values) == ((Demand("org_id", frozenset({"4"})),), {"team_id": (37,)})


def test_every_fault_of_a_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = (
        "name,when.org_id,when.servce_id,set.team_id,when.org_id,colour\n"
        "a,1,,Helpdesk,,\n"
        "b,2,7,38,,\n"
        "c,3,7,,,red,too many\n"
        "d,,,38,,\n"
    )
    found = wrong(tmp_path, text)
    assert {where: fault.what for where, fault in found.items()} == {
        "line 1: when.org_id": "there are two columns of this name",
        "line 1: colour": "there is no such column",
        "line 2: set.team_id": "'Helpdesk' is neither an id nor an OQL query",
        "lines 3, 4: when.servce_id": "none of the synced classes has an attribute servce_id",
        "line 4": "it has 7 cells, and there are 6 columns",
        "line 5: when": "it fits every ticket",
    }


def test_a_fault_of_a_column_is_told_once(tmp_path: Path) -> None:
    found = wrong(tmp_path, "when.org_nme,set.team_id\n" + "x,37\n" * 300)
    assert list(found) == ["lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 290 more: when.org_nme"]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "line 1", "it names no columns"),
        (b"name\n\xff", "line 2", "this is not UTF-8"),
        ('when.org_id,set.team_id\n4,"37" x\n', "line 2", "malformed CSV"),
        ("when.org_id,set.team_id.name,set.team_id\n4,a,b\n", "line 2: set.team_id", "another column gives this one a value too"),
        ("when.org_id,set.team_id,set.team_id.name\n4,a,b\n", "line 2: set.team_id.name", "another column gives"),
        ("when.org_id,set.team_id,\n4,37,\n", "line 1: a column without a name", "there is no such column"),
        ("when.org_id,set.team_id,internal.url\n4,37,x\n", "line 1: internal.url", "there is no such column"),
    ],
)
def test_what_is_wrong_with_a_file(text: str | bytes, where: str, what: str, tmp_path: Path) -> None:
    found = wrong(tmp_path, text)
    assert what in found[where].what
    assert "\n" not in str(found[where])


def test_the_examples_of_the_page_are_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "dispatch.md").read_text()
    tables = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]
    (lines,) = re.findall(r"```text\n(name,.*?)```", page, re.DOTALL)
    several, single, by_email, from_a_file = tables
    changes = {
        "internal.defaults": {**several["internal"]["defaults"], **by_email["internal"]["defaults"]},
        "internal.routes": [*several["internal"]["routes"], {"when": FITS, **single}],
        "internal.routes_file": from_a_file["internal"]["routes_file"],
    }
    found = routing(tmp_path, {**from_file(tmp_path, lines), **changes})
    assert [route.name for route in found.routes] == [
        "Globex, networks",
        "Globex",
        "route 3",
        "Globex, networks",
        "Globex",
        "Initech",
    ]
    assert found.before == {"caller_id": (ByEmail(),)}


def test_a_file_may_be_long(tmp_path: Path) -> None:
    text = "when.org_id.name,set.org_id.name\n" + "".join(f"Customer {n},Customer {n} Ltd\n" for n in range(2_000))
    assert len(routing(tmp_path, from_file(tmp_path, text)).routes) == 2_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.lists(
                st.sampled_from(CELLS),
                max_size=6,
            ).map(",".join),
            max_size=6,
        ).map(lambda lines: "\n".join(lines).encode()),
    )
)
def test_whatever_stands_in_a_file_its_faults_are_told(tmp_path: Path, text: bytes) -> None:
    found: tuple[Fault, ...] = ()
    try:
        load(tmp_path, from_file(tmp_path, text))
    except ConfigurationError as error:
        found = error.faults
    assert all(fault.what and fault.remedy.endswith((".", "?")) and "\n" not in str(fault) for fault in found)
