"""The case logs: which entries are people's own, which of them have not arrived, and how they read on the other side."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from itopsync.model import Entry, ItemKey, ItemKind, NoteRecord, Ref, Side, Ticket
from itopsync.reconcile.gate import begins_with_mark
from itopsync.reconcile.gate import words as guarded
from itopsync.reconcile.identity import is_note, note_marker, overflow_marker, prefix, speaks_for, ticket_marker
from itopsync.reconcile.part import Part
from itopsync.reconcile.pictures import illustrate
from itopsync.reconcile.plan import Item, Kept, LostMarker, Note, TextSource, Upload
from itopsync.reconcile.richtext import any_markers, carry, fingerprint, head_markers, in_words, lost_words, plain
from itopsync.reconcile.room import groups, is_long, pieces, room, weight
from itopsync.reconcile.rules import LogRule
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.unmarked import found_unmarked, is_one

ENTRY_BYTES = 180
"""What an entry of an author with a short name takes in the 65,535 bytes of a log's index (about 170, measured)."""


def note_item(marker: str) -> Item:
    """The item under which an entry's trouble is remembered."""
    return Item(ItemKey.of(ItemKind.NOTE, marker), "")


@dataclass(frozen=True)
class PersonEntry:
    """An entry that a person wrote, and the marker that its mirror bears."""

    marker: str
    entry: Entry

    @property
    def item(self) -> Item:
        return note_item(self.marker)


@dataclass(frozen=True)
class Reading:
    """A case log, told apart."""

    people: tuple[PersonEntry, ...]
    borne: Mapping[str, Entry]
    """Our entries, by the markers that they bear."""
    unmarked: tuple[Entry, ...]
    """Entries under our own account that bear no marker of any pair: nothing that a person wrote, so they go nowhere."""
    bytes: int
    """About how much of the log's index is used."""


@dataclass(frozen=True)
class Flow:
    """What goes into one log."""

    notes: tuple[Note, ...] = ()
    uploads: tuple[Upload, ...] = ()
    people: frozenset[str] = frozenset()
    """The markers of all that people wrote in the log it comes from."""


def read(ticket: Ticket, log: str, pair: str, link: Ref, accounts: Collection[str]) -> Reading:
    """Tell people's entries from ours in one log of *ticket*, which is one of the two of the external ticket *link*.

    Ours is what our account wrote, one of *accounts* (empty where they are not known): iTop copies a parent's entries into
    its children, healed ones twice. By anybody else it is ours if it is the first bearer of a marker of this very link; all
    other bearers are people who pasted what they had copied.
    """
    people: list[PersonEntry] = []
    unmarked: list[Entry] = []
    borne: dict[str, Entry] = {}
    alike: Counter[str] = Counter()
    used = 0
    for entry in ticket.logs.get(log, ()):
        used += ENTRY_BYTES + len(entry.author.encode())
        if entry.author_id in accounts:
            markers = any_markers(entry.html)
            if not markers:
                unmarked.append(entry)
                continue
            ours = [marker for marker in markers if marker.startswith(prefix(pair))]
        else:
            ours = [marker for marker in head_markers(entry.html, pair) if speaks_for(marker, pair, link)]
            ours = ours if borne.keys().isdisjoint(ours) else []
        if ours:
            borne.update(dict.fromkeys(ours, entry))
            continue
        print_of_it = fingerprint(entry.author_id, entry.html)
        people.append(PersonEntry(note_marker(pair, link, ticket.ref, log, print_of_it, ordinal=alike[print_of_it]), entry))
        alike[print_of_it] += 1
    return Reading(tuple(people), borne, tuple(unmarked), used)


def arrived(target: Ticket, reading: Reading) -> frozenset[str]:
    """The markers that are there: in the log, or on an attachment where the log was full."""
    return frozenset(reading.borne) | {attachment.temp_id for attachment in target.attachments}


