"""What the units forbid, the daemon never tries: it writes to no file but its store's, and starts no program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Desk
from tests.daemon.conftest import PATIENCE, wait_for

WATCHED = """
import json, os, sys
seen = os.open(sys.argv.pop(1), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def note(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        os.write(seen, (json.dumps(["open", str(arguments[0])]) + "\\n").encode())
    elif event.split(".")[0] in ("subprocess", "shutil", "tempfile") or event in ("os.exec", "os.fork", "os.mkdir", "os.rename"):
        os.write(seen, (json.dumps([event, repr(arguments[:1])]) + "\\n").encode())
sys.addaudithook(note)
sys.dont_write_bytecode = True
from itopsync.cli import main
main()
"""
"""The daemon, with all noted that it asks the system for. SQLite's own files are beside its store and are not seen here."""


def test_it_writes_to_nothing_but_its_store_and_starts_no_program(desk: Desk, tmp_path: Path) -> None:
    state, seen = tmp_path / "state", tmp_path / "seen.jsonl"
    state.mkdir()
    path = desk.folder / "sync.toml"
    path.write_text(path.read_text().replace(f"{desk.folder}/store.sqlite", f"{state}/itopsync.db"))
    number = desk.customer.create("UserRequest", title="First")
    desk.customer.attach("UserRequest", number, "a.bin", "application/octet-stream", bytes(100_000))
    command = [sys.executable, "-c", WATCHED, str(seen), "run"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment["PASSWORD"] = "sync-password"
    process = subprocess.Popen(command, cwd=desk.folder, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: [ticket for ticket in desk.internal.tickets() if ticket["attachments"]])
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
    asked = [json.loads(line) for line in seen.read_text().splitlines()]
    assert asked, "it made its store's file"
    assert [call for call in asked if call != ["open", str(state / "itopsync.db")]] == []
    assert {path.name for path in state.iterdir()} == {"itopsync.db"}
