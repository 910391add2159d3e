"""Defaults that depend on the ticket, on two servers: what a copy gets, what is asked for it, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from itopsync.cli.show import describe, how
from itopsync.engine import lookups
from itopsync.model import ItemKind, Side
from itopsync.reconcile.plan import Create
from itopsync.simulator import Agent, FaultKind
from tests.engine.rig import RESOLVED, Rig

Opens = Callable[[str], Rig]
DEMO, IT = 3, 2
"""Organisations of the sample data, whose ids are the same on both sides."""
HARDWARE, HELPDESK, NETWORK = 36, 37, 38

ROUTES = """
[[internal.routes]]
name = "networks"
when = { service_id = { name = "Telecom and connectivity" } }
set = { team_id = { name = "Network support" }, agent_id = 0 }

[[internal.routes]]
name = "Demo's incidents"
when = { org_id = { name = "demo" }, class = "Incident" }
set = { team_id = { name = "Hardware support" }, service_id = "SELECT Service WHERE name = 'Software'" }

[[internal.routes]]
when = { title = { pattern = "vpn*" } }
set = { team_id = { name = "Helpdesk" } }
"""
BY_EMAIL = """
[[internal.routes]]
name = "known"
when = { org_id = { pattern = "De?o" } }
set = { caller_id = { email_of = "caller_id", otherwise = { email = "claude.monet@demo.com" } } }
"""
ON_EXTERNAL = """
[[external.routes]]
name = "their networks"
when = { service_id = { name = "Telecom and connectivity" } }
set = { team_id = { name = "Network support" } }
"""


@pytest.fixture
def opens(tmp_path: Path) -> Iterator[Opens]:
    """Opens a rig with routes."""
    made: list[Rig] = []

    def opened(more: str) -> Rig:
        made.append(Rig(tmp_path, more))
        return made[-1]

    yield opened
    for rig in made:
        rig.stop()


def copied(rig: Rig, **fields: object) -> dict[str, object]:
    """The copy of a new request with these fields."""
    cls = str(fields.pop("cls", "UserRequest"))
    number = rig.customer.create(cls, **fields)
    rig.sync()
    return dict(rig.internal.ticket(cls, rig.copy_of(number, cls)))


def person(agent: Agent, email: str, **more: object) -> int:
    return agent.create("Person", name="Doe", first_name="Jo", org_id=DEMO, email=email, **more)


def told(rig: Rig) -> list[str]:
    """What the activity's newest row tells of how it came about."""
    (newest, *_) = rig.store.activity.latest(1)
    return [how(key) for key in newest.items if key.tells_how]


@contextmanager
def reads(rig: Rig, side: Side, *of: str) -> Iterator[list[int]]:
    """How many calls read objects of these classes meanwhile."""

    def now() -> int:
        counts = rig.simulator(side).requests.counts
        return sum(counts["core/get", cls] for cls in of)

    before, found = now(), list[int]()
    yield found
    found.append(now() - before)


# which route


@pytest.mark.parametrize(
    ("fields", "team", "route"),
    [
        ({"service_id": 3, "title": "VPN is down"}, NETWORK, "networks"),
        ({"service_id": 1, "title": "VPN is down"}, HELPDESK, "route 3"),
        ({"cls": "Incident"}, HARDWARE, "Demo's incidents"),
        ({"cls": "Incident", "org_id": IT}, 39, "internal.defaults"),
        ({"title": "Printer"}, 39, "internal.defaults"),
    ],
)
def test_the_first_route_that_fits_is_taken(opens: Opens, fields: dict[str, object], team: int, route: str) -> None:
    rig = opens(ROUTES)
    assert copied(rig, **fields)["team_id"] == team
    assert told(rig) == [f"route {route}"]


def test_what_a_route_does_not_set_is_the_sides_default(opens: Opens) -> None:
    rig = opens(ROUTES)
    copy = copied(rig, cls="Incident")
    assert (copy["service_id"], copy["agent_id"], copy["org_id"]) == (2, 9, IT)
    assert copied(rig, service_id=3)["agent_id"] == 0  # deliberately nobody


def test_a_code_is_looked_up_in_external(opens: Opens) -> None:
    rig = opens('[[internal.routes]]\nwhen = { org_id = { code = "IT" } }\nset = { team_id = { name = "Helpdesk" } }\n')
    assert copied(rig, org_id=IT)["team_id"] == HELPDESK
    assert copied(rig, org_id=DEMO)["team_id"] == 39


# conditions


