"""The engine in miniature: carries plans out on two model servers, round by round, and meets what may go wrong on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from itopsync.errors import LogFull, Missing, OutcomeUnknown, Refused, StimulusRefused, TooLarge, Unreachable
from itopsync.model import Attachment, Link, LinkStatus, NewEntry, Observation, Ref, Side, Ticket
from itopsync.reconcile import agree
from itopsync.reconcile.entries import full_log
from itopsync.reconcile.images import AttachedImage, DataImage, InlineImage
from itopsync.reconcile.plan import Action, AttachmentSource, Create, Item, Plan, Remove, TextSource, Upload, Write
from itopsync.reconcile.planner import plan_link
from itopsync.reconcile.richtext import attachment_address, fill, unfilled
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.reconcile.situation import SAME_SERVER
from itopsync.reconcile.ticket_markers import is_copy
from tests.reconcile.making import US
from tests.reconcile.server import Server
from tests.reconcile.wire import Died, Wire

_Answer = TypeVar("_Answer")
ROUNDS = 8


class _NotYet(Exception):
    """A text shows a picture that is not there."""


@dataclass
class _Work:
    """What is known while one link is worked on."""

    link: Link
    seen: Observation
    singly: bool = False
    stop: bool = False
    replan: bool = False

    def ticket(self, side: Side) -> Ticket:
        found = self.seen.of(side)
        if found is None:
            raise Missing(side, "the ticket is gone")
        return found

    def see(self, ticket: Ticket) -> None:
        external = ticket.ref.side is Side.EXTERNAL
        self.seen = replace(self.seen, external=ticket) if external else replace(self.seen, internal=ticket)


class Courier:
    """Keeps links, and works on each of them in turn."""

    def __init__(self, rules: Rules, servers: Mapping[Side, Server], clock: Callable[[], datetime]) -> None:
        self.rules, self.servers, self.clock = rules, servers, clock
        self.links: dict[int, Link] = {}
        self.wire = Wire(clock)
        self.sent: list[Action] = []

    def take_up(self, external: Ref) -> None:
        """A poll has found a new external ticket."""
        number = len(self.links) + 1
        self.links[number] = Link(number, external, None, LinkStatus.WAITING)

    def cycle(self) -> None:
        """Work on every link once, but for those whose writes settle."""
        self.wire.land()
        for number, link in self.links.items():
            if link.in_doubt and link.due_at is not None and link.due_at > self.clock():
                continue
            self._work_on(number)

    def plan(self, number: int) -> Plan:
        """What would be done about a link now."""
        link = self._adopted(self.links[number])
        return plan_link(
            link, self._observe(link), self.rules, self.clock(), singly=any(obstacle.tries for obstacle in link.obstacles)
        )

    # one link

    def _work_on(self, number: int) -> None:
        planned = self.plan(number)
        work = _Work(planned.link, self._observe(planned.link))
        try:
            for _ in range(ROUNDS):
                if planned.link.base.heading is not None or any(isinstance(action, Upload) for action in planned.actions):
                    self.links[number] = planned.link
                self._round(planned, work)
                if work.stop or not planned.actions:
                    break
                planned = plan_link(work.link, work.seen, self.rules, self.clock(), singly=work.singly)
                work.link = planned.link
        except Died:
            self.links[number] = replace(self.links[number], in_doubt=True, due_at=self.clock() + self.rules.limits.landing)
            return
        if not work.link.in_doubt:
            work.link = replace(work.link, due_at=None)
        self.links[number] = work.link

    def _round(self, planned: Plan, work: _Work) -> None:
        work.replan = False
        for action in planned.actions:
            try:
                self._carry_out(action, work)
            except _NotYet:
                continue
            except OutcomeUnknown as error:
                item = action.items[0]
                wait = max(self.rules.limits.landing, self._back_off(work.link, item))
                work.link = agree.refused(work.link, item, str(error), self.clock(), wait)
                work.link = replace(work.link, in_doubt=True, due_at=self.clock() + self.rules.limits.landing)
                work.stop = True
            except Refused as error:
                self._refused(action, work, error)
            except Unreachable:
                work.stop = True
            if work.stop or work.replan:
                return

    def _carry_out(self, action: Action, work: _Work) -> None:
        match action:
            case Create():
                self._create(action, work)
            case Write():
                self._write(action, work)
            case Upload():
                self._upload(action, work)
            case Remove():
                self._remove(action, work)

    def _create(self, action: Create, work: _Work) -> None:
        external, internal = work.ticket(Side.EXTERNAL), self.servers[Side.INTERNAL]
        cls = self._cls(work)
        logs: dict[str, list[NewEntry]] = {}
        for note in action.notes:
            logs.setdefault(note.log, []).append(NewEntry(note.at, note.marked))
        ref = self._send(action, lambda: internal.create(cls.internal, action.fields, logs, US[Side.INTERNAL]))
        copy = _there(internal.show(ref))
        work.link = agree.created(work.link, action, external, copy, cls=cls, now=self.clock())
        work.seen = Observation(external, copy)

    def _write(self, action: Write, work: _Work) -> None:
        ticket, server = work.ticket(action.side), self.servers[action.side]
        address_of = self._addresses(ticket)
        texts = [*(note.html for note in action.notes), *(text for text in action.fields.values() if isinstance(text, str))]
        if any(unfilled(text, address_of) for text in texts):
            raise _NotYet
        fields = {name: fill(value, address_of) if isinstance(value, str) else value for name, value in action.fields.items()}
        entries = {note.log: NewEntry(note.at, fill(note.marked, address_of)) for note in action.notes}
        answer = self._send(
            action,
            lambda: self._written(server, ticket.ref, fields, entries, action.stimulus),
            tuple((server, ticket.ref, log) for log in entries),
        )
        work.see(replace(answer, attachments=ticket.attachments))
        work.link = agree.written(work.link, action, answer, self._cls(work), self.clock())
        assert action.leads_to in (None, answer.state)

    @staticmethod
    def _written(
        server: Server, ref: Ref, fields: Mapping[str, object], entries: Mapping[str, NewEntry], stimulus: str | None
    ) -> Ticket:
        server.update(ref, fields, entries, US[server.side], stimulus)
        return _there(server.show(ref))

    def _upload(self, action: Upload, work: _Work) -> None:
        ticket, server = work.ticket(action.side), self.servers[action.side]
        name, data = self._file(action)
        if len(data) > self.rules.limits.file_size:
            raise TooLarge(action.side, f"the file has {len(data)} bytes")
        number = self._send(action, lambda: server.attach(ticket.ref, name, data, action.marker))
        work.see(replace(ticket, attachments=_there(server.show(ticket.ref)).attachments))
        work.link = agree.uploaded(work.link, action, Attachment(number, action.marker, ticket.ref.cls, ticket.ref.id))

    def _remove(self, action: Remove, work: _Work) -> None:
        ticket, server = work.ticket(action.side), self.servers[action.side]
        self._send(action, lambda: server.detach(action.attachment_id))
        work.see(replace(ticket, attachments=_there(server.show(ticket.ref)).attachments))
        work.link = agree.removed(work.link, action)

    # what comes back

    def _send(self, action: Action, do: Callable[[], _Answer], entries: Iterable[tuple[Server, Ref, str]] = ()) -> _Answer:
        self.sent.append(action)
        return self.wire.send(action.side, do, entries)

    def _refused(self, action: Action, work: _Work, error: Refused) -> None:
        work.replan = True
        items = action.items
        if isinstance(error, Missing) and not isinstance(action, Upload):
            work.stop = True
            return
        if isinstance(error, StimulusRefused) and isinstance(action, Write):
            thought = work.ticket(action.side)
            now = _there(self.servers[action.side].show(thought.ref))
            work.see(now)
            if now.state != thought.state:
                return
        if isinstance(error, LogFull) and isinstance(action, Write):
            (note,) = action.notes
            work.link = agree.refused(work.link, full_log(action.side, note.log), str(error), self.clock(), None)
            return
        if len(items) > 1 and not work.singly:
            work.singly = True
            return
        for item in items:
            hopeless = isinstance(error, TooLarge) or agree.tries_of(work.link, item) + 1 >= self.rules.limits.tries
            wait = None if hopeless else self._back_off(work.link, item)
            work.link = agree.refused(work.link, item, str(error), self.clock(), wait)

    @staticmethod
    def _back_off(link: Link, item: Item) -> timedelta:
        return timedelta(minutes=1) * (1 << agree.tries_of(link, item))

    # looking

    def _observe(self, link: Link) -> Observation:
        internal = self.servers[Side.INTERNAL].show(link.internal) if link.internal else None
        return Observation(self.servers[Side.EXTERNAL].show(link.external), internal)

    def _adopted(self, link: Link) -> Link:
        """Look for a copy that was made, and whose answer never came."""
        if link.status is not LinkStatus.WAITING or not link.in_doubt:
            return replace(link, in_doubt=False)
        cls = self.rules.for_external(link.external.cls)
        settled = replace(link, in_doubt=False)
        for ref in self.servers[Side.INTERNAL].rows:
            copy = _there(self.servers[Side.INTERNAL].show(ref))
            if is_copy(copy, cls.internal_logs, self.rules.pair, link.external, {US[Side.INTERNAL]}):
                return agree.adopted(settled, ref, cls)
        return settled

    def _file(self, action: Upload) -> tuple[str, bytes]:
        origin = self.servers[action.side.other]
        match action.source:
            case AttachmentSource(id=number) | AttachedImage(id=number):
                return origin.attachment(number)
            case InlineImage(id=number, secret=secret):
                return f"{number}.png", origin.image(number, secret)
            case DataImage(data=data):
                return "image.png", data
            case TextSource(name=name, text=text):
                return name, text.encode()

    def _addresses(self, ticket: Ticket) -> Callable[[str], str | None]:
        public_url = self.rules.of(ticket.ref.side).public_url
        known = {attachment.temp_id: attachment.id for attachment in ticket.attachments}

        def address_of(name: str) -> str | None:
            number = int(name.removeprefix(SAME_SERVER)) if name.startswith(SAME_SERVER) else known.get(name)
            return None if number is None else attachment_address(public_url, number)

        return address_of

    def _cls(self, work: _Work) -> ClassRules:
        return self.rules.for_external(work.link.external.cls)


def _there(ticket: Ticket | None) -> Ticket:
    assert ticket is not None
    return ticket
