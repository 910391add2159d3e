"""Tells the entries of a case log apart: which ones people wrote, which are ours, and what our markers say about them."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from itopsync.model import Entry, ItemKey, ItemKind, Link, Observation, Obstacle, Ref, Side, Ticket
from itopsync.reconcile.markers import (
    gathered_in,
    here_of,
    is_note,
    is_notice,
    note_marker,
    notice_marker,
    prefix,
    speaks_for,
    ticket_of,
)
from itopsync.reconcile.plan import Item
from itopsync.reconcile.richtext import Origin, any_markers, carry, fingerprint, head_markers, lost_words, visible_words
from itopsync.reconcile.rules import LogRule, Rules

ENTRY_BYTES = 180
"""How many of a log index's 65,535 bytes an entry takes if its author's name is short (about 170, measured)."""

NOBODY = frozenset({"", "0"})
"""The ids that stand for no account: the author is unknown."""
TOO_LONG = "It is too long for one request."
_OURS_INSTEAD = re.compile(rf"\[picture[^\]]*\]|{re.escape(TOO_LONG)} The whole text is in the attachments \S+ to \S+")
"""Our own words in place of a picture or a text."""


def note_item(marker: str) -> Item:
    """The item against which trouble with an entry is held: a person's, or a notice of ours."""
    return Item(ItemKey.of(ItemKind.NOTE if is_note(marker) else ItemKind.NOTICE, marker), "")


def full_log(side: Side, log: str) -> Item:
    """The item that records that a log takes no more entries."""
    return Item(ItemKey.of(ItemKind.LOG, f"{side}:{log}"), "full")


@dataclass(frozen=True)
class PersonEntry:
    """An entry that a person wrote, and the marker of its mirror."""

    marker: str
    entry: Entry
    zone: ZoneInfo
    """Its server's timezone."""

    @property
    def item(self) -> Item:
        return note_item(self.marker)

    @property
    def born(self) -> str:
        """The value of :attr:`~itopsync.model.NoteRecord.born`."""
        local = self.entry.at.astimezone(self.zone).replace(tzinfo=None)
        return local.isoformat(timespec="seconds") if self.entry.dated else ""


@dataclass(frozen=True)
class Reading:
    """A case log, read."""

    people: tuple[PersonEntry, ...]
    borne: Mapping[str, Entry]
    """Marker → our entry that bears it. A link's notice lists the markers of entries that stay, but mirrors none of them."""
    unmarked: tuple[Entry, ...]
    """Entries by our own account without a marker of any pair; no person wrote them, so they are not carried."""
    bytes: int
    """Roughly how many bytes of the log's index are used."""


def read(link: Link, seen: Observation, side: Side, log: LogRule, rules: Rules) -> Reading:
    """Tell people's entries from ours in one log of *side*'s ticket of *link*.

    An entry by one of our accounts is ours, whichever link its marker is of: iTop copies a parent's entries into its children,
    healed ones twice. If it bears only another pair's markers, it is a person's where it mirrors a person's, and a notice that
    says what that pair does, which is neither's, where it does not. An entry by anybody else is ours if it is the first to bear a
    marker of this very link that we can have written there (:meth:`_Place.can_stand`): after the store was lost, a former account
    of ours may be unknown. Later entries with the same marker are people's, who pasted it; so is one that says more than the
    mirror that we know we wrote. While our account is unknown, the first entry with any marker of this link is ours.
    """
    place = _Place(link, seen, side, log, rules)
    people: list[PersonEntry] = []
    unmarked: list[Entry] = []
    borne: dict[str, Entry] = {}
    alike: Counter[str] = Counter()
    used = 0
    for number, entry in enumerate(place.entries):
        used += ENTRY_BYTES + len(entry.author.encode())
        if entry.author_id in place.accounts:
            markers = any_markers(entry.html)
            if not markers:
                unmarked.append(entry)
                continue
            ours = [marker for marker in markers if marker.startswith(prefix(rules.pair))]
            if not ours and is_notice(markers):
                continue
        else:
            ours = place.claimed(number, entry)
            ours = ours if borne.keys().isdisjoint(ours) else []
        if ours:
            borne.update((marker, entry) for marker in ours if not (is_note(marker) and is_notice(ours)))
            continue
        print_of_it = fingerprint(entry.author_id, entry.html)
        marker = note_marker(rules.pair, link.external, place.ticket.ref, log.of(side), print_of_it, ordinal=alike[print_of_it])
        people.append(PersonEntry(marker, entry, rules.of(side).timezone))
        alike[print_of_it] += 1
    return Reading(tuple(people), borne, tuple(unmarked), used)


def notice_of(pair: str, external: Ref, about: Item | Obstacle) -> str:
    """The marker of the notice about a parked item of the *external* ticket."""
    return notice_marker(pair, external, f"{about.key} {about.fingerprint}")


