"""Whether a linked ticket is still the one that was linked: after a restored backup, ids and refs are given anew.

iTop makes a ticket's ref out of its id, so another ticket under a known id bears the known ref too. It is told by all that is
known of the one that was linked, and by nothing that a person edits alone: a ticket is another one when *nothing* of it is left
- neither the minute at which it began, nor one of the texts of its form, nor an entry, nor a file. A corrected date, a title
that is written anew, or a timezone that is mended in ``sync.toml`` changes one of these, and the others still stand.
"""

from __future__ import annotations

from collections.abc import Iterator

from itopsync.model import Link, LinkStatus, Observation, Side, Ticket
from itopsync.reconcile.identity import is_note, ticket_marker
from itopsync.reconcile.moments import moment
from itopsync.reconcile.notes import arrived, read
from itopsync.reconcile.richtext import head_markers, value_fingerprint
from itopsync.reconcile.rules import ClassRules, Kind, Rules


def stranger(link: Link, observation: Observation, rules: Rules) -> str | None:
    """Say why a ticket of *link* is another than the one that was linked, or None.

    The external one is known by its number, and by what is known of it as a whole; the internal one by the marker at the head of
    its first entry, or by its number where two were linked by hand and the mark of that is not there (yet).
    """
    if link.status is LinkStatus.PARTING:
        return None
    cls = rules.for_external(link.external.cls)
    external, internal = observation.external, observation.internal
    if external is not None and link.external_number and external.number != link.external_number:
        return f"{link.external} was {link.external_number} when it was linked, and is {external.number} now: another ticket"
    if external is not None and _nothing_is_left(link, external, cls, rules):
        return f"{link.external} has nothing left of what was linked, neither begin nor texts, entries or files: another ticket"
    marker = ticket_marker(rules.pair, link.external)
    if internal is None or _bears(internal, cls.logs[0].name(Side.INTERNAL), rules.pair, marker):
        return None
    if marker not in link.base.notes or internal.number != link.internal_number:
        return f"{internal.ref} no longer bears the mark of {link.external}: another ticket"
    return None


def born(external: Ticket, cls: ClassRules) -> str:
    """The minute at which a ticket began, as ISO 8601 in UTC; empty where it says nothing."""
    text = external.fields.get(cls.since_attribute, "")
    found = moment(text)
    return text if found is None else f"{found.replace(tzinfo=None).isoformat(timespec='minutes')}Z"


def _nothing_is_left(link: Link, external: Ticket, cls: ClassRules, rules: Rules) -> bool:
    """Whether all that is known of the external ticket has changed; never where no more is known than when it began."""
    if not link.base.born or link.base.born == born(external, cls):
        return False
    stands = [*_texts(link, external, cls), *_entries(link, external, cls, rules), *_files(link, external)]
    return bool(stands) and not any(stands)


def _texts(link: Link, external: Ticket, cls: ClassRules) -> Iterator[bool]:
    """Of each text of the form whether it is as it was when both sides last agreed on it."""
    nothing = value_fingerprint("")
    for rule in cls.fields:
        agreed = link.base.fields.get(rule.external)
        if rule.kind in (Kind.TEXT, Kind.HTML) and agreed is not None and agreed.external != nothing:
            yield agreed.external == value_fingerprint(external.fields.get(rule.external, ""))


def _entries(link: Link, external: Ticket, cls: ClassRules, rules: Rules) -> Iterator[bool]:
    """Of each entry that is known on the external ticket, a person's or our own, whether it is there."""
    there: set[str] = set()
    for log in cls.logs:
        reading = read(external, log.external, rules.pair, link.external, rules.external.accounts)
        there |= {person.marker for person in reading.people} | arrived(external, reading)
    for marker, record in link.base.notes.items():
        if is_note(marker) and (record.origin is Side.EXTERNAL or record.carried_at is not None):
            yield marker in there


def _files(link: Link, external: Ticket) -> Iterator[bool]:
    """Of each file that is known on the external ticket whether it is there."""
    there = {one.id for one in external.attachments}
    for pair in link.files:
        number = pair.original_id if pair.origin is Side.EXTERNAL else pair.copy_id
        if number is not None:
            yield number in there


def _bears(ticket: Ticket, log: str, pair: str, marker: str) -> bool:
    """Whether an entry bears *marker* at its head, whoever wrote it: our account may have been another one."""
    return any(marker in head_markers(entry.html, pair) for entry in ticket.logs.get(log, ()))
