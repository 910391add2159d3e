"""The store's commands, and the status for monitoring, as an operator or a probe types them."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
import subprocess
import sys
import time

import pytest
import typer

from itopsync.cli.app import app
from itopsync.cli.asked import at_work
from itopsync.exits import ExitCode
from itopsync.store.store import Store
from tests.cli.conftest import Desk

HELD = (
    "INSERT INTO lease (id, host, boot_id, pid, started, token, until) "
    "VALUES (1, 'elsewhere', 'b', 1, 's', 't', '2999-01-01 00:00:00.000000')"
)


def _run(desk: Desk, *statements: str) -> None:
    with sqlite3.connect(desk.folder / "store.sqlite") as store:
        for statement in statements:
            store.execute(statement)
    store.close()


# db


def test_a_sound_store_is_said_to_be_so(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="Printer")
    desk.itopsync("run-once")
    done = desk.itopsync("db", "check")
    assert (done.returncode, done.stdout) == (
        ExitCode.WELL,
        "The store is at 0006, this itopsync's schema, and sound: 1 link.\n",
    )


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("DROP INDEX ix_link_due", "its schema is not as declared"),
        ("UPDATE link SET base = 'nonsense'", "link 1 cannot be read"),
        ("INSERT INTO file VALUES (99, 'external', 1, NULL, 'waiting', '', '')", "of file refers to nothing"),
    ],
)
def test_a_store_that_is_not_sound_is_told_with_the_remedy(desk: Desk, harm: str, words: str) -> None:
    desk.customer.create("UserRequest", title="Printer")
    desk.itopsync("run-once")
    _run(desk, harm)
    done = desk.itopsync("db", "check")
    assert done.returncode == ExitCode.STORE
    assert words in done.stdout
    assert "restore a backup" in done.stdout


@pytest.mark.usefixtures("no_store")
def test_no_store_is_no_sound_store_and_none_is_made(desk: Desk) -> None:
    done = desk.itopsync("db", "check")
    assert done.returncode == ExitCode.STORE
    assert "there is no store yet" in done.stderr
    assert list(desk.folder.glob("store*")) == []


def test_a_backup_is_a_whole_store_that_its_owner_alone_reads(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="Printer")
    desk.itopsync("run-once")
    _run(desk, HELD)  # somebody works on it
    done = desk.itopsync("db", "backup", "copy.sqlite")
    assert done.returncode == ExitCode.WELL
    assert done.stdout.startswith("Wrote copy.sqlite: ")
    copy = desk.folder / "copy.sqlite"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with sqlite3.connect(copy) as store:
        assert store.execute("SELECT count(*) FROM link").fetchone() == (1,)
    store.close()
    again = desk.itopsync("db", "backup", "copy.sqlite")
    assert again.returncode == ExitCode.STORE
    assert "copy.sqlite cannot be created: File exists" in again.stderr


def test_nobody_changes_the_schema_under_a_daemon(desk: Desk) -> None:
    desk.itopsync("run-once")
    _run(desk, HELD)
    for command in (["upgrade"], ["downgrade", "base", "--yes"]):
        done = desk.itopsync("db", *command)
        assert done.returncode == ExitCode.ANOTHER_INSTANCE
        assert "process 1 on elsewhere. Stop it first." in done.stderr


@pytest.mark.usefixtures("no_store")
def test_the_lease_is_given_back_after_an_upgrade(desk: Desk) -> None:
    assert desk.itopsync("db", "upgrade").stdout == "The store went from empty to 0006.\n"
    assert desk.itopsync("db", "upgrade").stdout == "The store is at 0006.\n"
    assert desk.itopsync("run-once").returncode == ExitCode.WELL


def test_a_downgrade_leaves_a_copy_and_says_where_it_went(desk: Desk) -> None:
    desk.itopsync("run-once")
    done = desk.itopsync("db", "downgrade", "0000", "--yes")
    assert done.returncode == ExitCode.STORE
    assert "'0000' is not an older revision" in done.stderr
    done = desk.itopsync("db", "downgrade", "base", "--yes")
    assert (done.returncode, done.stdout) == (ExitCode.WELL, "The store went from 0006 to empty.\n")
    assert [path.name for path in desk.folder.glob("*.backup")] == ["store.sqlite.0006-1.backup"]


def test_the_lease_is_free_while_a_downgrade_waits_for_an_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.itopsync("run-once")
    held: list[bool] = []

    def ask(*_: object, **__: object) -> None:
        store = Store.open(f"sqlite:///{desk.folder}/store.sqlite")
        held.append(at_work(store))
        store.close()
        raise typer.Abort

    monkeypatch.setattr("itopsync.cli.upkeep.ask", ask)
    monkeypatch.setenv("PASSWORD", "sync-password")
    with pytest.raises(typer.Abort):
        app(["--config", f"{desk.folder}/sync.toml", "db", "downgrade", "base"], standalone_mode=False)
    assert held == [False]


def test_what_is_old_is_pruned_but_never_what_keeps_a_ticket_from_a_second_copy(desk: Desk) -> None:
    gone = desk.customer.create("UserRequest", title="To be deleted")
    desk.customer.create("UserRequest", title="To be unlinked")
    desk.itopsync("run-once")
    desk.customer.delete("UserRequest", gone)
    desk.itopsync("unlink", "external:UserRequest:2", "--yes")
    desk.itopsync("run-once", "--sweep")
    assert '"tombstone": 2' in desk.itopsync("status", "--json").stdout
    assert desk.itopsync("db", "prune", "--yes").stdout.startswith("Nothing is older than")
    _run(desk, "UPDATE link SET updated_at = '2020-01-01 00:00:00.000000'", "UPDATE cycle SET started = '2020-01-01 00:00:00.0'")
    counts = (
        "2 records of cycles, 0 records of writes, 0 requests, 0 records of what lasted, 0 notes of tickets out of scope, "
        "1 tombstones"
    )
    refused = desk.itopsync("db", "prune")
    assert refused.returncode == ExitCode.USAGE
    assert f"to be deleted: {counts}" in refused.stderr
    done = desk.itopsync("db", "prune", "--older-than", "30d", "--yes")
    assert done.stdout == f"Deleted: {counts}.\n"
    desk.itopsync("run-once", "--sweep")
    assert len(desk.internal.tickets()) == 2


def test_nothing_is_pruned_while_external_cannot_be_asked(desk: Desk) -> None:
    gone = desk.customer.create("UserRequest", title="To be deleted")
    desk.itopsync("run-once")
    desk.customer.delete("UserRequest", gone)
    desk.itopsync("run-once", "--sweep")
    _run(desk, "UPDATE link SET updated_at = '2020-01-01 00:00:00.000000'")
    desk.external.maintenance = True
    assert desk.itopsync("db", "prune", "--yes").returncode == ExitCode.UNAVAILABLE
    assert '"tombstone": 1' in desk.itopsync("status", "--json").stdout


# status


def test_a_probe_gets_one_line_and_an_exit_status(desk: Desk) -> None:
    desk.customer.create("UserRequest", title="Printer")
    done = desk.itopsync("status", "--max-age", "5m")
    assert done.returncode == ExitCode.UNAVAILABLE
    assert done.stdout.startswith("STALE: external: no good poll for too long; does the service run?;")
    desk.itopsync("run-once")
    done = desk.itopsync("status", "--max-age", "5m")
    assert done.returncode == ExitCode.WELL
    assert done.stdout.startswith("OK: external polled ")
    assert done.stdout.endswith("links: 1 linked\n")
    assert desk.itopsync("status", "--max-age", "0s").returncode == ExitCode.UNAVAILABLE
    _run(desk, "UPDATE side_state SET ok_at = '2020-01-01 00:00:00.000000' WHERE side = 'internal'")
    desk.internal.maintenance = True
    desk.itopsync("run-once")
    done = desk.itopsync("status", "--max-age", "5m")
    assert (done.returncode, done.stdout.count("\n")) == (ExitCode.UNAVAILABLE, 1)
    assert done.stdout.startswith("STALE: internal: is in maintenance (HTTP 503)")


def test_a_probe_counts_what_is_parked_and_ends_well(desk: Desk) -> None:
    desk.configure('[limits]\nfile_size = "1kB"\n')
    number = desk.customer.create("UserRequest", title="Printer")
    desk.customer.attach("UserRequest", number, "plan.bin", "application/octet-stream", bytes(1001))
    assert desk.itopsync("run-once").returncode == ExitCode.TROUBLED
    done = desk.itopsync("status", "--max-age", "5m")
    assert done.returncode == ExitCode.WELL
    assert done.stdout.startswith("OK: 1 parked (`itopsync status` says what, and why); external polled ")


def test_a_probe_hears_of_a_safety_stop(desk: Desk) -> None:
    desk.configure("[limits]\ncreations = 1\n")
    for n in range(2):
        desk.customer.create("UserRequest", title=f"No. {n}")
    desk.itopsync("run-once")
    done = desk.itopsync("status", "--max-age", "5m")
    assert done.returncode == ExitCode.SAFETY_STOP
    assert done.stdout.startswith("STOPPED: 2 new tickets are to be created in internal")


@pytest.mark.parametrize("age", ["5", "soon", "-1m"])
def test_an_age_is_written_with_its_unit(desk: Desk, age: str) -> None:
    done = desk.itopsync("status", "--max-age", age)
    assert done.returncode == ExitCode.USAGE


def test_a_watched_status_comes_again_until_it_is_interrupted(desk: Desk) -> None:
    desk.itopsync("run-once")
    command = [sys.executable, "-u", "-m", "itopsync", "status", "--watch"]
    environment = {"PASSWORD": "sync-password", "PATH": ""}
    # Where the tests run in the background it is ignored, and would be there too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command, cwd=desk.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    seen = 0
    deadline = time.monotonic() + 30
    while seen < 2 and time.monotonic() < deadline:
        seen += process.stdout.readline().startswith("pair demo, ")
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=30)
    assert (seen, process.returncode, complaints) == (2, 130, "")


def test_one_way_to_show_the_status_at_a_time(desk: Desk) -> None:
    done = desk.itopsync("status", "--watch", "--json")
    assert done.returncode == ExitCode.USAGE


def test_the_json_of_the_status_is_whole(desk: Desk) -> None:
    desk.itopsync("run-once")
    told = json.loads(desk.itopsync("status", "--json").stdout)
    parts = "pair at requests sides pauses stop losses writer counts resting items troubles cycles begins_later"
    assert set(parts.split()) == told.keys()


def test_the_version_names_the_schema(desk: Desk) -> None:
    assert desk.itopsync("--version").stdout == "itopsync 0.1.0 (store schema 0006)\n"
