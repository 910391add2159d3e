"""What an operator asks for where no process is at work: done at once, or by the next cycle."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

import pytest
import typer

from itopsync.cli.asked import await_end
from itopsync.exits import ExitCode
from itopsync.model import LinkStatus
from itopsync.simulator.faults import FaultKind
from itopsync.store.records import RequestKind
from itopsync.store.store import Store
from tests.cli.conftest import Desk


def test_a_single_cycle_honours_a_pause_and_says_whose_it_is(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="First")
    paused = desk.itopsync("pause", "--reason", "upgrade of the desk")
    assert paused.returncode == 0
    assert "both sides are paused by" in paused.stdout
    served = desk.external.served + desk.internal.served
    done = desk.itopsync("run-once")
    assert done.returncode == ExitCode.PAUSED
    assert "until somebody ends it: upgrade of the desk. `itopsync unpause` ends it." in done.stdout
    assert desk.external.served + desk.internal.served == served
    (line,) = desk.itopsync("run-once", "--json").stdout.splitlines()
    told = json.loads(line)
    assert (told["outcome"], len(told["paused"])) == ("paused", 1)
    assert desk.itopsync("unpause", "--side", "external").stdout == "external: worked with again.\n"
    assert "internal is paused by" in desk.itopsync("run-once").stdout
    assert desk.itopsync("unpause").stdout == "internal: worked with again.\n"
    assert desk.itopsync("unpause").stdout == "external and internal: not paused, nothing to do.\n"
    assert desk.itopsync("run-once").returncode == 0
    assert len(desk.internal.tickets()) == 1


def test_the_status_tells_a_pause_with_who_why_and_until_when(desk: Desk) -> None:
    desk.itopsync("pause", "--side", "internal", "--until", "2999-01-01T00:00+00:00", "--reason", "moved")
    told = desk.itopsync("status").stdout
    assert "internal is paused by" in told
    assert "until 2999-01-01 00:00 UTC: moved. `itopsync unpause` ends it." in told
    (pause,) = json.loads(desk.itopsync("status", "--json").stdout)["pauses"]
    assert (pause["sides"], pause["reason"], pause["until"]) == (["internal"], "moved", "2999-01-01T00:00:00+00:00")
    probe = desk.itopsync("status", "--max-age", "1h")
    assert (probe.returncode, probe.stdout.split(":")[0]) == (ExitCode.PAUSED, "PAUSED")


def test_who_asks_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITOPSYNC_ACTOR", "anna")
    desk.itopsync("pause", "--reason", "lunch")
    assert "by anna: lunch" in desk.itopsync("activity").stdout
    monkeypatch.delenv("ITOPSYNC_ACTOR")
    monkeypatch.setenv("SUDO_USER", "budi")
    assert desk.itopsync("unpause").returncode == 0
    assert [entry["actor"] for entry in json.loads(desk.itopsync("activity", "--json").stdout)] == ["budi", "anna"]


@pytest.mark.parametrize("words", [("pause", "--until", "tomorrow"), ("pause", "--until", "2999-01-01", "--for", "1h")])
def test_a_time_that_cannot_be_read_is_refused(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.itopsync(*words).returncode == ExitCode.USAGE
    assert desk.itopsync("activity").stdout.startswith("There are no writes")


@pytest.fixture
def no_passwords(desk: Desk) -> None:
    """A sync.toml whose two passwords are in a file that is not there."""
    path = desk.folder / "sync.toml"
    path.write_text(path.read_text().replace('password_env = "PASSWORD"', 'password_file = "nowhere"'))


@pytest.mark.parametrize(
    "line",
    [
        "status",
        "activity",
        "report",
        "pause",
        "unpause",
        "park R-000001",
        "resume R-000001",
        "retry R-000001",
        "sync R-000001",
        "unlink R-000001 --yes",
        "db check",
        "db backup copy.sqlite",
    ],
)
def test_what_asks_no_server_needs_no_password(desk: Desk, line: str, request: pytest.FixtureRequest) -> None:
    desk.customer.create("UserRequest", title="First")
    desk.itopsync("run-once")
    request.getfixturevalue("no_passwords")
    done = desk.itopsync(*line.split())
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("no_passwords")
def test_what_asks_a_server_names_both_passwords_that_are_not_there(desk: Desk) -> None:
    for line in ("check", "plan", "run-once", "show R-000001", "verify", "db prune --yes"):
        done = desk.itopsync(*line.split())
        assert (done.returncode, done.stderr.count("password_file")) == (ExitCode.CONFIGURATION, 2)


@pytest.mark.usefixtures("no_passwords")
def test_a_link_that_waits_is_left_waiting_where_no_server_can_be_asked(desk: Desk) -> None:
    store = Store.open(f"sqlite:///{desk.folder}/store.sqlite")
    store.requests.ask(RequestKind.LINK, "anna", datetime.now(UTC), arguments={"pairs": "UserRequest:1=UserRequest:1"})
    done = desk.itopsync("pause")
    assert (done.returncode, done.stderr.count("password_file")) == (ExitCode.CONFIGURATION, 2)
    assert [request.kind for request in store.requests.waiting()] == [RequestKind.LINK, RequestKind.PAUSE]
    store.close()


def test_a_stop_is_accepted_for_the_next_cycle(desk: Desk) -> None:
    desk.configure("[limits]\ncreations = 2\n")
    for n in range(3):
        desk.customer.create("UserRequest", title=f"No. {n}")
    assert desk.itopsync("run-once").returncode == ExitCode.SAFETY_STOP
    assert "stopped since" in desk.itopsync("status").stdout
    refused = desk.itopsync("accept", "creations")
    assert refused.returncode == ExitCode.USAGE
    assert "3 new tickets are to be created in internal, more than the limit of 2. This is allowed once" in refused.stderr
    accepted = desk.itopsync("accept", "creations", "--yes")
    assert accepted.stdout == "accepted, and nothing on top of it: 3 creations. The next cycle carries that out.\n"
    assert desk.itopsync("plan").returncode == 0
    assert desk.itopsync("run-once").returncode == 0
    assert len(desk.internal.tickets()) == 3
    nothing = desk.itopsync("accept", "creations", "--yes")
    assert nothing.returncode == ExitCode.USAGE
    assert "nothing stops the cycles now" in nothing.stderr


@pytest.mark.usefixtures("no_store")
@pytest.mark.parametrize(
    "words",
    [
        "pause --side external",
        "unpause",
        "accept creations --yes",
        "sync R-000001",
        "sweep",
        "verify --service",
        "retry --all",
        "park R-000001",
        "resume R-000001",
        "unlink R-000001",
        "db prune --yes",
    ],
)
def test_nobody_is_told_of_a_pause_in_a_store_that_only_the_command_would_make(desk: Desk, words: str) -> None:
    done = desk.itopsync(*words.split())
    assert done.returncode == ExitCode.STORE
    assert "there is no store yet" in done.stderr
    assert "If the service runs, it uses another" in done.stderr
    assert list(desk.folder.glob("store*")) == []


def test_a_sync_is_for_the_next_cycle(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="First")
    desk.itopsync("run-once")
    assert "is looked at by the next cycle, before all others" in desk.itopsync("sync", "R-000001").stdout
    unknown = desk.itopsync("sync", "R-999999")
    assert (unknown.returncode, "no link of 'R-999999' is known" in unknown.stderr) == (ExitCode.USAGE, True)


def test_a_sweep_waits_for_the_next_single_cycle(desk: Desk) -> None:
    desk.itopsync("run-once")
    waits = desk.itopsync("sweep")
    assert waits.returncode == ExitCode.TROUBLED
    assert "is waiting for a process that runs cycles" in waits.stderr
    desk.itopsync("run-once")
    assert json.loads(desk.itopsync("status", "--json").stdout)["cycles"][0]["kind"] == "sweep"
    assert json.loads(desk.itopsync("activity", "--json").stdout)[0]["state"] == "done"


def test_where_the_holder_takes_nothing_up_it_is_done_here(desk: Desk) -> None:
    """As beside a single cycle that takes long: the store sees to it that the two do not get in each other's way."""
    desk.customer.create("UserRequest", title="First")
    desk.itopsync("run-once")
    with sqlite3.connect(desk.folder / "store.sqlite") as store:
        store.execute(
            "INSERT INTO lease (id, host, boot_id, pid, started, token, until) "
            "VALUES (1, 'elsewhere', 'b', 1, 's', 't', '2999-01-01 00:00:00.000000')"
        )
    done = desk.itopsync("park", "R-000001")
    assert (done.returncode, done.stdout) == (0, "link 1, R-000001 (external:UserRequest:1) rests.\n")
    (told,) = [entry for entry in json.loads(desk.itopsync("activity", "--json").stdout) if "request" in entry]
    assert told["state"] == "done"


