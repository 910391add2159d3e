"""Handles a ticket in an older state than when both sides last agreed, because its server was restored from a backup.

What such a ticket shows is nobody's change. A person decides; then what the other side has counts as new.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from itopsync.model import VERSION_TIME, Agreed, Base, FilePair, FileStatus, ItemKey, ItemKind, Link, Side, Ticket
from itopsync.reconcile.identity import last_look
from itopsync.reconcile.markers import born_together
from itopsync.reconcile.moments import moment
from itopsync.reconcile.plan import Item, Kept, Plan, Remark
from itopsync.reconcile.richtext import value_fingerprint
from itopsync.reconcile.rules import ClassRules
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.state import counted, image

_SAVING = timedelta(minutes=10)
"""How long a save, which has the time at which it began, may take."""
_BACK = timedelta(minutes=20)
"""How far a ticket's time may go back without a restore: its clock may be ten minutes fast at first, and ten slow later."""
_AUTUMN = timedelta(hours=1)
"""How much further it may go back in the hour that comes twice."""
_CLOCKS = timedelta(hours=1)
"""How far apart clocks may be. A change dated further ahead was made before a clock was set back."""


def held_as_restored(situation: Situation) -> Plan | None:
    """The plan that leaves a link to a person if a ticket went back in time, unless a person has let it pass.

    A hold ends by itself if its cause was a wrong timezone or date format: ``sync.toml`` has another one now, the ticket is not
    older by it than was known, and nobody saved the ticket while it was held.

    :func:`~itopsync.reconcile.by_hand.retried` leaves the obstacle in place as the permit.
    """
    link, restored = situation.link, _restored(situation)
    permitted = {obstacle.key for obstacle in link.obstacles if not obstacle.parked}
    if not restored or permitted.issuperset(item.key for item in restored.values()):
        return None
    held = tuple(
        item.parked(
            f"{side} shows an earlier state of the ticket than before: was it restored, or its clock, timezone or date format "
            f"changed? `itopsync retry` writes there again what {side.other} has: set timezone and date_format right first"
        )
        for side, item in restored.items()
    )
    others = tuple(each for each in link.obstacles if each.key.kind is not ItemKind.RESTORED)
    remarks = tuple(Remark(Kept.PARKED, obstacle.key, obstacle.reason) for obstacle in held)
    return Plan(replace(link, obstacles=(*others, *held)), remarks=remarks)


def as_before(situation: Situation) -> Link:
    """The link with whatever a restored ticket lost counted as changed on the other side, so that it is written again.

    Copies of files, and notes carried as files, count as waiting to be sent; those that are still there are found. External's
    form is carried as it is: what its server shows now is what the customer sees. If both tickets went back, both are taken as
    they are.
    """
    link, restored = situation.link, [*_restored(situation)]
    if len(restored) != 1:
        return link
    ticket, cls = situation.ticket(restored[0]), situation.cls
    lost = ticket.ref.side.other
    files = tuple(_with_file(pair, ticket) for pair in link.files)
    notes = {
        marker: replace(record, as_file=False) if record.origin is lost and record.there else record
        for marker, record in link.base.notes.items()
    }
    base = replace(_with_fields(_with_state(link.base, ticket, cls), ticket, cls), notes=notes)
    return replace(link, base=base, files=files)


def last_changes(situation: Situation) -> Agreed | None:
    """The value of :attr:`~itopsync.model.Base.changed` after a look at both tickets."""
    seen = []
    for side in Side:
        text = situation.ticket(side).fields.get(VERSION_TIME, "")
        changed = moment(text)
        if changed is None or changed > situation.now + _SAVING:  # by a clock that is fast, and may be corrected
            return None
        seen.append(f"{text} {situation.rules.of(side).timezone.key}")
    return Agreed(*seen)


def _with_file(pair: FilePair, ticket: Ticket) -> FilePair:
    """A copy that the restored *ticket* may have lost is to be sent again; the copy of a file that it lost is left alone."""
    if pair.status not in (FileStatus.CARRIED, FileStatus.WAITING):  # who waits may have a copy whose upload got no answer
        return pair
    if pair.origin is not ticket.ref.side:
        return replace(pair, copy_id=None, status=FileStatus.WAITING)
    there = any(file.id == pair.original_id and born_together(file.born, pair.born) for file in ticket.attachments)
    return pair if there else replace(pair, status=FileStatus.LEFT)


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


def _restored(situation: Situation) -> dict[Side, Item]:
    """The sides whose tickets went back in time, now or at an earlier look, each with its item.

    The item's fingerprint contains the time that the ticket showed and how dates were read. It is emptied once either changes.
    """
    held = {obstacle.key: obstacle for obstacle in situation.link.obstacles}
    restored = {}
    for side in Side:
        key, (text, reading) = ItemKey.of(ItemKind.RESTORED, side), _shown(situation, side)
        known = held.get(key)
        if known is None:
            if _went_back(situation, side):
                restored[side] = Item(key, f"{text} {reading}")
            continue
        was_shown, _, was_read = known.fingerprint.partition(" ")
        if known.parked and known.fingerprint and reading != was_read and _is_earlier(situation, side) is False:
            continue
        restored[side] = Item(key, known.fingerprint if (was_shown, was_read) == (text, reading) else "")
    return restored


def _shown(situation: Situation, side: Side) -> tuple[str, str]:
    """The time of a ticket's last change, and how ``sync.toml`` says that its server's dates are read."""
    rules = situation.rules.of(side)
    return situation.ticket(side).fields.get(VERSION_TIME, ""), f"{rules.timezone.key} {rules.date_format}"


def _went_back(situation: Situation, side: Side) -> bool:
    """Whether a ticket's last change is earlier than at the last look.

    If the timezone in ``sync.toml`` was corrected, all times have shifted and do not count.
    """
    base, zone = situation.link.base, situation.rules.of(side).timezone
    _, read_in = last_look(base, side)
    return read_in == zone.key and _is_earlier(situation, side) is True


def _is_earlier(situation: Situation, side: Side) -> bool | None:
    """Whether a ticket's last change, as it is read now, is earlier than at the last look; None if that cannot be told."""
    base, zone = situation.link.base, situation.rules.of(side).timezone
    before, _ = last_look(base, side)
    known, now = moment(before), moment(_shown(situation, side)[0])
    if known is None or now is None or known > situation.now + _CLOCKS:
        return None
    return known - now > _BACK + (_AUTUMN if _comes_twice(now, zone) or _comes_twice(known, zone) else timedelta())


def _comes_twice(at: datetime, zone: ZoneInfo) -> bool:
    local = at.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