def test_a_condition_is_asked_once_for_all_new_tickets_that_it_decides_on(opens: Opens) -> None:
    rig = opens(
        '[[internal.routes]]\nname = "urgent"\ncondition = "this.urgency < 2"\nset = { team_id = { name = "Helpdesk" } }\n'
        '[[internal.routes]]\nname = "rest"\nwhen = { org_id = 3 }\nset = { team_id = { name = "Hardware support" } }\n'
    )
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}", urgency=str(n % 2 + 1)) for n in range(20)]
    with reads(rig, Side.EXTERNAL, "UserRequest") as found:
        rig.sync()
    teams = [rig.internal.ticket("UserRequest", rig.copy_of(number))["team_id"] for number in numbers]
    assert teams == [HELPDESK, HARDWARE] * 10
    assert found[0] <= 5  # the scope, the tickets, the condition, and what a cycle reads anyway


def test_a_condition_that_the_server_cannot_answer_is_passed_over_and_told(opens: Opens) -> None:
    rig = opens('[[internal.routes]]\nname = "odd"\ncondition = "this.nonsense = 1"\nset = { team_id = 37 }\n')
    assert copied(rig)["team_id"] == 39
    assert told(rig) == ["route internal.defaults", "fall-back route odd: the server cannot tell whether it fits"]


# what is not found


def test_what_is_not_found_or_found_twice_falls_back_and_is_told(opens: Opens) -> None:
    rig = opens(
        '[[internal.routes]]\nname = "gone"\nwhen = { org_id = 3 }\n'
        'set = { team_id = { name = "Nobody" }, agent_id = { name = "Doe" }, service_id = { name = "Software" } }\n'
    )
    person(rig.operator, "one@example.com")
    person(rig.operator, "two@example.com")
    copy = copied(rig)
    assert (copy["team_id"], copy["agent_id"], copy["service_id"]) == (39, 9, 2)
    assert told(rig) == [
        "route gone",
        "fall-back team_id: the look-up finds nothing",
        "fall-back agent_id: the look-up finds 2 objects, not one",
    ]


def test_a_plan_tells_the_same_before_anything_is_written(opens: Opens) -> None:
    rig = opens(BY_EMAIL)
    rig.customer.create("UserRequest", title="Printer", caller_id=person(rig.customer, "nobody@example.com"))
    ((planned,), _) = rig.inspector.preview()
    (create,) = planned.plan.actions
    assert isinstance(create, Create)
    assert [how(key) for key in create.routes_taken] == [
        "route known",
        "fall-back caller_id: nobody in internal has the external caller's e-mail",
    ]
    assert describe(create).endswith("; ".join(["", *map(how, create.routes_taken)]))
    assert rig.internal.tickets() == []


def test_otherwise_comes_before_the_sides_default(opens: Opens) -> None:
    rig = opens(
        '[[internal.routes]]\nname = "acme"\nwhen = { org_id = 3 }\n'
        'set = { team_id = { name = "Nobody", otherwise = { name = "Helpdesk" } } }\n'
    )
    assert copied(rig)["team_id"] == HELPDESK
    assert told(rig)[1:] == ["fall-back team_id: the look-up finds nothing"]


def test_a_class_that_may_not_be_read_falls_back_and_holds_up_nothing(opens: Opens) -> None:
    rig = opens(ROUTES)
    accounts = rig.internal.accounts
    accounts["sync"] = accounts["sync"].without("Service", "read")
    assert copied(rig, cls="Incident", title="Disk")["team_id"] == HARDWARE
    assert "fall-back service_id: the look-up fails" in told(rig)


def test_what_a_query_of_another_class_finds_is_not_taken(opens: Opens) -> None:
    rig = opens('[[internal.routes]]\nwhen = { org_id = 3 }\nset = { agent_id = "SELECT Organization WHERE id = 3" }\n')
    assert copied(rig)["agent_id"] == 9
    assert told(rig)[1:] == ["fall-back agent_id: the look-up finds nothing"]


def test_what_the_server_finds_alike_and_we_do_not_is_left_to_the_server(opens: Opens) -> None:
    rig = opens(
        '[[internal.routes]]\nwhen = { org_id = { name = "Demo" } }\nset = { org_id = { name = "demo" } }\n'
        '[[internal.routes]]\nwhen = { org_id = 2 }\nset = { org_id = { code = "SOMECODE" } }\n'
    )
    assert copied(rig)["org_id"] == DEMO
    assert copied(rig, org_id=IT)["org_id"] == 1


# callers


def test_the_caller_is_the_person_with_the_same_email(opens: Opens) -> None:
    rig = opens(BY_EMAIL)
    theirs, ours = person(rig.customer, "Jo.Doe@Example.com"), person(rig.operator, "jo.doe@example.COM")
    assert copied(rig, caller_id=theirs)["caller_id"] == ours
    assert told(rig) == ["route known"]


