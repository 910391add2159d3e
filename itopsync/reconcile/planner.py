"""The whole decision on one link, as a function: what both sides show, against what they last agreed on, makes a plan."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from itopsync.errors import ItopsyncError
from itopsync.model import Agreed, Link, LinkStatus, NoteRecord, Observation, Obstacle, Side
from itopsync.reconcile import agree
from itopsync.reconcile.files import FilesPlan, plan_files
from itopsync.reconcile.form import Value, carried_with_state, mandatory_defaults, plan_values, render
from itopsync.reconcile.identity import is_note, is_probe
from itopsync.reconcile.lifecycle import Step
from itopsync.reconcile.marking import plan_mark
from itopsync.reconcile.moments import likely
from itopsync.reconcile.notes import history, opening, plan_log, words
from itopsync.reconcile.plan import Action, Create, Item, Kept, Note, Plan, Remark, Upload, Write
from itopsync.reconcile.richtext import head_markers, without_pictures
from itopsync.reconcile.room import room, weight
from itopsync.reconcile.rules import ClassRules, FieldRule, Kind, Rules
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.state import Follow, StateDecision, counted, decide, heading_of, image
from itopsync.reconcile.strangers import born

UNREAD = Item("ticket", "unread")
"""A ticket that its server fails to show, or that brings out a fault of ours, as an item that may wait or be parked."""


def plan(link: Link, observation: Observation, rules: Rules, now: datetime, *, apart: bool = False) -> Plan:
    """Plan one link.

    *apart*: carry each thing in a call of its own, so that a refusal tells which one was at fault.
    """
    if link.status in (LinkStatus.PARKED, LinkStatus.TOMBSTONE):
        return Plan(link)
    situation = Situation(link, observation, rules, rules.for_external(link.external.cls), now)
    if observation.external is None or (link.internal is not None and observation.internal is None):
        return Plan(replace(link, status=LinkStatus.TOMBSTONE, obstacles=()), parted=link.status is LinkStatus.PARTING)
    if link.internal is None:
        if _is_probe(situation):
            return Plan(replace(link, status=LinkStatus.TOMBSTONE, obstacles=()), parted=True)
        return _plan_creation(situation, apart=apart)
    if (marking := plan_mark(situation)) is not None:
        return marking
    return _plan_linked(situation, apart=apart)


def _is_probe(situation: Situation) -> bool:
    """Whether the external ticket is one that ``check --probe-external`` left there."""
    pair = situation.rules.pair
    entries = (entry for log in situation.ticket(Side.EXTERNAL).logs.values() for entry in log[:1])
    return any(is_probe(marker, pair) for entry in entries for marker in head_markers(entry.html, pair))


def another_ticket(link: Link, reason: str) -> Plan:
    """The plan for a link one of whose tickets is another one by now: nothing is written, and a person must look."""
    obstacle = Obstacle("ticket", "", reason, tries=1, parked=True, not_before=None)
    return Plan(
        replace(link, status=LinkStatus.PARKED, obstacles=(obstacle,)),
        remarks=(Remark(Kept.PARKED, "ticket", reason),),
        replaced=True,
    )


def unread(link: Link, why: ItopsyncError, now: datetime, wait: timedelta | None) -> Plan:
    """The plan for a link one of whose tickets cannot be read: it is read again after *wait*, or a person must look.

    Whoever touches it meanwhile uses up no further try.
    """
    before = next((one for one in link.obstacles if (one.key, one.fingerprint) == (UNREAD.key, UNREAD.fingerprint)), None)
    if before is None or not (before.parked or (before.not_before is not None and before.not_before > now)):
        link = agree.refused(link, UNREAD, str(why), now, wait)
    parked = any(one.parked for one in link.obstacles if one.key == UNREAD.key)
    remark = Remark(Kept.PARKED if parked else Kept.WAITING, UNREAD.key, str(why))
    return Plan(link, remarks=(remark,), unread=why)


def _plan_creation(situation: Situation, *, apart: bool) -> Plan:
    """The copy with all that can go along. *apart*: without its dates, which a server may refuse; they go by themselves then."""
    rules, cls = situation.rules, situation.cls
    item = Item("ticket", "")
    external = situation.ticket(Side.EXTERNAL)
    link = replace(situation.link, external_number=external.number)
    situation.want(item)
    if not rules.new_tickets or situation.obstacle(item):
        return Plan(replace(link, obstacles=situation.obstacles()), (), situation.all_remarks())
    fields: dict[str, object] = {name: rules.internal.defaults[name] for name in cls.on_create if name in rules.internal.defaults}
    agrees: dict[str, str] = {}
    items = [item]
    for rule in cls.fields:
        if apart and rule.kind is Kind.DATE:
            continue
        value = _value_on_creation(situation, rule)
        if value is None:
            continue
        pictures = [upload.marker for upload in value.uploads]
        fields[rule.internal] = without_pictures(value.value, pictures)
        if not pictures:
            agrees[rule.external] = value.fingerprint
        if rule.kind is Kind.DATE:
            items.append(value.item)
    first = opening(situation, _opened(external.fields, cls, situation.now))
    left = room(rules, Side.INTERNAL) - weight(first.html, *fields.values())
    notes = (first, *history(situation, left))
    action = Create(fields, notes, tuple(items), agrees)
    return Plan(replace(link, obstacles=situation.obstacles()), (action,), situation.all_remarks())


def _value_on_creation(situation: Situation, rule: FieldRule) -> Value | None:
    source = situation.ticket(Side.EXTERNAL).fields.get(rule.external, "")
    return render(situation, Side.INTERNAL, rule, source) if source and rule.direction.allows(Side.EXTERNAL) else None


def _opened(fields: Mapping[str, str], cls: ClassRules, now: datetime) -> datetime:
    return likely(fields.get(cls.since_attribute, "")) or now


def _plan_linked(situation: Situation, *, apart: bool) -> Plan:
    records, agreed = dict(situation.link.base.notes), dict(situation.link.base.fields)
    files, decision = plan_files(situation), decide(situation)
    uploads: list[Upload] = []
    writes: list[Action] = []
    people: set[str] = set()
    for target in (Side.INTERNAL, Side.EXTERNAL):
        flows = [plan_log(situation, target, log, records) for log in situation.cls.logs]
        people.update(*(flow.people for flow in flows))
        values = plan_values(situation, target, situation.cls.fields, agreed)
        corrected = plan_values(situation, target, _companions_now(situation, decision), agreed)
        follow = decision.follow if decision.follow is not None and decision.follow.side is target else None
        content = _Content(
            target,
            tuple(flow.notes for flow in flows),
            room(situation.rules, target),
            (*values.writes, *corrected.writes),
            _steps(situation, follow) if follow else (),
        )
        if follow is not None and not content.stages:  # held back: we are taking the ticket nowhere yet
            decision = replace(decision, follow=None)
        uploads += (
            *(upload for flow in flows for upload in flow.uploads),
            *(upload for value in content.all_values for upload in value.uploads),
            *values.wholes,
            *corrected.wholes,
        )
        writes += _apart(content) if apart else _together(content)
    writes += _words(situation)
    vanished = [marker for marker, record in records.items() if record.carried_at is not None and marker not in people]
    return Plan(
        _noted(situation, records, agreed, files, decision),
        (*_once(uploads), *files.uploads, *writes, *files.removals),
        (*situation.all_remarks(), *(Remark(Kept.VANISHED, f"note:{marker}") for marker in vanished)),
        rewritten=_is_rewritten(records, vanished, people),
        lost=tuple(situation.lost),
    )


@dataclass(frozen=True)
class _Stage:
    """One stimulus with what it takes along."""

    step: Step
    item: Item
    companions: tuple[Value, ...]
    defaults: Mapping[str, object]


@dataclass(frozen=True)
class _Content:
    """What is to be written on one side's ticket."""

    side: Side
    logs: tuple[tuple[Note, ...], ...]
    room: int
    """How many bytes of texts go into one request."""
    values: tuple[Value, ...]
    stages: tuple[_Stage, ...]

    @property
    def all_values(self) -> tuple[Value, ...]:
        return (*self.values, *(value for stage in self.stages for value in stage.companions))

    @property
    def rounds(self) -> list[tuple[Note, ...]]:
        """The notes in their order, as many at once as iTop takes: one for each log."""
        rounds = [tuple(filter(None, notes)) for notes in itertools.zip_longest(*self.logs)]
        fit = ((notes,) if self.fits(notes) else tuple((note,) for note in notes) for notes in rounds)
        return [notes for together in fit for notes in together]

    def fits(self, notes: Sequence[Note], values: Sequence[Value] = ()) -> bool:
        """Whether all that goes into one request."""
        return weight(*(note.html for note in notes), *(value.value for value in values)) <= self.room


