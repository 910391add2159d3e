"""Whether a linked ticket is still the one that was linked: a server restored from a backup reassigns ids and refs.

iTop derives a ticket's ref from its id, so another ticket with a known id has the known ref too. Several signs are weighed
together, since people edit some of them. It is another ticket if it began after the last known change of the linked one (and not
in the future), *and* has none of the known entries and files, *and* has another title. If entries were known, the title does not
matter: nobody edits entries, and titles come from templates. If a copy is found by its marker alone, the copy supplies these
facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from itopsync.model import TICKET, VERSION_TIME, Base, Link, LinkStatus, Observation, Side, Ticket
from itopsync.reconcile.entries import PersonEntry, arrived, read
from itopsync.reconcile.form import alike, is_as_created
from itopsync.reconcile.markers import attachment_of, born_together, here_of, is_note, prefix, speaks_for, ticket_marker
from itopsync.reconcile.moments import latest, likely, moment
from itopsync.reconcile.plan import ANOTHER, TAKEN, Item
from itopsync.reconcile.richtext import head_markers, value_fingerprint
from itopsync.reconcile.rules import ClassRules, FieldRule, Rules
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.ticket_markers import entries_in

TITLE, _DESCRIPTION = "title", "description"
_WHOLE = Item(TICKET, "")
_ANY_TIMEZONE = timedelta(hours=26)
"""More than a corrected timezone can shift a date."""
_TIMEZONES = timedelta(minutes=15)
"""Timezones differ by multiples of this."""
_SAVING = timedelta(minutes=1)
"""By how much an entry's date may differ from that of the save that wrote it."""
_CLOCKS = timedelta(hours=1)
"""How far ahead of our clock a start may be; anything later is planned."""


def mismatch(link: Link, observation: Observation, rules: Rules, now: datetime) -> str | None:
    """Why a ticket of *link* is not the one that was linked; None if both are.

    The external ticket is recognised by its number and the signs above; the internal one by the marker at the head of any entry
    in its paired logs. If the two were linked by hand and the marker is not there (yet), it is recognised by its number and by
    anything else that was known of it.
    """
    if link.status is LinkStatus.UNLINKING:
        return None
    cls = rules.for_external(link.external.cls)
    external, internal = observation.external, observation.internal
    if external is not None and link.external_number and external.number != link.external_number:
        return f"{link.external} was {link.external_number} when it was linked, and is {external.number} now: another ticket"
    if external is not None and _nothing_is_left(link, external, observation, rules, now):
        return f"{link.external} began after its last known change, and nothing that was known of it is there: another ticket"
    marker = ticket_marker(rules.pair, link.external)
    if internal is None or _bears(internal, cls.internal_logs, rules.pair, marker):
        return None
    if marker not in link.base.notes or internal.number != link.internal_number or not _is_as_linked(link, observation, rules):
        return f"{internal.ref} no longer bears the mark of {link.external}: another ticket"
    return None


def is_as_known(link: Link, observation: Observation, side: Side, rules: Rules) -> bool | None:
    """Whether anything that was known of a linked ticket of *side* is there, besides its number; None if nothing was known.

    An external ticket's title and description count only if no entries or files were known: they come from templates.
    """
    ticket = observation.of(side)
    if ticket is None:
        return False
    if side is Side.INTERNAL:
        logs, marker = rules.for_external(link.external.cls).internal_logs, ticket_marker(rules.pair, link.external)
        return _bears(ticket, logs, rules.pair, marker) or (marker in link.base.notes and _is_as_linked(link, observation, rules))
    if link.external_number and ticket.number != link.external_number:
        return False
    known, texts = [*_entries(link, ticket, observation, rules), *_files(link, ticket)], _texts(link, ticket, rules)
    if known:
        return any(known)
    return all(texts) if texts else None


def given_away(situation: Situation) -> str | None:
    """Why a copy that was found by its marker alone belongs to an earlier ticket with the same id; None if it does not.

    The marker contains only an id. So the copy of a ticket that a restore took away is found for the next ticket with that id.
    """
    link, rules, now = situation.link, situation.rules, situation.now
    parted = link.status is LinkStatus.UNLINKING or link.external in situation.ticket_markers.former
    if parted or link.base.last_change or link.base.fields:
        return None
    external, internal = situation.ticket(Side.EXTERNAL), situation.ticket(Side.INTERNAL)
    begun, begins = _begun_by(situation), _beginning(external, rules)
    title, description = (situation.cls.by_external.get(name) for name in (TITLE, _DESCRIPTION))
    renamed = title is not None and not alike(situation, title)
    if renamed and begun and begins and _is_by_timezone(begins - begun):
        # A side shows other times since: the same ticket, if people have left its description alone.
        renamed = description is None or not (alike(situation, description) or is_as_created(situation, description))
    entries, files = _entries_of_copy(situation), _files_of_copy(situation)
    if _is_another(begun, begins, now, entries, files, renamed=renamed):
        return f"{external.ref} began after the ticket whose mark {internal.ref} bears, and has nothing of it: another ticket"
    return None


