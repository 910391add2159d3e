"""Stage 4: carry out one link's plan, action by action, in order; then plan again from the answers.

Before the first write, the store records that the link is being written; whatever happens after that, the markers in iTop
show what arrived.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from time import perf_counter

import structlog

from itopsync.engine import failures, marker_loss
from itopsync.engine.execute import PictureMissing, Replaced, execute
from itopsync.engine.job import Ending, Job, Phase
from itopsync.engine.pair import Pair
from itopsync.engine.report import Count, Written
from itopsync.engine.retry import report_fault
from itopsync.engine.reused import take_copy
from itopsync.engine.writing import Writing
from itopsync.errors import ItopsyncError, RemoteError, SideUnavailable, Stopped
from itopsync.model import STATE, Heading, ItemKey, ItemKind, Observation
from itopsync.reconcile.agree import announced
from itopsync.reconcile.identity import last_changed, mismatch
from itopsync.reconcile.markers import is_note
from itopsync.reconcile.plan import Action, Create, Remove, Upload, Write
from itopsync.reconcile.planner import plan_link
from itopsync.store.records import WriteKind, WriteOutcome

log = structlog.get_logger(__name__)

_OUTDATING = (WriteOutcome.REFUSED, WriteOutcome.NO_RIGHT)
"""Outcomes after which the rest of the plan no longer holds."""


def apply(writing: Writing, job: Job) -> None:
    """Carry out the job's plan, and replan from the answers, up to its first file; a second call continues from there.

    Different links may run concurrently, but one link only once at a time. A link that an operator has changed since it was
    loaded is left alone.
    """
    with structlog.contextvars.bound_contextvars(link=job.link.id, ticket=str(job.link.external)):
        if job.phase is Phase.AT_FILES:
            job.phase = Phase.WITH_FILES
        try:
            writing.refuse_more()
            _work_through(writing, job)
        except Stopped:
            job.end(Ending.INTERRUPTED)
        except SideUnavailable as error:
            job.break_off(error)
        except Exception as error:
            failures.leave_faulty(writing.pair, job, error)


def _work_through(writing: Writing, job: Job) -> None:
    pair = writing.pair
    if job.plan.unread is not None:
        job.counts[Count.REFUSED] += 1
    while job.plan.actions and not job.ended:
        if job.rounds == pair.settings.rounds:
            job.counts[Count.UNFINISHED] += 1
            return
        if not _announce(pair, job):
            job.end(Ending.OVERTAKEN)
            return
        if not _one_round(writing, job):
            return
        job.rounds += 1
        if not job.ended:
            rules, now = pair.fitting_rules(), pair.clock()
            job.plan = plan_link(job.link, job.seen, rules, now, singly=job.singly, looked_up=job.looked_up)
            if job.plan.replaced:
                job.end(Ending.FAILED)  # the next look stops the cycle, and parks it once a person has accepted that
                return
            job.link = job.plan.link


def _announce(pair: Pair, job: Job) -> bool:
    """Take the copy from any other link that names it, and record in the store which states, values and files are to be written.

    Otherwise our own changes could be taken for a person's, and a copy could be left behind if its file is deleted during
    the upload.
    False: an operator has changed the link since it was loaded, or the other link that held its copy is being written.
    """
    heading, files = job.plan.link.base.heading, {action.pair for action in job.plan.actions if isinstance(action, Upload)}
    link = announced(job.plan.link, job.plan.actions, job.cls, job.seen)
    has_news = _is_news(heading, job.heading) or not files <= job.files or link is not job.plan.link
    if job.begun and not has_news:
        return True
    if link is not job.plan.link:
        job.link, job.plan = link, replace(job.plan, link=link)
    if not take_copy(pair.store, job.plan.link, job.loaded, pair.clock()):
        return False
    if not pair.store.links.begin_write(job.link.id, pair.clock(), saved=link if has_news else None, loaded=job.as_loaded):
        return False
    job.begun, job.heading, job.files = True, heading, job.files | files
    return True


def _one_round(writing: Writing, job: Job) -> bool:
    """Carry out the plan's actions for as long as the plan holds; False if the job has reached its files."""
    holds = True
    for place, action in enumerate(job.plan.actions):
        if not holds and not _is_a_picture(action):
            break
        writing.refuse_more()
        if isinstance(action, Upload) and job.phase is Phase.BEFORE_FILES:
            job.phase = Phase.AT_FILES
            job.plan = replace(job.plan, actions=job.plan.actions[place:])
            return False
        with _alone_until_kept(writing, action):
            outcome = _carry_out_one(writing, job, action)
        if job.ended or mismatch(job.link, job.seen, writing.pair.rules, writing.pair.clock()):
            break
        holds = holds and outcome not in _OUTDATING
    return True


def _is_a_picture(action: Action) -> bool:
    """Whether *action* uploads a picture of a text; all of these are tried before the text is replanned."""
    return isinstance(action, Upload) and action.item.key.kind is ItemKind.PICTURE


