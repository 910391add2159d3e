"""One link's plan carried out, action by action, in order. What each answer shows is what is planned from next.

Before the first write the link is marked as in flight, and after the last one what was agreed is stored: whatever happens in
between, the markers in iTop say what arrived.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import perf_counter

import structlog

from itopsync.engine.back_off import back_off, wait_after
from itopsync.engine.budget import Budget
from itopsync.engine.files import read_file
from itopsync.engine.observe import VERSION_TIME, attributes
from itopsync.engine.settings import EngineSettings
from itopsync.engine.written import Written, changed_at
from itopsync.errors import (
    AccessRefused,
    LogFull,
    Missing,
    OutcomeUnknown,
    ReadOnly,
    Refused,
    RemoteError,
    SideUnavailable,
    StimulusRefused,
    Stopped,
    TooLarge,
)
from itopsync.itop import Server
from itopsync.model import Heading, Link, LinkStatus, NewEntry, Observation, Side, Ticket
from itopsync.reconcile import agree
from itopsync.reconcile.notes import full_log
from itopsync.reconcile.plan import Action, Create, Item, Plan, Remove, Upload, Write
from itopsync.reconcile.planner import plan as plan_link
from itopsync.reconcile.richtext import attachment_address, fill, unfilled
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.reconcile.situation import SAME_SERVER
from itopsync.store import Store

log = structlog.get_logger(__name__)


@dataclass
class Result:
    """How the work on one link ended."""

    link: Link
    counts: Counter[str] = field(default_factory=Counter)
    unavailable: SideUnavailable | None = None
    """The side that stopped the work, if one did: no ticket's retries are used up for that."""
    interrupted: bool = False
    """We were told to stop: what is left of it is due at once."""
    writes: list[Written] = field(default_factory=list)
    """What was sent, in its order, and how it ended."""


@dataclass
class _Progress:
    """What is known while one link is worked on."""

    link: Link
    observation: Observation
    result: Result
    loaded: Link | None
    """The link as it was read, until a write on it has begun; from then on nobody else changes it."""
    due_when_read: datetime | None = None
    apart: bool = False
    stop: bool = False
    replan: bool = False
    among_files: bool = False
    """Files are carried by threads of their own, so that large ones hold up no other link."""


@dataclass(frozen=True)
class Waiting:
    """A link that has come to its first file; what its plan has before that is carried."""

    progress: _Progress
    turns: Iterator[None]


class _NotYet(Exception):
    """A text shows a picture whose attachment is not there."""