@dataclass(frozen=True)
class _Place:
    """One log of a link's ticket on one side, and which of our markers may be in it."""

    link: Link
    seen: Observation
    side: Side
    log: LogRule
    rules: Rules

    @property
    def accounts(self) -> frozenset[str]:
        return self.rules.of(self.side).accounts

    @cached_property
    def ticket(self) -> Ticket:
        ticket = self.seen.of(self.side)
        if ticket is None:
            raise ValueError(f"no ticket on {self.side} in link {self.link.id}")
        return ticket

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.ticket.logs.get(self._name, ())

    @property
    def _name(self) -> str:
        return self.log.of(self.side)

    def claimed(self, number: int, entry: Entry) -> list[str]:
        """The markers that make *entry*, number *number* in the log, ours even if none of our accounts wrote it."""
        pair, external = self.rules.pair, self.link.external
        markers = head_markers(entry.html, pair)
        claimed = [marker for marker in markers if speaks_for(marker, pair, external)]
        if not claimed or not self.accounts:
            return claimed
        opens = number == 0 or self.ticket.ref in {here_of(marker, pair) for marker in markers}
        ours = [marker for marker in claimed if marker not in self._by_us and self.can_stand(marker, opens=opens)]
        return [] if len(markers) == 1 and ours and self._is_quoted(ours[0], entry) else ours

    def can_stand(self, marker: str, *, opens: bool) -> bool:
        """Whether we may have written *marker*, one of this link's, into this log.

        A note's marker may be here if its original is in the paired log, or if the base says that it was carried here. The marker
        of the notice that a log is full may be only in that log; that of any other notice, or of a ticket, only on internal. A
        ticket's marker also requires *opens*: the entry is the first of the log, or names the ticket that it is on. The marker of
        a link's end counts only if one of our accounts wrote it.
        """
        if is_note(marker):
            return marker in self._mirrors
        if marker == notice_of(self.rules.pair, self.link.external, full_log(self.side, self._name)):
            return True
        if self.side is Side.EXTERNAL:
            return False
        if ticket_of(marker, self.rules.pair) is not None:
            return opens
        return marker in {notice_of(self.rules.pair, self.link.external, obstacle) for obstacle in self.link.obstacles}

    def _is_quoted(self, marker: str, entry: Entry) -> bool:
        """Whether *entry*, by an account not known as ours, says more than the mirror with *marker*, which we carried.

        Somebody has then pasted our mirror and written below it, and somebody's save has wiped out the mirror itself. The first
        line does not count, as the configuration determines it; nor do our own words in place of a long text or a picture.
        """
        record, original, there = self.link.base.notes.get(marker), self._originals.get(marker), self.seen.of(self.side.other)
        if record is None or record.carried_at is None or original is None or there is None or entry.author_id in NOBODY:
            return False
        origin = Origin(there.ref, self.rules.pair, self.rules.of(self.side.other).addresses, pictures=self.rules.images)
        says, said = _own_words(entry.html.partition("</p>")[2]), _own_words(carry(original.html, origin).html)
        return len("".join(says)) > len("".join(said)) or bool(
            lost_words(*(html.escape(" ".join(words)) for words in (says, said)))
        )

    @cached_property
    def _by_us(self) -> frozenset[str]:
        """The markers that our accounts wrote on this ticket; if an entry by anybody else bears one, it was pasted."""
        entries = (entry for log in self.ticket.logs.values() for entry in log if entry.author_id in self.accounts)
        return frozenset(marker for entry in entries for marker in any_markers(entry.html))

    @cached_property
    def _mirrors(self) -> frozenset[str]:
        """The markers of the mirrors that may be in this log."""
        records = self.link.base.notes
        carried = {marker for marker, note in records.items() if note.origin is self.side.other and note.carried_at is not None}
        stays = {marker for marker, note in records.items() if note.carried_at is None}
        here, elsewhere = set[str](), set[str]()
        for log in self._logs:
            for marker, _ in self._originals_in(log):
                before = {records[marker].log or log.of(self.side.other)} if marker in carried else set[str]()
                (here if self._name in {log.of(self.side), *before} else elsewhere).add(marker)
        return frozenset((here | (carried - elsewhere)) - stays)

    @cached_property
    def _originals(self) -> Mapping[str, Entry]:
        """Marker of a mirror → its original in the other side's logs."""
        return {marker: entry for log in self._logs for marker, entry in self._originals_in(log)}

    @property
    def _logs(self) -> tuple[LogRule, ...]:
        return self.rules.for_external(self.link.external.cls).logs

    def _originals_in(self, log: LogRule) -> Iterator[tuple[str, Entry]]:
        """Each entry in the other side's log, whoever wrote it, with the marker of its mirror."""
        other = self.side.other
        there = self.seen.of(other)
        if there is None:
            return
        alike: Counter[str] = Counter()
        for entry in there.logs.get(log.of(other), ()):
            looks = fingerprint(entry.author_id, entry.html)
            yield note_marker(self.rules.pair, self.link.external, there.ref, log.of(other), looks, ordinal=alike[looks]), entry
            alike[looks] += 1


def arrived(target: Ticket, borne: Iterable[str]) -> frozenset[str]:
    """The markers that have arrived: those *borne* in the logs, and those on attachments sent because a log was full."""
    return frozenset(borne).union(*(gathered_in(attachment.temp_id) for attachment in target.attachments))


def _own_words(fragment: str) -> list[str]:
    """The words of a mirror, without our own in place of a picture or a long text."""
    return _OURS_INSTEAD.sub(" ", " ".join(visible_words(fragment))).split()
