"""What stands in both tickets already, copied by an older bridge or by people: nothing marks it, so its content must tell.

An entry is certainly a copy if an account of the older bridge wrote it, an entry of the other side's says the same, and both
were written at about the same time; each entry is the copy, or the original, of one other at most. What is neither certainly a
copy nor certainly new is doubtful, and stays where it is: an entry too few can be written, one too many cannot be taken back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from itopsync.model import Entry, Side
from itopsync.reconcile.richtext import visible_words

WITHIN = timedelta(minutes=15)
"""So far apart an entry and its copy may have been written, if nobody says otherwise: an older bridge ran every few minutes."""
_FEW = 3
"""Fewer words than these say too little by themselves: they must stand at an end of what may be their copy."""
_BEGINNING = 20
"""What says so many of the first letters of an entry may be a copy of it that breaks off."""

_WORD = re.compile(r"[^\W_]+")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")
"""A link in iTop's plain text: ``[the manual](https://example.com)``."""


class Standing(StrEnum):
    """What is known of an entry or a file of one of the two tickets."""

    COPIED = "copied"
    """The other side has it."""
    DOUBTFUL = "doubtful"
    """The other side may have it."""
    ALONE = "alone"
    """Written by the older bridge, and the other side has nothing like it."""
    NEW = "new"
    """The other side lacks it: it is carried."""
    WITHHELD = "withheld"
    """The other side lacks it, and the rules keep it from there."""


@dataclass(frozen=True)
class Bridge:
    """What kept the two tickets in step before."""

    accounts: Mapping[Side, frozenset[str]] = field(default_factory=dict)
    """Its users' ids, by side. A side without one is a side on which anybody may have written its copies."""
    within: timedelta = WITHIN


@dataclass(frozen=True, eq=False)
class Line:
    """One entry that bears no marker of ours."""

    side: Side
    log: str
    entry: Entry
    marker: str
    """Of the mirror that it would get; empty if it gets none, since our own account wrote it."""
    by_bridge: bool


def recognise(lines: Sequence[Line], bridge: Bridge) -> dict[Line, Standing]:
    """The standing of each of *lines*, which are those of all logs of both tickets."""
    found: dict[Line, Standing] = {}

    def left(side: Side, *, by_bridge: bool) -> list[Line]:
        return [line for line in lines if line.side is side and line.by_bridge is by_bridge and line not in found]

    for side in Side:
        for pair in _alike(left(side, by_bridge=True), left(side.other, by_bridge=False), bridge.within):
            found |= dict.fromkeys(pair, Standing.COPIED)
    if not all(bridge.accounts.get(side) for side in Side):
        external, internal = (left(side, by_bridge=False) for side in Side)
        for pair in _alike(external, internal, timedelta.max):  # who copies by hand may do so the day after
            found |= dict.fromkeys(pair, Standing.DOUBTFUL)
    for side in Side:
        for pair in _resembling(left(side, by_bridge=True), left(side.other, by_bridge=False), bridge.within):
            found |= dict.fromkeys(pair, Standing.DOUBTFUL)
    return {line: found.get(line, Standing.ALONE if line.by_bridge else Standing.NEW) for line in lines}


def _alike(some: Iterable[Line], others: Iterable[Line], within: timedelta) -> Iterator[tuple[Line, Line]]:
    """The pairs that say the same, at most *within* apart, the earliest with the earliest: no other way makes more of them."""
    by_letters: dict[str, tuple[list[Line], list[Line]]] = {}
    for place, lines in enumerate((some, others)):
        for line in lines:
            if says := _letters(line.entry.html):
                by_letters.setdefault(says, ([], []))[place].append(line)
    for group in by_letters.values():
        ones, twos = (sorted(lines, key=lambda line: line.entry.at) for lines in group)
        while ones and twos:
            apart = ones[0].entry.at - twos[0].entry.at
            if abs(apart) <= within:
                yield ones.pop(0), twos.pop(0)
            else:
                (twos if apart > timedelta() else ones).pop(0)


def _resembling(copies: Iterable[Line], originals: Iterable[Line], within: timedelta) -> Iterator[tuple[Line, Line]]:
    """Copies that may be of these originals: late, or with other words before, behind or left out. No copy is older."""
    free = list(originals)
    for copy in sorted(copies, key=lambda line: line.entry.at):
        fits = (line for line in free if line.entry.at <= copy.entry.at + within and _resembles(copy.entry, line.entry))
        nearest = min(fits, key=lambda line: abs(line.entry.at - copy.entry.at), default=None)
        if nearest is not None:
            free.remove(nearest)
            yield copy, nearest


def _resembles(copy: Entry, original: Entry) -> bool:
    """Whether a copy may be of an original: it says all of that and something else, or breaks off."""
    there, said = _words(copy.html), _words(original.html)
    if not said:
        signs = "".join(visible_words(original.html))
        return signs in "".join(visible_words(copy.html)) if signs else not there  # pictures, perhaps
    if there and "".join(said).startswith("".join(there)):
        return True
    if len(said) < _FEW:
        return said in (there[: len(said)], there[-len(said) :])
    return Counter(said) <= Counter(there) or "".join(said)[:_BEGINNING] in "".join(there)


def _letters(fragment: str) -> str:
    """What a text says, whatever became of its format: its letters and digits, or all its signs if it has none of these."""
    return "".join(_words(fragment)) or "".join(visible_words(fragment))


def _words(fragment: str) -> list[str]:
    return _WORD.findall(_LINK.sub(r"\1", " ".join(visible_words(fragment)).casefold()))


# files


@dataclass(frozen=True)
class FileLook:
    """What tells whether two files are the same."""

    name: str
    digest: str


Looks = Mapping[tuple[Side, int], FileLook | None]
"""By side and id; None for a file that its server fails to show."""
UNSEEN: Looks = {}


def recognise_files(looks: Looks) -> dict[tuple[Side, int], Standing]:
    """The standing of each file: the same name and contents are a copy, the same contents or what is not shown may be one."""
    shown = {key: look for key, look in looks.items() if look is not None}
    found = dict.fromkeys(_in_pairs({key: (look.name, look.digest) for key, look in shown.items()}), Standing.COPIED)
    left = {key: (look.digest,) for key, look in shown.items() if key not in found}
    found |= dict.fromkeys(_in_pairs(left), Standing.DOUBTFUL)
    hidden = {side for (side, _), look in looks.items() if look is None}
    return {
        key: found.get(key, Standing.DOUBTFUL if look is None or key[0].other in hidden else Standing.NEW)
        for key, look in looks.items()
    }


def _in_pairs(known_by: Mapping[tuple[Side, int], tuple[str, ...]]) -> Iterator[tuple[Side, int]]:
    """The files that have a counterpart on the other side, which is known by the same; each is in one pair."""
    groups: dict[tuple[str, ...], dict[Side, list[int]]] = {}
    for side, number in sorted(known_by):
        groups.setdefault(known_by[side, number], {each: [] for each in Side})[side].append(number)
    for group in groups.values():
        for external, internal in zip(group[Side.EXTERNAL], group[Side.INTERNAL], strict=False):
            yield Side.EXTERNAL, external
            yield Side.INTERNAL, internal
