"""The whole decision on one link, as a function: compares what both sides show with what they last agreed on, and plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from itopsync.errors import ItopsyncError, Refused
from itopsync.model import TICKET, WORKED_ON, End, Link, LinkStatus, Observation, Side
from itopsync.reconcile import agree
from itopsync.reconcile.batching import one_by_one, together
from itopsync.reconcile.copies import without_former
from itopsync.reconcile.creation import plan_creation
from itopsync.reconcile.defaults import NOTHING_LOOKED_UP, LookedUp
from itopsync.reconcile.ends import ended
from itopsync.reconcile.files import plan_files
from itopsync.reconcile.form import plan_form
from itopsync.reconcile.identity import given_away, last_change, mismatch, overwritten
from itopsync.reconcile.link_notices import park_taken, plan_link_notice
from itopsync.reconcile.markers import ticket_marker
from itopsync.reconcile.notes import keeping_what_stood_there, plan_notes
from itopsync.reconcile.notices import plan_notice
from itopsync.reconcile.part import Content, Part, fold, plan_of
from itopsync.reconcile.plan import ANOTHER, UNREAD, Action, Kept, Plan, Remark, Upload
from itopsync.reconcile.restored import as_before, held_as_restored, last_changes
from itopsync.reconcile.room import room
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.state import as_made, plan_state
from itopsync.reconcile.unmarked import unmarked_opening

_EITHER_WAY = "what either of the two has and the other lacks"
PARTS: Sequence[Callable[[Situation], Part]] = (plan_files, plan_notes, plan_form, plan_state)
"""The parts of a ticket; another kind of content is another function here."""


def plan_link(
    link: Link,
    observation: Observation,
    rules: Rules,
    now: datetime,
    *,
    singly: bool = False,
    looked_up: LookedUp = NOTHING_LOOKED_UP,
) -> Plan:
    """Plan one link, unless one of its tickets is not the one that was linked: then nothing is written.

    *singly*: carry each item in a call of its own, so that a refusal shows which one is at fault. *looked_up*: the
    look-ups for its defaults; a value without its look-up waits.
    """
    if reason := mismatch(link, observation, rules, now):
        return _replaced(link, reason, observation, rules, now)
    if link.status not in WORKED_ON:
        return Plan(link)
    link = without_former(link, observation, rules.pair)
    situation = Situation(link, observation, rules, rules.for_external(link.external.cls), now, looked_up)
    gone = [side for side in Side if link.ref(side) is not None and observation.of(side) is None]
    if gone:
        return Plan(ended(link, End.UNLINKED if link.status is LinkStatus.UNLINKING else End.of_gone(gone)))
    if link.internal is None:
        return plan_creation(situation, singly=singly)
    return _plan_linked(situation, singly=singly)


def _plan_linked(situation: Situation, *, singly: bool) -> Plan:
    """Fold what each part asks for into actions: pictures and files, then writes, then removals.

    Nothing of this is planned if the copy belongs to another ticket or pair, is held as restored, or must be marked first.
    """
    if reason := given_away(situation):
        return _parked_as_another(_numbered(situation), reason)
    situation = keeping_what_stood_there(situation)
    if (taken := park_taken(situation)) is not None:
        return taken
    if (held := held_as_restored(situation)) is not None:
        return held
    if (marking := plan_link_notice(situation)) is not None:
        return marking
    situation = replace(situation, link=as_before(situation))
    situation = replace(situation, link=as_made(situation))
    situation = replace(situation, link=agree.arrived(situation))
    whole = fold(part(situation) for part in PARTS)
    told = _send_gathered(whole)
    put = one_by_one if singly else together
    writes: list[Action] = []
    for side in (Side.INTERNAL, Side.EXTERNAL):
        writes += put(side, whole.content[side], room(situation.rules, side))
    writes += plan_notice(situation, whole, whole.obstacles(situation.link))
    link = _agreeing(situation, whole)
    return plan_of(situation, whole, link, (*told, *_once(whole.uploads), *whole.files, *writes, *whole.removals))


def _agreeing(situation: Situation, whole: Part) -> Link:
    """The link with what the parts record, and how both tickets were seen."""
    external, internal = (situation.ticket(side) for side in Side)
    link, began = whole.record(_numbered(situation)), internal.fields.get(situation.cls.copy_since, "")
    base = replace(link.base, last_change=last_change(external), changed=last_changes(situation), began=began)
    return replace(link, base=base)


def _numbered(situation: Situation) -> Link:
    external, internal = (situation.ticket(side) for side in Side)
    return replace(situation.link, external_number=external.number, internal_number=internal.number)


def _send_gathered(whole: Part) -> Sequence[Action]:
    """Send notes that a full log does not take with a state that moves, or at their time; return the notices to write first."""
    moves = any(content.state_writes for content in whole.content.values())
    for gathering in whole.gathered:
        if moves or gathering.until is None:
            whole.uploads += gathering.uploads
        else:
            reason = "the log is full: what comes until then goes as one file, and there is nothing to do"
            whole.put_off(gathering.item, reason, gathering.until)
    return [write for each in whole.gathered for write in one_by_one(each.side, Content(logs=[each.notice]), 0)]


def _once(uploads: Iterable[Upload]) -> tuple[Upload, ...]:
    return tuple({(upload.side, upload.marker): upload for upload in uploads}.values())


def _replaced(link: Link, reason: str, seen: Observation, rules: Rules, now: datetime) -> Plan:
    """The plan for a link with a ticket that seems to be another one, or with a copy that lost its marker: write nothing.

    If it is another ticket, the cycle stops; once a person has accepted that, the link is parked, now and when it is looked at
    again. A copy of which only the log was overwritten counts as unreadable.
    """
    if seen.internal is not None and link.external_number:
        name, marker = rules.for_external(link.external.cls).logs[0].internal, ticket_marker(rules.pair, link.external)
        lost = unmarked_opening(seen.internal, name, rules.internal.accounts, link.external_number, marker)
        if lost is not None:
            return Plan(link, lost=(lost,))
    if emptied := overwritten(link, seen, rules, now):
        leave, again = _ways_out(link)
        remedy = f"{leave} if that is the right ticket, {again} {link.internal} --history` then carries {_EITHER_WAY}"
        return Plan(link, unread=Refused(Side.INTERNAL, f"{emptied}. {remedy}"), emptied=True)
    accepted = any(map(ANOTHER.names, link.obstacles))
    told = f"{reason}. `itopsync retry {link.id or link.external}` looks again, as once a wrong url is mended"
    return replace(_parked_as_another(link, told), replaced=not accepted)


def _ways_out(link: Link) -> tuple[str, str]:
    return f"`itopsync unlink {link.id or link.external}` leaves it;", f"`itopsync link {link.external}"


def _parked_as_another(link: Link, reason: str) -> Plan:
    leave, again = _ways_out(link)
    remedy = (
        f"{leave} then {again} TICKET --history` links it with a ticket that you open for it in internal, or with "
        f"{link.internal or 'its copy'} if it is the same one again, never with one of internal's own: it carries {_EITHER_WAY}"
    )
    told = f"{reason}. {remedy}"
    return Plan(
        replace(link, status=LinkStatus.PARKED, obstacles=(ANOTHER.parked(told),)),
        remarks=(Remark(Kept.PARKED, TICKET, told),),
    )


def plan_unread(link: Link, why: ItopsyncError, now: datetime, wait: timedelta | None) -> Plan:
    """The plan for a link with a ticket that cannot be read: retry after *wait*, or park it for a person.

    Until its time has come, or while it is parked, no further try is counted. If it was parked as another ticket and a person
    had it looked at again, it is parked as before.
    """
    if another := next(filter(ANOTHER.names, link.obstacles), None):
        parked_again = replace(link, status=LinkStatus.PARKED, obstacles=(replace(another, tries=1, parked=True),))
        return Plan(parked_again, remarks=(Remark(Kept.PARKED, UNREAD.key, str(why)),), unread=why)
    before = next(filter(UNREAD.names, link.obstacles), None)
    if before is None or not (before.parked or before.waits(now)):
        link = agree.refused(link, UNREAD, str(why), now, wait)
    parked = any(known.parked for known in link.obstacles if known.key == UNREAD.key)
    remark = Remark(Kept.PARKED if parked else Kept.WAITING, UNREAD.key, str(why))
    return Plan(link, remarks=(remark,), unread=why)
