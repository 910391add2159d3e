"""Fifty customers between two servers by the command line: whose ticket becomes whose copy, by routes from a file."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk

CUSTOMERS = 50
CLASSES = ("UserRequest", "Incident")
HEAD = (
    *(
        "name",
        "when.class",
        "when.org_id.name",
        "when.service_id.name",
        "set.org_id.name",
        "set.team_id.name",
        "set.service_id.name",
    ),
    *("set.caller_id.email_of", "set.caller_id.otherwise.email", "set.agent_id"),
)
BY_EMAIL = "caller_id"
HELPDESK = "Helpdesk"


@dataclass(frozen=True)
class Customer:
    """One of fifty, with what internal has for it."""

    number: int
    org: int
    """Its id in external, which no other server's id equals by intent."""
    person: int
    ours: int
    """Its organisation in internal."""
    team: int
    known: int | None
    """Its person in internal, if there is one with the same e-mail."""
    deputy: int
    """Who stands for its people who are not known."""

    @property
    def name(self) -> str:
        return f"Customer {self.number}, Inc."


def customers(desk: Desk) -> list[Customer]:
    """Fifty of them on both servers; every third one's person is not known in internal."""
    made = []
    for n in range(CUSTOMERS):
        org = desk.customer.create("Organization", name=f"Customer {n}, Inc.", code=f"C{n}")
        person = desk.customer.create("Person", name=f"Caller {n}", first_name="A", org_id=org, email=f"caller{n}@c{n}.example")
        desk.operator.create("Organization", name=f"Other {n}")  # so that ids differ between the servers
        ours = desk.operator.create("Organization", name=f"Cust {n}")
        team = desk.operator.create("Team", name=f"Team {n}", org_id=2)
        email = f"Caller{n}@C{n}.example" if n % 3 else f"somebody.else{n}@example.com"
        same = desk.operator.create("Person", name=f"Known {n}", first_name="B", org_id=ours, email=email)
        deputy = desk.operator.create("Person", name=f"Desk {n}", first_name="C", org_id=ours, email=f"desk{n}@example.com")
        made.append(Customer(n, org, person, ours, team, same if n % 3 else None, deputy))
    return made