def _together(content: _Content) -> list[Action]:
    """As few calls as iTop allows: the last note rides with the fields, and both ride with the first stimulus."""
    rounds = content.rounds
    last = rounds.pop() if rounds else ()
    if not content.fits(last, content.all_values):
        return _apart(content)
    writes = [_write(content.side, notes) for notes in rounds]
    stages = content.stages
    if stages:
        writes.append(_write(content.side, last, content.values, stages[0]))
        writes += [_write(content.side, (), (), stage) for stage in stages[1:]]
    elif last or content.values:
        writes.append(_write(content.side, last, content.values))
    return list(writes)


def _apart(content: _Content) -> list[Action]:
    """Each thing in a call of its own; what does not need the state goes before it."""
    return [
        *(_write(content.side, (note,)) for notes in content.rounds for note in notes),
        *(_write(content.side, (), (value,)) for value in content.values),
        *(replace(_write(content.side, (), (), stage), items=(stage.item,)) for stage in content.stages),
    ]


def _write(side: Side, notes: tuple[Note, ...], values: Sequence[Value] = (), stage: _Stage | None = None) -> Write:
    companions = stage.companions if stage else ()
    written = (*values, *companions)
    return Write(
        side,
        {**{value.rule.name(side): value.value for value in written}, **(stage.defaults if stage else {})},
        notes,
        (
            *((stage.item,) if stage else ()),
            *(value.item for value in written),
            *(Item(f"note:{marker}", "") for note in notes for marker in note.markers),
        ),
        {value.rule.external: value.fingerprint for value in written},
        stage.step.stimulus if stage else None,
        stage.step.state if stage else None,
    )


