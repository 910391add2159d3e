"""The case logs: which entries people wrote, which have not arrived yet, and how they read on the other side."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from itopsync.model import Entry, ItemKey, ItemKind, NoteRecord, Side
from itopsync.reconcile.entries import ENTRY_BYTES, TOO_LONG, PersonEntry, Reading, arrived, full_log, note_item, notice_of, read
from itopsync.reconcile.gate import begins_with_tag
from itopsync.reconcile.gate import words as guarded
from itopsync.reconcile.lifecycle import is_terminal
from itopsync.reconcile.markers import (
    gathered_marker,
    is_note,
    most_gathered,
    overflow_marker,
    station_marker,
    ticket_marker,
)
from itopsync.reconcile.part import Gathering, Part
from itopsync.reconcile.pictures import illustrate
from itopsync.reconcile.plan import Item, Kept, LostMarker, Note, TextSource, Upload
from itopsync.reconcile.richtext import carry, in_words, lost_words, plain
from itopsync.reconcile.room import groups, is_long, pieces, room, weight
from itopsync.reconcile.route import stations
from itopsync.reconcile.rules import LogRule, Rules
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.unmarked import is_one, lost_entry


@dataclass(frozen=True)
class _Flow:
    """The flow of notes from one log into the other: what is known of both, and where the results are recorded."""

    situation: Situation
    part: Part
    target: Side
    log: LogRule
    source: Reading
    goal: Reading
    """*target*'s log."""
    borne: Mapping[str, tuple[str, Entry]]
    """Marker → our entry that bears it in any of *target*'s logs, and that log: the pairing of logs may have changed."""
    records: dict[str, NoteRecord]


def keeping_what_stood_there(situation: Situation) -> Situation:
    """Mark the existing entries of logs that were paired after the tickets were linked by hand as not to be carried."""
    base = situation.link.base
    if base.joined_logs is None:
        return situation
    pairs = [names.partition(":") for names in base.joined_logs]
    known = {(side, side.pick(names[0], names[2] or names[0])) for names in pairs for side in Side}
    late = [(side, log) for log in situation.cls.logs for side in Side if (side, log.of(side)) not in known]
    if not late:
        return situation
    records = dict(base.notes)
    for side, log in late:
        for person in read_log(situation, side, log).people:
            records.setdefault(person.marker, NoteRecord(side, None, born=person.born))
    base = replace(base, notes=records, joined_logs=base.joined_logs.union(log.names for _, log in late))
    return replace(situation, link=replace(situation.link, base=base))


def read_log(situation: Situation, side: Side, log: LogRule) -> Reading:
    """Read one side's log."""
    return read(situation.link, situation.observation, side, log, situation.rules)


def plan_notes(situation: Situation) -> Part:
    """Plan the entries of all logs, both ways."""
    part, records = Part(), dict(situation.link.base.notes)
    people: dict[Side, set[str]] = {side: set() for side in Side}
    for target in (Side.INTERNAL, Side.EXTERNAL):
        goals = {log: read_log(situation, target, log) for log in situation.cls.logs}
        everywhere = _borne(goals, target)
        for log, goal in goals.items():
            source, borne = read_log(situation, target.other, log), everywhere | _borne({log: goal}, target)
            notes = _plan_flow(_Flow(situation, part, target, log, source, goal, borne, records))
            part.content[target].logs.append(notes)
            people[target.other] |= {person.marker for person in source.people}
    for marker, record in records.items():
        if record.carried_at is not None and marker not in people[record.origin]:
            part.remark(Kept.VANISHED, note_item(marker).key)
    part.rewritten = any(_is_rewritten(situation.cls.logs, records, side, people[side]) for side in Side)
    part.record = lambda link: replace(link, base=replace(link.base, notes=records))
    return part


def _borne(readings: Mapping[LogRule, Reading], side: Side) -> dict[str, tuple[str, Entry]]:
    return {marker: (log.of(side), entry) for log, each in readings.items() for marker, entry in each.borne.items()}


def _is_rewritten(logs: Sequence[LogRule], records: Mapping[str, NoteRecord], side: Side, people: set[str]) -> bool:
    """Whether all carried entries of *side*, or all that stay there, look different now, with as many new ones in their place.

    An upgrade, restore or migration of a server alters its own side's entries, and not the other's. Entries carried by logs that
    are no longer paired do not count: these logs may not be read.
    """
    new, known = len(people - records.keys()), [(marker, record) for marker, record in records.items() if record.origin is side]
    into = {log.renamed(side.other) for log in logs}
    carried = {marker for marker, record in known if record.carried_at is not None and record.log in into}
    kept = {marker for marker, record in known if record.carried_at is None and is_note(marker)}
    return any(0 < len(before) <= new and people.isdisjoint(before) for before in (carried, kept))