def overwritten(link: Link, observation: Observation, rules: Rules, now: datetime) -> str | None:
    """A message that only the copy's log was overwritten, if everything else shows that it is still the copy; else None.

    iTop's CSV import replaces a whole log by its text. A log with a ticket's marker belongs to another copy.
    """
    internal, cls = observation.internal, rules.for_external(link.external.cls)
    if internal is None or mismatch(link, Observation(observation.external, None), rules, now):
        return None
    heads = (marker for entry in entries_in(internal, cls.internal_logs) for marker in head_markers(entry.html, rules.pair))
    if internal.number != link.internal_number or any(marker.startswith(f"{prefix(rules.pair)}t-") for marker in heads):
        return None
    if _is_still_the_copy(link, internal, cls, rules.pair):
        return f"the log of its copy {internal.ref} was overwritten or emptied"
    return None


def _is_as_linked(link: Link, observation: Observation, rules: Rules) -> bool:
    """Whether the internal ticket is the one that was linked by hand, and its log was not overwritten since it was marked.

    It has a known entry or file. Before it is marked, and if it had no entries or files, it began as it did, or earlier and has
    its title. Of a link that was made before its beginning was recorded, too little is known until then.
    """
    internal, cls = observation.internal, rules.for_external(link.external.cls)
    if internal is None:
        return False
    readings = [read(link, observation, Side.INTERNAL, log, rules) for log in cls.logs]
    there = any(_is_known(person, link, Side.INTERNAL, rules) for reading in readings for person in reading.people)
    files = {pair.original_id: pair.born for pair in link.files if pair.origin is Side.INTERNAL}
    there |= any(file.id in files and born_together(files[file.id], file.born) for file in internal.attachments)
    if there or _has_ours(link, internal, rules.pair):
        return True
    notes = link.base.notes
    had_notes = any(is_note(marker) and record.origin is Side.INTERNAL for marker, record in notes.items())
    if had_notes or files or notes[ticket_marker(rules.pair, link.external)].writes:
        return False
    title, before, begins = cls.by_external.get(TITLE), moment(link.base.began), moment(internal.fields.get(cls.copy_since, ""))
    if before is None or begins is None or before == begins:
        return True
    return begins < before and title is not None and _is_as_agreed(link, internal, title)


def _is_still_the_copy(link: Link, internal: Ticket, cls: ClassRules, pair: str) -> bool:
    """Whether a ticket with the copy's id and number is still the copy, judging by what we wrote there, or by when it began.

    People edit titles and descriptions, and another ticket may have the same: they count, both together, only if it is unknown
    when the copy began.
    """
    if _has_ours(link, internal, pair):
        return True
    before, begins = moment(link.base.began), moment(internal.fields.get(cls.copy_since, ""))
    if before is not None and begins is not None:
        return _is_by_timezone(begins - before)
    rules = [cls.by_external.get(name) for name in (TITLE, _DESCRIPTION)]
    return all(rule is not None and _is_as_agreed(link, internal, rule) for rule in rules)


def _has_ours(link: Link, internal: Ticket, pair: str) -> bool:
    """Whether an internal ticket has an entry or a file that we carried there for *link*."""
    heads = {marker for log in internal.logs.values() for entry in log for marker in head_markers(entry.html, pair)}
    markers = {*heads, *(attachment.temp_id for attachment in internal.attachments)}
    carried = {each.original_id for each in link.files if each.origin is Side.EXTERNAL}
    originals = (original for marker in markers if (original := attachment_of(marker, pair)) is not None)
    return any(speaks_for(marker, pair, link.external) for marker in markers) or any(
        original.side is Side.EXTERNAL and original.id in carried for original in originals
    )


def _is_as_agreed(link: Link, internal: Ticket, rule: FieldRule) -> bool:
    known = link.base.fields.get(rule.external)
    value = internal.fields.get(rule.internal, "")
    return known is not None and known.internal == value_fingerprint(value, is_html=rule.is_html)


def was_never_copied(link: Link, external: Ticket, *, was_gone: bool) -> bool:
    """Whether the ticket that now has the external id of an ended *link* may simply be copied.

    *was_gone*: the ticket was gone when the link ended.
    """
    return link.internal is None and (was_gone or external.number != link.external_number)