def plan_notes(situation: Situation) -> Part:
    """Plan the entries of all logs, both ways."""
    part, records = Part(), dict(situation.link.base.notes)
    people: set[str] = set()
    for target in (Side.INTERNAL, Side.EXTERNAL):
        flows = [_plan_log(situation, part, target, log, records) for log in situation.cls.logs]
        part.content[target].logs += (flow.notes for flow in flows)
        part.uploads += (upload for flow in flows for upload in flow.uploads)
        people.update(*(flow.people for flow in flows))
    vanished = [marker for marker, record in records.items() if record.carried_at is not None and marker not in people]
    for marker in vanished:
        part.remark(Kept.VANISHED, note_item(marker).key)
    part.rewritten = _is_rewritten(records, vanished, people)
    part.agree = lambda link: replace(link, base=replace(link.base, notes=records))
    return part


def _is_rewritten(records: Mapping[str, NoteRecord], vanished: Sequence[str], people: set[str]) -> bool:
    """Whether every entry that was carried, or that stays, looks different now, and there are as many new ones."""
    new = len(people - records.keys())
    carried = [marker for marker, record in records.items() if record.carried_at is not None]
    kept = [marker for marker, record in records.items() if record.carried_at is None and is_note(marker)]
    return (0 < len(carried) == len(vanished) <= new) or (0 < len(kept) <= new and people.isdisjoint(kept))


def _plan_log(situation: Situation, part: Part, target: Side, log: LogRule, records: dict[str, NoteRecord]) -> Flow:
    """Plan what goes into *target*'s log. What has arrived is noted in *records*."""
    there = situation.ticket(target)
    source = read_log(situation, target.other, log)
    goal = read_log(situation, target, log)
    present = arrived(there, goal) | _unmarked(situation, part, target, log, records, source=source, goal=goal)
    for person in source.people:
        if person.marker in situation.marks.kept:
            records.setdefault(person.marker, NoteRecord(target.other, None))
        elif person.marker in present:
            known = records.get(person.marker) or NoteRecord(target.other, situation.now, unchecked=True)
            as_file = person.marker not in goal.borne and not known.unmarked
            records[person.marker] = replace(known, as_file=as_file)
    people = frozenset(person.marker for person in source.people)
    if not log.direction.allows(target.other):
        return Flow(people=people)
    notes: list[Note] = []
    uploads = _wholes(situation, part, target, log, records, source=source, goal=goal)
    waits = False
    for person in source.people:
        if person.marker in present or not _may_go(situation, part, person, target.other, records):
            continue
        part.want(person.item)
        obstacle = situation.obstacle(person.item)
        if obstacle is not None and obstacle.parked:
            continue
        note = render(situation, target, log, person)
        illustrated = illustrate(situation, part, target, note.html, note.pictures)
        waits = waits or obstacle is not None or illustrated is None
        if waits or illustrated is None:
            continue  # what follows waits too: the notes of one origin keep their order
        fits, files = _in_pieces(situation, target, replace(note, html=illustrated[0]))
        notes.append(fits)
        uploads += (*illustrated[1], *files)
    left = log_room(situation, part, target, log, goal)
    if notes and left <= 0:
        return Flow((), (*uploads, *(_as_file(target, note) for note in notes)), people)
    return Flow(join(notes, left, room(situation.rules, target)) if notes else (), tuple(uploads), people)


def _wholes(
    situation: Situation,
    part: Part,
    target: Side,
    log: LogRule,
    records: dict[str, NoteRecord],
    *,
    source: Reading,
    goal: Reading,
) -> list[Upload]:
    """The files that tell a note whole of which *target* has dropped words; each is made once."""
    wholes: list[Upload] = []
    for person in source.people:
        record = records.get(person.marker)
        if record is None or not (record.unchecked or record.cut):
            continue
        note = render(situation, target, log, person)
        entry = goal.borne.get(person.marker)
        marker = overflow_marker(situation.rules.pair, situation.ticket(target.other).ref, person.marker)
        cut = record.cut or (entry is not None and bool(lost_words(note.html.partition("</p>")[2], entry.html)))
        cut = cut and not situation.has_attachment(target, marker) and not is_long(situation.rules, target, note.html)
        records[person.marker] = replace(record, unchecked=False, cut=cut)
        item = Item(ItemKey.of(ItemKind.WHOLE, person.marker), "")
        if cut:
            part.want(item)
        if cut and not situation.obstacle(item):
            wholes.append(replace(_as_file(target, note), marker=marker, item=item))
    return wholes


