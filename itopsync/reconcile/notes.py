"""The case logs: which entries are people's own, which of them have not arrived, and how they read on the other side."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from itopsync.model import Entry, NoteRecord, Side, Ticket
from itopsync.reconcile.identity import note_marker, ticket_marker, word_marker
from itopsync.reconcile.pictures import illustrate
from itopsync.reconcile.plan import Item, Kept, Note, Remark, TextSource, Upload
from itopsync.reconcile.richtext import begins_with_mark, carry, fingerprint, head_markers
from itopsync.reconcile.rules import LogRule
from itopsync.reconcile.situation import Situation

ENTRY_BYTES = 180
"""What an entry of an author with a short name takes in the 65,535 bytes of a log's index (about 170, measured)."""


@dataclass(frozen=True)
class PersonEntry:
    """An entry that a person wrote, and the marker that its mirror bears."""

    marker: str
    entry: Entry

    @property
    def item(self) -> Item:
        return Item(f"note:{self.marker}", "")


@dataclass(frozen=True)
class Reading:
    """A case log, told apart."""

    people: tuple[PersonEntry, ...]
    borne: frozenset[str]
    """The markers of the entries that are ours."""
    bytes: int
    """About how much of the log's index is used."""


@dataclass(frozen=True)
class Flow:
    """What goes into one log."""

    notes: tuple[Note, ...] = ()
    uploads: tuple[Upload, ...] = ()
    people: frozenset[str] = frozenset()
    """The markers of all that people wrote in the log it comes from."""


def read(ticket: Ticket, log: str, pair: str, account: str | None) -> Reading:
    """Tell people's entries from ours in one log of *ticket*.

    Ours is what has a marker of this pair at its head and is the marker's first bearer or written by our account: iTop
    copies a parent's entries into its children, healed ones twice. A later bearer by another account is a person who pasted it.
    """
    people: list[PersonEntry] = []
    borne: set[str] = set()
    alike: Counter[str] = Counter()
    used = 0
    for entry in ticket.logs.get(log, ()):
        used += ENTRY_BYTES + len(entry.author.encode())
        markers = head_markers(entry.html, pair)
        if markers and (borne.isdisjoint(markers) or (account and entry.author_id == account)):
            borne.update(markers)
            continue
        print_of_it = fingerprint(entry.author_id, entry.html)
        people.append(PersonEntry(note_marker(pair, ticket.ref, log, print_of_it, alike[print_of_it]), entry))
        alike[print_of_it] += 1
    return Reading(tuple(people), frozenset(borne), used)


def arrived(target: Ticket, reading: Reading) -> frozenset[str]:
    """The markers that are there: in the log, or on an attachment where the log was full."""
    return reading.borne | {attachment.temp_id for attachment in target.attachments}


def plan_log(situation: Situation, target: Side, log: LogRule, records: dict[str, NoteRecord]) -> Flow:
    """Plan what goes into *target*'s log. What has arrived is noted in *records*."""
    there = situation.ticket(target)
    source = _reading(situation, target.other, log)
    goal = _reading(situation, target, log)
    present = arrived(there, goal)
    for person in source.people:
        if person.marker in situation.marks.kept:
            records.setdefault(person.marker, NoteRecord(target.other, None))
        elif person.marker in present:
            known = records.get(person.marker) or NoteRecord(target.other, situation.now)
            records[person.marker] = replace(known, as_file=person.marker not in goal.borne)
    people = frozenset(person.marker for person in source.people)
    if not log.direction.allows(target.other):
        return Flow(people=people)
    notes: list[Note] = []
    uploads: list[Upload] = []
    waits = False
    for person in source.people:
        if person.marker in present or not _may_go(situation, person, target.other, records):
            continue
        situation.want(person.item)
        obstacle = situation.obstacle(person.item)
        if obstacle is not None and obstacle.parked:
            continue
        note = render(situation, target, log, person)
        illustrated = illustrate(situation, target, note.html, note.pictures)
        waits = waits or obstacle is not None or illustrated is None
        if waits or illustrated is None:
            continue  # what follows waits too: the notes of one origin keep their order
        notes.append(replace(note, html=illustrated[0]))
        uploads += illustrated[1]
    room = _room(situation, target, log, goal)
    if notes and room <= 0:
        return Flow((), (*uploads, *(_as_file(target, note) for note in notes)), people)
    return Flow(join(notes, room) if notes else (), tuple(uploads), people)


def render(situation: Situation, target: Side, log: LogRule, person: PersonEntry) -> Note:
    """Write *person*'s entry as it is to read on *target*: a header that bears the marker, then the text."""
    headers = situation.rules.headers
    template = headers.to_internal if target is Side.INTERNAL else headers.to_external
    head = _header(situation, template, target, person.entry.at, person.entry.author)
    body = carry(person.entry.html, situation.origin(target.other))
    line = head_line((person.marker,), head)
    return Note(log.name(target), (person.marker,), person.entry.at, line + body.html, body.pictures)


