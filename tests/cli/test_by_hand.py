"""link and unlink as an operator types them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

from itopsync.exits import ExitCode
from itopsync.simulator.faults import FaultKind
from tests.cli.conftest import Desk

OLD = "2020-11-01 00:00:00"


def _two(desk: Desk) -> tuple[str, str]:
    """An old request on each side, by the numbers that people say."""
    external = desk.customer.create("UserRequest", title="Secret printer", start_date=OLD, private_log="<p>Secret</p>")
    desk.operator.create("UserRequest", title="Something else")
    internal = desk.operator.create("UserRequest", title="Printer")
    desk.itopsync("run-once")
    return desk.external.ticket("UserRequest", external)["ref"], desk.internal.ticket("UserRequest", internal)["ref"]


def test_two_tickets_are_linked_and_unlinked_by_their_numbers(desk: Desk) -> None:
    external, internal = _two(desk)
    done = desk.itopsync("link", external, internal, "--yes")
    assert (done.returncode, done.stderr) == (ExitCode.WELL, "")
    assert done.stdout.splitlines() == [
        f"{external} (external:UserRequest:1) and {internal} (internal:UserRequest:2)",
        "1 notes on external, 0 notes on internal; 0 files on external, 0 files on internal: this stays where it is.",
        "The two differ in title: each stays as it is until it is changed.",
        f"link 1: the next cycle marks it on {internal}, and carries what comes from now on.",
    ]
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    (_, copy) = desk.internal.tickets()
    assert [entry.text.count("Linked by hand with") for entry in copy["private_log"]] == [1]
    told = desk.itopsync("show", "1").stdout
    assert "itopsync's marker of the link" in told
    assert "written here, and stays here: not carried" in told
    assert "Secret" not in told
    done = desk.itopsync("unlink", "external:UserRequest:1", "-y")
    assert (done.returncode, done.stdout) == (
        ExitCode.WELL,
        f"link 1, {external} (external:UserRequest:1): nothing is carried any more, in either direction. "
        f"The next cycle notes that on {internal}, if its log bears our mark still.\n",
    )
    desk.itopsync("run-once")
    assert "is tombstone: nothing to do." in desk.itopsync("unlink", "1", "--yes").stdout
    (_, copy) = desk.internal.tickets()
    assert [entry.text.count("Unlinked by hand from") for entry in copy["private_log"]] == [0, 1]


def test_what_goes_with_a_state_is_named_before_the_link_is_made(desk: Desk) -> None:
    external, internal = _two(desk)
    for agent, number in ((desk.customer, 1), (desk.operator, 2)):
        agent.stimulus("UserRequest", number, "ev_assign", team_id=39, agent_id=9)
        agent.stimulus("UserRequest", number, "ev_pending", pending_reason=f"Secret {number}")
    (desk.folder / "pairs.csv").write_text(f"external,internal\n{external},{internal}\n")
    stays = (
        "Of these, what goes with a state (pending_reason) stays when that moves, too, unless iTop demands it of a ticket that "
    )
    told = desk.itopsync("link", external, internal, "--dry-run").stdout
    assert f"The two differ in pending_reason, title: each stays as it is until it is changed.\n{stays}" in told
    told = desk.itopsync("link", "--from", "pairs.csv", "--dry-run").stdout
    assert "the two differ in pending_reason, title\nWhat differs stays as it is until it is changed.\n" + stays in told
    assert "Secret" not in told


def test_a_log_without_room_for_the_mark_is_told_before_the_link_is_made(desk: Desk) -> None:
    external, internal = _two(desk)
    assert "full" not in desk.itopsync("link", external, internal, "--dry-run").stdout
    desk.operator.fill_log("UserRequest", 2)
    told = desk.itopsync("link", external, internal, "--dry-run").stdout
    assert f"and {internal} (internal:UserRequest:2): internal's log is full, or nearly so. If it takes no mark" in told


def test_without_a_mark_neither_ticket_is_touched(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="Printer")
    desk.itopsync("run-once")
    written = len(desk.internal.audit) + len(desk.external.audit)
    done = desk.itopsync("unlink", "1", "--no-notice", "--yes")
    assert "The next cycle" not in done.stdout
    for _ in range(2):
        desk.itopsync("run-once", "--sweep")
    assert len(desk.internal.audit) + len(desk.external.audit) == written


def test_what_cannot_be_undone_is_asked_and_refused_where_nobody_can_be(desk: Desk) -> None:
    external, internal = _two(desk)
    for command in (["link", external, internal], ["db", "downgrade", "base"]):
        done = desk.itopsync(*command)
        assert done.returncode == ExitCode.USAGE
        assert "There is no terminal to ask on: add --yes to go ahead." in done.stderr
    desk.itopsync("link", external, internal, "--yes")
    assert desk.itopsync("unlink", "1").returncode == ExitCode.USAGE
    assert '"linked": 1' in desk.itopsync("status", "--json").stdout


def _at_a_terminal(desk: Desk, answer: str, *arguments: str) -> tuple[int, str]:
    """Run a command at a terminal of its own, and answer it."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PASSWORD": "sync-password", "TERM": "dumb"}
    command = [sys.executable, "-m", "itopsync", "--log-level", "error", *arguments]
    process = subprocess.Popen(command, cwd=desk.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, answer.encode())
    told = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        told += part
    os.close(ours)
    return process.wait(60), told.decode()