def given_again(link: Link, external: Ticket, cls: ClassRules) -> Link | None:
    """Park an ended *link* whose external id now belongs to another ticket; None if it is the same ticket.

    A person decides, because internal may have a copy of the first ticket with the marker of that id.
    """
    before, begins = moment(link.base.last_change), moment(external.fields.get(cls.since_attribute, ""))
    later = before is not None and begins is not None and before < begins
    if later and not (link.base.ended and Side.EXTERNAL in link.base.ended.gone):
        later = _renamed(link, external) is not False  # the ticket was never gone, and people edit dates
    if link.external_number in ("", external.number) and not later:
        return None
    reason = (
        f"the server gave the id of {link.external_number}, whose link had ended, to {external.number}, another ticket. Open a "
        f"ticket for it in internal and run `itopsync link {link.external} TICKET --history`; to leave it, "
        f"`itopsync unlink {link.id}`"
    )
    base = Base(last_change=last_change(external))
    fresh = replace(link, external_number=external.number, internal=None, internal_number="", base=base, files=())
    return needing_a_person(fresh, reason, ANOTHER)


def is_parked_as_another(link: Link) -> bool:
    """Whether *link* is parked because one of its tickets is another one now, so that resuming it would mix the two."""
    return link.status is LinkStatus.PARKED and any(ANOTHER.names(each) or TAKEN.names(each) for each in link.obstacles)


def bereft(link: Link, other: Link) -> Link:
    """Park *link*: its copy is gone, and the copy of *other* now has that id."""
    reason = (
        f"its copy {link.internal} is gone, and the server gave that id to the copy of {other.external_number}. `itopsync resume "
        f"{link.id}` has a new copy made; to leave it, `itopsync unlink {link.id}`"
    )
    return needing_a_person(replace(link, internal=None, internal_number="", in_doubt=False, files=(), base=Base()), reason)


def needing_a_person(link: Link, reason: str, item: Item = _WHOLE) -> Link:
    """The link, parked as a whole for *reason*, held against *item*."""
    return replace(link, status=LinkStatus.PARKED, obstacles=(item.parked(reason),), due_at=None)


def last_change(ticket: Ticket) -> str:
    """When a ticket last changed, by its server's clock, as ISO 8601 in UTC; empty if that is not known."""
    text = ticket.fields.get(VERSION_TIME, "")
    return text if moment(text) is not None else ""


def last_changed(ticket: Ticket) -> datetime | None:
    """When a ticket last changed, as a datetime; None if that is unknown or implausible."""
    return likely(ticket.fields.get(VERSION_TIME, ""))


def _nothing_is_left(link: Link, external: Ticket, observation: Observation, rules: Rules, now: datetime) -> bool:
    """Whether everything known of the external ticket is gone and it began later; False if next to nothing is known."""
    before, entries = _last_seen(link, Side.EXTERNAL, rules), _entries(link, external, observation, rules)
    begins = _beginning(external, rules)
    return _is_another(before, begins, now, entries, _files(link, external), renamed=bool(_renamed(link, external)))


def _is_another(
    before: datetime | None,
    begins: datetime | None,
    now: datetime,
    entries: Iterable[bool],
    files: Iterable[bool],
    *,
    renamed: bool,
) -> bool:
    """Whether the signs show that a ticket that *begins* then is not the one that is known to have existed *before*.

    *entries* and *files*: for each that is known of the earlier ticket, whether it is there.
    """
    if before is None or begins is None or not before < begins < now + _CLOCKS:
        return False
    known = list(entries)
    return not any(known) and not any(files) and (renamed or bool(known))


def _last_seen(link: Link, side: Side, rules: Rules) -> datetime | None:
    """When a side's ticket last changed, as of the last look, by the timezone that ``sync.toml`` has now; None if unknown."""
    changed, zone = last_look(link.base, side)
    at, now = likely(link.base.last_change if side is Side.EXTERNAL else changed), rules.of(side).timezone
    if at is None or zone in ("", now.key):
        return at
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=now).astimezone(UTC)


def _beginning(external: Ticket, rules: Rules) -> datetime | None:
    return moment(external.fields.get(rules.for_external(external.ref.cls).since_attribute, ""))


def _texts(link: Link, external: Ticket, rules: Rules) -> list[bool]:
    """For its title and its description, as far as known, whether the external ticket still has them."""
    form = rules.for_external(link.external.cls).by_external
    return [
        link.base.fields[name].external == value_fingerprint(external.fields.get(name, ""), is_html=form[name].is_html)
        for name in (TITLE, _DESCRIPTION)
        if name in form and name in link.base.fields
    ]


def _renamed(link: Link, external: Ticket) -> bool | None:
    """Whether its title differs from the one last agreed; None if none was."""
    title = link.base.fields.get(TITLE)
    return None if title is None else title.external != value_fingerprint(external.fields.get(TITLE, ""))