@contextmanager
def _alone_until_kept(writing: Writing, action: Action) -> Iterator[None]:
    """Send one write at a time until a side has kept a marker; if it drops markers, only one write is affected, not eight."""
    keepers = writing.keepers_for(action)
    if not _bears_marker(action) or action.side in keepers.sides:
        yield
        return
    with keepers.alone[action.side]:
        writing.refuse_more()
        yield


def _carry_out_one(writing: Writing, job: Job, action: Action) -> WriteOutcome:
    """Attempt one action; record, log and return its outcome."""
    pair = writing.pair
    started, changed = perf_counter(), _changed_at(action, job.seen)
    outcome, error = _attempt(writing, job, action)
    if job.lost:
        outcome = WriteOutcome.UNMARKED
        _note_loss(writing, job)
    elif outcome is WriteOutcome.DONE and _bears_marker(action):
        writing.keepers_for(action).sides.add(action.side)
    ended = pair.clock()
    if outcome is WriteOutcome.REFUSED and _routes_taken(action):
        pair.lookups.forget()  # an object that was looked up may be gone
    keys = (*(_as_remembered(item.key, action) for item in action.items), *_routes_taken(action))
    written = Written(action.side, kind_of(action), outcome, round(perf_counter() - started, 3), ended, keys)
    if outcome is WriteOutcome.DONE and changed is not None:
        at_its_origin = ended + writing.clocks_ahead.get(written.side.other, timedelta())
        written = replace(written, age=max(at_its_origin - changed, timedelta()))
    job.writes.append(written)
    _log(written, error)
    return outcome


def _attempt(writing: Writing, job: Job, action: Action) -> tuple[WriteOutcome, ItopsyncError | None]:
    """Execute one action or handle its failure; return the outcome and any error."""
    pair = writing.pair
    try:
        execute(pair, job, action, writing.budget)
    except PictureMissing:
        return WriteOutcome.WAITS, None
    except Replaced:
        job.end(Ending.FAILED)
        return WriteOutcome.WAITS, None
    except RemoteError as failure:
        failures.hide_names(job, failure)
        failures.name_the_key(pair, action, failure)
        suspect = action.side in writing.sides_written or job.link.id in writing.blockers
        outcome = failures.handle(pair, job, action, failure, suspect=suspect)
        writing.down = job.unavailable or writing.down
        return outcome, failure
    except Exception as failure:
        fault = report_fault(failure, job.link)
        return failures.leave_unknown(pair, job, action, fault), fault
    writing.sides_written.add(action.side)
    job.counts[kind_of(action)] += 1
    return WriteOutcome.DONE, None


def _as_remembered(key: ItemKey, action: Action) -> ItemKey:
    """The key under which an item is recorded; for a state, it includes the state's name."""
    leads_to = action.leads_to if isinstance(action, Write) and key == STATE else None
    return ItemKey.of(ItemKind.STATE, leads_to) if leads_to else key


def _routes_taken(action: Action) -> tuple[ItemKey, ...]:
    """The routes that chose the defaults in *action*, and what fell back."""
    return action.routes_taken if isinstance(action, Create | Write) else ()


def _note_loss(writing: Writing, job: Job) -> None:
    """Record that a server dropped a marker; nothing more is written to either server."""
    writing.marker_lost = True
    marker_loss.note(writing.pair.store, job.lost, writing.pair.clock())


def _log(written: Written, error: ItopsyncError | None) -> None:
    more: dict[str, object] = {"age": round(written.age.total_seconds())} if written.age is not None else {}
    if error is not None:
        more["reason"] = str(error)
    kind, outcome = written.kind.value, written.outcome.value
    log.info("write", action=kind, side=written.side, outcome=outcome, seconds=written.seconds, **more)


def kind_of(action: Action) -> WriteKind:
    """The name of *action* in the log and in metrics."""
    match action:
        case Create():
            return WriteKind.CREATE
        case Write(stimulus=None):
            return WriteKind.WRITE
        case Write():
            return WriteKind.STATE
        case Upload():
            return WriteKind.UPLOAD
        case Remove():
            return WriteKind.REMOVE


def _bears_marker(action: Action) -> bool:
    return isinstance(action, Create | Upload) or (isinstance(action, Write) and bool(action.notes))


def _is_news(heading: Heading | None, announced: Heading | None) -> bool:
    """Whether *heading* leads through states that were not *announced*."""
    if heading is None or announced is None:
        return heading is not None
    return heading.side is not announced.side or not set(heading.states) <= set(announced.states)


def _changed_at(action: Action, seen: Observation) -> datetime | None:
    """When the content of *action* was changed on the other side, by that side's clock.

    A note has its own time; of several, the oldest counts. Everything else is as old as the ticket's last change. Attachments
    have no time that we read.
    """
    if not isinstance(action, Create | Write):
        return None
    origin = seen.of(action.side.other)
    last_change = last_changed(origin) if origin else None
    if isinstance(action, Create):
        return last_change
    times = [note.at for note in action.notes if any(is_note(marker) for marker in note.markers)]
    if action.agrees or action.stimulus is not None:
        times += [last_change] if last_change else []
    return min(times, default=None)