class Applier:
    """Carries out plans. One call of :meth:`work` at a time for each link; several links at once."""

    def __init__(
        self,
        servers: Mapping[Side, Server],
        store: Store,
        rules: Rules,
        settings: EngineSettings,
        *,
        clock: Callable[[], datetime],
        ahead: Mapping[Side, timedelta],
    ) -> None:
        """*ahead* says by how much each server's clock is ahead of ours."""
        self._servers, self._store, self._rules, self._settings = servers, store, rules, settings
        self._clock, self._ahead = clock, ahead
        self._down: SideUnavailable | None = None
        self._budget = Budget(settings.file_budget)

    def work(self, plan: Plan, observation: Observation, loaded: Link) -> Result | Waiting:
        """Carry out *plan* and what follows from its answers, and store what the link has become; before a file, stand still.

        Once a side has failed as a whole, nothing more is tried: those links stay due. Nor is anything done about a link that
        an operator has changed since it was *loaded*.
        """
        if self._down is not None:
            return Result(plan.link, unavailable=self._down)
        progress = _Progress(plan.link, observation, Result(plan.link), loaded, loaded.due_at)
        return self._advance(Waiting(progress, self._turns(plan, progress)))

    def go_on(self, waiting: Waiting) -> Result:
        """Carry a link's files, and what comes after them."""
        result = self._advance(waiting)
        assert isinstance(result, Result)  # noqa: S101 - it stands still once
        return result

    def leave(self, waiting: Waiting, *, interrupted: bool) -> Result:
        """Store what was done on a link that waits for its files, and leave the rest to a later cycle.

        Where we were *interrupted*, told to stop, the rest is due at once.
        """
        progress = waiting.progress
        progress.stop, progress.result.interrupted = True, interrupted
        self._finish(progress)
        progress.result.link = progress.link
        return progress.result

    def _advance(self, waiting: Waiting) -> Result | Waiting:
        progress = waiting.progress
        link = progress.link
        with structlog.contextvars.bound_contextvars(link=link.id, ticket=str(link.external)):
            for _ in waiting.turns:
                return waiting
        progress.result.link = progress.link
        return progress.result

    def _turns(self, plan: Plan, progress: _Progress) -> Iterator[None]:
        """Do the work turn by turn; stop for a moment before the first file."""
        noted: Heading | None = None
        if plan.unread is not None:
            progress.result.counts["refused"] += 1
        for _ in range(self._settings.rounds):
            if plan.actions and (progress.loaded or _is_news(plan.link.base.heading, noted)):
                if not self._begin(plan, progress):
                    return
                noted = plan.link.base.heading
            try:
                yield from self._round(plan, progress)
            except Stopped:
                progress.result.interrupted = progress.stop = True
            if progress.stop or not plan.actions:
                break
            plan = plan_link(progress.link, progress.observation, self._rules, self._clock(), apart=progress.apart)
            progress.link = plan.link
        else:
            progress.result.counts["unfinished"] += 1
        self._finish(progress)

    def _begin(self, plan: Plan, progress: _Progress) -> bool:
        """Note that writes are under way, and where to: a state that we lead a ticket through must never pass for a person's.

        False: an operator has changed the link since it was read; it is looked at again.
        """
        now, what = self._clock(), type(plan.actions[0]).__name__.lower()
        headed = plan.link if plan.link.base.heading is not None else None
        if not self._store.begin_write(plan.link.id, now, what, saved=headed, loaded=progress.loaded):
            return False
        progress.loaded = None
        return True

    def _round(self, plan: Plan, progress: _Progress) -> Iterator[None]:
        progress.replan = False
        for action in plan.actions:
            if isinstance(action, Upload) and not progress.among_files:
                progress.among_files = True
                yield
                if self._down is not None:
                    self._side_unavailable(progress, self._down)
                    return
            started, changed = perf_counter(), changed_at(action, progress.observation)
            error: RemoteError | None = None
            try:
                self._carry_out(action, progress)
            except _NotYet:
                outcome = "waits"
            except RemoteError as failure:
                outcome, error = self._come_to_terms(action, progress, failure), failure
            else:
                outcome = "done"
                progress.result.counts[_name(action)] += 1
            written = Written(_side(action), _name(action), outcome, round(perf_counter() - started, 3))
            if outcome == "done" and changed is not None:
                at_its_origin = self._clock() + self._ahead.get(written.side.other, timedelta())
                written = replace(written, age=max(at_its_origin - changed, timedelta()))
            progress.result.writes.append(written)
            _tell(written, error)
            if progress.stop or progress.replan:
                return

    # one action

    def _carry_out(self, action: Action, progress: _Progress) -> None:
        match action:
            case Create():
                self._create(action, progress)
            case Write():
                self._write(action, progress)
            case Upload():
                self._upload(action, progress)
            case Remove():
                self._remove(action, progress)

    def _create(self, action: Create, progress: _Progress) -> None:
        cls = self._class(progress)
        external = progress.observation.external
        if external is None:
            raise Missing(Side.EXTERNAL, f"{progress.link.external} is gone")
        logs: dict[str, list[NewEntry]] = {}
        for note in action.notes:
            logs.setdefault(note.log, []).append(NewEntry(note.at, note.html))
        copy = self._servers[Side.INTERNAL].create(cls.internal, action.fields, logs, attributes(cls, Side.INTERNAL))
        progress.link = agree.created(progress.link, action, external, copy, cls=cls, now=self._clock())
        progress.observation = Observation(external, copy)

    def _write(self, action: Write, progress: _Progress) -> None:
        ticket = self._ticket(progress, action.side)
        address_of = self._addresses(action.side, ticket)
        texts = [*(note.html for note in action.notes), *(value for value in action.fields.values() if isinstance(value, str))]
        if any(unfilled(text, address_of) for text in texts):
            raise _NotYet
        fields = {name: fill(value, address_of) if isinstance(value, str) else value for name, value in action.fields.items()}
        entries = {note.log: NewEntry(note.at, fill(note.html, address_of)) for note in action.notes}
        server, wanted = self._servers[action.side], attributes(self._class(progress), action.side)
        if action.stimulus is None:
            answer = server.update(ticket.ref, fields, entries, wanted)
        else:
            answer = server.stimulate(ticket.ref, action.stimulus, fields, entries, wanted)
        self._see(progress, replace(answer, attachments=ticket.attachments))
        progress.link = agree.written(progress.link, action, answer, self._class(progress), self._clock())
        if action.leads_to is not None and answer.state != action.leads_to:
            raise StimulusRefused(action.side, f"{action.stimulus} was answered, and the ticket is '{answer.state}'")

    def _upload(self, action: Upload, progress: _Progress) -> None:
        ticket = self._ticket(progress, action.side)
        most = self._rules.limits.file_bytes
        with self._budget.share(most) as share:  # iTop tells a file's size with its contents only
            file = read_file(action, self._servers[action.side.other])
            size = len(file.data)
            if size > most:
                raise TooLarge(action.side, f"the file has {size} bytes, more than limits.file_size allows")
            share.shrink(size)
            organisation = int(ticket.fields.get("org_id") or 0)
            attachment = self._servers[action.side].create_attachment(ticket.ref, organisation, file, action.marker)
            del file
        self._see(progress, replace(ticket, attachments=(*ticket.attachments, attachment)))
        progress.link = agree.uploaded(progress.link, action, attachment.id)
        progress.result.counts["bytes"] += size

    def _remove(self, action: Remove, progress: _Progress) -> None:
        ticket = self._ticket(progress, action.side)
        self._servers[action.side].delete_attachment(action.attachment_id)
        kept = tuple(one for one in ticket.attachments if one.id != action.attachment_id)
        self._see(progress, replace(ticket, attachments=kept))
        progress.link = agree.removed(progress.link, action)

    # what may come back instead

    def _come_to_terms(self, action: Action, progress: _Progress, error: RemoteError) -> str:
        """Do what a failure asks for; return what it comes to, in a word."""
        match error:
            case OutcomeUnknown():
                self._outcome_unknown(action, progress, error)
                return "unknown"
            case Refused():
                self._refused(action, progress, error)
                return "refused"
            case ReadOnly():
                self._side_unavailable(progress, error)
                return "read-only"
            case AccessRefused():
                self._access_refused(action, progress, error)
                return "no right"
            case SideUnavailable():
                self._side_unavailable(progress, error)
                return "side unavailable"
        raise error

    def _side_unavailable(self, progress: _Progress, error: SideUnavailable) -> None:
        progress.result.unavailable, progress.stop = error, True
        self._down = error

    def _outcome_unknown(self, action: Action, progress: _Progress, error: OutcomeUnknown) -> None:
        """Look again when it has had time to land. An action that ends so again and again is held against its first item."""
        settle = self._rules.limits.settle
        now = self._clock()
        for item in action_items(action)[:1]:
            tries = agree.tries_of(progress.link, item)
            wait = (
                None if tries + 1 >= self._rules.limits.tries else max(settle, back_off(self._settings, progress.link.id, tries))
            )
            progress.link = agree.refused(progress.link, item, str(error), now, wait)
        progress.link = replace(progress.link, unsettled=True, due_at=now + settle)
        progress.result.counts["unknown"] += 1
        progress.stop = True

    def _refused(self, action: Action, progress: _Progress, error: Refused) -> None:
        progress.replan = True
        items = action_items(action)
        side = _side(action)
        if isinstance(error, Missing) and not isinstance(action, Upload):
            progress.stop = True  # gone, or out of our sight: the next look tells
            progress.result.counts["refused"] += 1
            return
        if isinstance(error, StimulusRefused) and self._has_moved_on(progress, side):
            return
        if isinstance(error, LogFull) and isinstance(action, Write):
            for note in action.notes:
                progress.link = agree.refused(progress.link, full_log(side, note.log), str(error), self._clock(), None)
            return
        if len(items) > 1 and not progress.apart:
            progress.apart = True
            return
        progress.result.counts["refused"] += 1
        for item in items:
            self._hold_against(progress, item, error)

    def _hold_against(self, progress: _Progress, item: Item, error: RemoteError) -> None:
        wait = wait_after(error, progress.link, item, self._settings, self._rules.limits)
        progress.link = agree.refused(progress.link, item, str(error), self._clock(), wait)

    def _access_refused(self, action: Action, progress: _Progress, error: AccessRefused) -> None:
        """A right that is missing for this one thing: wait, and use up no retries."""
        progress.result.counts["no right"] += 1
        for item in action_items(action):
            before = tuple(one for one in progress.link.obstacles if one.key == item.key)
            progress.link = agree.refused(progress.link, item, str(error), self._clock(), self._settings.pause)
            tries = before[0].tries if before else 0
            progress.link = replace(
                progress.link,
                obstacles=tuple(replace(one, tries=tries) if one.key == item.key else one for one in progress.link.obstacles),
            )
        progress.replan = True

    def _has_moved_on(self, progress: _Progress, side: Side) -> bool:
        """Read a ticket again that refused a stimulus: if it is in another state than we thought, plan anew."""
        thought = self._ticket(progress, side)
        try:
            found = self._servers[side].tickets(thought.ref.cls, [thought.ref.id], attributes(self._class(progress), side))
        except SideUnavailable as error:
            self._side_unavailable(progress, error)
            return True
        except Refused:
            return False  # the stimulus is held against the state
        now = found.get(thought.ref.id)
        if now is None:
            progress.stop = True
            return True
        self._see(progress, replace(now, attachments=thought.attachments))
        return now.state != thought.state

    # the end

    def _finish(self, progress: _Progress) -> None:
        now = self._clock()
        link = progress.link
        if not link.unsettled or link.due_at is None or link.due_at <= now:
            link = replace(link, unsettled=False, due_at=self._due(progress, now))
        versions = {side: ticket.version for side in Side if (ticket := progress.observation.of(side)) is not None}
        self._store.save(
            link,
            versions=versions,
            now=now,
            live=self._is_live(progress),
            loaded=progress.loaded,
            due_when_read=progress.due_when_read,
        )
        progress.link = link

    def _due(self, progress: _Progress, now: datetime) -> datetime | None:
        """When to look again: soon if something is unfinished, when an item's wait is over, or once more if it is fresh."""
        if progress.link.status in (LinkStatus.PARKED, LinkStatus.TOMBSTONE):
            return None
        if progress.result.interrupted:
            return now
        times = [one.not_before for one in progress.link.obstacles if not one.parked and one.not_before is not None]
        if progress.result.unavailable is not None or progress.result.counts["unfinished"] or progress.stop:
            times.append(now + self._settings.first_back_off)
        fresh = any(self._is_fresh(ticket, now) for side in Side if (ticket := progress.observation.of(side)) is not None)
        if fresh:
            times.append(now + self._settings.look_again)
        return min(times) if times else None

    def _is_fresh(self, ticket: Ticket, now: datetime) -> bool:
        """Whether the ticket changed only a moment ago, so that another change may bear the same time.

        In the autumn hour that comes twice, a moment ago may read as an hour ago.
        """
        changed = ticket.fields.get(VERSION_TIME, "")
        if not changed:
            return True
        age = now + self._ahead.get(ticket.ref.side, timedelta()) - datetime.fromisoformat(changed)
        return any(abs(age - shift) < self._settings.look_again for shift in (timedelta(), timedelta(hours=1)))

    def _is_live(self, progress: _Progress) -> bool:
        """Whether the ticket can still change: one that is closed on both sides is left to the sweeps."""
        rules = self._class(progress).state
        tickets = [(side, progress.observation.of(side)) for side in Side]
        return not all(ticket and not rules.lifecycle(side).transitions.get(ticket.state) for side, ticket in tickets)

    # small things

    def _class(self, progress: _Progress) -> ClassRules:
        return self._rules.for_external(progress.link.external.cls)

    def _ticket(self, progress: _Progress, side: Side) -> Ticket:
        ticket = progress.observation.of(side)
        if ticket is None:
            raise Missing(side, f"the ticket of link {progress.link.id} is gone")
        return ticket

    def _see(self, progress: _Progress, ticket: Ticket) -> None:
        seen = progress.observation
        progress.observation = (
            replace(seen, external=ticket) if ticket.ref.side is Side.EXTERNAL else replace(seen, internal=ticket)
        )

    def _addresses(self, side: Side, ticket: Ticket) -> Callable[[str], str | None]:
        public_url = self._rules.side(side).public_url
        known = {attachment.temp_id: attachment.id for attachment in ticket.attachments}

        def address_of(name: str) -> str | None:
            number = int(name.removeprefix(SAME_SERVER)) if name.startswith(SAME_SERVER) else known.get(name)
            return None if number is None else attachment_address(public_url, number)

        return address_of


def _tell(written: Written, error: RemoteError | None) -> None:
    more: dict[str, object] = {"age": round(written.age.total_seconds())} if written.age is not None else {}
    if error is not None:
        more["reason"] = str(error)
    log.info("write", action=written.action, side=written.side, outcome=written.outcome, seconds=written.seconds, **more)


def _is_news(heading: Heading | None, noted: Heading | None) -> bool:
    """Whether *heading* leads a ticket through states that are not *noted* in the store."""
    if heading is None or noted is None:
        return heading is not None
    return heading.side is not noted.side or not set(heading.states) <= set(noted.states)


def action_items(action: Action) -> tuple[Item, ...]:
    """What *action* carries."""
    return action.items if isinstance(action, Create | Write) else (action.item,)


def _side(action: Action) -> Side:
    return Side.INTERNAL if isinstance(action, Create) else action.side


def _name(action: Action) -> str:
    match action:
        case Write(stimulus=str()):
            return "state"
        case _:
            return type(action).__name__.lower()