def _plan_flow(flow: _Flow) -> tuple[Note, ...]:
    """Plan the notes of one log; record those that have arrived."""
    present = _record_arrived(flow)
    if not flow.log.direction.allows(flow.target.other):
        return ()
    situation, part, target = flow.situation, flow.part, flow.target
    _send_cut_notes_whole(flow)
    notes: list[Note] = []
    uploads: list[Upload] = []
    waits = False
    for person in flow.source.people:
        if person.marker in present or not _may_go(flow, person):
            continue
        part.want(person.item)
        obstacle = situation.obstacle(person.item)
        if obstacle is not None and obstacle.parked:
            continue
        note = render(situation, target, flow.log, person)
        illustrated = illustrate(situation, part, target, note.html, note.pictures)
        waits = waits or obstacle is not None or illustrated is None
        if waits or illustrated is None:
            continue  # later notes wait too: notes of one log keep their order
        text, pictures = illustrated
        fits, files = _in_pieces(situation, target, replace(note, html=text))
        notes.append(fits)
        uploads += (*pictures, *files)
    left = log_room(situation, part, target, flow.log, flow.goal)
    if notes and left <= 0:
        _gather(flow, notes, uploads)
        return ()
    part.uploads += uploads
    return join(notes, left, room(situation.rules, target)) if notes else ()


def _record_arrived(flow: _Flow) -> frozenset[str]:
    """The markers that have arrived on the target; record each, with where it is."""
    situation, records = flow.situation, flow.records
    origin, there = flow.target.other, situation.ticket(flow.target)
    present = arrived(there, flow.borne) | _find_unmarked(flow)
    for person in flow.source.people:
        if person.marker in situation.ticket_markers.kept:
            records.setdefault(person.marker, NoteRecord(origin, None, born=person.born))
        elif person.marker in present:
            new = NoteRecord(origin, situation.now, unchecked=True, log=flow.log.renamed(flow.target))
            known = replace(records.get(person.marker, new), born=person.born)
            if person.marker in flow.borne:
                where, _ = flow.borne[person.marker]
                log = "" if where == flow.log.of(origin) else where
                records[person.marker] = replace(known, as_file=False, there=False, log=log)
            else:
                records[person.marker] = replace(known, as_file=not known.unmarked, there=True)
    return present


def _may_go(flow: _Flow, person: PersonEntry) -> bool:
    rules, part, record = flow.situation.rules, flow.part, flow.records.get(person.marker)
    if record is not None and record.carried_at is None:
        return False
    tags = rules.kept_in_at(person.entry.earliest) if flow.target is Side.EXTERNAL else ()
    if begins_with_tag(person.entry.html, tags):
        part.remark(Kept.INTERNAL_NOTE, person.item.key, _why_kept_in(person.entry.html, tags, rules))
        return False
    if record is not None and record.as_file:
        if record.there:
            part.vanished.add(person.item.key)
            flow.records[person.marker] = replace(record, there=False)
        part.remark(Kept.COPY_DELETED, person.item.key)
        return False
    if record is not None and _had_another(flow, record):
        return False
    if record is not None and record.writes > rules.limits.rewrites:
        part.park(person.item, f"it was written {record.writes} times and vanished each time under somebody's save")
        return False
    return True


def _why_kept_in(text: str, tags: Sequence[str], rules: Rules) -> str:
    tag = next((tag for tag in tags if begins_with_tag(text, (tag,))), tags[0])
    removed = "" if tag in rules.keep_internal else ", which rules.keep_internal listed when it was written, or shortly before"
    return f"by the prefix '{tag}'{removed}"


def _had_another(flow: _Flow, record: NoteRecord) -> bool:
    """Whether an entry of this log was carried while the log was paired with another; its mirror stays where it is."""
    return record.log != flow.log.renamed(flow.target)


def _in_pieces(situation: Situation, target: Side, note: Note) -> tuple[Note, tuple[Upload, ...]]:
    """*note* itself if it fits into one request; else its first line, and the whole text as files to be uploaded first."""
    if not is_long(situation.rules, target, note.html):
        return note, ()
    marker = note.markers[0]
    origin = situation.ticket(target.other).ref
    texts = pieces(in_words(note.html), room(situation.rules, target))
    uploads = []
    names = []
    for number, piece in enumerate(texts, 1):
        which = f"{number}-of-{len(texts)}"
        names.append(f"note-{note.at:%Y%m%d-%H%M%S}.{which}.html")
        mark = overflow_marker(situation.rules.pair, origin, f"{marker} {which}")
        if not situation.has_attachment(target, mark):
            uploads.append(Upload(target, mark, TextSource(names[-1], piece), note_item(marker)))
    head = note.html[: note.html.index("</p>") + len("</p>")]
    told = f"{TOO_LONG} The whole text is in the attachments {names[0]} to {names[-1]}."
    return replace(note, html=f"{head}<p>{html.escape(told)}</p>", pictures=()), tuple(uploads)


