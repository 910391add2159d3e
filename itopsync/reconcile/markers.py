"""How everything that we write in iTop names its original.

A marker is the name of an anchor (``<a name="…">``) at the head of a log entry, which every iTop from 2.7 on keeps, or an
attachment's ``temp_id``. It is computed from the pair's fixed name and the original's identity, so that a look can tell
whether something has arrived, even if all else is forgotten. An entry's marker
also names the external ticket, so it counts for its own link only.

========================================  ============================================
``itopsync-<pair>-t-UserRequest.17``      the copy of external's UserRequest 17
``itopsync-<pair>-h-UserRequest.501``     linked or unlinked by hand, on internal's UserRequest 501 and on no other
``itopsync-<pair>-u-UserRequest.17``      no longer the copy of external's UserRequest 17: unlinked by hand
``itopsync-<pair>-v-<digest>``             on a copy: a server, or a pair, through which its ticket came
``itopsync-<pair>-n-17.<digest>``         the mirror of one entry; of several in a file: ``….<digest>.<digest>``
``itopsync-<pair>-w-17.<digest>``         a notice of our own: something is parked, a log is full
``itopsync-<pair>-a-e5.20261124100824``   the copy of external's (``i5``: internal's) attachment 5, created then
``itopsync-<pair>-p-<digest>``            a picture from a text
``itopsync-<pair>-x-entry``               what ``check --probe`` writes
``itopsync-<pair>-o-<digest>``            a text that did not fit, in full, as a file
========================================  ============================================
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from itopsync.model import Ref, Side

_MANY = 10
_TICKET = re.compile(r"([thu])-([A-Za-z_]\w*)\.(\d+)$")
_ATTACHMENT = re.compile(r"a-([ei])(\d+)(?:\.(\d{12,14}))?$")
_STATION = re.compile(r"itopsync-[a-z0-9]+-v-([0-9a-f]{16})")
_DIGITS = 16
"""How many digits of a digest distinguish the entries and notices of one link."""
_OF_A_LINK = re.compile(r"[nw]-(\d+)\.[0-9a-f]{16}$")


def digest(*parts: str) -> str:
    """Return a digest of *parts* in order: 20 hexadecimal digits."""
    whole = hashlib.blake2b(digest_size=10)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        whole.update(len(raw).to_bytes(8, "big") + raw)
    return whole.hexdigest()


MARK = "itopsync-"
"""The prefix of every marker of any pair."""


def prefix(pair: str) -> str:
    """The prefix of every marker of *pair*."""
    return f"{MARK}{pair}-"


def pair_of(marker: str) -> str:
    """The pair that a marker is of."""
    return marker.removeprefix(MARK).partition("-")[0]


def ticket_marker(pair: str, external: Ref) -> str:
    """The marker of an external ticket's copy."""
    return f"{prefix(pair)}t-{external.cls}.{external.id}"


