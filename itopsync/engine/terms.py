"""What a failure comes to: what is held against an item, what is tried otherwise, and what stops the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from itopsync.engine.back_off import wait_after
from itopsync.engine.observe import attributes
from itopsync.engine.progress import Progress
from itopsync.engine.settings import EngineSettings
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
    StimulusRefused,
)
from itopsync.itop.server import Server
from itopsync.model import Side
from itopsync.reconcile import agree
from itopsync.reconcile.notes import full_log
from itopsync.reconcile.plan import Action, Item, TextSource, Upload, Write
from itopsync.reconcile.rules import Limits


class Terms:
    """Comes to terms with what servers answer instead of doing what was asked."""

    def __init__(
        self, servers: Mapping[Side, Server], limits: Limits, settings: EngineSettings, clock: Callable[[], datetime]
    ) -> None:
        self._servers, self._limits, self._settings, self._clock = servers, limits, settings, clock

    def come_to_terms(self, action: Action, progress: Progress, error: RemoteError) -> str:
        """Do what a failure asks for; return what it comes to, in a word."""
        match error:
            case OutcomeUnknown():
                self.leave_unknown(action, progress, error)
                return "unknown"
            case Refused():
                self._refused(action, progress, error)
                return "refused"
            case ReadOnly():
                progress.break_off(error)
                return "read-only"
            case AccessRefused():
                self._access_refused(action, progress, error)
                return "no right"
            case SideUnavailable():
                progress.break_off(error)
                return "side unavailable"
        raise error

    def leave_unknown(self, action: Action, progress: Progress, error: ItopsyncError) -> None:
        """Look again when it has had time to land. An action that ends so again and again is held against its first item."""
        settle, now = self._limits.settle, self._clock()
        for item in action.items[:1]:
            wait = wait_after(error, progress.link, item, self._settings, self._limits)
            wait = None if wait is None else max(settle, wait)
            progress.link = agree.refused(progress.link, item, str(error), now, wait)
        progress.link = replace(progress.link, unsettled=True, due_at=now + settle)
        progress.result.counts["unknown"] += 1
        progress.stop = True

    def _refused(self, action: Action, progress: Progress, error: Refused) -> None:
        progress.replan = True
        items, side = action.items, action.side
        if isinstance(error, Missing) and not isinstance(action, Upload):
            progress.stop = True  # gone, or out of our sight: the next look tells
            progress.result.counts["refused"] += 1
            return
        if isinstance(error, RequestTooLarge) and not _is_a_file(action) and (error.news or not progress.narrowed):
            progress.narrowed = True  # it may have been planned before another one taught us
            return  # what it carries is cut smaller now
        if isinstance(error, StimulusRefused) and self._has_moved_on(progress, side):
            return
        if isinstance(error, LogFull) and isinstance(action, Write):
            logs = [note.log for note in action.notes]
            full = error.log if error.log in logs else logs[0] if len(logs) == 1 else None
            if full is not None:  # else each goes by itself, which tells
                progress.link = agree.refused(progress.link, full_log(side, full), str(error), self._clock(), None)
                return
        if len(items) > 1 and not progress.apart:
            progress.apart = True
            return
        progress.result.counts["refused"] += 1
        for item in items:
            self._hold_against(progress, item, error)

    def _hold_against(self, progress: Progress, item: Item, error: RemoteError) -> None:
        """Remember it: a picture of a text that is not there (any more) is told in words at once, all else is tried again."""
        is_gone = isinstance(error, Missing) and item.key.startswith("picture:")
        wait = None if is_gone else wait_after(error, progress.link, item, self._settings, self._limits)
        progress.link = agree.refused(progress.link, item, str(error), self._clock(), wait)

    def _access_refused(self, action: Action, progress: Progress, error: AccessRefused) -> None:
        """A right that is missing for this one thing: wait, and use up no retries."""
        progress.result.counts["no right"] += 1
        for item in action.items:
            tries = next((one.tries for one in progress.link.obstacles if one.key == item.key), 0)
            progress.link = agree.refused(progress.link, item, str(error), self._clock(), self._settings.pause)
            progress.link = replace(
                progress.link,
                obstacles=tuple(replace(one, tries=tries) if one.key == item.key else one for one in progress.link.obstacles),
            )
        progress.replan = True

    def _has_moved_on(self, progress: Progress, side: Side) -> bool:
        """Read a ticket again that refused a stimulus: if it is in another state than we thought, plan anew."""
        thought = progress.ticket(side)
        try:
            found = self._servers[side].tickets(thought.ref.cls, [thought.ref.id], attributes(progress.cls, side))
        except SideUnavailable as error:
            progress.break_off(error)
            return True
        except (Refused, BadQuery):
            return False  # the stimulus is held against the state
        now = found.get(thought.ref.id)
        if now is None:
            progress.stop = True
            return True
        progress.see(replace(now, attachments=thought.attachments))
        return now.state != thought.state


def _is_a_file(action: Action) -> bool:
    """Whether *action* carries what cannot be cut."""
    return isinstance(action, Upload) and not isinstance(action.source, TextSource)
