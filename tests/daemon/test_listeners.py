"""Who is told how a cycle ended: each is told, and none can end the daemon."""

from __future__ import annotations

import structlog

from itopsync.daemon import Ended
from itopsync.daemon.listeners import tell
from itopsync.errors import SafetyStop
from itopsync.store.records import CycleKind


def test_one_that_fails_is_noted_and_the_others_are_told() -> None:
    told: list[Ended] = []

    def fails(_: Ended) -> None:
        raise ZeroDivisionError

    ended = Ended(CycleKind.POLL, SafetyStop("creations", "too many"))
    with structlog.testing.capture_logs() as logs:
        tell((told.append, fails, told.append), ended)
    assert told == [ended, ended]
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("a listener failed", "error")]