def _unmarked(
    situation: Situation,
    part: Part,
    target: Side,
    log: LogRule,
    records: dict[str, NoteRecord],
    *,
    source: Reading,
    goal: Reading,
) -> frozenset[str]:
    """The markers of what stands in *target*'s log without them: written, stored unmarked, and never answered for."""
    left = list(goal.unmarked)
    people = [one for one in source.people if one.marker not in goal.borne] if left else []
    rendered = [(person, render(situation, target, log, person)) for person in people]
    found: dict[str, LostMarker] = {}
    claimed: list[Entry] = []
    for by_words in (True, False):  # two that were written in one second have the same date and the same first line
        for person, note in rendered:
            there = left if by_words else [one for one in left if one not in claimed]
            says = plain(note.html)
            entry = next((one for one in there if (says in plain(one.html) if by_words else is_one(one, note))), None)
            if entry is None or person.marker in found:
                continue
            claimed.append(entry)
            if says == plain(entry.html):
                left.remove(entry)
            lost = found_unmarked(situation.ticket(target).ref, person.marker, entry)
            records[person.marker] = NoteRecord(target.other, situation.now, unmarked=lost.fingerprint)
            found[person.marker] = lost
    part.lost.extend(found.values())
    return frozenset(found)


def render(situation: Situation, target: Side, log: LogRule, person: PersonEntry) -> Note:
    """Write *person*'s entry as it is to read on *target*: a header that bears the marker, then the text."""
    headers = situation.rules.headers
    template = target.pick(headers.to_external, headers.to_internal)
    head = _header(situation, template, target, person.entry.at, person.entry.author)
    body = carry(person.entry.html, situation.origin(target.other))
    return Note(log.name(target), (person.marker,), person.entry.at, head_line(head) + body.html, body.pictures)


def opening(situation: Situation, opened: datetime) -> Note:
    """The first entry of a new copy, which bears the ticket's marker."""
    marker = ticket_marker(situation.rules.pair, situation.link.external)
    line = _header(situation, situation.rules.headers.copied, Side.INTERNAL, opened, "")
    return Note(situation.cls.logs[0].internal, (marker,), opened, head_line(line))