@pytest.mark.parametrize("count", [0, 2])
def test_a_caller_who_is_not_one_person_there_falls_back(opens: Opens, count: int) -> None:
    rig = opens(BY_EMAIL)
    theirs = person(rig.customer, "jo.doe@example.com")
    for _ in range(count):
        person(rig.operator, "jo.doe@example.com")
    people = len(rig.internal.tickets("Person"))
    monet = next(each["id"] for each in rig.internal.tickets("Person") if each["email"] == "claude.monet@demo.com")
    assert copied(rig, caller_id=theirs)["caller_id"] == monet
    who = "several people in internal have" if count else "nobody in internal has"
    assert told(rig)[1:] == [f"fall-back caller_id: {who} the external caller's e-mail"]
    assert len(rig.internal.tickets("Person")) == people  # nobody is created


def test_callers_are_looked_up_together_and_remembered_by_id_alone(opens: Opens) -> None:
    rig = opens(BY_EMAIL)
    people = [person(rig.customer, f"p{n}@example.com") for n in range(30)]
    ours = [person(rig.operator, f"p{n}@example.com") for n in range(30)]
    numbers = [rig.customer.create("UserRequest", title="Printer", caller_id=caller) for caller in people]
    with reads(rig, Side.EXTERNAL, "Person") as theirs, reads(rig, Side.INTERNAL, "Person") as found:
        rig.sync()
    assert [rig.internal.ticket("UserRequest", rig.copy_of(number))["caller_id"] for number in numbers] == ours
    assert theirs == [1]
    assert found == [2]  # and the one that stands in the route
    again = [rig.customer.create("UserRequest", title="Screen", caller_id=caller) for caller in people]
    with reads(rig, Side.EXTERNAL, "Person") as theirs, reads(rig, Side.INTERNAL, "Person") as found:
        rig.sync()
    assert [rig.internal.ticket("UserRequest", rig.copy_of(number))["caller_id"] for number in again] == ours
    assert (theirs, found) == ([0], [0])
    assert "example.com" not in repr(vars(rig.pair.lookups))


def test_an_email_is_neither_logged_nor_stored(opens: Opens, caplog: pytest.LogCaptureFixture) -> None:
    rig = opens(BY_EMAIL)
    copied(rig, caller_id=person(rig.customer, "secret.person@example.com"))
    assert "secret.person" not in caplog.text
    assert b"secret.person" not in b"".join(path.read_bytes() for path in rig.folder.glob("store*"))
    assert "secret.person" not in repr(rig.internal.tickets())


def test_people_who_may_not_be_read_fall_back(opens: Opens) -> None:
    rig = opens(BY_EMAIL)
    accounts = rig.external.accounts
    accounts["sync"] = accounts["sync"].without("Person", "read")
    copied(rig)
    assert told(rig)[1:] == ["fall-back caller_id: the external caller's e-mail cannot be looked up"]


# states


def test_a_state_that_demands_a_team_takes_the_routes(opens: Opens) -> None:
    rig = opens(ON_EXTERNAL)
    number = rig.customer.create("UserRequest", title="Printer", service_id=3)
    rig.sync()
    rig.operator.stimulus("UserRequest", rig.copy_of(number), "ev_assign", team_id=39, agent_id=9)
    rig.sync()
    ticket = rig.external.ticket("UserRequest", number)
    assert (ticket["status"], ticket["team_id"], ticket["agent_id"]) == ("assigned", NETWORK, 9)
    assert told(rig) == ["route their networks"]


def test_a_ticket_that_is_far_in_its_life_takes_the_routes_at_each_step(opens: Opens) -> None:
    rig = opens(ROUTES)
    number = rig.customer.create("UserRequest", title="Printer", service_id=3)
    rig.customer.stimulus("UserRequest", number, "ev_assign", team_id=39, agent_id=9)
    rig.customer.stimulus("UserRequest", number, "ev_resolve", **{**RESOLVED, "service_id": 3})
    rig.sync()
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert (copy["status"], copy["team_id"]) == ("resolved", NETWORK)
    assert rig.differences() == []


def test_a_dispatchers_choice_is_kept(opens: Opens) -> None:
    rig = opens(ROUTES)
    number = rig.customer.create("UserRequest", title="Printer", service_id=3)
    rig.sync()
    rig.operator.update("UserRequest", rig.copy_of(number), team_id=HELPDESK, agent_id=9)
    rig.customer.stimulus("UserRequest", number, "ev_assign", team_id=39, agent_id=9)
    rig.settle(2)
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert (copy["status"], copy["team_id"]) == ("assigned", HELPDESK)


# how often servers are asked


def test_criteria_are_looked_up_once_not_for_each_ticket(opens: Opens) -> None:
    rig = opens(ROUTES)
    copied(rig)
    with reads(rig, Side.INTERNAL, "Team", "Service") as found:
        for _ in range(5):
            copied(rig, service_id=3)
    assert found == [0]


