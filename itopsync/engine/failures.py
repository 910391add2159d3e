"""Handles failed actions: holds back an item, tries something different, or stops the work on the link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from itopsync.engine.job import Ending, Job
from itopsync.engine.pair import Pair
from itopsync.engine.report import Count
from itopsync.engine.retry import report_fault, wait_after
from itopsync.errors import (
    AccessRefused,
    BadQuery,
    ItopsyncError,
    LogFull,
    Missing,
    OutcomeUnknown,
    ReadOnly,
    Refused,
    RemoteError,
    RequestTooLarge,
    SideUnavailable,
)
from itopsync.itop.attributes import Attributes
from itopsync.itop.wording import TOKEN, hidden
from itopsync.model import ItemKind, Side, Ticket
from itopsync.reconcile import agree
from itopsync.reconcile.defaults import shown
from itopsync.reconcile.entries import full_log
from itopsync.reconcile.identity import TITLE
from itopsync.reconcile.plan import UNREAD, Action, Create, Item, TextSource, Upload, Write
from itopsync.reconcile.richtext import plain
from itopsync.store.records import WriteOutcome

_NOT_ONE = re.compile(r"(\w+): (?:No item found|Several items found \(\d+\)|Invalid object \w+::\d+)\Z")


def handle(pair: Pair, job: Job, action: Action, error: RemoteError, *, suspect: bool) -> WriteOutcome:
    """Handle the failure of *action*; return the outcome.

    *suspect*: the failure may concern this ticket alone, perhaps because of something in front of the server, since other writes
    succeeded or this link failed like this before. The side then counts as unavailable only if it fails a trivial request too.
    """
    match error:
        case SideUnavailable() if (suspect or _failed_before(job, action)) and not isinstance(error, AccessRefused):
            return _ask_again(pair, job, action, error)
        case OutcomeUnknown():
            return leave_unknown(pair, job, action, error)
        case Refused():
            _refused(pair, job, action, error)
            return WriteOutcome.REFUSED
        case ReadOnly():
            job.break_off(error)
            return WriteOutcome.READ_ONLY
        case AccessRefused():
            _access_refused(pair, job, action, error)
            return WriteOutcome.NO_RIGHT
        case SideUnavailable():
            job.break_off(error)
            return WriteOutcome.SIDE_UNAVAILABLE
    raise error


def hide_names(job: Job, error: RemoteError) -> None:
    """Remove from the server's words in *error* any that could identify the two tickets or the people on them."""
    if error.quoted:
        seen = filter(None, map(job.seen.of, Side))
        error.requote(hidden(error.quoted, (word for ticket in seen for word in _names(ticket))))


def _names(ticket: Ticket) -> Iterator[str]:
    """The words of a ticket's title and of its authors' names, and those words of its texts that may be names.

    The other words of its texts are left out: a long description has most words of any sentence.
    """
    entries = tuple(chain.from_iterable(ticket.logs.values()))
    for name in (ticket.fields.get(TITLE, ""), *(entry.author for entry in entries)):
        yield from TOKEN.findall(plain(name))
    for text in (*ticket.fields.values(), *(entry.html for entry in entries)):
        yield from (word for word in TOKEN.findall(plain(text)) if not word.islower())


def _failed_before(job: Job, action: Action) -> bool:
    return any(agree.tries_of(job.link, item) for item in action.items)


def _ask_again(pair: Pair, job: Job, action: Action, error: SideUnavailable) -> WriteOutcome:
    """Check whether the side is really unavailable. If not, the outcome of the write is unknown."""
    try:
        pair.servers[action.side].check_login()
    except SideUnavailable as down:
        job.break_off(down)
        return WriteOutcome.SIDE_UNAVAILABLE
    return leave_unknown(pair, job, action, error)


def leave_unknown(pair: Pair, job: Job, action: Action, error: ItopsyncError) -> WriteOutcome:
    """Have the link looked at once the write has had time to land; count a failed try of the action's first item."""
    landing, now = pair.rules.limits.landing, pair.clock()
    for item in action.items[:1]:
        wait = wait_after(error, job.link, item, pair.settings, pair.rules.limits)
        wait = None if wait is None else max(landing, wait)
        job.link = agree.refused(job.link, item, str(error), now, wait)
    job.link = replace(job.link, in_doubt=True, due_at=now + landing)
    job.counts[Count.UNKNOWN] += 1
    job.end(Ending.FAILED)
    return WriteOutcome.UNKNOWN


