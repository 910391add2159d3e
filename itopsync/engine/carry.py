"""One action carried out: what it takes is read, the call is sent, and what its answer shows is taken note of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from itopsync.engine.budget import Budget
from itopsync.engine.files import read_file
from itopsync.engine.observe import attributes
from itopsync.engine.progress import Progress
from itopsync.errors import StimulusRefused, TooLarge
from itopsync.itop.server import Server
from itopsync.model import NewEntry, Side, Ticket
from itopsync.reconcile import agree
from itopsync.reconcile.gate import words
from itopsync.reconcile.plan import Action, Create, Remove, Upload, Write
from itopsync.reconcile.richtext import attachment_address, fill, unfilled
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.situation import SAME_SERVER
from itopsync.reconcile.unmarked import lost_file, lost_markers


class NotYet(Exception):
    """A text shows a picture whose attachment is not there."""


class Carrier:
    """Carries out single actions. Each does what it says on a server, and in the link's progress; none is tried twice."""

    def __init__(self, servers: Mapping[Side, Server], rules: Rules, budget: Budget, clock: Callable[[], datetime]) -> None:
        self._servers, self._rules, self._budget, self._clock = servers, rules, budget, clock

    def carry_out(self, action: Action, progress: Progress) -> None:
        """Do it.

        :raises NotYet: what it shows must be there first
        :raises RemoteError: a server refuses, fails, or did not say
        """
        match action:
            case Create():
                self._create(action, progress)
            case Write():
                self._write(action, progress)
            case Upload():
                self._upload(action, progress)
            case Remove():
                self._remove(action, progress)

    def _create(self, action: Create, progress: Progress) -> None:
        cls, external = progress.cls, progress.ticket(Side.EXTERNAL)
        logs: dict[str, list[NewEntry]] = {}
        for note in action.notes:
            logs.setdefault(note.log, []).append(NewEntry(note.at, note.marked))
        copy = self._servers[Side.INTERNAL].create(cls.internal, action.fields, logs, attributes(cls, Side.INTERNAL))
        progress.link = agree.created(progress.link, action, external, copy, cls=cls, now=self._clock())
        progress.miss(lost_markers(copy, action.notes))
        progress.see(copy)

    def _write(self, action: Write, progress: Progress) -> None:
        ticket = progress.ticket(action.side)
        address_of = self._addresses(action.side, ticket)
        texts = [*(note.html for note in action.notes), *(value for value in action.fields.values() if isinstance(value, str))]
        if any(unfilled(text, address_of) for text in texts):
            raise NotYet
        fields = {name: fill(value, address_of) if isinstance(value, str) else value for name, value in action.fields.items()}
        entries = {note.log: NewEntry(note.at, fill(note.marked, address_of)) for note in action.notes}
        server, wanted = self._servers[action.side], attributes(progress.cls, action.side)
        if action.stimulus is None:
            answer = server.update(ticket.ref, fields, entries, wanted)
        else:
            answer = server.stimulate(ticket.ref, action.stimulus, fields, entries, wanted)
        progress.link = agree.written(progress.link, action, answer, progress.cls, self._clock())
        progress.miss(lost_markers(answer, action.notes))
        progress.see(replace(answer, attachments=ticket.attachments))
        if action.leads_to is not None and answer.state != action.leads_to:
            raise StimulusRefused(action.side, f"{action.stimulus} was answered, and the ticket is '{answer.state}'")

    def _upload(self, action: Upload, progress: Progress) -> None:
        ticket = progress.ticket(action.side)
        most = self._rules.limits.file_bytes
        with self._budget.share(most) as share:  # iTop tells a file's size with its contents only
            file = read_file(action, self._servers[action.side.other])
            file = replace(file, name=words(file.name, self._rules.side(action.side.other).addresses))
            size = len(file.data)
            if size > most:
                raise TooLarge(action.side, f"the file has {size} bytes, more than limits.file_size allows")
            share.shrink(size)
            organisation = int(ticket.fields.get("org_id") or 0)
            attachment = self._servers[action.side].create_attachment(ticket.ref, organisation, file, action.marker)
            del file
        progress.link = agree.uploaded(progress.link, action, attachment)
        progress.miss(lost_file(ticket.ref, action.marker, attachment))
        progress.see(replace(ticket, attachments=(*ticket.attachments, attachment)))
        progress.result.counts["bytes"] += size

    def _remove(self, action: Remove, progress: Progress) -> None:
        ticket = progress.ticket(action.side)
        self._servers[action.side].delete_attachment(action.attachment_id)
        kept = tuple(one for one in ticket.attachments if one.id != action.attachment_id)
        progress.see(replace(ticket, attachments=kept))
        progress.link = agree.removed(progress.link, action)

    def _addresses(self, side: Side, ticket: Ticket) -> Callable[[str], str | None]:
        public_url = self._rules.side(side).public_url
        known = {attachment.temp_id: attachment.id for attachment in ticket.attachments}

        def address_of(name: str) -> str | None:
            number = int(name.removeprefix(SAME_SERVER)) if name.startswith(SAME_SERVER) else known.get(name)
            return None if number is None else attachment_address(public_url, number)

        return address_of