def test_a_plan_ends_as_the_cycle_that_finds_none_of_its_tickets(desk: Desk) -> None:
    for n in range(3):
        desk.customer.create("UserRequest", title=f"No. {n}")
    assert desk.itopsync("run-once").returncode == 0
    desk.internal.faults.add(FaultKind.BLIND)
    assert desk.itopsync("run-once", "--sweep").returncode == ExitCode.SAFETY_STOP
    done = desk.itopsync("plan")
    assert done.returncode == ExitCode.SAFETY_STOP
    assert "internal shows our account no ticket at all, though 3 are linked" in done.stderr
    told = desk.itopsync("verify").stdout
    assert "one of the two tickets is gone, or our account does not see it any more" in told
    assert "The next cycle" not in told


def test_a_plan_names_the_pause_under_which_nothing_is_written(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="First")
    desk.itopsync("pause", "--side", "internal")
    done = desk.itopsync("plan")
    assert done.returncode == ExitCode.PAUSED
    assert done.stdout.startswith("internal is paused by ")
    assert "create the internal copy" in done.stdout
    desk.itopsync("unpause")
    assert desk.itopsync("plan").returncode == 0


def test_a_request_whose_process_is_gone_is_said_to_be_broken_off(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.itopsync("run-once")
    store = Store.open(f"sqlite:///{desk.folder}/store.sqlite")
    number = store.requests.ask(RequestKind.SWEEP, "anna", datetime.now(UTC))
    assert store.requests.take(number, datetime.now(UTC)) is not None
    with pytest.raises(typer.Exit):
        await_end(desk.configuration(), store, number)
    store.close()
    assert capsys.readouterr().err == f"Request {number} was broken off: the process that had taken it is gone. Ask again.\n"


def wait_for(desk: Desk, *asked: tuple[RequestKind, int | None]) -> None:
    """Ask as the console does, which leaves the rest to whoever comes."""
    store = Store.open(f"sqlite:///{desk.folder}/store.sqlite")
    for kind, link in asked:
        store.requests.ask(kind, "web:anna", datetime.now(UTC), link=link)
    store.close()


def test_what_was_asked_for_before_is_carried_out_first(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="First")
    desk.itopsync("run-once")
    wait_for(desk, (RequestKind.SWEEP, None), (RequestKind.PAUSE, None), (RequestKind.PARK, 1))
    ended = desk.itopsync("unpause")
    assert ended.stdout == "external and internal: worked with again.\n"
    assert "First, as it was asked before, pause for web:anna: both sides are paused by web:anna" in ended.stderr
    assert "park for web:anna: link 1, R-000001 (external:UserRequest:1) rests." in ended.stderr
    assert "taken up again" in desk.itopsync("resume", "R-000001").stdout
    asked = json.loads(desk.itopsync("activity", "--json").stdout)
    assert [entry["request"] for entry in asked if entry.get("state") == "waiting"] == ["sweep"]
    assert desk.itopsync("run-once").returncode == 0
    assert json.loads(desk.itopsync("status", "--json").stdout)["counts"]["linked"] == 1


def test_a_link_that_waits_is_made_before_it_is_unlinked(desk: Desk) -> None:
    """Its command was broken off; what was asked for last is what holds."""
    desk.customer.create("UserRequest", title="Ours")
    desk.operator.create("UserRequest", title="Theirs")
    store = Store.open(f"sqlite:///{desk.folder}/store.sqlite")
    store.requests.ask(RequestKind.LINK, "anna", datetime.now(UTC), arguments={"pairs": "UserRequest:1=UserRequest:1"})
    number = store.requests.ask(RequestKind.UNLINK, "budi", datetime.now(UTC), link=1)
    assert "nothing is carried any more" in await_end(desk.configuration(), store, number).result
    assert [link.status for link in store.links.get([1])] == [LinkStatus.UNLINKING]
    store.close()


def test_what_is_asked_for_later_stays_waiting(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(f"sqlite:///{desk.folder}/store.sqlite")
    number = store.requests.ask(RequestKind.UNPAUSE, "budi", datetime.now(UTC))
    wait_for(desk, (RequestKind.PAUSE, None))
    assert await_end(desk.configuration(), store, number).result == "external and internal: not paused, nothing to do."
    assert [request.kind for request in store.requests.waiting()] == [RequestKind.PAUSE]
    store.close()
    assert capsys.readouterr().err == ""


def test_the_status_says_in_a_line_what_waits(desk: Desk) -> None:
    assert "waiting to be carried out" not in desk.itopsync("status").stdout
    wait_for(desk, (RequestKind.PAUSE, None), (RequestKind.RETRY, None))
    (line,) = [line for line in desk.itopsync("status").stdout.splitlines() if line.startswith("requests: ")]
    assert line.startswith("requests: 2 waiting to be carried out, the oldest is pause, asked for by web:anna at ")
    assert [request["kind"] for request in json.loads(desk.itopsync("status", "--json").stdout)["requests"]] == ["pause", "retry"]
    desk.itopsync("unpause")
    assert [request["kind"] for request in json.loads(desk.itopsync("status", "--json").stdout)["requests"]] == []
