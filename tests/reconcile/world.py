"""A model of both sides' tickets for one link, which carries out plans as iTop would. No network, no store, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from itopsync.config.catalogue import TicketClass, classes
from itopsync.model import Attachment, Entry, Link, LinkStatus, Observation, Ref, Side, Ticket
from itopsync.reconcile import agree
from itopsync.reconcile.plan import Action, Create, Note, Plan, Remove, Upload, Write
from itopsync.reconcile.planner import plan_link
from itopsync.reconcile.richtext import attachment_address, fill, unfilled
from itopsync.reconcile.rules import ClassRules, FieldRule, Rules, SideRules, StateRules
from itopsync.reconcile.situation import SAME_SERVER

BEGIN = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
ACCOUNT = "2"
"""Ours, on both sides."""
PEOPLE = {Side.EXTERNAL: "7", Side.INTERNAL: "8"}
ADDRESSES = {Side.EXTERNAL: "https://customers.example.com", Side.INTERNAL: "https://desk.example.com"}
DEFAULTS = {"org_id": 4, "caller_id": 9, "team_id": 37, "agent_id": 45, "service_id": 1}


def rules_of(name: str) -> Rules:
    """The rules of a pair that syncs one of iTop's classes, all of it by default."""
    known = classes()[name]

    def rule(attribute: str) -> FieldRule:
        declared = known.attributes[attribute]
        return FieldRule(attribute, attribute, declared.kind, limit=declared.limit)

    companions = {state: tuple(map(rule, names)) for state, names in known.companions.items()}
    state = StateRules(known.lifecycle, known.lifecycle, left_out=known.left_out, companions=companions)
    cls = ClassRules(name, name, state, tuple(map(rule, known.form)), since_attribute=known.since_attribute)
    sides = {
        side: SideRules(
            str(side), ADDRESSES[side], ADDRESSES[side], ZoneInfo(zone), defaults=DEFAULTS, accounts=frozenset({ACCOUNT})
        )
        for side, zone in ((Side.EXTERNAL, "Asia/Jakarta"), (Side.INTERNAL, "Europe/Paris"))
    }
    return Rules(sides[Side.EXTERNAL], sides[Side.INTERNAL], "acme", (cls,), "2026-01-01T00:00:00+00:00")