def _entries(link: Link, external: Ticket, observation: Observation, rules: Rules) -> Iterator[bool]:
    """For each known entry on the external ticket, a person's or ours, whether it is there."""
    there: set[str] = set()
    for log in rules.for_external(link.external.cls).logs:
        reading = read(link, observation, Side.EXTERNAL, log, rules)
        there |= {person.marker for person in reading.people if _is_known(person, link, Side.EXTERNAL, rules)}
        there |= arrived(external, reading.borne)
    for marker, record in link.base.notes.items():
        if is_note(marker) and (record.origin is Side.EXTERNAL or record.carried_at is not None):
            yield marker in there


def _is_known(person: PersonEntry, link: Link, side: Side, rules: Rules) -> bool:
    """Whether an entry is a known one, by its words and its date: stock words are anywhere.

    If the server got another timezone since, all dates may have shifted. An entry of which no date is known must be older than
    the last known change.
    """
    record = link.base.notes.get(person.marker)
    if record is None:
        return False
    if record.born and person.born:
        _, zone = last_look(link.base, side)
        shift = datetime.fromisoformat(person.born) - datetime.fromisoformat(record.born)
        return not shift or (zone not in ("", rules.of(side).timezone.key) and _is_by_timezone(shift))
    until = _last_seen(link, side, rules)
    return until is None or not person.entry.dated or person.entry.at <= until + _SAVING


def _is_by_timezone(shift: timedelta) -> bool:
    """Whether another timezone can have shifted a date by *shift*."""
    return abs(shift) <= _ANY_TIMEZONE and not shift % _TIMEZONES


def _files(link: Link, external: Ticket) -> Iterator[bool]:
    """For each known file on the external ticket, whether it is there."""
    there = {attachment.id: attachment.born for attachment in external.attachments}
    for pair in link.files:
        number = pair.origin.pick(pair.original_id, pair.copy_id)
        if number is not None:
            born = pair.origin.pick(pair.born, "")
            yield number in there and born_together(born, there[number])


def _begun_by(situation: Situation) -> datetime | None:
    """The latest time at which the original of the internal copy can have begun.

    The entry with the marker has the original's date if a create wrote it, which counts first, and our own if a link by hand did.
    Without either, the time at which the copy began counts.
    """
    internal, pair, ours = situation.ticket(Side.INTERNAL), situation.rules.pair, situation.rules.internal.accounts
    created: list[datetime] = []
    linked: list[datetime] = []
    for entry in entries_in(internal, situation.cls.internal_logs):
        markers = head_markers(entry.html, pair) if not ours or entry.author_id in ours else ()
        if entry.dated and ticket_marker(pair, situation.link.external) in markers:
            if any(here_of(marker, pair) for marker in markers):
                linked.append(entry.at + _CLOCKS)
            else:
                created.append(latest(entry.at, situation.rules.internal.timezone))
    made = moment(internal.fields.get(situation.cls.copy_since, ""))
    return max(created or linked, default=None if made is None else made + _CLOCKS)


def _entries_of_copy(situation: Situation) -> Iterator[bool]:
    """For each mirror of an entry, on either side, whether its original is on the other ticket; and for each entry that stays on
    external, whether it is there."""
    link, rules = situation.link, situation.rules
    readings = {side: [read(link, situation.observation, side, log, rules) for log in situation.cls.logs] for side in Side}
    people = {side: {person.marker for reading in readings[side] for person in reading.people} for side in Side}
    for side in Side:
        borne = (marker for reading in readings[side] for marker in reading.borne)
        for marker in arrived(situation.ticket(side), borne):
            if is_note(marker) and speaks_for(marker, rules.pair, link.external):
                yield marker in people[side.other]
    stays = filter(is_note, situation.ticket_markers.kept - people[Side.INTERNAL])
    yield from (marker in people[Side.EXTERNAL] for marker in stays)


def _files_of_copy(situation: Situation) -> Iterator[bool]:
    """For each attachment that is a copy, on either side, whether its original is on the other ticket."""
    for side in Side:
        there = {attachment.id: attachment.born for attachment in situation.ticket(side).attachments}
        for attachment in situation.ticket(side.other).attachments:
            original = attachment_of(attachment.temp_id, situation.rules.pair)
            if original is not None and original.side is side:
                yield original.id in there and born_together(original.born, there[original.id])


def _bears(ticket: Ticket, logs: Sequence[str], pair: str, marker: str) -> bool:
    """Whether an entry bears *marker* at its head, whoever wrote it: we may have used another account then."""
    return any(marker in head_markers(entry.html, pair) for entry in entries_in(ticket, logs))


def last_look(base: Base, side: Side) -> tuple[str, str]:
    """When a side's ticket last changed, as of the last look, and the timezone in which that was read; empty if unknown."""
    changed, _, zone = base.changed.of(side).partition(" ") if base.changed is not None else ("", "", "")
    return changed, zone
