"""A side's address changes in sync.toml: the same server goes on, and another one is not kept in step with what was linked."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from itopsync.exits import ExitCode
from itopsync.model import Side
from itopsync.simulator import Simulator
from tests.cli.conftest import Desk
from tests.torture.leaks import leaks

OLD = "2026-11-01 00:00:00"
COMMANDS = ("check --probe --probe-external", "plan", "run-once", "run-once --sweep", "verify", "rebuild", "link R-77 R-78")


@pytest.fixture
def linked(desk: Desk) -> Desk:
    """A pair that has run, with three links."""
    for title in ("Printer", "Screen", "Mouse"):
        number = desk.customer.create("UserRequest", title=title)
        desk.customer.note("UserRequest", number, f"<p>About the {title}</p>")
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    return desk


@pytest.fixture
def other() -> Iterator[Simulator]:
    """Another customers' server, whose tickets are older and have the same ids and numbers."""
    simulator = Simulator(timezone="Asia/Jakarta", chance=random.Random(3))
    for number in range(3):
        title = ("Printer", "Password", "Mail")[number]  # one of them is called like a linked one
        simulator.agent("agent").create("UserRequest", title=title, description=f"<p>{title}, please</p>", start_date=OLD)
    with simulator.serve():
        yield simulator


def _move(desk: Desk, before: str, after: str) -> None:
    path = desk.folder / "sync.toml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("command", COMMANDS)
def test_another_server_is_refused_and_nothing_is_written(linked: Desk, other: Simulator, side: Side, command: str) -> None:
    right = side.pick(linked.external, linked.internal)
    servers = (linked.external, linked.internal, other)
    linked.customer.note("UserRequest", 1, "<p>Secret</p>")
    linked.operator.note("UserRequest", 1, "<p>Secret</p>")
    before = [server.tickets() for server in servers]
    _move(linked, right.url, other.url)
    _move(linked, "Europe/Paris", "Asia/Jakarta")
    done = linked.itopsync(*command.split())
    assert done.returncode == (ExitCode.CONFIGURATION if "check" in command else ExitCode.STORE), done
    assert f"{side}.url leads to another server: of 3 linked tickets, 0 are there as they were known" in done.stdout + done.stderr
    assert [server.tickets() for server in servers] == before

    linked.configure()
    assert linked.itopsync("run-once").returncode == ExitCode.WELL
    assert len(linked.internal.tickets()) == 3
    assert list(leaks(other, ["Secret"])) == []
    assert other.tickets() == before[2]


def test_both_exchanged_and_spelled_otherwise_are_refused(linked: Desk) -> None:
    """As other servers are: the addresses do not tell."""
    linked.operator.create("UserRequest", title="Our own")
    before = [linked.external.tickets(), linked.internal.tickets()]
    _move(linked, linked.external.url, "THERE")
    _move(linked, linked.internal.url, linked.external.url.replace("127.0.0.1", "localhost"))
    _move(linked, "THERE", linked.internal.url.replace("127.0.0.1", "localhost"))
    done = linked.itopsync("run-once")
    assert done.returncode == ExitCode.STORE, done
    assert "leads to another server" in done.stderr
    assert [linked.external.tickets(), linked.internal.tickets()] == before


def test_another_server_is_refused_where_every_link_is_parked_and_its_address_is_not_internals(
    linked: Desk, other: Simulator
) -> None:
    for number in range(1, 4):
        assert linked.itopsync("park", str(number)).returncode == ExitCode.WELL
    _move(linked, linked.internal.url, other.url)
    _move(linked, "Europe/Paris", "Asia/Jakarta")
    assert linked.itopsync("run-once").returncode == ExitCode.STORE
    linked.configure()
    linked.operator.note("UserRequest", 1, f"<p>See {other.url}/pages/UI.php?id=1</p>")
    assert linked.itopsync("resume", "1").returncode == ExitCode.WELL
    assert linked.itopsync("run-once", "--sweep").returncode == ExitCode.WELL
    assert any(other.url in entry.text for entry in linked.external.ticket("UserRequest", 1)["private_log"])


def test_another_server_on_which_one_ticket_of_many_looks_the_same_is_refused(desk: Desk, other: Simulator) -> None:
    """As the first ticket of a new iTop, which everybody calls a test."""
    for number in range(7):
        title = f"No. {number}" if number else "Printer"
        desk.customer.create("UserRequest", title=title, description="<p>Printer, please</p>")
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    _move(desk, desk.external.url, other.url)
    done = desk.itopsync("run-once")
    assert done.returncode == ExitCode.STORE, done
    assert "of 7 linked tickets, 1 are there as they were known (not external:UserRequest:2, " in done.stderr


def test_another_server_whose_tickets_come_from_the_same_form_and_have_the_same_stock_entry_is_refused(
    desk: Desk, other: Simulator
) -> None:
    titles = [ticket["title"] for ticket in other.tickets()]
    for number, title in enumerate(titles, 1):
        desk.customer.create("UserRequest", title=title, description=f"<p>{title}, please</p>")
        desk.customer.note("UserRequest", number, "<p>Any news?</p>")
        other.clock_offset = timedelta(days=-1, seconds=-7)
        other.agent("agent").note("UserRequest", number, "<p>Any news?</p>")
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    _move(desk, desk.external.url, other.url)
    _move(desk, "Europe/Paris", "Asia/Jakarta")
    done = desk.itopsync("run-once")
    assert done.returncode == ExitCode.STORE, done
    assert "of 3 linked tickets, 0 are there as they were known" in done.stderr


@pytest.mark.parametrize("restored", [False, True])
def test_the_same_server_goes_on_under_another_address_also_restored_from_a_backup(linked: Desk, restored: bool) -> None:
    backup = linked.external.snapshot()
    later = linked.customer.create("UserRequest", title="Later")
    assert linked.itopsync("run-once").returncode == ExitCode.WELL
    if restored:
        linked.external.restore(backup)
    else:
        linked.customer.note("UserRequest", later, "<p>Hello</p>")
    for server in (linked.external, linked.internal):
        _move(linked, server.url, server.url.replace("127.0.0.1", "localhost"))
    done = linked.itopsync("run-once", "--sweep")
    assert done.returncode in (ExitCode.WELL, ExitCode.TROUBLED), done
    copy = next(ticket for ticket in linked.internal.tickets() if ticket["title"] == "Later")
    assert sum("Hello" in entry.text for entry in copy["private_log"]) == (0 if restored else 1)