@dataclass
class World:
    """One external ticket, its copy if there is one, and the link between them."""

    name: str = "UserRequest"
    now: datetime = BEGIN
    link: Link = field(init=False)
    rules: Rules = field(init=False)
    tickets: dict[Side, Ticket] = field(init=False, default_factory=dict)
    writes: list[Action] = field(init=False, default_factory=list)
    _ids: int = field(init=False, default=100)

    def __post_init__(self) -> None:
        self.rules = rules_of(self.name)
        begun = {"title": "Printer broken", "description": "<p>It blinks</p>", "impact": "1", "urgency": "4"}
        fields = {name: begun.get(name, "") for name in self._attributes()} | {self._since: self.now.isoformat()}
        ref = Ref(Side.EXTERNAL, self.name, 17)
        self.tickets[Side.EXTERNAL] = Ticket(ref, "R-000017", "v1", "new", fields, {"private_log": ()})
        self.link = Link(1, ref, None, LinkStatus.WAITING)

    @property
    def known(self) -> TicketClass:
        return classes()[self.name]

    @property
    def _since(self) -> str:
        return self.known.since_attribute

    def _attributes(self) -> tuple[str, ...]:
        return tuple(self.rules.classes[0].attributes(Side.EXTERNAL))

    # what people do

    def edits(self, side: Side, **fields: str) -> None:
        ticket = self.tickets[side]
        self.tickets[side] = replace(ticket, fields={**ticket.fields, **fields})

    def writes_note(self, side: Side, markup: str) -> None:
        self.now += timedelta(minutes=1)
        self._append(side, Entry(PEOPLE[side], "Somebody", self.now, markup))

    def attaches(self, side: Side) -> int:
        return self._attach(side, "")

    def deletes_attachment(self, side: Side, number: int) -> None:
        ticket = self.tickets[side]
        self.tickets[side] = replace(
            ticket, attachments=tuple(attachment for attachment in ticket.attachments if attachment.id != number)
        )

    def moves(self, side: Side, stimulus: str, **fields: str) -> None:
        following = self.known.lifecycle.transitions[self.tickets[side].state][stimulus]
        self.edits(side, **fields)
        self.tickets[side] = replace(self.tickets[side], state=following)

    # what itopsync does

    @property
    def observation(self) -> Observation:
        return Observation(self.tickets[Side.EXTERNAL], self.tickets.get(Side.INTERNAL))

    def plan(self) -> Plan:
        return plan_link(self.link, self.observation, self.rules, self.now)

    def sync(self, *, lost_after: int | None = None) -> None:
        """Carry out plans until nothing is left. With *lost_after*, the process dies once so many actions were applied.

        What was agreed in this work is forgotten then; where the states are headed for was saved before the first write.
        """
        done = 0
        first = self.plan()
        saved = self.link if first.link.base.heading is None else first.link
        for _ in range(10):
            planned = self.plan()
            self.link = planned.link
            if not planned.actions:
                return
            for action in planned.actions:
                if not self._carry_out(action):
                    continue
                done += 1
                if done == lost_after:
                    self.link = self._found_again(saved)
                    return
        raise AssertionError("it never comes to rest")

    def _found_again(self, saved: Link) -> Link:
        """What the next process knows: what was saved, and the copy that it finds by its marker."""
        copy = self.tickets.get(Side.INTERNAL)
        if saved.internal is not None or copy is None:
            return saved
        return agree.adopted(saved, copy.ref, self.rules.classes[0])

    def _carry_out(self, action: Action) -> bool:
        self.writes.append(action)
        external, cls = self.tickets[Side.EXTERNAL], self.rules.classes[0]
        match action:
            case Create():
                fields = dict.fromkeys(self._attributes(), "") | {k: str(v) for k, v in action.fields.items()}
                ref = Ref(Side.INTERNAL, self.name, 501)
                self.tickets[Side.INTERNAL] = Ticket(ref, "R-000501", "v1", "new", _sanitised(fields), {"private_log": ()})
                for note in action.notes:
                    self._append_note(Side.INTERNAL, note, note.marked)
                self.link = agree.created(self.link, action, external, self.tickets[Side.INTERNAL], cls=cls, now=self.now)
            case Write():
                return self._write(action, cls)
            case Upload():
                self.link = agree.uploaded(
                    self.link, action, Attachment(self._attach(action.side, action.marker), action.marker, "UserRequest", 1)
                )
            case Remove():
                self.deletes_attachment(action.side, action.attachment_id)
                self.link = agree.removed(self.link, action)
        return True

    def _write(self, action: Write, cls: ClassRules) -> bool:
        there = {attachment.temp_id: attachment.id for attachment in self.tickets[action.side].attachments}

        def address_of(name: str) -> str | None:
            number = int(name.removeprefix(SAME_SERVER)) if name.startswith(SAME_SERVER) else there.get(name)
            return None if number is None else attachment_address(ADDRESSES[action.side], number)

        texts = [*(note.html for note in action.notes), *map(str, action.fields.values())]
        if any(unfilled(text, address_of) for text in texts):
            return False
        self.edits(action.side, **_sanitised({name: fill(str(value), address_of) for name, value in action.fields.items()}))
        for note in action.notes:
            self._append_note(action.side, note, fill(note.marked, address_of))
        if action.stimulus is not None:
            self.moves(action.side, action.stimulus)
            assert self.tickets[action.side].state == action.leads_to
        self.link = agree.written(self.link, action, self.tickets[action.side], cls, self.now)
        return True

    def _append_note(self, side: Side, note: Note, markup: str) -> None:
        self._append(side, Entry(ACCOUNT, "Bridge", note.at, markup))

    def _append(self, side: Side, entry: Entry) -> None:
        ticket = self.tickets[side]
        self.tickets[side] = replace(ticket, logs={"private_log": (*ticket.logs["private_log"], entry)})

    def _attach(self, side: Side, temp_id: str) -> int:
        self._ids += 1
        ticket = self.tickets[side]
        attachment = Attachment(self._ids, temp_id, self.name, ticket.ref.id)
        self.tickets[side] = replace(ticket, attachments=(*ticket.attachments, attachment))
        return self._ids


def _sanitised(fields: Mapping[str, str]) -> dict[str, str]:
    """iTop writes HTML in its own way: what comes back is not what was sent."""
    return {name: value.replace("<p>", "<p >") if "<p>" in value else value for name, value in fields.items()}