def test_criteria_of_one_kind_are_looked_up_together(opens: Opens) -> None:
    for_each = '[[internal.routes]]\nwhen = {{ title = "No. {0}" }}\nset = {{ org_id = {{ name = "Org {0}" }} }}\n'
    rig = opens("".join(for_each.format(n) for n in range(150)))
    made = [rig.operator.create("Organization", name=f"Org {n}") for n in range(150)]
    with reads(rig, Side.INTERNAL, "Organization") as found:
        assert copied(rig, title="No. 149")["org_id"] == made[149]
    assert found[0] <= 2 + 20  # and who we are, which is asked at the start


def test_nothing_is_looked_up_in_an_idle_cycle_nor_for_a_note(opens: Opens) -> None:
    rig = opens(ROUTES + BY_EMAIL)
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.restart()
    rig.wait(hours=2)
    rig.customer.note("UserRequest", number, "<p>Hello?</p>")
    of = ("Team", "Service", "Person")
    with reads(rig, Side.INTERNAL, *of) as internal, reads(rig, Side.EXTERNAL, *of) as external:
        rig.settle(3)
    assert (internal, external) == ([0], [0])


def test_after_an_hour_it_is_looked_up_again_once_it_is_needed(opens: Opens) -> None:
    rig = opens('[[internal.routes]]\nname = "new"\nwhen = { org_id = 3 }\nset = { team_id = { name = "Newcomers" } }\n')
    assert copied(rig)["team_id"] == 39
    team = rig.operator.create("Team", name="Newcomers", org_id=IT)
    assert copied(rig)["team_id"] == 39
    rig.now += lookups.LASTING
    assert copied(rig)["team_id"] == team


def test_what_is_deleted_meanwhile_is_looked_up_again_at_once(opens: Opens) -> None:
    rig = opens('[[internal.routes]]\nname = "acme"\nwhen = { org_id = 3 }\nset = { org_id = { name = "Acme" } }\n')
    gone = rig.operator.create("Organization", name="Acme")
    assert copied(rig)["org_id"] == gone
    rig.operator.update("UserRequest", 1, org_id=DEMO)
    rig.operator.delete("Organization", gone)
    again = rig.operator.create("Organization", name="Acme")
    number = rig.customer.create("UserRequest", title="Screen")
    rig.settle(2)
    assert rig.internal.ticket("UserRequest", rig.copy_of(number))["org_id"] == again


def test_a_server_that_does_not_answer_the_lookup_is_down_and_nothing_is_created_by_guess(opens: Opens) -> None:
    rig = opens(ROUTES)
    rig.customer.create("UserRequest", title="Printer", service_id=3)
    rig.internal.faults.add(FaultKind.HTML_500, classes=["Team"])
    rig.sync()
    assert rig.internal.tickets() == []
    rig.internal.faults.clear()
    rig.settle(2)
    (copy,) = rig.internal.tickets()
    assert copy["team_id"] == NETWORK


# what is refused


@pytest.mark.parametrize(
    ("more", "name", "told"),
    [
        ("", "IT Department", "org_id: No item found, by internal.defaults.org_id (name = IT Department)"),
        (
            '[[internal.routes]]\nname = "acme"\nwhen = { org_id = 3 }\nset = { team_id = 9999 }\n',
            "Demo",
            "team_id: Invalid object Team::9999, by route acme: team_id (9999)",
        ),
    ],
)
def test_a_refusal_names_the_key_that_finds_nothing(opens: Opens, more: str, name: str, told: str) -> None:
    rig = opens(more)
    (org,) = (row for row in rig.internal.store.rows("Organization") if row["name"] == name)
    rig.internal.store.put({**org, "name": "Renamed"})
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    (obstacle,) = rig.link(1).obstacles
    assert obstacle.reason == (
        f"internal: core/create UserRequest is refused: {told}. Name one that exists; `itopsync check` looks up all"
    )


# what is carried


def test_nobody_and_nothing_of_external_is_carried(opens: Opens) -> None:
    """The organisations, people and services of a ticket only decide which of internal's own are taken."""
    rig = opens(ROUTES + BY_EMAIL)
    org = rig.customer.create("Organization", name="Theirs alone")
    who = rig.customer.create("Person", name="Theirs", first_name="Alone", org_id=org, email="alone@example.com")
    before = {cls: len(rig.internal.tickets(cls)) for cls in ("Organization", "Person", "Team", "Service")}
    copy = copied(rig, org_id=org, caller_id=who, title="Printer")
    assert (copy["org_id"], copy["caller_id"], copy["team_id"]) == (IT, 40, 39)
    assert {cls: len(rig.internal.tickets(cls)) for cls in before} == before
    assert {key.kind for key in rig.store.activity.latest(1)[0].items} >= {ItemKind.ROUTE}
