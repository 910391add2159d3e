"""What a configuration means: the rules that are compiled from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from itopsync import config
from itopsync.engine.settings import EngineSettings
from itopsync.model import Side
from itopsync.reconcile.rules import ClassRules, Deletion, Direction, FieldRule, Headers, Kind, Limits, LogRule
from itopsync.reconcile.state import correspond
from itopsync.settings.secrets import Secret
from tests.config.making import ENVIRON, GONE, GOOD, Changes, document, load

ALL = ("UserRequest", "Incident", "Problem", "Change", "NormalChange", "RoutineChange", "EmergencyChange")
CHANGES = ALL[3:]


def rules_of(folder: Path, changes: Changes, cls: str = "UserRequest") -> ClassRules:
    """The rules of one class of the good file with *changes*."""
    return load(folder, changes).rules.for_external(cls)


def rule(rules: ClassRules, name: str) -> FieldRule:
    """How one attribute of the form is carried."""
    return next(field for field in rules.fields if field.external == name)


# what a file says that says as little as it can


def test_the_sop_is_the_default(tmp_path: Path) -> None:
    rules = load(tmp_path, {}).rules
    assert rules.pair == "acme"
    assert (rules.attachments, rules.deletion, rules.images) == (Direction.BOTH, Deletion.ORIGIN, True)
    assert (rules.new_tickets, rules.tell_parked, rules.keep_internal) == (True, True, ("#internal",))
    assert (rules.headers, rules.limits) == (Headers(), Limits())
    request = rules.for_external("UserRequest")
    assert request.state.direction is Direction.BOTH
    assert request.logs == (LogRule("private_log", "private_log", Direction.BOTH),)
    assert {field.direction for field in request.fields} == {Direction.TO_INTERNAL}


def test_the_servers_are_what_the_client_needs(tmp_path: Path) -> None:
    loaded = load(tmp_path, {})
    assert loaded.external.model_dump(exclude_defaults=True) == {
        "side": Side.EXTERNAL,
        "url": "https://customers.example.com/itop",
        "username": "sync",
        "password": Secret("one"),
        "password_env": "EXTERNAL_PASSWORD",
        "timezone": ZoneInfo("Asia/Jakarta"),
    }
    assert loaded.rules.internal.url == loaded.rules.internal.public_url == "https://desk.example.com/itop"
    assert (loaded.rules.external.label, loaded.rules.internal.label) == ("External", "Internal")
    assert loaded.rules.internal.timezone == ZoneInfo("Europe/Paris")
    assert loaded.rules.internal.defaults == {"org_id": {"name": "Acme"}, "caller_id": 40}


def test_the_engine_the_schedule_and_the_log_have_their_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path, {})
    assert loaded.engine == EngineSettings()
    schedule = loaded.schedule
    assert (schedule.poll, schedule.sweep) == (timedelta(seconds=15), timedelta(hours=6))
    assert (schedule.slowest, schedule.jitter) == (timedelta(minutes=1), timedelta(seconds=5))
    assert (loaded.lease, loaded.log_level) == (timedelta(minutes=1), "info")
    assert loaded.path == tmp_path / "sync.toml"


def test_a_day_begins_by_the_external_servers_clock(tmp_path: Path) -> None:
    assert load(tmp_path, {}).rules.since == "2026-10-31T17:00:00+00:00"
    at = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
    assert load(tmp_path, {"scope.since": at}).rules.since == "2026-11-01T08:00:00+00:00"
    assert load(tmp_path, {"scope.since": "2026-11-01T08:00:00"}).rules.since == "2026-11-01T01:00:00+00:00"


@pytest.mark.parametrize("cls", ALL)
def test_every_class_needs_nothing_but_its_name(tmp_path: Path, cls: str) -> None:
    rules = rules_of(tmp_path, {"classes": {cls: {}}}, cls)
    assert (rules.external, rules.internal, rules.scope) == (cls, cls, "")
    assert all(correspond(rules.state, state, state) for state in rules.state.external.transitions)


@pytest.mark.parametrize("cls", ALL)
def test_the_form_is_what_a_customer_fills_in(tmp_path: Path, cls: str) -> None:
    expected = ["title", "description"] if cls in CHANGES else ["title", "description", "impact", "urgency"]
    expected += ["request_type"] if cls == "UserRequest" else []
    rules = rules_of(tmp_path, {"classes": {cls: {}}}, cls)
    assert [field.external for field in rules.fields] == expected
    assert [(field.kind, field.limit) for field in rules.fields[:2]] == [(Kind.TEXT, 255), (Kind.HTML, 65_535)]


@pytest.mark.parametrize("cls", ALL)
def test_a_ticket_is_as_old_as_its_beginning_and_a_change_as_its_creation(tmp_path: Path, cls: str) -> None:
    rules = rules_of(tmp_path, {"classes": {cls: {}}}, cls)
    assert rules.since_attribute == ("creation_date" if cls in CHANGES else "start_date")
    assert rules.attributes(Side.EXTERNAL)[rules.since_attribute] is Kind.DATE


def test_a_copy_takes_those_defaults_that_its_class_has(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        {
            "classes": {"UserRequest": {}, "NormalChange": {}},
            "internal.defaults.service_id": 3,
            "internal.defaults.manager_id": 9,
            "internal.defaults.origin": "portal",
        },
    )
    assert loaded.rules.for_external("UserRequest").on_create == ("org_id", "caller_id", "service_id", "origin")
    assert loaded.rules.for_external("NormalChange").on_create == ("org_id", "caller_id", "manager_id")


@pytest.mark.parametrize("cls", ["UserRequest", "Incident"])
def test_with_a_state_travels_what_people_read_with_it(tmp_path: Path, cls: str) -> None:
    companions = rules_of(tmp_path, {"classes": {cls: {}}}, cls).state.companions
    names = {state: [companion.external for companion in rules] for state, rules in companions.items()}
    assert names == {
        "pending": ["pending_reason"],
        "resolved": ["solution", "resolution_code"],
        "closed": ["solution", "resolution_code", "user_satisfaction", "user_comment"],
    }
    assert {companion.direction for rules in companions.values() for companion in rules} == {Direction.BOTH}


def test_an_incident_is_not_taken_where_nothing_leads_out(tmp_path: Path) -> None:
    state = rules_of(tmp_path, {"classes": {"Incident": {}}}, "Incident").state
    assert state.left_out == {"escalated_tto": "new"}
    assert state.external.broken == state.internal.broken == {("escalated_tto", "ev_assign")}


# what a file may say besides


def test_each_row_of_the_sop_has_its_direction(tmp_path: Path) -> None:
    rules = load(
        tmp_path,
        {
            "rules": {
                "form": "both",
                "notes": "to_external",
                "state": "to_internal",
                "attachments": "never",
                "deletion": "both",
                "images": False,
                "keep_internal": ["#x", "#y"],
                "tell_parked": False,
            }
        },
    ).rules
    assert (rules.attachments, rules.deletion, rules.images) == (Direction.NEVER, Deletion.BOTH, False)
    assert (rules.keep_internal, rules.tell_parked) == (("#x", "#y"), False)
    request = rules.for_external("UserRequest")
    assert {field.direction for field in request.fields} == {Direction.BOTH}
    assert request.logs[0].direction is Direction.TO_EXTERNAL
    assert request.state.direction is Direction.TO_INTERNAL
    assert {companion.direction for companion in request.state.companions["closed"]} == {Direction.TO_INTERNAL}


def test_a_class_may_have_directions_of_its_own(tmp_path: Path) -> None:
    rules = load(
        tmp_path,
        {"classes.Incident": {"rules": {"form": "both", "notes": "never", "state": "never"}}},
    ).rules
    incident, request = rules.for_external("Incident"), rules.for_external("UserRequest")
    assert {field.direction for field in incident.fields} == {Direction.BOTH}
    assert (incident.logs[0].direction, incident.state.direction) == (Direction.NEVER, Direction.NEVER)
    assert incident.state.companions == {}
    assert (request.logs[0].direction, request.state.direction) == (Direction.BOTH, Direction.BOTH)


def test_logs_are_paired_where_both_classes_have_them(tmp_path: Path) -> None:
    public = {"external": "public_log", "internal": "public_log"}
    one_way = {"public_log": "to_internal"}
    loaded = load(tmp_path, {"logs": [{}, public], "rules.notes": one_way, "classes.NormalChange": {}})
    assert loaded.rules.for_external("UserRequest").logs == (
        LogRule(),
        LogRule("public_log", "public_log", Direction.TO_INTERNAL),
    )
    assert loaded.rules.for_external("NormalChange").logs == (LogRule(),)


def test_a_class_may_pair_its_logs_otherwise(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, {"classes.UserRequest.logs": [{"external": "public_log"}, {"external": "x", "internal": "y"}]})
    assert rules.logs == (LogRule("public_log", "private_log"), LogRule("x", "y"))


def test_conditions_are_asked_for_together(tmp_path: Path) -> None:
    assert rules_of(tmp_path, {"scope.condition": "this.org_id = 3"}).scope == "this.org_id = 3"
    both = {"scope.condition": "this.org_id = 3", "classes.UserRequest.scope": "this.impact = 1 OR this.urgency = 1"}
    assert rules_of(tmp_path, both).scope == "(this.org_id = 3) AND (this.impact = 1 OR this.urgency = 1)"


def test_the_form_is_configured_attribute_by_attribute(tmp_path: Path) -> None:
    rules = rules_of(
        tmp_path,
        {
            "classes.UserRequest.form": ["title", "description", "origin", "x_site", "service_id"],
            "classes.UserRequest.rules.form": {"description": "both"},
            "classes.UserRequest.attributes": {
                "title": {"template": "[{number}] {value}"},
                "x_site": {"kind": "text", "internal": "x_place"},
                "service_id": {"to_internal": {"1": "7"}},
            },
        },
    )
    assert rules.fields == (
        FieldRule("title", "title", template="[{number}] {value}", limit=255),
        FieldRule("description", "description", Kind.HTML, Direction.BOTH, limit=65_535),
        FieldRule("origin", "origin", Kind.CODE),
        FieldRule("x_site", "x_place"),
        FieldRule("service_id", "service_id", Kind.CODE, to_internal={"1": "7"}, to_external={"7": "1"}),
    )


@pytest.mark.parametrize("table", ["rules", "classes.UserRequest.rules"])
def test_an_attribute_that_never_goes_is_no_part_of_the_form(tmp_path: Path, table: str) -> None:
    rules = rules_of(tmp_path, {f"{table}.form": {"impact": "never"}})
    assert [field.external for field in rules.fields] == ["title", "description", "urgency", "request_type"]


def test_a_value_map_is_turned_round(tmp_path: Path) -> None:
    urgency = {"to_internal": {"1": "2", "2": "1"}}
    found = rule(rules_of(tmp_path, {"classes.UserRequest.attributes.urgency": urgency}), "urgency")
    assert (found.values(Side.EXTERNAL), found.values(Side.INTERNAL)) == ({"1": "2", "2": "1"}, {"2": "1", "1": "2"})


def test_several_values_may_become_one_when_the_way_back_is_named(tmp_path: Path) -> None:
    urgency = {"to_internal": {"4": "3"}, "to_external": {"3": "4"}}
    found = rule(rules_of(tmp_path, {"classes.UserRequest.attributes.urgency": urgency}), "urgency")
    assert (found.values(Side.EXTERNAL), found.values(Side.INTERNAL)) == ({"4": "3"}, {"3": "4"})


def test_several_states_may_become_one_when_the_way_back_is_named(tmp_path: Path) -> None:
    state = rules_of(
        tmp_path,
        {
            "classes.UserRequest.states.to_internal": {"escalated_tto": "new", "escalated_ttr": "assigned"},
            "classes.UserRequest.states.to_external": {"new": "new", "assigned": "assigned"},
        },
    ).state
    assert correspond(state, "escalated_tto", "new")
    assert correspond(state, "new", "new")
    assert correspond(state, "escalated_ttr", "assigned")
    assert not correspond(state, "escalated_tto", "assigned")


def test_requests_may_become_incidents(tmp_path: Path) -> None:
    rules = rules_of(
        tmp_path,
        {
            "classes.UserRequest.internal": "Incident",
            "classes.UserRequest.states.to_internal": {"approved": "new", "waiting_for_approval": "new", "rejected": "closed"},
            "classes.UserRequest.states.to_external": {"new": "new", "closed": "closed"},
        },
    )
    assert rules.internal == "Incident"
    assert rules.state.left_out == {"escalated_tto": "new"}
    assert rules.state.internal.broken == {("escalated_tto", "ev_assign")}
    assert correspond(rules.state, "rejected", "closed")
    assert correspond(rules.state, "escalated_tto", "new")


def test_a_state_that_is_left_out_counts_as_the_one_before(tmp_path: Path) -> None:
    state = rules_of(tmp_path, {"classes.UserRequest.states.left_out": {"escalated_ttr": "assigned"}}).state
    assert correspond(state, "escalated_ttr", "assigned")
    assert correspond(state, "assigned", "escalated_ttr")


def test_what_is_left_out_by_default_can_be_carried(tmp_path: Path) -> None:
    changes: Changes = {"classes": {"Incident": {"states": {"left_out": {}}}}}
    assert rules_of(tmp_path, changes, "Incident").state.left_out == {}


def test_companions_of_a_state_can_be_named(tmp_path: Path) -> None:
    companions = rules_of(tmp_path, {"classes.UserRequest.companions": {"pending": [], "assigned": ["origin"]}}).state.companions
    assert "pending" not in companions
    assert [companion.external for companion in companions["assigned"]] == ["origin"]
    assert [companion.external for companion in companions["resolved"]] == ["solution", "resolution_code"]


def test_a_companion_has_its_own_name_and_map_on_the_other_side(tmp_path: Path) -> None:
    code = {"internal": "x_code", "kind": "code", "to_internal": {"training": "T"}}
    companions = rules_of(tmp_path, {"classes.UserRequest.attributes.resolution_code": code}).state.companions
    expected = FieldRule(
        "resolution_code",
        "x_code",
        Kind.CODE,
        Direction.BOTH,
        to_internal={"training": "T"},
        to_external={"T": "training"},
    )
    assert companions["resolved"][1] == expected


def test_a_lifecycle_that_was_changed_is_described(tmp_path: Path) -> None:
    state = rules_of(
        tmp_path,
        {
            "classes.UserRequest.lifecycle.internal": {
                "transitions": {"new": {"ev_reject": "refused", "ev_timeout": ""}, "refused": {}},
                "mandatory": {"pending": [], "refused": ["x_reason"]},
                "decisions": ["refused"],
            },
            "classes.UserRequest.states.to_external": {"refused": "rejected", "rejected": "rejected"},
            "classes.UserRequest.states.to_internal": {"rejected": "rejected"},
        },
    ).state
    assert state.internal.transitions["new"].keys() == {"ev_assign", "ev_wait_for_approval", "ev_autoresolve", "ev_reject"}
    assert state.internal.transitions["refused"] == {}
    assert not state.internal.mandatory["pending"]
    assert state.internal.mandatory["refused"] == {"x_reason"}
    assert state.internal.decisions == {"refused"}
    assert state.external.transitions["new"].keys() == {"ev_assign", "ev_timeout", "ev_wait_for_approval", "ev_autoresolve"}


def test_a_class_of_their_own_is_like_one_of_itops(tmp_path: Path) -> None:
    rules = rules_of(
        tmp_path, {"classes": {"OurRequest": {"like": "UserRequest", "internal": "Incident"}}, **_FEWER}, "OurRequest"
    )
    assert (rules.external, rules.internal) == ("OurRequest", "Incident")
    assert "waiting_for_approval" in rules.state.external.transitions
    assert "waiting_for_approval" not in rules.state.internal.transitions


_FEWER: Changes = {"classes.OurRequest.states.left_out": dict.fromkeys(("waiting_for_approval", "approved", "rejected"), "new")}


def test_two_classes_may_share_one(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, {"classes": {"RoutineChange": {}, "EmergencyChange": {"internal": "RoutineChange"}}, "rules.state": "never"}
    )
    assert [cls.internal for cls in loaded.rules.classes] == ["RoutineChange", "RoutineChange"]


def test_a_copy_in_another_class_takes_what_that_has_in_the_same_kind(tmp_path: Path) -> None:
    changes: Changes = {"classes": {"NormalChange": {"internal": "UserRequest"}}, "rules.state": "never"}
    rules = rules_of(tmp_path, changes, "NormalChange")
    assert [field.external for field in rules.fields] == ["title", "description"]


def test_every_number_and_every_duration_arrives(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        {
            "external.public_url": "http://portal.example.com/",
            "external.label": "Customers",
            "external.url": "https://customers.example.com/itop/",
            "external.timeout": "1m 30s",
            "external.max_request": "64MiB",
            "external.connections": 8,
            "external.comment": "sync",
            "schedule.poll": " */5 * * * * ",
            "limits.file_size": "1MiB",
            "limits.landing": "10m",
            "store.lease": "30s",
            "logging.level": "debug",
        },
    )
    external = loaded.external
    assert (external.url, loaded.rules.external.public_url) == ("https://customers.example.com/itop", "http://portal.example.com")
    assert loaded.rules.external.label == "Customers"
    assert (external.timeout, external.connections) == (timedelta(seconds=90), 8)
    assert (external.max_request, loaded.rules.external.request_bytes) == (2**26, 2**26)
    assert (loaded.internal.max_request, loaded.rules.internal.request_bytes) == (None, 8_000_000)
    assert external.comment == "sync"
    assert loaded.schedule.poll == "*/5 * * * *"
    assert loaded.rules.limits == Limits(file_size=2**20, landing=timedelta(minutes=10))
    assert (loaded.lease, loaded.log_level) == (timedelta(seconds=30), "debug")


def test_there_are_twice_as_many_workers_as_connections(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"external.connections": 2, "internal.connections": 8})
    assert loaded.engine == EngineSettings(workers=16)
    assert load(tmp_path, {"internal.connections": 32}).engine.workers == 32


def test_the_longest_answer_has_room_for_the_largest_file(tmp_path: Path) -> None:
    assert load(tmp_path, {}).external.max_answer_bytes == 128_000_000
    assert load(tmp_path, {"limits.file_size": "300MB"}).external.max_answer_bytes == 400_100_000


@pytest.mark.parametrize(
    ("poll", "quiet", "jitter"), [("15s", 60, 5), ("1s", 4, 1 / 3), ("30s", 60, 5), ("5m", 300, 5), ("*/5 * * * *", 60, 0)]
)
def test_how_slow_quiet_hours_are_follows_the_pace(tmp_path: Path, poll: str, quiet: float, jitter: float) -> None:
    schedule = load(tmp_path, {"schedule.poll": poll}).schedule
    assert schedule.slowest.total_seconds() == quiet
    assert schedule.jitter.total_seconds() == pytest.approx(jitter, abs=1e-5)


@pytest.mark.parametrize(("quiet", "slowest"), [("5s", 5), ("2s", 5), ("12s", 12), ("2m", 120)])
def test_how_slow_quiet_hours_are_can_be_said(tmp_path: Path, quiet: str, slowest: float) -> None:
    schedule = load(tmp_path, {"schedule.poll": "5s", "schedule.poll_quiet": quiet}).schedule
    assert schedule.slowest.total_seconds() == slowest


def test_a_transition_that_crashes_is_sent_where_it_is_named(tmp_path: Path) -> None:
    named = {"lifecycle": {"internal": {"transitions": {"escalated_tto": {"ev_assign": "assigned"}}}}}
    state = rules_of(tmp_path, {"classes": {"Incident": named}}, "Incident").state
    assert state.external.broken == {("escalated_tto", "ev_assign")}
    assert state.internal.broken == frozenset()


def test_a_direction_is_the_nearest_that_is_said(tmp_path: Path) -> None:
    changes: Changes = {
        "rules.form": {"title": "both", "urgency": "never"},
        "classes.Incident": {"rules": {"form": {"impact": "to_external", "urgency": "both"}}},
        "classes.Problem": {"rules": {"form": "both"}},
    }
    loaded = load(tmp_path, changes).rules
    classes = ("UserRequest", "Incident", "Problem")
    found = {cls: {field.external: field.direction for field in loaded.for_external(cls).fields} for cls in classes}
    both, in_, out = Direction.BOTH, Direction.TO_INTERNAL, Direction.TO_EXTERNAL
    assert found["UserRequest"] == {"title": both, "description": in_, "impact": in_, "request_type": in_}
    assert found["Incident"] == {"title": both, "description": in_, "impact": out, "urgency": both}
    assert found["Problem"] == {"title": both, "description": both, "impact": both, "urgency": both}


def test_a_certificate_is_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    authority = Path(__file__).parent / "data" / "ca.pem"
    (tmp_path / "ca.pem").write_bytes(authority.read_bytes())
    assert load(tmp_path, {"external.ca_file": "ca.pem"}).external.ca_file == tmp_path / "ca.pem"


def test_without_a_given_clock_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "sync.toml"
    path.write_text(document({**GOOD, "scope": {"since": "2020-01-01"}}))
    assert config.load(path, ENVIRON).rules.since == "2019-12-31T17:00:00+00:00"


def test_what_is_gone_is_gone(tmp_path: Path) -> None:
    assert load(tmp_path, {"store": GONE}).store_url == "sqlite:////var/lib/itopsync/itopsync.db"
