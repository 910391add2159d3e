"""Whether this host's clock was set: then what was sent gets its whole time to land once more, since no wait can be trusted."""

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
"""This clock goes on while the machine is suspended, and nobody can set it."""
_FACT = "boots"
"""The fact that tells of the last boots that cycles ran on, when each began by its clock."""
_KEPT = 8
"""Hosts that take turns at one store each remember their own."""
_STEP = timedelta(seconds=2)
"""A smaller jump does not mean that somebody set the clock."""


@dataclass(frozen=True)
class Boot:
    """The time since this host was started."""

    id: str
    began: datetime
    """By the host's clock as it is now: it changes only if somebody sets that."""


def boot_id() -> str:
    """What tells this boot from any other; empty if this host does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def this_boot() -> Boot | None:
    """The current boot, or None if this host does not tell boots apart."""
    found = boot_id()
    return Boot(found, datetime.fromtimestamp(time.time() - time.clock_gettime(CLOCK), UTC)) if found else None


def heed(store: Store, boot: Boot, clock: Callable[[], datetime], landing: timedelta) -> None:
    """If the clock was set since the last call, or no cycle ran on this boot before, let what was sent land from now on.

    Called after the time was read by which links are due, and so before any of them is worked on.
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
