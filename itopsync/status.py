"""The current status: both sides' health, the links, what waits and why, and the latest cycles. Read from the store alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from itopsync.engine import stops
from itopsync.engine.marker_loss import Loss, losses
from itopsync.engine.pauses import Pause, pauses
from itopsync.engine.unwritable import problem_of
from itopsync.model import TICKET, ItemKey, Link, Side
from itopsync.store.records import CycleOutcome, CycleRecord, ObstacleCounts, RequestKind

if TYPE_CHECKING:
    from itopsync.reconcile.rules import Rules
    from itopsync.store.store import Store


@dataclass(frozen=True)
class SideHealth:
    """One side, as the last poll found it."""

    side: Side
    ok_at: datetime | None
    lag: timedelta | None
    """How long ago the last good poll was."""
    problem: str | None
    problem_since: datetime | None


@dataclass(frozen=True)
class Writer:
    """The process that holds the store's lease."""

    host: str
    pid: int
    until: datetime
    """When the lease expires unless it is renewed."""


@dataclass(frozen=True)
class WaitingRequest:
    """A request that no process has taken yet."""

    kind: RequestKind
    actor: str
    at: datetime


@dataclass(frozen=True)
class StopFound:
    """What a safety limit stopped, until a person accepts it or fixes the cause."""

    kind: str
    """What ``itopsync accept`` takes."""
    reason: str
    at: datetime
    things: int
    """How many things it affects, as far as is known."""
    fingerprint: str


@dataclass(frozen=True)
class Trouble:
    """One item that cannot be carried."""

    link: int
    external: str
    external_number: str
    internal: str | None
    internal_number: str
    item: ItemKey
    reason: str
    tries: int
    parked: bool
    next_try: datetime | None
    gathers: bool = False
    """Whether it is no trouble: notes for a full log are being gathered, and will be sent as one file."""


@dataclass(frozen=True)
class Status:
    """Everything that ``itopsync status`` reports."""

    pair: str
    at: datetime
    writer: Writer | None
    """None if no process holds the lease."""
    requests: tuple[WaitingRequest, ...]
    """Those that no process has taken yet, oldest first."""
    sides: tuple[SideHealth, ...]
    pauses: tuple[Pause, ...]
    """Those that are in effect."""
    stop: StopFound | None
    losses: tuple[Loss, ...]
    """The sides that lose our markers: nothing is written until they keep them."""
    counts: Mapping[str, int]
    resting: Mapping[str, int]
    """How many links rest because their class is not synced, by external class."""
    items: ObstacleCounts
    """How many items cannot be carried now."""
    troubles: tuple[Trouble, ...]
    cycles: tuple[CycleRecord, ...]
    begins_later: bool
    """Whether ``scope.since`` is in the future by this host's clock: tickets that began before it are not copied."""


def status(store: Store, pair: str, now: datetime, *, rules: Rules | None = None, troubles: int = 50, cycles: int = 10) -> Status:
    """Read the status from the store, and from the *rules* whether the scope has begun."""
    links, found = store.links, store.links.troubles()
    return Status(
        pair,
        now,
        _writer(store, now),
        tuple(WaitingRequest(asked.kind, asked.actor, asked.at) for asked in store.requests.waiting()),
        tuple(_health(store, side, now) for side in Side),
        pauses(store, now),
        _stop(store),
        losses(store),
        {**links.counts(), "troubled": found.troubled, "in_doubt": found.in_doubt, "gathering": found.gathering},
        {name: sum(counts.values()) for name, counts in links.resting().items()},
        found.items,
        tuple(trouble for link in links.troubled(troubles) for trouble in troubles_of(link)),
        tuple(store.history.cycles(cycles)),
        rules is not None and rules.begin_after(now),
    )


@dataclass(frozen=True)
class Freshness:
    """Whether both sides were polled successfully not long ago and nothing has stopped, for monitoring."""

    word: str
    """``OK`` (whatever is parked or waits), ``STALE`` (a side could not be polled, or written to, for too long),
    ``STOPPED`` (the latest cycle was) or ``PAUSED`` (a person has paused a side)."""
    reasons: tuple[str, ...] = ()


OK, STALE, STOPPED, PAUSED = "OK", "STALE", "STOPPED", "PAUSED"


def freshness(found: Status, most: timedelta) -> Freshness:
    """Judge a status: no side may have gone without a good poll, or accepted no writes, for longer than *most*.

    A poll further than that in the future was timed by a clock that has been set back since.
    """
    old = tuple(
        f"{side.side}: {(side.problem or 'no good poll for too long; does the service run?').removeprefix(f'{side.side}: ')}"
        for side in found.sides
        if side.lag is None or abs(side.lag) > most or (side.problem_since is not None and found.at - side.problem_since > most)
    )
    if found.pauses:
        return Freshness(PAUSED, tuple(map(str, found.pauses)))
    if found.cycles and found.cycles[0].outcome == CycleOutcome.STOPPED:
        return Freshness(STOPPED, (found.cycles[0].error or "the latest cycle was stopped", *old))
    if old:
        return Freshness(STALE, old)
    return Freshness(OK, (_told(found.items),) if found.items.any else ())


def _told(items: ObstacleCounts) -> str:
    counts = {"parked": items.parked, "waiting": items.waiting, "in doubt": items.in_doubt}
    return f"{', '.join(f'{count} {name}' for name, count in counts.items() if count)} (`itopsync status` says what, and why)"


def _stop(store: Store) -> StopFound | None:
    found = stops.current(store)
    return None if found is None else StopFound(found.kind, found.reason, found.at, len(found.things), found.fingerprint)


def _writer(store: Store, now: datetime) -> Writer | None:
    held = store.lease.current()
    return Writer(held.holder.host, held.holder.pid, held.until) if held is not None and held.until > now else None


def _health(store: Store, side: Side, now: datetime) -> SideHealth:
    state = store.polls.side(side)
    lag = now - state.ok_at if state.ok_at else None
    problem = problem_of(store, side)
    return SideHealth(side, state.ok_at, lag, problem.what if problem else None, problem.since if problem else None)


def troubles_of(link: Link) -> tuple[Trouble, ...]:
    """The items of *link* that cannot be carried. A full log is not listed, but the notes gathered for it are."""

    def trouble(
        item: ItemKey, reason: str, tries: int, *, parked: bool, next_try: datetime | None, gathers: bool = False
    ) -> Trouble:
        internal = str(link.internal) if link.internal else None
        return Trouble(
            link.id,
            str(link.external),
            link.external_number,
            internal,
            link.internal_number,
            item,
            reason,
            tries,
            parked,
            next_try,
            gathers,
        )

    found = [
        trouble(each.key, each.reason, each.tries, parked=each.parked, next_try=each.not_before, gathers=each.gathers)
        for each in link.obstacles
        if each.gathers or not each.is_no_trouble
    ]
    if link.in_doubt:
        reason = "a write was sent whose outcome is not known; it is looked for before anything else is sent"
        found.append(trouble(TICKET, reason, 0, parked=False, next_try=link.due_at))
    return tuple(found)
