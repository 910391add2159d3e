"""Executes one action: reads what it needs, makes the call, and records the answer in the job. Retries nothing."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from dataclasses import replace

from itopsync.engine.job import Job
from itopsync.engine.pair import Pair
from itopsync.engine.report import Count
from itopsync.engine.writing import FileBudget
from itopsync.errors import OutcomeUnknown, RemoteError, StimulusRefused, TooLarge
from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import File, FilePair, NewEntry, Ref, Side, Ticket
from itopsync.reconcile import agree
from itopsync.reconcile.gate import guard_file
from itopsync.reconcile.identity import mismatch
from itopsync.reconcile.images import AttachedImage, DataImage, InlineImage
from itopsync.reconcile.plan import Action, AttachmentSource, Create, Note, Remove, TextSource, Upload, Write
from itopsync.reconcile.richtext import fill, unfilled
from itopsync.reconcile.situation import addresses_of
from itopsync.reconcile.unmarked import lost_file, lost_markers, with_markers_back


class PictureMissing(Exception):
    """A text shows a picture that has not been uploaded yet."""


class Replaced(Exception):
    """The plan is out of date: a copy is gone or is now another ticket, or a file that was gone is back."""


def execute(pair: Pair, job: Job, action: Action, budget: FileBudget) -> None:
    """Send *action*.

    :raises PictureMissing: a picture that it shows must be uploaded first
    :raises Replaced: the plan is out of date: a copy is gone or is another ticket, or a file is back
    :raises RemoteError: a server refuses, fails, or gives no answer
    """
    match action:
        case Create():
            _create(pair, job, action)
        case Write():
            _write(pair, job, action)
        case Upload():
            _upload(pair, job, action, budget)
        case Remove():
            _remove(pair, job, action)


def _create(pair: Pair, job: Job, action: Create) -> None:
    external = job.ticket(Side.EXTERNAL)
    logs: dict[str, list[NewEntry]] = {}
    for note in action.notes:
        logs.setdefault(note.log, []).append(NewEntry(note.at, note.marked))
    wanted = Attributes.of(job.cls, Side.INTERNAL)
    server = pair.servers[Side.INTERNAL]
    copy = _read_again_if_unmarked(server, server.create(job.cls.internal, action.fields, logs, wanted), action.notes, wanted)
    job.link = agree.created(job.link, action, external, copy, cls=job.cls, now=pair.clock())
    job.lose(lost_markers(copy, action.notes))
    job.see(copy)


def _write(pair: Pair, job: Job, action: Write) -> None:
    ticket = job.ticket(action.side)
    address_of = addresses_of(pair.rules.of(action.side).public_url, ticket)
    texts = [*(note.html for note in action.notes), *(value for value in action.fields.values() if isinstance(value, str))]
    if any(unfilled(text, address_of) for text in texts):
        raise PictureMissing
    fields = {name: fill(value, address_of) if isinstance(value, str) else value for name, value in action.fields.items()}
    entries = {note.log: NewEntry(note.at, fill(note.marked, address_of)) for note in action.notes}
    server, wanted = pair.servers[action.side], Attributes.of(job.cls, action.side)
    if action.stimulus is None:
        answer = server.update(ticket.ref, fields, entries, wanted)
    else:
        answer = server.stimulate(ticket.ref, action.stimulus, fields, entries, wanted)
    answer = _read_again_if_unmarked(server, answer, action.notes, wanted)
    job.link = agree.written(job.link, action, answer, job.cls, pair.clock())
    job.lose(lost_markers(answer, action.notes))
    job.see(replace(answer, attachments=ticket.attachments))
    if action.leads_to is not None and answer.state != action.leads_to:
        raise StimulusRefused(action.side, f"{action.stimulus} was answered, and the ticket is '{answer.state}'")


def _read_again_if_unmarked(server: Server, answer: Ticket, notes: Sequence[Note], wanted: Attributes) -> Ticket:
    """*answer*; or the ticket read again if that lacks the markers of *notes*, since one odd answer does not prove a loss.

    :raises OutcomeUnknown: the ticket cannot be read
    """
    if not lost_markers(answer, notes):
        return answer
    try:
        return server.tickets(answer.ref.cls, [answer.ref.id], wanted)[answer.ref.id]
    except (RemoteError, KeyError) as error:
        what = f"answered a write to {answer.ref} without what was written; whether that stands there is to be looked for"
        raise OutcomeUnknown(server.side, what) from error


def _upload(pair: Pair, job: Job, action: Upload, budget: FileBudget) -> None:
    ticket, origin = job.ticket(action.side), action.side.other
    most = pair.rules.limits.file_size
    with budget.share(most) as shrink:  # iTop tells a file's size only with its contents
        file = _read_file(action, pair.servers[origin], job.ticket(origin).ref)
        if origin is Side.INTERNAL and isinstance(action.source, AttachmentSource | AttachedImage):
            _confirm_copy(pair, job)
        file = guard_file(file, pair.rules.of(origin).addresses)
        size = len(file.data)
        if size > most:
            raise TooLarge(action.side, f"the file has {size} bytes, more than limits.file_size allows")
        shrink(size)
        organisation = int(ticket.fields.get("org_id") or 0)
        attachment = pair.servers[action.side].create_attachment(ticket.ref, organisation, file, action.marker)
        del file
    job.link = agree.uploaded(job.link, action, attachment)
    job.lose(lost_file(ticket.ref, action.marker, attachment))
    job.see(replace(ticket, attachments=(*ticket.attachments, attachment)))
    job.counts[Count.BYTES] += size


def _confirm_copy(pair: Pair, job: Job) -> None:
    """Check once more that the internal ticket is the copy: its files were listed by a call of their own.

    :raises Replaced: it is not the copy
    """
    ref = job.ticket(Side.INTERNAL).ref
    logs = Attributes(fields={}, logs=job.cls.internal_logs)
    now = pair.servers[Side.INTERNAL].tickets(ref.cls, [ref.id], logs).get(ref.id)
    if now is None or mismatch(
        job.link, job.seen.with_(Side.INTERNAL, with_markers_back(now, job.link)), pair.rules, pair.clock()
    ):
        raise Replaced


def _remove(pair: Pair, job: Job, action: Remove) -> None:
    ticket = job.ticket(action.side)
    if action.pair is not None:
        _confirm_gone(pair, job, action.pair, action.side.other)
    pair.servers[action.side].delete_attachment(ticket.ref, action.attachment_id)
    kept = tuple(attachment for attachment in ticket.attachments if attachment.id != action.attachment_id)
    job.see(replace(ticket, attachments=kept))
    job.link = agree.removed(job.link, action)


def _confirm_gone(pair: Pair, job: Job, file: FilePair, side: Side) -> None:
    """Check once more that a file is gone from *side* though its ticket is not.

    :raises Replaced: the file is there, or its ticket is gone
    """
    ref, server = job.ticket(side).ref, pair.servers[side]
    number = file.original_id if file.origin is side else file.copy_id
    listed, _ = server.attachments_of(ref.cls, [ref.id])
    there = server.tickets(ref.cls, [ref.id], Attributes(fields={}, logs=()))
    if ref.id not in there or any(attachment.id == number for attachment in listed.get(ref.id, ())):
        raise Replaced


def _read_file(upload: Upload, origin: Server, ticket: Ref) -> File:
    """Read the file for *upload*, provided that *ticket* still has it. Inline pictures come from the configured server only."""
    match upload.source:
        case AttachmentSource(id=number) | AttachedImage(id=number):
            return origin.attachment_file(number, ticket)
        case InlineImage(id=number, secret=secret):
            return origin.image(number, secret)
        case DataImage(mimetype=mimetype, data=data):
            ending = mimetypes.guess_extension(mimetype) or ".img"
            return File(f"image-{upload.marker[-8:]}{ending}", mimetype, data)
        case TextSource(name=name, text=text):
            return File(name, "text/html" if name.endswith(".html") else "text/plain", text.encode())