def leave_faulty(pair: Pair, job: Job, error: Exception) -> None:
    """Leave a link whose tickets trigger a fault of ours; if a write was begun, it is looked for before anything else happens.

    :raises ItopsyncError: *error* itself, if it is no fault of ours
    """
    fault, now = report_fault(error, job.link), pair.clock()
    wait = wait_after(fault, job.link, UNREAD, pair.settings, pair.rules.limits)
    job.link = agree.refused(job.link, UNREAD, str(fault), now, wait)
    if job.begun:
        job.link = replace(job.link, in_doubt=True, due_at=now + pair.rules.limits.landing)
    job.counts[Count.REFUSED] += 1
    job.end(Ending.FAILED)


def _refused(pair: Pair, job: Job, action: Action, error: Refused) -> None:
    if isinstance(error, Missing) and not isinstance(action, Upload):
        job.end(Ending.FAILED)  # gone or hidden: the next look tells which
        job.counts[Count.REFUSED] += 1
        return
    if isinstance(error, RequestTooLarge) and not _is_a_file(action) and (error.news or not job.narrowed):
        job.narrowed = True  # it may have been planned before another job found the limit
        return  # the next plan cuts its content smaller
    if isinstance(error, LogFull) and isinstance(action, Write):
        logs = [note.log for note in action.notes]
        full = error.log if error.log in logs else logs[0] if len(logs) == 1 else None
        if full is not None:  # else each note is sent by itself, which shows the full log
            job.link = agree.refused(job.link, full_log(action.side, full), str(error), pair.clock(), None)
            return
    elif isinstance(action, Write) and _has_moved_on(pair, job, action.side):
        return
    if len(action.items) > 1 and not job.singly:
        job.singly = True
        return
    job.counts[Count.REFUSED] += 1
    for item in action.items:
        _hold_against(pair, job, item, error)


def _hold_against(pair: Pair, job: Job, item: Item, error: RemoteError) -> None:
    """Record the refusal. A missing picture of a text is at once described in words; everything else is tried again."""
    is_gone = isinstance(error, Missing) and item.key.kind is ItemKind.PICTURE
    wait = None if is_gone else wait_after(error, job.link, item, pair.settings, pair.rules.limits)
    job.link = agree.refused(job.link, item, str(error), pair.clock(), wait)


def _access_refused(pair: Pair, job: Job, action: Action, error: AccessRefused) -> None:
    """The account lacks a right for these items: try them again later, without counting a failure."""
    if isinstance(action, Write) and _has_moved_on(pair, job, action.side):
        return
    job.counts[Count.NO_RIGHT] += 1
    for item in action.items:
        job.link = agree.refused(job.link, item, str(error), pair.clock(), pair.settings.pause, no_right=True)


def name_the_key(pair: Pair, action: Action, error: RemoteError) -> None:
    """If iTop finds no object for a key, or several, add to *error* which key of the configuration names it."""
    found = _NOT_ONE.search(str(error))
    if found is None or not isinstance(action, Create | Write) or found[1] not in action.fields:
        return
    value = action.fields[found[1]]
    routes = [key.which for key in action.routes_taken if key.kind is ItemKind.ROUTE]
    is_default = value == pair.rules.of(action.side).defaults.get(found[1]) or not routes
    key = f"{action.side}.defaults.{found[1]}" if is_default else f"route {routes[0]}: {found[1]}"
    error.args = (f"{error}, by {key} ({shown(value)}). Name one that exists; `itopsync check` looks up all",)


def _has_moved_on(pair: Pair, job: Job, side: Side) -> bool:
    """Read a ticket again that refused a write; True if it is in another state than we thought, is gone, or cannot be asked for.

    An error that an iTop extension raises after the commit looks like a refusal; a note that arrived must not be sent again.
    """
    thought = job.ticket(side)
    try:
        found = pair.servers[side].tickets(thought.ref.cls, [thought.ref.id], Attributes.of(job.cls, side))
    except SideUnavailable as error:
        job.break_off(error)
        return True
    except (Refused, BadQuery):
        job.end(Ending.FAILED)  # the refused items are held back; the next look tells the rest
        return False
    now = found.get(thought.ref.id)
    if now is None:
        job.end(Ending.FAILED)
        return True
    job.see(replace(now, attachments=thought.attachments))
    return now.state != thought.state


def _is_a_file(action: Action) -> bool:
    """Whether *action* uploads a file, whose content cannot be cut."""
    return isinstance(action, Upload) and not isinstance(action.source, TextSource)
