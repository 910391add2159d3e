"""A ticket that shows itself as it was before both sides last agreed: its server was restored from a backup.

What such a ticket shows is no move of anybody's. A person decides; then what the other side has counts as new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from itopsync.model import VERSION_TIME, Agreed, Base, FileStatus, ItemKey, ItemKind, Link, Side, Ticket
from itopsync.reconcile.moments import moment
from itopsync.reconcile.plan import Item, Kept, Plan, Remark
from itopsync.reconcile.richtext import value_fingerprint
from itopsync.reconcile.rules import ClassRules
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.state import counted, image

_SAVING = timedelta(minutes=10)
"""A save bears the time at which it began: by so much a ticket may go back without a restore."""
_AUTUMN = timedelta(hours=1)
"""By so much more in the hour that comes twice."""
_CLOCKS = timedelta(hours=1)
"""So far apart clocks may be. What is known to have changed later than that was changed by a clock that has been set back."""


def held_as_restored(situation: Situation) -> Plan | None:
    """The plan that leaves a link to a person where a ticket went back in time, unless one has let it pass.

    :func:`~itopsync.reconcile.by_hand.retried` leaves the obstacle as that permit.
    """
    link, back = situation.link, dict(_gone_back(situation))
    permitted = {obstacle.key for obstacle in link.obstacles if not obstacle.parked}
    if not back or permitted.issuperset(item.key for item in back.values()):
        return None
    held = tuple(
        item.parked(
            f"{side} shows an earlier state of the ticket than before: was it restored, or its clock or timezone changed? "
            f"`itopsync retry` writes there again what {side.other} has"
        )
        for side, item in back.items()
    )
    others = tuple(each for each in link.obstacles if each.key.kind is not ItemKind.RESTORED)
    remarks = tuple(Remark(Kept.PARKED, obstacle.key, obstacle.reason) for obstacle in held)
    return Plan(replace(link, obstacles=(*others, *held)), remarks=remarks)


def as_before(situation: Situation) -> Link:
    """The link on which what a restored ticket lost counts as moved on the other side, so that it is written again.

    Copies of files, and notes that went as files, count as on their way: where they are still there, they are found.
    External's form is carried as it is: what its server shows now is what the customer sees. Where both tickets went back, both
    count as they are.
    """
    link, back = situation.link, [side for side, _ in _gone_back(situation)]
    if len(back) != 1:
        return link
    ticket, cls = situation.ticket(back[0]), situation.cls
    lost = ticket.ref.side.other
    files = tuple(
        replace(pair, copy_id=None, status=FileStatus.WAITING)
        if pair.origin is lost and pair.status is FileStatus.CARRIED
        else pair
        for pair in link.files
    )
    notes = {
        marker: replace(record, as_file=False) if record.origin is lost and record.there else record
        for marker, record in link.base.notes.items()
    }
    base = replace(_with_fields(_with_state(link.base, ticket, cls), ticket, cls), notes=notes)
    return replace(link, base=base, files=files)


def timezones(situation: Situation) -> Agreed | None:
    """In which timezones both tickets' times are read; None if one is yet to come, by a clock that may be set right."""
    times = [moment(situation.ticket(side).fields.get(VERSION_TIME, "")) for side in Side]
    if any(time is not None and time > situation.now + _SAVING for time in times):
        return None
    return Agreed(*(situation.rules.side(side).timezone.key for side in Side))


def _with_state(base: Base, ticket: Ticket, cls: ClassRules) -> Base:
    side, shown = ticket.ref.side, counted(cls.state, ticket.state)
    if base.state is None or shown == base.state.of(side):
        return base
    there = image(cls.state, side, shown)
    return replace(base, state=Agreed(*(side.pick(shown, there), side.pick(there, shown))), heading=None)


def _with_fields(base: Base, ticket: Ticket, cls: ClassRules) -> Base:
    if ticket.ref.side is Side.EXTERNAL:
        return base
    fields = dict(base.fields)
    for name, agreed in base.fields.items():
        rule = cls.by_external.get(name)
        shown = value_fingerprint(ticket.fields.get(rule.internal, ""), is_html=rule.is_html) if rule is not None else ""
        if rule is not None and shown != agreed.internal:
            fields[name] = Agreed("", shown)
    return replace(base, fields=fields)


def _gone_back(situation: Situation) -> Iterator[tuple[Side, Item]]:
    """The sides whose tickets changed last at an earlier time than when they were last looked at.

    A corrected timezone in ``sync.toml`` shifts all times.
    """
    base = situation.link.base
    for side, before in ((Side.EXTERNAL, base.last_change), (Side.INTERNAL, base.copy_last_change)):
        known, now = moment(before), moment(situation.ticket(side).fields.get(VERSION_TIME, ""))
        if known is None or now is None:
            continue
        zone = situation.rules.side(side).timezone
        if base.timezones is None or base.timezones.of(side) != zone.key or known > situation.now + _CLOCKS:
            continue
        if known - now > _SAVING + (_AUTUMN if _comes_twice(now, zone) or _comes_twice(known, zone) else timedelta()):
            yield side, Item(ItemKey.of(ItemKind.RESTORED, side), "")


def _comes_twice(at: datetime, zone: ZoneInfo) -> bool:
    local = at.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
