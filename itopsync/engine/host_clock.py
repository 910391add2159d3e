"""Detects that this host's clock was set; pending writes then get their full landing time again, since no wait can be trusted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from itopsync.store.store import Store

log = structlog.get_logger(__name__)

CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that runs on while the machine is suspended, and that nobody can set."""
_FACT = "boots"
"""The fact that holds the last boots on which cycles ran, and when each began by its host's clock."""
_KEPT = 8
"""How many boots are remembered: hosts may take turns at one store."""
_STEP = timedelta(seconds=2)
"""A smaller jump does not mean that somebody set the clock."""


@dataclass(frozen=True)
class Boot:
    """The time since this host was started."""

    id: str
    began: datetime
    """By the host's present clock, so it changes only if somebody sets the clock."""


def boot_id() -> str:
    """An id that tells this boot from any other; empty if this host has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def this_boot() -> Boot | None:
    """The current boot, or None if this host does not tell boots apart."""
    found = boot_id()
    return Boot(found, datetime.fromtimestamp(time.time() - time.clock_gettime(CLOCK), UTC)) if found else None


def heed(store: Store, boot: Boot, clock: Callable[[], datetime], landing: timedelta) -> None:
    """Give every write in doubt its full landing time again if the clock was set, or if this is the first cycle since the boot.

    To be called once the time of the poll has been taken, before any due link is worked on.
    """
    known: dict[str, str] = json.loads(store.facts.get(_FACT) or "{}")
    moved = boot.began - datetime.fromisoformat(known.pop(boot.id)) if boot.id in known else None
    if moved is not None and abs(moved) < _STEP:
        return
    latest = {**dict(list(known.items())[1 - _KEPT :]), boot.id: boot.began.isoformat()}
    with store.transaction():
        waiting = store.links.land_by(clock() + landing)
        store.facts.put(_FACT, json.dumps(latest))
    if moved is not None:
        log.warning("this host's clock was set", seconds=round(moved.total_seconds()), links=waiting, landing=str(landing))