def _send_cut_notes_whole(flow: _Flow) -> None:
    """Also send a note from which the target dropped words as a file, once."""
    situation, target, records = flow.situation, flow.target, flow.records
    for person in flow.source.people:
        record = records.get(person.marker)
        if record is None or not (record.unchecked or record.cut):
            continue
        note = render(situation, target, flow.log, person)
        _, entry = flow.borne.get(person.marker, ("", None))
        marker = overflow_marker(situation.rules.pair, situation.ticket(target.other).ref, person.marker)
        cut = record.cut or (entry is not None and bool(lost_words(note.html.partition("</p>")[2], entry.html)))
        cut = cut and not situation.has_attachment(target, marker) and not is_long(situation.rules, target, note.html)
        records[person.marker] = replace(record, unchecked=False, cut=cut)
        item = Item(ItemKey.of(ItemKind.WHOLE, person.marker), "")
        if cut:
            flow.part.want(item)
        if cut and not situation.obstacle(item):
            flow.part.uploads.append(replace(_as_file(target, [note]), marker=marker, item=item))


def _find_unmarked(flow: _Flow) -> frozenset[str]:
    """The markers missing from entries in the target's log that we wrote: the write was stored unmarked and got no answer."""
    situation, target = flow.situation, flow.target
    left = list(flow.goal.unmarked)
    known = flow.borne.keys() | situation.ticket_markers.kept
    known |= {marker for marker, record in flow.records.items() if record.carried_at is None or _had_another(flow, record)}
    people = [person for person in flow.source.people if person.marker not in known] if left else []
    rendered = [(person, render(situation, target, flow.log, person)) for person in people]
    found: dict[str, LostMarker] = {}
    claimed: list[Entry] = []
    # First by all their words, then by date and first line, which two notes of the same second share.
    for by_words in (True, False):
        for person, note in rendered:
            there = left if by_words else [entry for entry in left if entry not in claimed]
            says = plain(note.html)
            same = (each for each in there if (says in plain(each.html) if by_words else is_one(each, note)))
            entry = next(same, None)
            if entry is None or person.marker in found:
                continue
            claimed.append(entry)
            if says == plain(entry.html):
                left.remove(entry)
            lost = lost_entry(situation.ticket(target).ref, person.marker, entry)
            where = flow.log.renamed(target)
            flow.records[person.marker] = NoteRecord(
                target.other, situation.now, unmarked=lost.fingerprint, log=where, born=person.born
            )
            found[person.marker] = lost
    flow.part.lost.extend(found.values())
    return frozenset(found)


def render(situation: Situation, target: Side, log: LogRule, person: PersonEntry) -> Note:
    """Render *person*'s entry for *target*: a header, then the text. :attr:`Note.marked` adds the marker."""
    headers = situation.rules.headers
    template = target.pick(headers.to_external, headers.to_internal)
    head = _header(situation, template, target, person.entry.at, person.entry.author)
    body = carry(person.entry.html, situation.origin(target.other))
    return Note(log.of(target), (person.marker,), person.entry.at, head_line(head) + body.html, body.pictures)


def opening(situation: Situation, opened: datetime) -> Note:
    """The first entry of a new copy, for the ticket's marker."""
    marker = ticket_marker(situation.rules.pair, situation.link.external)
    line = _header(situation, situation.rules.headers.copied, Side.INTERNAL, opened, "")
    named = stations(situation.ticket(Side.EXTERNAL), situation.cls, situation.rules)
    route = f'<a name="{",".join(station_marker(situation.rules.pair, station) for station in named)}"></a></p>'
    return Note(situation.cls.logs[0].internal, (marker,), opened, head_line(line).removesuffix("</p>") + route)


def history(situation: Situation, part: Part, left: int) -> tuple[Note, ...]:
    """The notes to create a copy with: people's entries up to the first with a picture, joined if there are many.

    Only what fits into *left* bytes of the request is included; the rest follows later. A picture's attachment must exist before
    the text that shows it, and an attachment needs its ticket.
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
    """The first line of what we write; :attr:`Note.marked` adds the markers to it."""
    return f"<p><em>{html.escape(text)}</em></p>"


def join(notes: Sequence[Note], left: int, most: int) -> tuple[Note, ...]:
    """Join *notes* so that they take at most half of the *left* entries, but at least one.

    This way a log never quite fills up, and every word still arrives in it. More entries are used if one would exceed *most*
    bytes of a request.
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


