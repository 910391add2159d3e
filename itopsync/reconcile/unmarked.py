"""What a server stored without its marker, known again by what it is: so it is neither written again nor taken for a person's.

Every promise rests on our markers. A server that drops them, with whatever version, extension or proxy, is found out by the
first answer that shows it; the cycle stops there (:class:`~itopsync.reconcile.safety.Excess`), and these are remembered.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from itopsync.model import Attachment, Entry, Link, NoteRecord, Ref, Ticket
from itopsync.reconcile.plan import LostMarker, Note
from itopsync.reconcile.richtext import any_markers, fingerprint, head_words, marked, plain

_TAGS = re.compile(r"(?:\s*<[^<>]*>)*")
_TAG = re.compile(r"<\s*(/?\w+)")
_SHOWN_TAGS = 6


def lost_markers(answer: Ticket, notes: Sequence[Note]) -> tuple[LostMarker, ...]:
    """Compare what was written with what *answer* shows of it."""
    lost: list[LostMarker] = []
    taken: list[Entry] = []
    for note in notes:
        log = answer.logs.get(note.log, ())
        if log and set(note.markers) <= set(any_markers(log[-1].html)):
            continue
        there = {marker for entry in log for marker in any_markers(entry.html)}
        missing = [marker for marker in note.markers if marker not in there]
        if missing:
            left = [one for one in reversed(log) if one not in taken and is_one(one, note)]
            says = plain(note.html)  # two that were written in one second have the same date and the same first line
            entry = next((one for one in left if plain(one.html) == says), left[-1 if len(notes) > 1 else 0] if left else None)
            taken += [entry] if entry is not None else []
            lost += [_lost(answer.ref, marker, entry) for marker in missing]
    return tuple(lost)


def lost_file(ref: Ref, marker: str, attachment: Attachment) -> tuple[LostMarker, ...]:
    """Compare the marker that a file was sent with to the one that came back."""
    return () if attachment.temp_id == marker else (LostMarker(ref, marker, "another temp_id" if attachment.temp_id else ""),)


def found_unmarked(ref: Ref, marker: str, entry: Entry) -> LostMarker:
    """An entry that turns out to be one that was written and came back unmarked."""
    return _lost(ref, marker, entry)


def unmarked_opening(ticket: Ticket, log: str, accounts: Collection[str], number: str, marker: str) -> LostMarker | None:
    """The first entry of a copy whose marker is not there: ours, without any, and it names the external ticket by *number*."""
    first = next(iter(ticket.logs.get(log, ())), None)
    if (
        first is None
        or first.author_id not in accounts
        or any_markers(first.html)
        or number not in head_words(first.html).split()
    ):
        return None
    return _lost(ticket.ref, marker, first)


def is_one(entry: Entry, note: Note) -> bool:
    """Whether *entry*, which bears no marker, is what was written as *note*: by its date and the words of its first line."""
    return not any_markers(entry.html) and entry.at == note.at and head_words(entry.html).startswith(head_words(note.html))


def restored(ticket: Ticket, link: Link) -> Ticket:
    """Give the entries and files that are remembered their markers back, as if the server had kept them."""
    by_print: dict[str, list[str]] = {}
    for marker, record in link.base.notes.items():
        if record.unmarked:
            by_print.setdefault(record.unmarked, []).append(marker)
    files = {number: marker for marker, (side, number) in link.base.unmarked_files.items() if side is ticket.ref.side}
    if not by_print and not files:
        return ticket
    return replace(
        ticket,
        logs={name: tuple(_with_marker(ticket.ref, entry, by_print) for entry in log) for name, log in ticket.logs.items()},
        attachments=tuple(replace(one, temp_id=files.get(one.id, one.temp_id)) for one in ticket.attachments),
    )


def remembered(link: Link, lost: Sequence[LostMarker]) -> Link:
    """The link with what came back unmarked noted in its base."""
    notes = dict(link.base.notes)
    for one in lost:
        if one.fingerprint:
            known = notes.get(one.marker) or NoteRecord(one.ref.side.other, None)
            notes[one.marker] = replace(known, unmarked=one.fingerprint)
    return replace(link, base=replace(link.base, notes=notes))


def _with_marker(ref: Ref, entry: Entry, by_print: dict[str, list[str]]) -> Entry:
    if any_markers(entry.html):
        return entry
    markers = by_print.get(_print(ref, entry))
    return replace(entry, html=marked(markers, entry.html)) if markers else entry


def _lost(ref: Ref, marker: str, entry: Entry | None) -> LostMarker:
    if entry is None:
        return LostMarker(ref, marker, "")
    head = _TAGS.match(entry.html)
    tags = [f"<{name}>" for name in _TAG.findall(head[0] if head else "")]
    return LostMarker(ref, marker, "".join(tags[:_SHOWN_TAGS]), _print(ref, entry))


def _print(ref: Ref, entry: Entry) -> str:
    return fingerprint(f"{ref.side}:{entry.author_id}", entry.html)
