"""Both addresses are exchanged in sync.toml: nothing is written, as internal's own tickets would go to the customers' server."""

from __future__ import annotations

import pytest

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk

EXCHANGED = "external.url leads to another server"


def _exchange(desk: Desk) -> None:
    """Type each server's address in the other's place; the timezones do not tell."""
    path = desk.folder / "sync.toml"
    text = path.read_text().replace(desk.external.url, "THERE").replace(desk.internal.url, desk.external.url)
    path.write_text(text.replace("THERE", desk.internal.url).replace("Europe/Paris", "Asia/Jakarta"))
    desk.internal.timezone = desk.external.timezone


@pytest.fixture
def exchanged(desk: Desk) -> Desk:
    """A pair that has run, and whose operator has typed each server's address in the other's place since."""
    desk.customer.create("UserRequest", title="Printer")
    desk.operator.create("UserRequest", title="Our own")
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    _exchange(desk)
    return desk


def _tickets(desk: Desk) -> list[object]:
    return [server.tickets() for server in (desk.external, desk.internal)]


def test_it_is_seen_by_the_copies_where_nothing_is_linked_any_more(exchanged: Desk) -> None:
    before = _tickets(exchanged)
    assert exchanged.itopsync("unlink", "1", "--no-notice", "--yes").returncode == ExitCode.WELL
    done = exchanged.itopsync("run-once")
    assert done.returncode == ExitCode.STORE, done
    assert "external.url and internal.url are exchanged" in done.stderr
    assert _tickets(exchanged) == before


def test_a_pair_that_began_exchanged_and_carried_nothing_goes_on_once_that_is_put_right(desk: Desk) -> None:
    _exchange(desk)
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    desk.internal.timezone = "Europe/Paris"
    desk.configure()
    desk.customer.create("UserRequest", title="Printer")
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    assert [ticket["title"] for ticket in desk.internal.tickets()] == ["Printer"]


@pytest.mark.parametrize("command", ["check", "plan", "run-once", "verify", "link --match", "link R-77 R-78"])
def test_every_command_that_uses_both_says_so(exchanged: Desk, command: str) -> None:
    before = _tickets(exchanged)
    done = exchanged.itopsync(*command.split())
    assert done.returncode == (ExitCode.CONFIGURATION if command == "check" else ExitCode.STORE), done
    assert f"{EXCHANGED}: of 1 linked tickets, 0 are there as they were known" in done.stdout + done.stderr
    assert _tickets(exchanged) == before


def test_it_is_seen_by_the_copies_once_the_store_is_lost(exchanged: Desk) -> None:
    before = _tickets(exchanged)
    for file in exchanged.folder.glob("store*"):
        file.unlink()
    for command in ("plan", "run-once", "rebuild"):
        done = exchanged.itopsync(command)
        assert done.returncode == ExitCode.STORE, (command, done)
        assert "external holds copies of pair" in done.stderr
        assert "external.url and internal.url are exchanged" in done.stderr
    assert _tickets(exchanged) == before


def test_a_marker_that_somebody_quotes_on_external_is_no_copy(desk: Desk) -> None:
    number = desk.customer.create("UserRequest", title="Printer")
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    (copy,) = desk.internal.tickets()
    opening = copy["private_log"][0].text
    assert "-t-" in opening
    desk.customer.note("UserRequest", number, f"<p>What is this?</p>{opening}")
    desk.customer.note("UserRequest", number, opening)
    for file in desk.folder.glob("store*"):
        file.unlink()
    assert desk.itopsync("rebuild").returncode == ExitCode.WELL


def test_it_goes_on_once_they_are_put_back(exchanged: Desk) -> None:
    exchanged.itopsync("run-once")
    exchanged.internal.timezone = "Europe/Paris"
    exchanged.configure()
    exchanged.customer.note("UserRequest", 1, "<p>Hello</p>")
    assert exchanged.itopsync("run-once").returncode == ExitCode.WELL
    copies = [ticket for ticket in exchanged.internal.tickets() if ticket["title"] == "Printer"]
    assert [any("Hello" in entry.text for entry in copy["private_log"]) for copy in copies] == [True]