def like_tickets(pair: str, externals: Sequence[Ref]) -> Iterator[str]:
    """LIKE patterns for the markers of these tickets' copies, as few as possible: each is a scan of all logs.

    Many tickets of the same hundred share two patterns, one for each character that may follow a marker. Other tickets of that
    hundred match as well, and are read for nothing.
    """
    hundreds: dict[tuple[str, int], list[Ref]] = {}
    for external in externals:
        hundreds.setdefault((external.cls, external.id // 100), []).append(external)
    for (cls, hundred), among in hundreds.items():
        if len(among) > _MANY and hundred:
            yield from (f"%{prefix(pair)}t-{cls}.{hundred}__{end}%" for end in ('"', ","))
        else:
            yield from (f"%{ticket_marker(pair, external)}%" for external in among)


def ticket_of(marker: str, pair: str) -> Ref | None:
    """The external ticket that a ticket marker names, or None if it is not one of this pair's."""
    return _named(marker, pair, "t", Side.EXTERNAL)


def unlinked_marker(pair: str, external: Ref) -> str:
    """The marker of a link's end: the ticket that bears it is no longer the external ticket's copy."""
    return f"{prefix(pair)}u-{external.cls}.{external.id}"


def unlinked_of(marker: str, pair: str) -> Ref | None:
    """The external ticket named by a marker of a link's end, or None if it is not one of this pair's."""
    return _named(marker, pair, "u", Side.EXTERNAL)


def here_marker(pair: str, internal: Ref) -> str:
    """The marker that names the ticket it is on: iTop copies a parent's entries into its children."""
    return f"{prefix(pair)}h-{internal.cls}.{internal.id}"


def here_of(marker: str, pair: str) -> Ref | None:
    """The internal ticket on which a marker was written, or None if it names none."""
    return _named(marker, pair, "h", Side.INTERNAL)


def _named(marker: str, pair: str, kind: str, side: Side) -> Ref | None:
    found = _TICKET.fullmatch(marker.removeprefix(prefix(pair))) if marker.startswith(prefix(pair)) else None
    return Ref(side, found[2], int(found[3])) if found and found[1] == kind else None


def station_marker(pair: str, station: str) -> str:
    """The marker of a server or pair that a copy's ticket came through."""
    return f"{prefix(pair)}v-{station}"


def station_of(marker: str) -> str | None:
    """The server or pair that a marker of any pair says a ticket came through, or None."""
    found = _STATION.fullmatch(marker)
    return found[1] if found else None


def note_marker(pair: str, link: Ref, origin: Ref, log: str, fingerprint: str, *, ordinal: int) -> str:
    """The marker of the mirror of one entry: the *ordinal*-th (from 0) in that log with this *fingerprint*.

    *link* is the external ticket, *origin* the ticket on which the entry was written.
    """
    return _of_a_link(pair, "n", link, origin.side, origin.cls, str(origin.id), log, fingerprint, str(ordinal))


def is_note(marker: str) -> bool:
    """Whether a marker is an entry's."""
    return _letter(marker) == "n"


def is_notice(markers: Collection[str]) -> bool:
    """Whether an entry of ours with these markers, of any pair, mirrors none: it says something of its own, or of a link by hand.

    The notice of a link by hand bears the markers of the entries that stay where they are.
    """
    return not any(is_note(marker) for marker in markers) or any(_letter(marker) == "h" for marker in markers)


def _letter(marker: str) -> str:
    """What a marker is of, by its letter: behind the name of the pair, which has no dash and may be the same letter."""
    return marker.removeprefix(MARK).partition("-")[2].partition("-")[0]


FILE_MARKER_LETTERS = 255
"""The maximum length of an attachment's ``temp_id``."""


def gathered_marker(markers: Sequence[str]) -> str:
    """The marker of a file that holds the mirrors of several entries of one link."""
    return ".".join((markers[0], *(marker.rpartition(".")[2] for marker in markers[1:])))


def gathered_in(marker: str) -> tuple[str, ...]:
    """The entry markers encoded in a file's marker; for other files, the marker itself."""
    head, *digests = marker.split(".")
    return tuple(f"{head}.{each}" for each in digests) if is_note(marker) and digests else (marker,)


def most_gathered(marker: str) -> int:
    """How many entries one file's marker can name if *marker* is the first."""
    return 1 + (FILE_MARKER_LETTERS - len(marker)) // (1 + _DIGITS)


def notice_marker(pair: str, link: Ref, about: str) -> str:
    """The marker of a notice of our own."""
    return _of_a_link(pair, "w", link, about)


def picture_marker(pair: str, origin: Ref, source: str) -> str:
    """The marker of a picture in a text of *origin*; *source* says which one."""
    return f"{prefix(pair)}p-{digest(origin.side, origin.cls, str(origin.id), source)}"


def overflow_marker(pair: str, origin: Ref, what: str) -> str:
    """The marker of a text of *origin* that did not fit and is carried as a file."""
    return f"{prefix(pair)}o-{digest(origin.side, origin.cls, str(origin.id), what)}"


def _of_a_link(pair: str, kind: str, link: Ref, *what: str) -> str:
    return f"{prefix(pair)}{kind}-{link.id}.{digest(link.cls, *what)[:_DIGITS]}"


def speaks_for(marker: str, pair: str, link: Ref) -> bool:
    """Whether *marker* belongs to *pair* and to the link of the external ticket *link*."""
    if not marker.startswith(prefix(pair)):
        return False
    named = _OF_A_LINK.fullmatch(marker.removeprefix(prefix(pair)))
    if named is not None:
        return int(named[1]) == link.id
    return link in (ticket_of(marker, pair), unlinked_of(marker, pair))


PROBE = "itopsync probe: "
"""The first words of each entry of ``check --probe``, which tell it even on a server that drops its marker."""


def probe_marker(pair: str, what: str) -> str:
    """The marker of what ``check --probe`` writes; a ticket that bears one is never copied."""
    return f"{prefix(pair)}x-{what}"


def is_probe(marker: str, pair: str) -> bool:
    """Whether a marker is one of ``check --probe``'s."""
    return marker.startswith(f"{prefix(pair)}x-")


class Original(NamedTuple):
    """The attachment that a copy's marker names."""

    side: Side
    id: int
    born: str
    """When it was created; empty if the marker does not say, as on copies made by older versions."""


def attachment_marker(pair: str, origin: Side, attachment_id: int, born: str = "") -> str:
    """The marker of the copy of an attachment; *born*: when that was created."""
    return f"{prefix(pair)}a-{origin[0]}{attachment_id}{f'.{born}' if born else ''}"


def attachment_of(marker: str, pair: str) -> Original | None:
    """The original that an attachment's marker names, or None if it is not one of this pair's."""
    found = _ATTACHMENT.fullmatch(marker.removeprefix(prefix(pair))) if marker.startswith(prefix(pair)) else None
    if not found:
        return None
    return Original(Side.EXTERNAL if found[1] == "e" else Side.INTERNAL, int(found[2]), found[3] or "")


def born_together(born: str, other: str) -> bool:
    """Whether the creation times of two attachments with the same id allow them to be the same one.

    Unknown parts, whether the seconds or the whole time, do not distinguish them.
    """
    return born.startswith(other) or other.startswith(born)