def opening(situation: Situation, opened: datetime) -> Note:
    """The first entry of a new copy, which bears the ticket's marker."""
    marker = ticket_marker(situation.rules.pair, situation.link.external)
    line = _header(situation, situation.rules.headers.copied, Side.INTERNAL, opened, "")
    return Note(situation.cls.logs[0].internal, (marker,), opened, head_line((marker,), line))


def history(situation: Situation) -> tuple[Note, ...]:
    """What the create of a copy takes along: people's entries up to the first that shows a picture, joined if they are many.

    A picture's attachment must be there before the text that shows it, and an attachment needs its ticket.
    """
    notes: list[Note] = []
    for log in situation.cls.logs:
        if not log.direction.allows(Side.EXTERNAL):
            continue
        flow: list[Note] = []
        for person in _reading(situation, Side.EXTERNAL, log).people:
            situation.want(person.item)
            note = render(situation, Side.INTERNAL, log, person)
            if note.pictures or situation.obstacle(person.item):
                break
            flow.append(note)
        notes += join(flow, situation.rules.limits.log_bytes // ENTRY_BYTES) if flow else ()
    return tuple(notes)


def words(situation: Situation, texts: Mapping[Item, str]) -> Note | None:
    """One entry of our own on the internal ticket with those of *texts* that do not stand there yet, if there is room."""
    ticket, log = situation.ticket(Side.INTERNAL), situation.cls.logs[0]
    reading = _reading(situation, Side.INTERNAL, log)
    new: dict[str, str] = {}
    for about, text in texts.items():
        marker = word_marker(situation.rules.pair, ticket.ref, f"{about.key} {about.fingerprint}")
        if marker not in reading.borne:
            new[marker] = text
    if not new or _room(situation, Side.INTERNAL, log, reading) <= 0:
        return None
    lines = "".join(f"<p>{html.escape(text)}</p>" for text in new.values())
    return Note(log.internal, tuple(new), situation.now, head_line(tuple(new), "itopsync") + lines)


def head_line(markers: Sequence[str], text: str) -> str:
    """The line at the head of what we write; it bears the markers."""
    return f'<p class="{" ".join(markers)}"><em>{html.escape(text)}</em></p>'


def join(notes: Sequence[Note], room: int) -> tuple[Note, ...]:
    """Join *notes* so that they take at most half of the *room* (in entries) that is left, and at least one entry.

    So a log that fills up never quite does, and every word still arrives in it.
    """
    allowed = max(1, room // 2)
    if len(notes) <= allowed:
        return tuple(notes)
    size = -(-len(notes) // allowed)
    return tuple(_joined(notes[start : start + size]) for start in range(0, len(notes), size))


def _joined(notes: Sequence[Note]) -> Note:
    first = notes[0]
    markers = tuple(marker for note in notes for marker in note.markers)
    plain_head = f'<p class="{" ".join(first.markers)}">'
    texts = [f'<p class="{" ".join(markers)}">' + first.html.removeprefix(plain_head)]
    texts += [note.html.replace(f'<p class="{" ".join(note.markers)}">', "<p>", 1) for note in notes[1:]]
    pictures = tuple(picture for note in notes for picture in note.pictures)
    return Note(first.log, markers, first.at, "<hr>".join(texts), pictures)


def _reading(situation: Situation, side: Side, log: LogRule) -> Reading:
    return read(situation.ticket(side), log.name(side), situation.rules.pair, situation.rules.side(side).account)


def _may_go(situation: Situation, person: PersonEntry, origin: Side, records: dict[str, NoteRecord]) -> bool:
    record = records.get(person.marker)
    if record is not None and record.carried_at is None:
        return False
    if origin is Side.INTERNAL and begins_with_mark(person.entry.html, situation.rules.keep_internal):
        situation.remarks.append(Remark(Kept.INTERNAL_NOTE, person.item.key))
        return False
    if record is not None and record.as_file:
        situation.remarks.append(Remark(Kept.COPY_DELETED, person.item.key))
        return False
    if record is not None and record.writes > situation.rules.limits.rewrites:
        situation.park(person.item, f"it was written {record.writes} times and vanished each time under somebody's save")
        return False
    return True


def _room(situation: Situation, target: Side, log: LogRule, reading: Reading) -> int:
    full = full_log(target, log.name(target))
    situation.want(full)
    if situation.obstacle(full):
        return 0
    return (situation.rules.limits.log_bytes - reading.bytes) // (ENTRY_BYTES + 20)


def full_log(side: Side, log: str) -> Item:
    """The item under which it is remembered that a log takes no further entry."""
    return Item(f"log:{side}:{log}", "full")


def _as_file(target: Side, note: Note) -> Upload:
    marker = note.markers[0]
    name = f"note-{note.at:%Y%m%d-%H%M%S}.html"
    return Upload(target, marker, TextSource(name, note.html), Item(f"note:{marker}", ""))


def _header(situation: Situation, template: str, target: Side, at: datetime, author: str) -> str:
    local = at.astimezone(situation.rules.side(target).timezone)
    return template.format(
        side=situation.rules.side(target.other).label,
        number=situation.ticket(target.other).number,
        author=author,
        time=local.strftime(situation.rules.headers.time_format),
    )
