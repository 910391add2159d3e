"""The whole check: the store, then each side, then both together. One fault does not hide another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from itopsync.check.addresses import check_rings, check_they_differ
from itopsync.check.finding import Finding, Findings, Level, fault, message_and_remedy, ok, warning
from itopsync.check.side import check_side
from itopsync.engine.marker_loss import Loss
from itopsync.errors import RemoteError, StoreError
from itopsync.model import Side
from itopsync.reconcile.rules import not_kept

if TYPE_CHECKING:
    from itopsync.config import Configuration
    from itopsync.itop.server import Server


@dataclass(frozen=True)
class StoreLook:
    """The result of looking at the store."""

    revision: str | None
    """None if there is no store yet."""
    losses: tuple[Loss, ...] = ()
    """The sides that lose our markers."""
    resting: Mapping[str, int] = field(default_factory=dict)
    """How many links rest because their class is not synced, by external class."""


def check(
    configuration: Configuration,
    servers: Mapping[Side, Server],
    look_at_store: Callable[[], StoreLook],
    clock: Callable[[], datetime],
) -> tuple[Finding, ...]:
    """Check the store, then the servers, and return the findings. One fault does not hide another.

    *clock* returns this host's time.
    """
    store = _check_store(look_at_store)
    with ThreadPoolExecutor(len(Side)) as pool:
        sides = list(pool.map(lambda side: check_side(configuration, servers[side], clock), Side))
    both = Findings(servers[Side.INTERNAL])
    if all(_is_open(found) for found in sides):
        both.look("whether both sides are one server", lambda: check_they_differ(servers[Side.EXTERNAL], servers[Side.INTERNAL]))
        both.look("tickets copied from internal", lambda: check_rings(servers[Side.EXTERNAL], configuration.rules))
    scope = _check_since(configuration, clock())
    return (*store, *(finding for found in sides for finding in found), *both.found, *scope)


def _check_since(configuration: Configuration, now: datetime) -> tuple[Finding, ...]:
    if not configuration.rules.begin_after(now):
        return ()
    remedy = f"Write {now:%Y-%m-%d}, or earlier; if it is this host's clock that is wrong, set that."
    return (fault(Side.EXTERNAL, "scope.since is in the future: no ticket would be copied", remedy),)


def _is_open(found: tuple[Finding, ...]) -> bool:
    """Whether a side accepted the login, which is checked first."""
    return found[0].level is Level.OK


def _check_store(look_at_store: Callable[[], StoreLook]) -> tuple[Finding, ...]:
    try:
        look = look_at_store()
    except StoreError as error:
        return (fault(None, *message_and_remedy(error)),)
    except RemoteError:  # reported with the side
        return (warning(None, "it is not known whether this is the pair's own store", "Fix the side, and check again."),)
    revision = look.revision
    there = ok(None, f"the store is at revision {revision}" if revision else "there is no store yet; the first run creates it")
    resting = (
        warning(None, f"links of {name} at rest: {count}; {not_kept(name)}", "Put it back, or leave them: nothing is lost.")
        for name, count in look.resting.items()
    )
    return (
        there,
        *resting,
        *(fault(loss.side, str(loss).removeprefix(f"{loss.side} "), f"{loss.remedy}.") for loss in look.losses),
    )
