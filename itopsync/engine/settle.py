"""Stage 5: store what a link has become, and when to look at it again even if nobody changes its tickets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from itopsync.engine.job import Ending, Job
from itopsync.engine.report import Count, Written
from itopsync.engine.reused import take_copy
from itopsync.engine.settings import EngineSettings
from itopsync.engine.writing import Writing
from itopsync.model import WORKED_ON, ItemKind, LinkStatus, Observation, Side, Ticket
from itopsync.reconcile.files import MANY_DELETIONS
from itopsync.reconcile.identity import last_changed
from itopsync.reconcile.lifecycle import is_terminal
from itopsync.reconcile.plan import UNREAD
from itopsync.reconcile.rules import ClassRules
from itopsync.store.records import ActivityRecord, WriteKind, WriteOutcome

_TOGETHER = timedelta(minutes=5)
"""Links whose wait for late commits ends within the same five minutes are looked at together: one call reads a hundred links."""
_ANY_HOUR = datetime(2000, 1, 1, tzinfo=UTC)


def settle(writing: Writing, job: Job) -> None:
    """Store what the job's link has become, and what was written; leave an untouched link as it is.

    :raises StoreError: the store fails to save it
    """
    if job.untouched:
        return
    pair, clocks_ahead = writing.pair, writing.clocks_ahead
    now, link = pair.clock(), job.link
    just_left = link.in_doubt and link.due_at is not None and link.due_at > now  # for a write to land
    if not just_left:
        still_unknown = link.in_doubt and job.plan.unread is not None
        link = replace(link, in_doubt=still_unknown, due_at=_due_again(job, pair.settings, clocks_ahead, now))
    if not take_copy(pair.store, link, job.loaded, now):
        # Another link is writing to this copy: let go of it, and find it again by its marker later.
        later = now + pair.rules.limits.landing
        link = replace(link, internal=None, internal_number="", in_doubt=True, due_at=later)
    job.link = link
    versions = {side: ticket.version for side in Side if (ticket := job.seen.of(side)) is not None}
    if link.status is LinkStatus.TOMBSTONE:
        versions = dict.fromkeys(Side, "") | versions  # so that a ticket that later appears under either id is noticed
    saved = pair.store.links.save(
        link,
        versions=versions,
        now=now,
        live=_is_live(job.seen, job.cls),
        loaded=job.as_loaded,
        due_when_read=job.loaded.due_at,
        activity=[_activity_of(each, link.id, writing.began) for each in job.writes if each.outcome is not WriteOutcome.WAITS],
    )
    if not saved:
        job.link = job.loaded
        job.end(Ending.OVERTAKEN)


def _activity_of(written: Written, link: int, cycle_began: datetime) -> ActivityRecord:
    return ActivityRecord(
        at=written.at,
        link=link,
        side=written.side,
        action=written.kind,
        outcome=written.outcome,
        items=written.items,
        age=written.age,
        cycle=cycle_began,
    )


def _due_again(job: Job, settings: EngineSettings, clocks_ahead: Mapping[Side, timedelta], now: datetime) -> datetime | None:
    """When to look again: soon if something is unfinished or the ticket is fresh, or when an item's wait is over.

    Also once after the overlap: until then a change may be committed late, and if it has the time that was already seen, no poll
    shows it.
    """
    link = job.link
    if link.status not in WORKED_ON:
        return None
    if job.ended is Ending.INTERRUPTED:
        return now
    unread = [each for each in link.obstacles if UNREAD.names(each)]  # until it can be read, nothing else can be tried
    held = link.is_parked(MANY_DELETIONS.key)  # until a person lets them pass, looking again does not settle missing files
    waiting = [each for each in unread or link.obstacles if not (held and each.key.kind is ItemKind.GONE)]
    times = [each.not_before for each in waiting if not each.parked and each.not_before is not None]
    parked = {each.key for each in job.loaded.obstacles if each.parked}
    if not job.begun and any(each.needs_person and each.key not in parked and not UNREAD.names(each) for each in link.obstacles):
        times.append(now)  # the next look writes the notice of what was parked before anything was written
    if job.ended or job.counts[Count.UNFINISHED]:
        times.append(now + settings.first_back_off)
    times += _for_late_changes(job, settings, clocks_ahead, now)
    return min(times, default=None)


def _for_late_changes(
    job: Job, settings: EngineSettings, clocks_ahead: Mapping[Side, timedelta], now: datetime
) -> list[datetime]:
    """When to look again because a change may have the time that was already seen, or be committed late."""
    tickets = [ticket for side in Side if (ticket := job.seen.of(side)) is not None]
    fresh = {
        window: {each.ref.side for each in tickets if _is_fresh(each, now + clocks_ahead.get(each.ref.side, timedelta()), window)}
        for window in (settings.same_second, settings.look_again)
    }
    if _is_new(job) and Side.EXTERNAL not in fresh[settings.look_again]:  # in a backfill, nobody waits for the copy
        fresh[settings.same_second].clear()
    times = [now + window for window, sides in fresh.items() if sides]
    ends = [_end_of(settings.overlap, ticket, clocks_ahead.get(ticket.ref.side, timedelta())) for ticket in tickets]
    times += [end for end in ends if end is not None and now < end <= now + settings.overlap + _TOGETHER]
    return times


def _is_new(job: Job) -> bool:
    """Whether the copy was made in this cycle."""
    return any(written.kind is WriteKind.CREATE and written.outcome is WriteOutcome.DONE for written in job.writes)


def _end_of(overlap: timedelta, ticket: Ticket, ahead: timedelta) -> datetime | None:
    """When late commits with the time of the ticket's last change have shown up, rounded up so that links are grouped."""
    changed = last_changed(ticket)
    if changed is None:
        return None
    end = changed + overlap - ahead
    return end + (_TOGETHER - (end - _ANY_HOUR) % _TOGETHER)


def _is_fresh(ticket: Ticket, at: datetime, window: timedelta) -> bool:
    """Whether the ticket changed within *window* before *at* by its server's clock: another change may have the same time.

    In the repeated autumn hour, a moment ago may read as an hour ago.
    """
    changed = last_changed(ticket)
    if changed is None:
        return True
    age = at - changed
    return any(abs(age - shift) < window for shift in (timedelta(), timedelta(hours=1)))


def _is_live(seen: Observation, cls: ClassRules) -> bool:
    """Whether the ticket can still change; one that is closed on both sides is left to the sweeps."""
    tickets = [(side, seen.of(side)) for side in Side]
    return not all(ticket and is_terminal(cls.state.of(side), ticket.state) for side, ticket in tickets)
