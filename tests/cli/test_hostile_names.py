"""What people may call themselves and their tickets, and what of it reaches an operator's terminal."""

from __future__ import annotations

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil"
"""Sets the window's title, clears the screen, colours, and turns the direction of writing round."""


def test_no_command_hands_them_to_the_terminal(desk: Desk) -> None:
    person = desk.external.store.get("Person", 42)
    assert person is not None
    desk.external.store.put({**person, "name": f"Alice{ESCAPES}"})
    number = desk.customer.create("UserRequest", title=f"Title {ESCAPES}", ref=f"R-{ESCAPES}")
    desk.customer.note("UserRequest", number, "<p>Hello</p>")
    shown = ""
    for command in (("plan",), ("run-once",), ("show", "1"), ("show", "1", "--json"), ("status",), ("check",)):
        done = desk.itopsync(*command)
        assert done.returncode == ExitCode.WELL, done.stdout + done.stderr
        shown += done.stdout + done.stderr
    assert [char for char in shown if not char.isprintable() and char != "\n"] == []
    assert shown.count("evil") > 3  # the rest of the name and of the number is shown
    assert "Title" not in shown


def test_square_brackets_are_shown_as_they_are(desk: Desk) -> None:
    """Rich takes them for markup: a name could set a link, vanish, or end the command with a traceback."""
    person = desk.external.store.get("Person", 42)
    assert person is not None
    desk.external.store.put({**person, "name": "[link=https://evil.example/]Max [/b] :smile:"})
    number = desk.customer.create("UserRequest", title="Printer")
    desk.customer.note("UserRequest", number, "<p>Hello</p>")
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    assert desk.itopsync("park", "1", "--reason", "disk full [/var/log/itop] [srv1]").returncode == ExitCode.WELL
    shown = desk.itopsync("show", "1")
    told = desk.itopsync("activity")
    assert (shown.returncode, told.returncode) == (ExitCode.WELL, ExitCode.WELL), (shown, told)
    assert "[link=https://evil.example/]Max [/b] :smile:" in shown.stdout
    assert "disk full [/var/log/itop] [srv1]" in told.stdout