def _steps(situation: Situation, follow: Follow) -> tuple[_Stage, ...]:
    rules = situation.cls.state
    stages = []
    for step in follow.steps:
        external = step.state if follow.side is Side.EXTERNAL else image(rules, Side.INTERNAL, step.state)
        if step is follow.steps[-1]:
            external = counted(rules, situation.ticket(Side.EXTERNAL).state) if follow.side is Side.INTERNAL else step.state
        carried = carried_with_state(situation, follow.side, rules.companions.get(external, ()))
        if carried is None:
            break
        companions = tuple(carried)
        given: Mapping[str, object] = {value.rule.name(follow.side): value.value for value in companions}
        stages.append(_Stage(step, follow.item, companions, mandatory_defaults(situation, follow.side, step.state, given)))
    return tuple(stages)


def _companions_now(situation: Situation, decision: StateDecision) -> tuple[FieldRule, ...]:
    """The companions of the state in which both sides are: those go alone when they are corrected while it stands."""
    if decision.agreed is None:
        return ()
    rules = situation.cls.state
    return tuple(replace(rule, direction=rules.direction) for rule in rules.companions.get(decision.agreed.external, ()))


def _words(situation: Situation) -> list[Action]:
    """What is parked is told on the internal ticket, once."""
    if not situation.rules.tell_parked:
        return []
    parked = {
        Item(obstacle.key, obstacle.fingerprint): f"Not carried: {_told(obstacle.key)} ({obstacle.reason})"
        for obstacle in situation.obstacles()
        if obstacle.parked and not obstacle.key.startswith(("log:", "word"))
    }
    note = words(situation, parked)
    if note is None:
        return []
    item = Item("word", note.markers[0])
    situation.want(item)
    if situation.obstacle(item):
        return []
    return [Write(Side.INTERNAL, {}, (note,), (item,), {})]


def _told(key: str) -> str:
    """An item's key as people say it."""
    kind, _, which = key.partition(":")
    if kind == "file":
        side, _, number = which.partition(":")
        return f"attachment {number} of {side}"
    if kind == "field":
        return which
    return {"picture": "a picture", "note": "a note", "whole": "a whole text", "ticket": "the ticket"}.get(kind, kind)


def _noted(
    situation: Situation,
    records: Mapping[str, NoteRecord],
    agreed: Mapping[str, Agreed],
    files: FilesPlan,
    decision: StateDecision,
) -> Link:
    """The link with all that is found to be agreed noted in its base."""
    link = situation.link
    base = replace(link.base, notes=records, fields=agreed)
    base = replace(base, born=born(situation.ticket(Side.EXTERNAL), situation.cls))
    if decision.agreed is not None:
        base = replace(base, state=decision.agreed, heading=None)
    elif decision.follow is not None:
        base = replace(base, heading=heading_of(decision.follow, situation.ticket(decision.follow.side).state))
    return replace(
        link,
        base=base,
        files=files.pairs,
        obstacles=situation.obstacles(),
        external_number=situation.ticket(Side.EXTERNAL).number,
        internal_number=situation.ticket(Side.INTERNAL).number,
    )


def _is_rewritten(records: Mapping[str, NoteRecord], vanished: Sequence[str], people: set[str]) -> bool:
    """Whether every entry that was carried, or that stays, looks different now, and there are as many new ones."""
    new = len(people - records.keys())
    carried = [marker for marker, record in records.items() if record.carried_at is not None]
    kept = [marker for marker, record in records.items() if record.carried_at is None and is_note(marker)]
    return (0 < len(carried) == len(vanished) <= new) or (0 < len(kept) <= new and people.isdisjoint(kept))


def _once(uploads: Iterable[Upload]) -> tuple[Upload, ...]:
    return tuple({(upload.side, upload.marker): upload for upload in uploads}.values())
