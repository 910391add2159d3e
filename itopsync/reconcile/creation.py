"""Plans the copy of a ticket that has none yet: a single action with the form, the opening entry and the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from itopsync.model import TICKET, End, Side
from itopsync.reconcile.defaults import RESTS, Chosen
from itopsync.reconcile.ends import ended
from itopsync.reconcile.form import render
from itopsync.reconcile.markers import PROBE, is_probe
from itopsync.reconcile.moments import likely
from itopsync.reconcile.notes import history, opening
from itopsync.reconcile.part import Part, Value, plan_of
from itopsync.reconcile.plan import Create, Item, Plan
from itopsync.reconcile.richtext import head_markers, head_words, without_pictures
from itopsync.reconcile.room import room, weight
from itopsync.reconcile.route import comes_back
from itopsync.reconcile.rules import ClassRules, FieldRule, Kind
from itopsync.reconcile.situation import Situation


def plan_creation(situation: Situation, *, singly: bool) -> Plan:
    """Plan the copy with everything that can be created along with it. *singly*: write dates afterwards, as they may be refused.

    A ticket that is itself a copy from internal, or our probe, gets no copy: its link ends.
    """
    if (why := _uncopied(situation)) is not None:
        return Plan(ended(situation.link, why))
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
        return plan_of(situation, part, link, ())
    fields = dict(chosen.values)
    agrees: dict[str, str] = {}
    items = [item]
    for rule in cls.fields:
        if singly and rule.kind is Kind.DATE:
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
    create = Create(fields=fields, notes=notes, items=tuple(items), agrees=agrees, routes_taken=chosen.routes_taken)
    return plan_of(situation, part, link, (create,))


def _value_on_creation(situation: Situation, part: Part, rule: FieldRule) -> Value | None:
    source = situation.ticket(Side.EXTERNAL).fields.get(rule.external, "")
    return render(situation, part, Side.INTERNAL, rule, source) if source and rule.direction.allows(Side.EXTERNAL) else None


def _opened(fields: Mapping[str, str], cls: ClassRules, now: datetime) -> datetime:
    return likely(fields.get(cls.since_attribute, "")) or now


def _uncopied(situation: Situation) -> End | None:
    """Why no copy is made; None if one is."""
    if _is_probe(situation):
        return End.PROBE
    return End.COPY if comes_back(situation.ticket(Side.EXTERNAL), situation.cls, situation.rules) else None


def _is_probe(situation: Situation) -> bool:
    """Whether ``check --probe-external`` left the external ticket there, with or without its marker."""
    pair, accounts = situation.rules.pair, situation.rules.external.accounts
    firsts = [log[0] for log in situation.ticket(Side.EXTERNAL).logs.values() if log]
    if any(first.author_id in accounts and head_words(first.html).startswith(PROBE) for first in firsts):
        return True
    return any(is_probe(marker, pair) for first in firsts for marker in head_markers(first.html, pair))
