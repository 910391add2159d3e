"""The store's file is moved, deleted or replaced under a running service."""

from __future__ import annotations

from pathlib import Path

from itopsync.exits import ExitCode
from tests.cli.conftest import Desk
from tests.daemon.conftest import PATIENCE, Host, wait_for

IDLE = '[schedule]\npoll = "10m"\n'


def test_a_service_whose_file_is_replaced_ends_between_two_cycles(host: Host, desk: Desk) -> None:
    desk.configure(IDLE)
    path = desk.folder / "sync.toml"
    path.write_text(path.read_text().replace("[store]", '[store]\nlease = "10s"'))
    desk.customer.create("UserRequest", title="First")
    daemon = host.start()
    wait_for(lambda: daemon.events("cycle"))
    store = desk.folder / "store.sqlite"
    for beside in ("", "-wal", "-shm"):
        Path(f"{store}{beside}").unlink(missing_ok=True)
    store.touch()
    assert daemon.process.wait(PATIENCE) == ExitCode.STORE
    assert "was its file moved or replaced?" in daemon.log.read_text()
