"""What is told of each write: to the log, to metrics, and to nobody what stood in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from itopsync.engine.observe import VERSION_TIME
from itopsync.model import Observation, Side, Ticket
from itopsync.reconcile.identity import is_note
from itopsync.reconcile.moments import moment
from itopsync.reconcile.plan import Action, Create, Write


@dataclass(frozen=True, slots=True)
class Written:
    """One write, and how it ended."""

    side: Side
    """Where to."""
    action: str
    """``create``, ``write``, ``state``, ``upload`` or ``remove``."""
    outcome: str
    seconds: float
    age: timedelta | None = None
    """How old what it carried was once it was there; None where nothing was carried, or nobody knows its time."""


def name_of(action: Action) -> str:
    """What an action is called in the log and in metrics."""
    return "state" if isinstance(action, Write) and action.stimulus is not None else type(action).__name__.lower()


def changed_at(action: Action, seen: Observation) -> datetime | None:
    """When what *action* carries was changed on the other side, by that side's clock.

    A note has a time of its own, of several the oldest counts; all else is as old as the ticket's last change. Attachments
    have no time that we read.
    """
    if not isinstance(action, Create | Write):
        return None
    last_change = _last_change(seen.of(action.side.other))
    if isinstance(action, Create):
        return last_change
    times = [note.at for note in action.notes if any(is_note(marker) for marker in note.markers)]
    if action.agrees or action.stimulus is not None:
        times += [last_change] if last_change else []
    return min(times, default=None)


def _last_change(ticket: Ticket | None) -> datetime | None:
    return moment(ticket.fields.get(VERSION_TIME, "")) if ticket else None