def routes(folder: Path, several: list[Customer]) -> int:
    """Six lines for each customer: by class, and by service within it. Returns how many."""
    lines = 0
    with (folder / "routes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        for customer in several:
            for cls in CLASSES:
                for service in ("Software", "Telecom and connectivity", ""):
                    team = f"Team {customer.number}" if cls == "UserRequest" else HELPDESK
                    said = f"{customer.name} {cls} {service}".strip()
                    to = (f"Cust {customer.number}", team, service, BY_EMAIL, f"desk{customer.number}@example.com", "0")
                    writer.writerow((said, cls, customer.name, service, *to))
                    lines += 1
    return lines


def with_routes(desk: Desk, more: str = "") -> None:
    """Let sync.toml read the file."""
    desk.configure(more)
    path = desk.folder / "sync.toml"
    path.write_text(path.read_text().replace("[internal]\n", '[internal]\nroutes_file = "routes.csv"\n'))


@pytest.mark.slow
def test_fifty_customers_by_a_file_of_three_hundred_routes(desk: Desk) -> None:
    several = customers(desk)
    assert routes(desk.folder, several) == 300
    with_routes(desk)
    checked = desk.itopsync("check")
    assert checked.returncode == ExitCode.WELL, checked.stdout
    assert "internal.routes: 300 routes, which name 153 objects here" in checked.stdout
    assert "no ticket reaches" not in checked.stdout
    made = {
        (customer, cls): desk.customer.create(cls, title="Printer", org_id=customer.org, caller_id=customer.person, service_id=2)
        for customer in several
        for cls in CLASSES
    }
    stray = desk.customer.create("UserRequest", title="Printer")

    planned = desk.itopsync("plan")
    assert planned.returncode == ExitCode.WELL
    assert "; route Customer 7, Inc. UserRequest Software\n" in planned.stdout
    assert "; route internal.defaults\n" in planned.stdout
    fallen = "; fall-back caller_id: nobody in internal has the external caller's e-mail\n"
    assert planned.stdout.count(fallen) == len(CLASSES) * sum(customer.known is None for customer in several)
    assert desk.internal.tickets() == []

    people, orgs = len(desk.internal.tickets("Person")), len(desk.internal.tickets("Organization"))
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    links = {link["external"]: link for link in json.loads(desk.itopsync("activity", "--json", "--limit", "500").stdout)}
    for (customer, cls), number in made.items():
        copy = desk.internal.ticket(cls, int(links[f"external:{cls}:{number}"]["internal"].split(":")[-1]))
        team = customer.team if cls == "UserRequest" else 37
        assert (copy["org_id"], copy["team_id"], copy["service_id"]) == (customer.ours, team, 2), customer.name
        assert copy["caller_id"] == (customer.known or customer.deputy)
        assert copy["agent_id"] == 0
        assert f"route:{customer.name} {cls} Software" in links[f"external:{cls}:{number}"]["items"]
    assert "route:internal.defaults" in links[f"external:UserRequest:{stray}"]["items"]
    assert len(desk.internal.tickets()) == 2 * CUSTOMERS + 1
    assert (len(desk.internal.tickets("Person")), len(desk.internal.tickets("Organization"))) == (people, orgs)

    told = desk.itopsync("activity", f"external:UserRequest:{made[several[0], 'UserRequest']}").stdout
    assert f"ticket, route {several[0].name} UserRequest Software, fall-back caller_id: nobody in internal has" in told
    assert "@" not in told + planned.stdout
    assert desk.itopsync("verify").returncode == ExitCode.WELL


@pytest.mark.slow
def test_what_is_wrong_with_three_hundred_routes_is_told_at_once(desk: Desk) -> None:
    several = customers(desk)
    routes(desk.folder, several)
    with_routes(desk)
    path = desk.folder / "routes.csv"
    desk.operator.update("Organization", several[4].ours, name="Renamed")
    desk.operator.create("Team", name="Team 9", org_id=2)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[1].replace("Customer 0, Inc. ", "Late ", 1)]))
    checked = desk.itopsync("check")
    assert checked.returncode == ExitCode.WELL  # all of it falls back
    assert "Customer 4, Inc. UserRequest Software: set.org_id and 5 more finds no Organization (name = Cust 4)" in checked.stdout
    assert "Customer 9, Inc. UserRequest Software: set.team_id and 2 more finds 2 objects of Team, not one" in checked.stdout
    assert "no ticket reaches Late UserRequest Software: Customer 0, Inc. UserRequest Software, which" in checked.stdout

    number = desk.customer.create("UserRequest", title="Printer", org_id=several[4].org, caller_id=several[4].person)
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    (copy,) = desk.internal.tickets()
    assert copy["org_id"] == 3  # the side's default
    told = desk.itopsync("activity", f"external:UserRequest:{number}").stdout
    assert "route Customer 4, Inc. UserRequest, fall-back org_id: the look-up finds nothing" in told

    path.write_text(path.read_text().replace("set.team_id.name", "set.team_id"))
    broken = desk.itopsync("plan")
    assert broken.returncode == ExitCode.CONFIGURATION
    assert f"{path}: lines 2, 3, 4, 302: set.team_id: 'Team 0' is neither an id nor an OQL query." in broken.stderr
    assert broken.stderr.count("neither an id nor an OQL query") == CUSTOMERS + 1


def test_a_plan_as_json_tells_the_route(desk: Desk) -> None:
    desk.configure('[[internal.routes]]\nname = "all of Demo"\nwhen = { org_id = 3 }\nset = { team_id = { name = "Gone" } }\n')
    desk.customer.create("UserRequest", title="Printer")
    (link,) = json.loads(desk.itopsync("plan", "--json").stdout)
    assert link["actions"][0]["how"] == ["route:all of Demo", "fall-back:team_id: the look-up finds nothing"]
