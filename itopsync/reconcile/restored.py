"""A ticket that shows itself as it was before both sides last agreed: its server was restored from a backup.

What such a ticket shows is no move of anybody's. A person decides; then what the other side has counts as new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from itopsync.model import VERSION_TIME, Agreed, Base, ItemKey, ItemKind, Link, Observation, Side, Ticket
from itopsync.reconcile.moments import moment
from itopsync.reconcile.plan import Item, Kept, Plan, Remark
from itopsync.reconcile.richtext import value_fingerprint
from itopsync.reconcile.rules import ClassRules
from itopsync.reconcile.state import counted, image

_CLOCKS = timedelta(minutes=90)
"""More than a server's clock goes back by itself: by an hour in an autumn night, and by as long as a save may take to show."""
_ANY_TIMEZONE = timedelta(hours=26)
_TIMEZONES = timedelta(minutes=15)
"""A time that is off by a multiple of this one was read in another timezone."""


def held_as_restored(link: Link, observation: Observation) -> Plan | None:
    """The plan that leaves a link to a person where a ticket went back in time, unless one has let it pass.

    :func:`~itopsync.reconcile.by_hand.retried` leaves the obstacle as that permit.
    """
    back = dict(_gone_back(link, observation))
    permitted = {obstacle.key for obstacle in link.obstacles if not obstacle.parked}
    if not back or permitted.issuperset(item.key for item in back.values()):
        return None
    held = tuple(
        item.parked(
            f"{side} shows an earlier state of the ticket than before: was it restored, or its clock set back? "
            f"`itopsync retry` writes there again what {side.other} has"
        )
        for side, item in back.items()
    )
    others = tuple(each for each in link.obstacles if each.key.kind is not ItemKind.RESTORED)
    remarks = tuple(Remark(Kept.PARKED, obstacle.key, obstacle.reason) for obstacle in held)
    return Plan(replace(link, obstacles=(*others, *held)), remarks=remarks)


def as_before(link: Link, observation: Observation, cls: ClassRules) -> Link:
    """The link on which what a restored ticket lost counts as moved on the other side, so that it is written again.

    External's form is carried as it is: what its server shows now is what the customer sees. Where both tickets went back, both
    count as they are.
    """
    back = [side for side, _ in _gone_back(link, observation)]
    if len(back) != 1:
        return link
    (side,) = back
    ticket, base = observation.of(side), link.base
    return link if ticket is None else replace(link, base=_with_fields(_with_state(base, ticket, cls), ticket, cls))


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


def _gone_back(link: Link, observation: Observation) -> Iterator[tuple[Side, Item]]:
    """The sides whose tickets changed last at an earlier time than when they were last looked at."""
    for side, before in ((Side.EXTERNAL, link.base.last_change), (Side.INTERNAL, link.base.copy_last_change)):
        ticket = observation.of(side)
        known, now = moment(before), moment(ticket.fields.get(VERSION_TIME, "")) if ticket is not None else None
        if known is None or now is None or known - now <= _CLOCKS:
            continue
        if known - now > _ANY_TIMEZONE or (known - now) % _TIMEZONES:
            yield side, Item(ItemKey.of(ItemKind.RESTORED, side), "")