def history(situation: Situation, part: Part, left: int) -> tuple[Note, ...]:
    """What the create of a copy takes along: people's entries up to the first that shows a picture, joined if they are many.

    Only what takes *left* bytes of the request goes along; the rest follows. A picture's attachment must be there before the
    text that shows it, and an attachment needs its ticket.
    """
    notes: list[Note] = []
    for log in situation.cls.logs:
        if not log.direction.allows(Side.EXTERNAL):
            continue
        flow: list[Note] = []
        for person in read_log(situation, Side.EXTERNAL, log).people:
            part.want(person.item)
            note = render(situation, Side.INTERNAL, log, person)
            left -= weight(note.html)
            if left < 0 or note.pictures or situation.obstacle(person.item):
                break
            flow.append(note)
        most = room(situation.rules, Side.INTERNAL)
        notes += join(flow, situation.rules.limits.log_bytes // ENTRY_BYTES, most) if flow else ()
    return tuple(notes)


def head_line(text: str) -> str:
    """The line at the head of what we write; :attr:`Note.marked` puts the markers into it."""
    return f"<p><em>{html.escape(text)}</em></p>"


def join(notes: Sequence[Note], left: int, most: int) -> tuple[Note, ...]:
    """Join *notes* so that they take at most half of what is *left* (in entries), and at least one entry.

    So a log that fills up never quite does, and every word still arrives in it. More entries are taken where one would
    have more than *most* bytes of a request.
    """
    allowed = max(1, left // 2)
    if len(notes) <= allowed:
        return tuple(notes)
    size = -(-len(notes) // allowed)
    heavy = ((place, weight(note.html)) for place, note in enumerate(notes))
    return tuple(_joined([notes[place] for place in group]) for group in groups(heavy, size, most))


def _joined(notes: Sequence[Note]) -> Note:
    markers = tuple(marker for note in notes for marker in note.markers)
    pictures = tuple(picture for note in notes for picture in note.pictures)
    return Note(notes[0].log, markers, notes[0].at, "<hr>".join(note.html for note in notes), pictures)


def read_log(situation: Situation, side: Side, log: LogRule) -> Reading:
    """One side's log, told apart."""
    rules = situation.rules
    return read(situation.ticket(side), log.name(side), rules.pair, situation.link.external, rules.side(side).accounts)


def _may_go(situation: Situation, part: Part, person: PersonEntry, origin: Side, records: dict[str, NoteRecord]) -> bool:
    record = records.get(person.marker)
    if record is not None and record.carried_at is None:
        return False
    if origin is Side.INTERNAL and begins_with_mark(person.entry.html, situation.rules.keep_internal):
        part.remark(Kept.INTERNAL_NOTE, person.item.key)
        return False
    if record is not None and record.as_file:
        part.remark(Kept.COPY_DELETED, person.item.key)
        return False
    if record is not None and record.writes > situation.rules.limits.rewrites:
        part.park(person.item, f"it was written {record.writes} times and vanished each time under somebody's save")
        return False
    return True


def log_room(situation: Situation, part: Part, target: Side, log: LogRule, reading: Reading) -> int:
    """How many more entries *target*'s log takes."""
    full = full_log(target, log.name(target))
    part.want(full)
    if situation.obstacle(full):
        return 0
    return (situation.rules.limits.log_bytes - reading.bytes) // (ENTRY_BYTES + 20)


def full_log(side: Side, log: str) -> Item:
    """The item under which it is remembered that a log takes no further entry."""
    return Item(ItemKey.of(ItemKind.LOG, f"{side}:{log}"), "full")


def _in_pieces(situation: Situation, target: Side, note: Note) -> tuple[Note, tuple[Upload, ...]]:
    """*note* as it is if it fits into one request, else its head, and the whole as files that must be there before."""
    if not is_long(situation.rules, target, note.html):
        return note, ()
    marker = note.markers[0]
    origin = situation.ticket(target.other).ref
    parts = pieces(in_words(note.html), room(situation.rules, target))
    uploads = []
    names = []
    for number, part in enumerate(parts, 1):
        which = f"{number}-of-{len(parts)}"
        names.append(f"note-{note.at:%Y%m%d-%H%M%S}.{which}.html")
        mark = overflow_marker(situation.rules.pair, origin, f"{marker} {which}")
        if not situation.has_attachment(target, mark):
            uploads.append(Upload(target, mark, TextSource(names[-1], part), note_item(marker)))
    head = note.html[: note.html.index("</p>") + len("</p>")]
    told = f"It is too long for one request. The whole text is in the attachments {names[0]} to {names[-1]}."
    return replace(note, html=f"{head}<p>{html.escape(told)}</p>", pictures=()), tuple(uploads)


def _as_file(target: Side, note: Note) -> Upload:
    marker = note.markers[0]
    name = f"note-{note.at:%Y%m%d-%H%M%S}.html"
    return Upload(target, marker, TextSource(name, in_words(note.html)), note_item(marker))


def _header(situation: Situation, template: str, target: Side, at: datetime, author: str) -> str:
    local = at.astimezone(situation.rules.side(target).timezone)
    return template.format(
        side=situation.rules.side(target.other).label,
        number=situation.ticket(target.other).number,
        author=guarded(author, situation.rules.side(target.other).addresses),
        time=local.strftime(situation.rules.headers.time_format),
    )
