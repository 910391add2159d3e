"""The commands as an operator types them: what they say, what they write, and how they end."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time

import pytest

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk


@pytest.mark.usefixtures("no_store")
def test_a_dry_run_writes_nothing_not_even_a_store(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="Printer broken")
    done = desk.itopsync("plan")
    assert done.returncode == ExitCode.WELL
    assert "create the internal copy" in done.stdout
    assert "Printer broken" not in done.stdout
    assert desk.internal.tickets() == []
    assert list(desk.folder.glob("store*")) == []


def test_a_dry_run_as_json_names_each_action(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="Printer broken")
    (link,) = json.loads(desk.itopsync("plan", "--json").stdout)
    assert link["external"] == "external:UserRequest:1"
    assert [action["action"] for action in link["actions"]] == ["create"]


def test_one_cycle_carries_both_directions_and_the_next_writes_nothing(desk: Desk) -> None:
    number = desk.customer.create("UserRequest", title="Printer broken")
    assert desk.itopsync("run-once").returncode == ExitCode.WELL
    (copy,) = desk.internal.tickets()
    time.sleep(1.1)  # a change within the second that was seen looks like none
    desk.operator.note("UserRequest", copy["id"], "<p>On our way</p>")
    assert desk.itopsync("run-once", "--sweep").returncode == ExitCode.WELL
    assert "On our way" in desk.external.ticket("UserRequest", number)["private_log"][-1].text
    written = len(desk.external.audit) + len(desk.internal.audit)
    (line,) = desk.itopsync("run-once", "--json").stdout.splitlines()
    assert json.loads(line)["outcome"] == "well"
    assert len(desk.external.audit) + len(desk.internal.audit) == written
    assert desk.itopsync("verify").stdout.endswith("1 of 1 linked tickets agree. Nothing was written.\n")


def test_verify_ends_with_one_when_tickets_differ(desk: Desk) -> None:
    number = desk.customer.create("UserRequest", title="Printer broken")
    desk.itopsync("run-once")
    desk.customer.note("UserRequest", number, "<p>Not carried yet</p>")
    done = desk.itopsync("verify")
    assert done.returncode == ExitCode.TROUBLED
    assert "differs: internal: append 1 log entry" in done.stdout
    assert "compared: external: entry 1 of private_log has no mirror on internal. See `itopsync show external:" in done.stdout
    assert "Not carried yet" not in done.stdout
    assert "0 of 1 linked tickets agree" in done.stdout


def test_verify_tells_what_nothing_is_planned_for(desk: Desk) -> None:
    number = desk.customer.create("UserRequest", title="Printer broken", private_log="<p>It smokes</p>")
    desk.customer.attach("UserRequest", number, "a.txt", "text/plain", b"one")
    desk.itopsync("run-once")
    (copy,) = desk.internal.tickets()
    other = {"data": "dHdv", "mimetype": "text/plain", "filename": "a.txt"}
    desk.operator.update("Attachment", copy["attachments"][0]["id"], contents=other)
    assert desk.itopsync("verify").returncode == ExitCode.WELL
    done = desk.itopsync("verify", "--deep")
    assert done.returncode == ExitCode.TROUBLED
    assert "external: attachment 1 and its copy are not the same file. Nothing is planned for it. See" in done.stdout
    (told,) = json.loads(desk.itopsync("verify", "--deep", "--json").stdout)
    assert told["actions"] == []
    assert [difference["item"] for difference in told["differences"]] == ["file:external:1"]
    assert told["compared"]["external entries mirrored"] == 1


def test_verify_tells_a_second_copy_by_its_number_and_address(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="Printer broken")
    desk.itopsync("run-once")
    (copy,) = desk.internal.tickets()
    desk.internal.agent("sync").create("UserRequest", title="Late", private_log=copy["private_log"][0].text)
    done = desk.itopsync("verify")
    assert done.returncode == ExitCode.TROUBLED
    page = f"{desk.internal.url}/pages/UI.php?operation=details&class=UserRequest&id=2"
    first = (
        f"R-000002 (internal:UserRequest:2, {page}) is a second copy of external:UserRequest:1, whose copy in use is R-000001 "
    )
    assert done.stdout.startswith(first)
    assert done.stdout.endswith(
        "Close it, unless it is a clone. See `itopsync show external:UserRequest:1`\n"
        "1 of 1 linked tickets agree. Nothing was written.\n"
    )
    (told,) = json.loads(desk.itopsync("verify", "--json").stdout)
    assert [difference["item"] for difference in told["differences"]] == ["copy"]


def test_a_refused_ticket_ends_with_one_and_status_says_why(desk: Desk) -> None:
    desk.configure('[limits]\nfile_size = "1kB"\n')
    number = desk.customer.create("UserRequest", title="Printer broken")
    desk.customer.attach("UserRequest", number, "secret plan.bin", "application/octet-stream", bytes(1001))
    assert desk.itopsync("run-once").returncode == ExitCode.TROUBLED
    done = desk.itopsync("status")
    assert done.returncode == ExitCode.WELL
    assert "the file has 1001 bytes, more than limits.file_size allows" in " ".join(done.stdout.split())
    told = json.loads(desk.itopsync("status", "--json").stdout)
    assert [(trouble["item"], trouble["parked"]) for trouble in told["troubles"]] == [("file:external:1", True)]
    assert told["writer"] is None
    assert "running: no process" in done.stdout
    assert "secret plan" not in done.stdout


@pytest.mark.parametrize(
    ("password", "code", "words"), [("wrong", ExitCode.UNAVAILABLE, "login"), ("", ExitCode.CONFIGURATION, "password")]
)
def test_a_wrong_password_and_none(desk: Desk, password: str, code: ExitCode, words: str) -> None:
    done = desk.itopsync("run-once", password=password)
    assert done.returncode == code
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_side_that_is_down_ends_with_four_and_is_named(desk: Desk) -> None:
    desk.internal.maintenance = True
    done = desk.itopsync("run-once")
    assert done.returncode == ExitCode.UNAVAILABLE
    assert "internal: is in maintenance" in done.stdout


def test_a_safety_stop_ends_with_five_until_it_is_accepted(desk: Desk) -> None:
    desk.configure("[limits]\ncreations = 2\n")
    for n in range(3):
        desk.customer.create("UserRequest", title=f"No. {n}")
    done = desk.itopsync("run-once")
    assert done.returncode == ExitCode.SAFETY_STOP
    assert "`itopsync accept creations`" in done.stderr
    assert desk.internal.tickets() == []
    assert desk.itopsync("run-once", "--accept", "creations").returncode == ExitCode.WELL
    assert len(desk.internal.tickets()) == 3


def test_another_instance_ends_with_six(desk: Desk) -> None:
    desk.itopsync("run-once")
    with sqlite3.connect(desk.folder / "store.sqlite") as store:
        store.execute(
            "INSERT INTO lease (id, host, boot_id, pid, started, token, until) "
            "VALUES (1, 'elsewhere', 'b', 1, 's', 't', '2999-01-01 00:00:00.000000')"
        )
    done = desk.itopsync("run-once")
    assert done.returncode == ExitCode.ANOTHER_INSTANCE
    assert "process 1 on elsewhere" in done.stderr


def test_a_store_from_the_future_ends_with_seven(desk: Desk) -> None:
    desk.itopsync("run-once")
    with sqlite3.connect(desk.folder / "store.sqlite") as store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
    done = desk.itopsync("run-once")
    assert done.returncode == ExitCode.STORE
    assert "newer itopsync" in done.stderr


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ('pair = "x', "malformed TOML"),
        ('pears = "x"\n', "Did you mean pair?"),
    ],
)
def test_a_broken_configuration_ends_with_three(desk: Desk, broken: str, words: str) -> None:
    (desk.folder / "sync.toml").write_text(broken)
    done = desk.itopsync("run-once")
    assert done.returncode == ExitCode.CONFIGURATION
    assert words in done.stderr


def test_init_writes_a_file_once(desk: Desk) -> None:
    assert desk.itopsync("init", "new.toml").returncode == ExitCode.WELL
    done = desk.itopsync("init", "new.toml")
    assert done.returncode == ExitCode.CONFIGURATION
    assert "it exists already" in done.stderr


def test_init_prints_the_schema_for_editors_and_writes_nothing(desk: Desk) -> None:
    before = set(desk.folder.iterdir())
    done = desk.itopsync("init", "--schema")
    assert (done.returncode, done.stderr) == (ExitCode.WELL, "")
    assert "classes" in json.loads(done.stdout)["properties"]
    assert set(desk.folder.iterdir()) == before


@pytest.mark.usefixtures("no_store")
def test_check_finds_nothing_wrong_and_makes_no_store(desk: Desk) -> None:
    done = desk.itopsync("check")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (ExitCode.WELL, "0 faults, 0 warnings.")
    assert list(desk.folder.glob("store*")) == []


def test_check_ends_with_three_on_a_fault(desk: Desk) -> None:
    done = desk.itopsync("check", "--json", password="wrong")
    assert done.returncode == ExitCode.CONFIGURATION
    assert sum(finding["level"] == "fault" for finding in json.loads(done.stdout)) == 2


def test_a_parked_link_rests_until_it_is_resumed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITOPSYNC_ACTOR", "anna")
    number = desk.customer.create("UserRequest", title="Printer broken")
    desk.itopsync("run-once")
    time.sleep(1.1)
    assert "rests" in desk.itopsync("park", "external:UserRequest:1", "--reason", "waits for the audit").stdout
    desk.customer.note("UserRequest", number, "<p>Hello</p>")
    desk.itopsync("run-once")
    (copy,) = desk.internal.tickets()
    assert len(copy["private_log"]) == 1
    shown = desk.itopsync("show", "1")
    reason = "parked by anna: waits for the audit; `itopsync resume` takes it up again"
    assert reason in shown.stdout
    assert json.loads(desk.itopsync("status", "--json").stdout)["troubles"][0]["reason"] == reason
    assert "Hello" not in shown.stdout
    desk.itopsync("resume", "1")
    desk.itopsync("run-once")
    (copy,) = desk.internal.tickets()
    assert len(copy["private_log"]) == 2
    told = json.loads(desk.itopsync("show", "1", "--json").stdout)
    assert [entry["what"] for entry in told["entries"] if entry["side"] == "external"] == ["written here"]
    assert told["actions"] == []


def test_a_note_that_stays_in_is_named_with_its_prefix_by_all_that_look(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="Printer broken")
    desk.itopsync("run-once")
    time.sleep(1.1)
    desk.operator.note("UserRequest", 1, "<p># Internal server error</p>")
    desk.itopsync("run-once")
    why = "by the prefix '#internal'"
    assert f"written here, and kept in internal {why}" in desk.itopsync("show", "1").stdout
    assert json.loads(desk.itopsync("show", "1", "--json").stdout)["entries"][-1]["why"] == why
    assert f"note kept in internal ({why})" in desk.itopsync("verify").stdout
    desk.customer.note("UserRequest", 1, "<p>More</p>")
    assert f"note kept in internal ({why})" in desk.itopsync("plan").stdout


def test_retry_forgets_what_stood_in_the_way(desk: Desk) -> None:
    desk.configure('[limits]\nfile_size = "1kB"\n')
    number = desk.customer.create("UserRequest", title="Printer broken")
    desk.customer.attach("UserRequest", number, "a.bin", "application/octet-stream", bytes(1001))
    desk.itopsync("run-once")
    desk.configure()
    desk.itopsync("run-once")
    (copy,) = desk.internal.tickets()
    assert copy["attachments"] == []
    assert "is tried again" in desk.itopsync("retry", "--all").stdout
    desk.itopsync("run-once")
    (copy,) = desk.internal.tickets()
    assert len(copy["attachments"]) == 1


def test_what_is_parked_is_not_shown_as_waiting(desk: Desk) -> None:
    desk.configure('[limits]\nfile_size = "1kB"\n')
    number = desk.customer.create("UserRequest", title="Printer broken")
    desk.customer.attach("UserRequest", number, "a.bin", "application/octet-stream", bytes(1001))
    desk.itopsync("run-once")
    shown = desk.itopsync("show", "R-000001").stdout
    assert "attachment 1: no copy on internal, parked" in shown
    assert "waiting" not in shown
    (file,) = json.loads(desk.itopsync("show", "R-000001", "--json").stdout)["files"]
    assert (file["status"], file["parked"]) == ("waiting", True)


def test_a_ticket_that_nobody_knows_is_a_usage_error(desk: Desk) -> None:
    desk.itopsync("run-once")
    done = desk.itopsync("show", "R-999999")
    assert done.returncode == ExitCode.USAGE
    assert "no link of 'R-999999' is known" in done.stderr


def test_show_says_why_a_ticket_has_no_link(desk: Desk) -> None:
    old = desk.customer.create("UserRequest", title="Long ago", start_date="2020-01-01 08:00:00")
    new = desk.customer.create("UserRequest", title="Just now")
    desk.customer.create("RoutineChange", title="Of a class that is not configured")
    desk.operator.create("UserRequest", title="The company's own")
    before = desk.itopsync("show", f"external:UserRequest:{new}")
    assert (before.returncode, "it is in scope, and the next cycle takes it up" in before.stdout) == (ExitCode.WELL, True)
    desk.itopsync("run-once")
    for ref, why in {
        f"external:UserRequest:{old}": "it is older than scope.since (",
        "C-000003": "there is no [classes.RoutineChange] in sync.toml",
        "internal:UserRequest:1": "it is internal's own, no copy",
    }.items():
        done = desk.itopsync("show", ref)
        assert (done.returncode, why in done.stdout) == (ExitCode.WELL, True), done
    told = json.loads(desk.itopsync("show", "C-000003", "--json").stdout)
    assert (told["link"], told["ticket"]) == (None, "external:RoutineChange:3")


def test_a_ticket_that_fails_the_condition_is_told_so(desk: Desk) -> None:
    number = desk.customer.create("UserRequest", title="Not wanted")
    text = (desk.folder / "sync.toml").read_text()
    (desk.folder / "sync.toml").write_text(text.replace("[scope]\n", "[scope]\ncondition = \"this.title = 'Wanted'\"\n"))
    desk.itopsync("run-once")
    done = desk.itopsync("show", f"external:UserRequest:{number}")
    assert (done.returncode, "it does not meet scope.condition" in done.stdout) == (ExitCode.WELL, True), done
    desk.configure()
    told = desk.itopsync("show", f"external:UserRequest:{number}").stdout
    assert "`itopsync sweep`, or `itopsync run-once --sweep` if no service is running" in " ".join(told.split())


def test_what_is_parked_is_told_where_nothing_is_to_be_written(desk: Desk) -> None:
    assert "No ticket is linked" in desk.itopsync("verify").stdout
    desk.configure('[limits]\nfile_size = "1kB"\n')
    number = desk.customer.create("UserRequest", title="Printer broken")
    desk.customer.attach("UserRequest", number, "a.bin", "application/octet-stream", bytes(1001))
    desk.itopsync("run-once")
    for command in ("plan", "verify"):
        done = desk.itopsync(command)
        assert (done.returncode, "both sides agree" in done.stdout) == (ExitCode.WELL, False)
        assert done.stdout.endswith("1 ticket with something parked or waiting: `itopsync status` says what, and why.\n")
    assert "run `itopsync retry LINK`" in desk.itopsync("status").stdout
    desk.itopsync("retry", "1")
    desk.configure()
    desk.itopsync("run-once")
    assert "retry LINK" not in desk.itopsync("status").stdout


def test_check_tells_of_a_store_that_cannot_be_made_and_says_so_last(desk: Desk) -> None:
    text = (desk.folder / "sync.toml").read_text().replace("store.sqlite", "missing/store.sqlite")
    (desk.folder / "sync.toml").write_text(text)
    done = desk.itopsync("check")
    assert done.returncode == ExitCode.CONFIGURATION
    *_, fault, summary = done.stdout.splitlines()
    assert f"the folder {desk.folder / 'missing'} does not exist" in fault
    assert summary == "1 fault, 0 warnings."


def test_what_init_writes_can_be_read_by_the_service(desk: Desk) -> None:
    before = os.umask(0o077)
    try:
        desk.itopsync("init", "new.toml")
    finally:
        os.umask(before)
    assert (desk.folder / "new.toml").stat().st_mode & 0o777 == 0o644


def test_the_demo_without_its_extra_says_what_to_install(desk: Desk) -> None:
    (desk.folder / "lxml.py").write_text("raise ModuleNotFoundError(name='lxml')\n")
    command = [sys.executable, "-m", "itopsync", "demo", "--once"]  # one that is forked has loaded it already
    done = subprocess.run(command, cwd=desk.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ExitCode.USAGE
    assert "the simulated servers need lxml, which is not installed" in done.stderr


def test_status_tells_of_a_scope_in_the_future_and_works(desk: Desk) -> None:
    desk.configure()
    path = desk.folder / "sync.toml"
    path.write_text(re.sub('since = ".*"', "since = 2090-01-01", path.read_text()))
    done = desk.itopsync("status")
    assert done.returncode == ExitCode.WELL
    assert "scope.since is in the future: no ticket that began before it is copied" in done.stdout
    checked = desk.itopsync("check")
    assert checked.returncode == ExitCode.CONFIGURATION
    assert "scope.since is in the future" in checked.stdout
