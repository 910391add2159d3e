"""Recognises what a server stored without its marker, so that it is neither written again nor taken for a person's.

Every guarantee rests on our markers. If a server drops them, because of its version, an extension or a proxy, the first answer
without one shows it; the cycle then stops (:class:`~itopsync.reconcile.safety.Excess`), and the lost markers are recorded.
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
    """The markers of *notes*, just written, that *answer* does not show."""
    lost: list[LostMarker] = []
    taken: list[Entry] = []
    for note in notes:
        log = answer.logs.get(note.log, ())
        if log and set(note.markers) <= set(any_markers(log[-1].html)):
            continue
        there = {marker for entry in log for marker in any_markers(entry.html)}
        missing = [marker for marker in note.markers if marker not in there]
        if missing:
            left = [entry for entry in reversed(log) if entry not in taken and is_one(entry, note)]
            says = plain(note.html)  # two entries written in the same second share their date and first line
            entry = next((each for each in left if plain(each.html) == says), left[-1 if len(notes) > 1 else 0] if left else None)
            taken += [entry] if entry is not None else []
            lost += [lost_entry(answer.ref, marker, entry) for marker in missing]
    return tuple(lost)


def lost_file(ref: Ref, marker: str, attachment: Attachment) -> tuple[LostMarker, ...]:
    """The marker sent with a file, if it did not come back."""
    return () if attachment.temp_id == marker else (LostMarker(ref, marker, "another temp_id" if attachment.temp_id else ""),)


def unmarked_opening(ticket: Ticket, log: str, accounts: Collection[str], number: str, marker: str) -> LostMarker | None:
    """The lost marker of a copy whose first entry is ours, bears no marker, and names the external ticket's *number*; or None."""
    first = next(iter(ticket.logs.get(log, ())), None)
    if (
        first is None
        or first.author_id not in accounts
        or any_markers(first.html)
        or number not in head_words(first.html).split()
    ):
        return None
    return lost_entry(ticket.ref, marker, first)


def is_one(entry: Entry, note: Note) -> bool:
    """Whether *entry* bears no marker and is what was written as *note*, by its date and the words of its first line."""
    return not any_markers(entry.html) and entry.at == note.at and head_words(entry.html).startswith(head_words(note.html))


def with_markers_back(ticket: Ticket, link: Link) -> Ticket:
    """Put the lost markers back on recorded entries and files, as if the server had kept them."""
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
        attachments=tuple(replace(each, temp_id=files.get(each.id, each.temp_id)) for each in ticket.attachments),
    )


def remembered(link: Link, lost: Sequence[LostMarker]) -> Link:
    """The link with the entries that came back unmarked recorded in its base."""
    notes = dict(link.base.notes)
    for loss in lost:
        if loss.fingerprint:
            known = notes.get(loss.marker) or NoteRecord(loss.ref.side.other, None)
            notes[loss.marker] = replace(known, unmarked=loss.fingerprint)
    return replace(link, base=replace(link.base, notes=notes))


def _with_marker(ref: Ref, entry: Entry, by_print: dict[str, list[str]]) -> Entry:
    if any_markers(entry.html):
        return entry
    markers = by_print.get(_print(ref, entry))
    return replace(entry, html=marked(markers, entry.html)) if markers else entry


def lost_entry(ref: Ref, marker: str, entry: Entry | None) -> LostMarker:
    """The lost *marker* of an entry of ours; *entry* is None if it is not known which one lacks it."""
    if entry is None:
        return LostMarker(ref, marker, "")
    head = _TAGS.match(entry.html)
    tags = [f"<{name}>" for name in _TAG.findall(head[0] if head else "")]
    return LostMarker(ref, marker, "".join(tags[:_SHOWN_TAGS]), _print(ref, entry))


def _print(ref: Ref, entry: Entry) -> str:
    return fingerprint(f"{ref.side}:{entry.author_id}", entry.html)