def test_a_person_at_a_terminal_is_asked(desk: Desk) -> None:
    external, internal = _two(desk)
    code, told = _at_a_terminal(desk, "n\n", "link", external, internal)
    assert code == ExitCode.TROUBLED
    assert "Continue? [y/N]" in told
    assert "Nothing was done." in told
    assert '"linked": 0' in desk.itopsync("status", "--json").stdout
    code, told = _at_a_terminal(desk, "y\n", "link", external, internal)
    assert code == ExitCode.WELL
    assert '"linked": 1' in desk.itopsync("status", "--json").stdout


def test_a_name_that_may_mean_several_tickets_lists_them(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="One", ref="R-000077", start_date=OLD)
    desk.customer.create("Incident", title="Two", ref="R-000077", start_date=OLD)
    desk.operator.create("UserRequest", title="Three")
    done = desk.itopsync("link", "R-000077", "UserRequest:1", "--yes")
    assert done.returncode == ExitCode.USAGE
    told = " ".join(done.stderr.replace("│", " ").split())
    assert "may be R-000077 (external:Incident:2) or R-000077 (external:UserRequest:1): name one of these" in told


def test_a_name_that_may_mean_several_links_lists_them(desk: Desk) -> None:
    """A number of one side is often a number of the other."""
    first = desk.customer.create("UserRequest", title="One", ref="R-000002")
    desk.itopsync("run-once")
    desk.customer.create("UserRequest", title="Two", ref="R-000009")
    desk.itopsync("run-once")
    assert desk.internal.tickets()[1]["ref"] == "R-000002"
    for command in (["retry"], ["park"], ["resume"], ["unlink", "--yes"]):
        done = desk.itopsync(*command, "R-000002")
        assert done.returncode == ExitCode.USAGE
        told = " ".join(done.stderr.replace("│", " ").split())
        assert "may mean several links; name one by its number" in told
        assert f"link 1: R-000002 (external:UserRequest:{first}) → R-000001 (internal:UserRequest:1)" in told
        assert "link 2:" in told
    assert '"parked": 0' in desk.itopsync("status", "--json").stdout


def test_a_ticket_that_is_linked_already_is_told_with_the_remedy(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="Printer")
    desk.operator.create("UserRequest", title="Printer")
    desk.itopsync("run-once")
    done = desk.itopsync("link", "UserRequest:1", "UserRequest:1", "--yes")
    told = " ".join(done.stderr.replace("│", " ").split())
    assert done.returncode == ExitCode.USAGE
    assert "is linked with internal:UserRequest:2 already (link 1): run `itopsync unlink 1` first" in told


def test_a_ticket_that_its_server_fails_to_show_is_told_before_a_cycle_has_run(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="First")
    desk.itopsync("run-once")
    desk.internal.faults.add(FaultKind.ODD_ROW, verbs=["core/get"], classes=["UserRequest"], accounts=["sync"])
    told = desk.itopsync("show", "R-000001").stdout
    assert "one of the two tickets cannot be read: internal: " in told
    assert "internal: " in json.loads(desk.itopsync("show", "R-000001", "--json").stdout)["unread"]


def test_a_verification_of_parked_links_alone_says_so(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="First")
    desk.itopsync("run-once")
    desk.itopsync("park", "R-000001")
    assert "Nothing was compared: every link is parked. " in desk.itopsync("verify").stdout
