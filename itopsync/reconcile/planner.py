"""The whole decision on one link, as a function: what both sides show, compared with what they last agreed on, makes a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from itopsync.errors import ItopsyncError
from itopsync.model import TICKET, End, Link, LinkStatus, Observation, Obstacle, Side
from itopsync.reconcile import agree
from itopsync.reconcile.batching import one_by_one, together
from itopsync.reconcile.copies import without_former
from itopsync.reconcile.defaults import NOT_ASKED, RESTS, Answers, Chosen
from itopsync.reconcile.ends import ended
from itopsync.reconcile.files import plan_files
from itopsync.reconcile.form import plan_form, render
from itopsync.reconcile.identity import ANOTHER, last_change
from itopsync.reconcile.link_notices import plan_link_notice
from itopsync.reconcile.markers import PROBE, is_probe
from itopsync.reconcile.moments import likely
from itopsync.reconcile.notes import history, keeping_what_stood_there, opening, plan_notes
from itopsync.reconcile.notices import plan_notice
from itopsync.reconcile.part import Content, Part, Value, fold
from itopsync.reconcile.plan import Action, Create, Item, Kept, Plan, Remark, Upload
from itopsync.reconcile.richtext import head_markers, head_words, without_pictures
from itopsync.reconcile.room import room, weight
from itopsync.reconcile.route import comes_back
from itopsync.reconcile.rules import ClassRules, FieldRule, Kind, Rules
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.state import plan_state

PARTS: Sequence[Callable[[Situation], Part]] = (plan_files, plan_notes, plan_form, plan_state)
"""What a ticket consists of; another kind of content is another function here."""

UNREAD = Item(TICKET, "unread")
"""The item for a ticket that its server fails to show, or that triggers a fault of ours; it may wait or be parked."""


def plan(
    link: Link, observation: Observation, rules: Rules, now: datetime, *, apart: bool = False, answers: Answers = NOT_ASKED
) -> Plan:
    """Plan one link.

    *apart*: carry each thing in a call of its own, so that a refusal shows which one is at fault. *answers*: what decides on the
    defaults of its tickets; what needs others waits.
    """
    if link.status in (LinkStatus.PARKED, LinkStatus.TOMBSTONE):
        return Plan(link)
    link = without_former(link, observation)
    situation = Situation(link, observation, rules, rules.for_external(link.external.cls), now, answers)
    gone = [side for side in Side if link.ref(side) is not None and observation.of(side) is None]
    if gone:
        return Plan(ended(link, End.UNLINKED if link.status is LinkStatus.UNLINKING else End.of_gone(gone)))
    if link.internal is None:
        comes = comes_back(situation.ticket(Side.EXTERNAL), situation.cls, rules)
        uncopied = End.PROBE if _is_probe(situation) else End.COPY if comes else None
        return _plan_creation(situation, apart=apart) if uncopied is None else Plan(ended(link, uncopied))
    situation = keeping_what_stood_there(situation)
    if (marking := plan_link_notice(situation)) is not None:
        return marking
    return _plan_linked(situation, apart=apart)


def _is_probe(situation: Situation) -> bool:
    """Whether the external ticket is one that ``check --probe-external`` left there, with its marker or without."""
    pair, accounts = situation.rules.pair, situation.rules.external.accounts
    firsts = [log[0] for log in situation.ticket(Side.EXTERNAL).logs.values() if log]
    if any(first.author_id in accounts and head_words(first.html).startswith(PROBE) for first in firsts):
        return True
    return any(is_probe(marker, pair) for first in firsts for marker in head_markers(first.html, pair))


def another_ticket(link: Link, reason: str) -> Plan:
    """The plan for a link one of whose tickets is another one by now: write nothing, ask a person."""
    told = (
        f"{reason}. `itopsync unlink {link.id}` leaves it; then `itopsync link {link.external} TICKET` links it with a ticket "
        f"that you open for it in internal, or with {link.internal or 'its copy'} if it is the same one again"
    )
    obstacle = Obstacle(ANOTHER.key, ANOTHER.fingerprint, told, tries=1, parked=True, not_before=None)
    return Plan(
        replace(link, status=LinkStatus.PARKED, obstacles=(obstacle,)),
        remarks=(Remark(Kept.PARKED, TICKET, told),),
        replaced=True,
    )


def unread(link: Link, why: ItopsyncError, now: datetime, wait: timedelta | None) -> Plan:
    """The plan for a link one of whose tickets cannot be read: retry after *wait*, or ask a person.

    A change to it meanwhile uses up no further try.
    """
    before = next((known for known in link.obstacles if (known.key, known.fingerprint) == (UNREAD.key, UNREAD.fingerprint)), None)
    if before is None or not (before.parked or (before.not_before is not None and before.not_before > now)):
        link = agree.refused(link, UNREAD, str(why), now, wait)
    parked = any(known.parked for known in link.obstacles if known.key == UNREAD.key)
    remark = Remark(Kept.PARKED if parked else Kept.WAITING, UNREAD.key, str(why))
    return Plan(link, remarks=(remark,), unread=why)


def _plan_creation(situation: Situation, *, apart: bool) -> Plan:
    """The copy with all that can go along. *apart*: its dates, which a server may refuse, go separately afterwards."""
    rules, cls, part = situation.rules, situation.cls, Part()
    item = Item(TICKET, "")
    external = situation.ticket(Side.EXTERNAL)
    link = replace(situation.link, external_number=external.number)
    part.want(item)
    chosen = situation.defaults(Side.INTERNAL, cls.on_create)
    held = not rules.new_tickets or bool(situation.obstacle(item))
    if isinstance(chosen, str) and not held:
        part.put_off(item, chosen, situation.now + RESTS)
    if held or not isinstance(chosen, Chosen):
        return _finished(situation, part, link, ())
    fields = dict(chosen.values)
    agrees: dict[str, str] = {}
    items = [item]
    for rule in cls.fields:
        if apart and rule.kind is Kind.DATE:
            continue
        value = _value_on_creation(situation, part, rule)
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
    notes = (first, *history(situation, part, left))
    return _finished(situation, part, link, (Create(fields, notes, tuple(items), agrees, chosen.told),))


def _value_on_creation(situation: Situation, part: Part, rule: FieldRule) -> Value | None:
    source = situation.ticket(Side.EXTERNAL).fields.get(rule.external, "")
    return render(situation, part, Side.INTERNAL, rule, source) if source and rule.direction.allows(Side.EXTERNAL) else None


def _opened(fields: Mapping[str, str], cls: ClassRules, now: datetime) -> datetime:
    return likely(fields.get(cls.since_attribute, "")) or now


def _plan_linked(situation: Situation, *, apart: bool) -> Plan:
    """Fold what each part asks for into actions: pictures and files, then writes, then removals."""
    whole = fold(part(situation) for part in PARTS)
    told = _gather(whole)
    put = one_by_one if apart else together
    writes: list[Action] = []
    for side in (Side.INTERNAL, Side.EXTERNAL):
        writes += put(side, whole.content[side], room(situation.rules, side))
    writes += plan_notice(situation, whole, whole.obstacles(situation.link))
    external, internal = (situation.ticket(side) for side in Side)
    link = whole.agree(replace(situation.link, external_number=external.number, internal_number=internal.number))
    link = replace(link, base=replace(link.base, last_change=last_change(external)))
    return _finished(situation, whole, link, (*told, *_once(whole.uploads), *whole.files, *writes, *whole.removals))


def _gather(whole: Part) -> Sequence[Action]:
    """Let the notes that a full log does not take go with a state that moves, or at their time; return what tells it first."""
    moves = any(content.stages for content in whole.content.values())
    for gathering in whole.gathered:
        if moves or gathering.until is None:
            whole.uploads += gathering.uploads
        else:
            reason = "the log is full: what comes until then goes as one file, and there is nothing to do"
            whole.put_off(gathering.item, reason, gathering.until)
    return [write for each in whole.gathered for write in one_by_one(each.side, Content(logs=[each.notice]), 0)]


def _finished(situation: Situation, part: Part, link: Link, actions: Sequence[Action]) -> Plan:
    obstacles = part.obstacles(situation.link)
    return Plan(
        replace(link, obstacles=obstacles),
        tuple(actions),
        (*part.remarks, *situation.remarks_on(obstacles)),
        rewritten=part.rewritten,
        vanished=frozenset(part.vanished),
        lost=tuple(part.lost),
    )


def _once(uploads: Iterable[Upload]) -> tuple[Upload, ...]:
    return tuple({(upload.side, upload.marker): upload for upload in uploads}.values())
