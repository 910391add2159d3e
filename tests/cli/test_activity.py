"""What was written, as an operator asks for it."""

from __future__ import annotations

import json

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk


def test_it_says_that_a_note_arrived_and_when(desk: Desk) -> None:
    assert desk.itopsync("activity").stdout == "There are no writes and no requests.\n"
    number = desk.customer.create("UserRequest", title="Zebra")
    desk.customer.create("Incident", title="Mail")
    desk.itopsync("run-once")
    desk.customer.note("UserRequest", number, "<p>Zebra</p>")
    desk.itopsync("run-once")
    told = desk.itopsync("activity", "R-000001").stdout.splitlines()
    assert [line.split()[3:7] for line in told[1:]] == [
        ["R-000001", "internal", "write", "done"],
        ["R-000001", "internal", "create", "done"],
    ]
    assert told[1].split()[-1] == "note"
    assert "Zebra" not in "".join(told)


def test_its_json_names_all_that_a_write_carried(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="Zebra")
    desk.itopsync("run-once")
    (told,) = json.loads(desk.itopsync("activity", "--json").stdout)
    assert "ticket" in told.pop("items")
    assert told.pop("age") >= 0
    assert told.pop("at") >= told.pop("cycle")
    assert told == {
        "link": 1,
        "external": "external:UserRequest:1",
        "external_number": "R-000001",
        "internal": "internal:UserRequest:1",
        "internal_number": "R-000001",
        "side": "internal",
        "direction": "to_internal",
        "action": "create",
        "outcome": "done",
    }


def test_it_goes_back_as_far_as_asked(desk: Desk) -> None:
    for n in range(3):
        desk.customer.create("UserRequest", title=f"No. {n}")
    desk.itopsync("run-once")
    assert len(json.loads(desk.itopsync("activity", "--limit", "2", "--json").stdout)) == 2
    assert len(json.loads(desk.itopsync("activity", "--since", "1h", "--json").stdout)) == 3
    assert desk.itopsync("activity", "--since", "0s").stdout.startswith("There are no writes")
    unknown = desk.itopsync("activity", "R-999999")
    assert unknown.returncode == ExitCode.USAGE
    assert "no link of 'R-999999' is known" in unknown.stderr


def test_into_a_file_each_write_is_one_line_and_on_a_narrow_terminal_nothing_is_cut_off(desk: Desk) -> None:
    name = "Globex_and_its_subsidiaries"
    desk.configure(
        f'[[internal.routes]]\nname = "{name}, {"all " * 6}"\nwhen = {{ class = "UserRequest" }}\nset = {{ team_id = 39 }}'
    )
    desk.customer.create("UserRequest", title="Zebra")
    desk.itopsync("run-once")
    _, line = desk.itopsync("activity", columns="").stdout.splitlines()
    assert f"ticket, route {name}, all all" in line
    assert desk.itopsync("status", columns="").stdout.count("1 new ticket, 1 creation") == 1
    narrow = desk.itopsync("activity", columns="80").stdout
    assert "…" not in narrow
    assert len(narrow.splitlines()) > 3