def log_room(situation: Situation, part: Part, target: Side, log: LogRule, reading: Reading) -> int:
    """How many more entries fit into *target*'s log."""
    full = full_log(target, log.of(target))
    part.want(full)
    if situation.obstacle(full):
        return 0
    return (situation.rules.limits.log_bytes - reading.bytes) // (ENTRY_BYTES + 20)


def _header(situation: Situation, template: str, target: Side, at: datetime, author: str) -> str:
    local = at.astimezone(situation.rules.of(target).timezone)
    return template.format(
        side=situation.rules.of(target.other).label,
        number=situation.ticket(target.other).number,
        author=guarded(author, situation.rules.of(target.other).addresses),
        time=local.strftime(situation.rules.headers.time_format),
    )


# full logs


def _gather(flow: _Flow, notes: Sequence[Note], uploads: Sequence[Upload]) -> None:
    """Plan *notes* as files, with *uploads* before them, and the notice that the log is full, unless that is there."""
    target = flow.target
    notice = _notice_of_full(flow)
    there = flow.situation.ticket(target).attachments
    is_told = bool(notice) or _full_marker(flow) in flow.goal.borne or any(is_note(file.temp_id) for file in there)
    first, *others = _grouped(flow, notes)
    files = (_as_file(target, first, "" if is_told else "log-is-full-"), *(_as_file(target, group) for group in others))
    gathered = Item(ItemKey.of(ItemKind.LOG, f"{target}:{flow.log.of(target)}:notes"), "")
    flow.part.gathered.append(Gathering(target, gathered, notice, (*uploads, *files), _until(flow, notes)))


def _until(flow: _Flow, notes: Sequence[Note]) -> datetime | None:
    """When to send *notes*: once the log has been quiet, or the oldest has waited long enough; None for now.

    Notes of closed tickets do not wait, nor do notes with implausible dates.
    """
    situation, limits = flow.situation, flow.situation.rules.limits
    if any(is_terminal(situation.cls.state.of(side), situation.ticket(side).state) for side in Side):
        return None
    ages = [situation.now - note.at for note in notes]
    wait = min(limits.gather_quiet - min(ages), limits.gather_most - max(ages))
    return situation.now + wait if timedelta() < wait <= limits.gather_most else None


def _grouped(flow: _Flow, notes: Sequence[Note]) -> Iterator[Sequence[Note]]:
    """Group *notes* into files: as many as a marker can name and a request takes; one that was refused gets its own file."""
    rules, tried = flow.situation.rules, {obstacle.key for obstacle in flow.situation.link.obstacles}
    most = min(room(rules, flow.target) * 3 // 4, rules.limits.file_size)
    alone = [note_item(note.markers[0]).key in tried for note in notes]
    for is_alone, group in groupby(zip(notes, alone, strict=True), key=lambda pair: pair[1]):
        several = [note for note, _ in group]
        size = 1 if is_alone else most_gathered(several[0].markers[0])
        heavy = ((place, weight(note.html)) for place, note in enumerate(several))
        yield from ([several[place] for place in places] for places in groups(heavy, size, most))


def _notice_of_full(flow: _Flow) -> tuple[Note, ...]:
    """The entry that says, once, that the log is full; if the server itself has refused an entry, there is no room for it."""
    situation, name, marker = flow.situation, flow.log.of(flow.target), _full_marker(flow)
    item = note_item(marker)
    flow.part.want(item)
    told = f"The log of {situation.ticket(flow.target).number} is full. Further notes come as files: see its attachments."
    is_there = marker in flow.goal.borne or any(told in plain(entry.html) for entry in flow.goal.unmarked)
    if is_there or situation.obstacle(full_log(flow.target, name)) or situation.obstacle(item):
        return ()
    return (Note(name, (marker,), situation.now, f"{head_line('itopsync')}<p>{html.escape(told)}</p>"),)


def _full_marker(flow: _Flow) -> str:
    full = full_log(flow.target, flow.log.of(flow.target))
    return notice_of(flow.situation.rules.pair, flow.situation.link.external, full)


def _as_file(target: Side, notes: Sequence[Note], prefix: str = "") -> Upload:
    whole, last = _joined(notes), f"-to-{notes[-1].at:%Y%m%d-%H%M%S}" if len(notes) > 1 else ""
    source = TextSource(f"{prefix}note{'s' if last else ''}-{whole.at:%Y%m%d-%H%M%S}{last}.html", in_words(whole.html))
    first, *others = (note_item(marker) for marker in whole.markers)
    return Upload(target, gathered_marker(whole.markers), source, first, others=tuple(others))
