"""What a person is needed for, from the store and the last cycle's end: ids, numbers and reasons, without any ticket's text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from itopsync.engine.report import Report
from itopsync.engine.unwritable import problem_of
from itopsync.errors import AnotherInstance, ItopsyncError, SafetyStop, StoreError
from itopsync.model import Link, Obstacle, Side
from itopsync.reconcile.markers import digest
from itopsync.store.store import Store
from itopsync.watch.settings import Need

MANY = 1_000
"""How many troubled links are examined; the others follow when those are fixed."""

BREAKING = ("stop:", "failed:")
"""The prefixes of the keys of what stops a cycle; only a good cycle shows that it is over."""


@dataclass(frozen=True)
class Call:
    """One thing that a person is needed for."""

    need: Need
    key: str
    """Identifies it, so that nobody is notified of it twice."""
    reason: str
    do: str
    side: Side | None = None
    since: datetime | None = None
    limit: str | None = None
    """The safety limit."""
    link: int | None = None
    external: str | None = None
    external_number: str | None = None
    internal: str | None = None
    internal_number: str | None = None
    item: str | None = None
    """The kind of the item: ``state``, ``note``, ``file`` …"""


class Needs:
    """Remembers what stopped the last cycles, until one is good."""

    def __init__(self, side_down: timedelta) -> None:
        self._side_down = side_down
        self._stopped: dict[str, Call] = {}

    def cycle_ended(self, ended: Report | ItopsyncError) -> None:
        """Record how a cycle ended."""
        if isinstance(ended, Report):
            if ended.outcome.is_good:
                self._stopped.clear()
            return
        call = _stopped(ended)
        if call is not None:
            self._stopped[call.key] = call

    def now(self, store: Store, now: datetime) -> tuple[Call, ...]:
        """Everything that a person is needed for.

        :raises StoreError: the store does not answer
        """
        return (*self._stopped.values(), *self._sides(store, now), *_parked(store.links.troubled(MANY)))

    def _sides(self, store: Store, now: datetime) -> Iterator[Call]:
        for side in Side:
            problem = problem_of(store, side)
            if problem is not None and now - problem.since >= self._side_down:
                do = (
                    "See the runbook for this message; nothing is lost meanwhile, and it goes on by itself when the side is back."
                )
                yield Call(Need.SIDE_DOWN, f"side:{side}", problem.what, do, side=side, since=problem.since)


def _stopped(error: ItopsyncError) -> Call | None:
    match error:
        case SafetyStop():
            reason, _, do = str(error).partition(". ")
            return Call(Need.SAFETY_STOP, f"stop:{error.kind}", reason, do, limit=error.kind)
        case AnotherInstance() | StoreError():
            return None  # they end the process, which systemd and the dead man's switch report
        case _:
            return Call(Need.CYCLE_FAILED, f"failed:{type(error).__name__}", str(error), "See the log of that cycle.")


def _parked(links: Iterable[Link]) -> Iterator[Call]:
    for link in links:
        yield from (_call(link, obstacle) for obstacle in link.obstacles if obstacle.needs_person or obstacle.no_right)


def _call(link: Link, obstacle: Obstacle) -> Call:
    return Call(
        Need.PARKED,
        f"parked:{link.id}:{digest(obstacle.key, obstacle.fingerprint)[:12]}",
        obstacle.reason,
        f"Do what the reason says, or fix the cause and run `itopsync retry {link.id}`; `itopsync show {link.id}` shows the "
        "details.",
        link=link.id,
        external=str(link.external),
        external_number=link.external_number or None,
        internal=str(link.internal) if link.internal else None,
        internal_number=link.internal_number or None,
        item=obstacle.key.kind,
    )
