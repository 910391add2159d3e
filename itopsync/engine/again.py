"""When a link is looked at again without anybody having touched it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from itopsync.engine.observe import VERSION_TIME
from itopsync.engine.progress import Progress
from itopsync.engine.settings import EngineSettings
from itopsync.model import LinkStatus, Observation, Side, Ticket
from itopsync.reconcile.moments import moment
from itopsync.reconcile.rules import ClassRules


def due_again(progress: Progress, settings: EngineSettings, ahead: Mapping[Side, timedelta], now: datetime) -> datetime | None:
    """When to look again: soon if something is unfinished, when an item's wait is over, or once more if it is fresh.

    *ahead* says by how much each server's clock is ahead of ours.
    """
    link, result = progress.link, progress.result
    if link.status in (LinkStatus.PARKED, LinkStatus.TOMBSTONE):
        return None
    if result.interrupted:
        return now
    times = [one.not_before for one in link.obstacles if not one.parked and one.not_before is not None]
    if result.unavailable is not None or result.counts["unfinished"] or progress.stop:
        times.append(now + settings.first_back_off)
    tickets = [ticket for side in Side if (ticket := progress.observation.of(side)) is not None]
    if any(_is_fresh(one, now + ahead.get(one.ref.side, timedelta()), settings.look_again) for one in tickets):
        times.append(now + settings.look_again)
    return min(times, default=None)


def _is_fresh(ticket: Ticket, at: datetime, window: timedelta) -> bool:
    """Whether the ticket changed only a moment before *at* by its server's clock: another change may bear the same time.

    In the autumn hour that comes twice, a moment ago may read as an hour ago.
    """
    changed = moment(ticket.fields.get(VERSION_TIME, ""))
    if changed is None:
        return True
    age = at - changed
    return any(abs(age - shift) < window for shift in (timedelta(), timedelta(hours=1)))


def is_live(seen: Observation, cls: ClassRules) -> bool:
    """Whether the ticket can still change: one that is closed on both sides is left to the sweeps."""
    tickets = [(side, seen.of(side)) for side in Side]
    return not all(ticket and not cls.state.lifecycle(side).transitions.get(ticket.state) for side, ticket in tickets)
