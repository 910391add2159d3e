"""A case log told apart: which entries people wrote, which are ours, and what our markers say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from itopsync.model import Entry, ItemKey, ItemKind, Ref, Ticket
from itopsync.reconcile.markers import note_marker, prefix, speaks_for
from itopsync.reconcile.plan import Item
from itopsync.reconcile.richtext import any_markers, fingerprint, head_markers

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
