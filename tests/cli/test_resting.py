"""A class is taken out of sync.toml while it has links: they rest, every command says so, and they go on when it is back."""

from __future__ import annotations

import json

import pytest

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk

CLASS = "[classes.Incident]\n"


@pytest.fixture
def resting(desk: Desk) -> Desk:
    """An incident that has a copy and a note that was not carried yet, and no such class any more."""
    number = desk.customer.create("Incident", title="Mail is down")
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    desk.customer.note("Incident", number, "<p>Still down</p>")
    path = desk.folder / "sync.toml"
    assert CLASS in path.read_text()
    path.write_text(path.read_text().replace(CLASS, ""))
    return desk


@pytest.mark.parametrize("command", [["run-once"], ["run-once", "--sweep"], ["plan"], ["verify"], ["verify", "--deep"]])
def test_a_command_leaves_such_links_alone(resting: Desk, command: list[str]) -> None:
    before = resting.internal.tickets("Incident")
    done = resting.itopsync(*command)
    assert done.returncode == ExitCode.WELL, done
    assert resting.internal.tickets("Incident") == before


def test_who_looks_is_told(resting: Desk) -> None:
    resting.itopsync("run-once")
    why = "its class is not kept in step: there is no [classes.Incident] in sync.toml"
    assert f"1 link of Incident at rest: {why}" in resting.itopsync("status").stdout
    assert f"1 link of Incident at rest: {why}" in resting.itopsync("plan").stdout
    verified = resting.itopsync("verify").stdout
    assert f"1 link of Incident at rest: {why}" in verified
    assert "Nothing was compared: every link is at rest. " in verified
    assert json.loads(resting.itopsync("status", "--json").stdout)["resting"] == {"Incident": 1}
    assert f"links of Incident at rest: 1; {why}" in resting.itopsync("check").stdout
    shown = resting.itopsync("show", "I-000001")
    assert shown.returncode == ExitCode.WELL, shown
    assert f"at rest: {why}. Nothing is lost: put the class back, and the link continues." in shown.stdout


def test_it_can_be_parked_and_retried_and_says_that_it_rests(resting: Desk) -> None:
    for command in ("park", "resume", "retry"):
        done = resting.itopsync(command, "I-000001")
        assert done.returncode == ExitCode.WELL, done
        assert "there is no [classes.Incident] in sync.toml" in done.stdout or "nothing to do" in done.stdout


def test_it_goes_on_when_the_class_is_back(resting: Desk) -> None:
    resting.itopsync("run-once", "--sweep")
    resting.configure()
    assert resting.itopsync("run-once").returncode == ExitCode.WELL
    (copy,) = resting.internal.tickets("Incident")
    assert sum("Still down" in entry.text for entry in copy["private_log"]) == 1
