"""Recognises what an older bridge or people had already copied: nothing marks it, so its content must tell.

An entry is certainly a copy if an account of the older bridge wrote it, an entry on the other side says the same, and both were
written at about the same time. Each entry is the copy or the original of at most one other. If it is neither certainly a copy nor
certainly new, it is doubtful and stays where it is: a missing entry can still be written, an extra one cannot be taken back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Self

from itopsync.model import Entry, Side
from itopsync.reconcile.richtext import visible_words

WITHIN = timedelta(minutes=15)
"""How far apart an entry and its copy may have been written, by default: an older bridge ran every few minutes."""
_FEW = 3
"""This many words are significant wherever they are; fewer must be together."""
_BEGINNING = 20
"""How many of an entry's first letters a truncated copy of it must contain."""

_WORD = re.compile(r"[^\W_]+")
_SPOILT = re.compile("[?\ufffd\x80-\u024f\u2000-\u214f]")
"""Letters garbled by a wrong character set, and the originals: ``caf?``, ``cafÃ©``, ``café``."""
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")
"""A link in iTop's plain text: ``[the manual](https://example.com)``."""


class Standing(StrEnum):
    """What is known of an entry or a file of one of the two tickets."""

    COPIED = "copied"
    """The other side has it."""
    DOUBTFUL = "doubtful"
    """The other side may have it."""
    ALONE = "alone"
    """Written by the older bridge, without a counterpart on the other side."""
    NEW = "new"
    """The other side lacks it, so it is carried."""
    WITHHELD = "withheld"
    """The other side lacks it, but the rules forbid carrying it."""


@dataclass(frozen=True)
class Bridge:
    """What kept the two tickets in step before."""

    accounts: Mapping[Side, frozenset[str]] = field(default_factory=dict)
    """Side → its accounts' ids. On a side without any, anybody may have written the copies."""
    within: timedelta = WITHIN


@dataclass(frozen=True, eq=False)
class Line:
    """One entry that bears no marker of ours."""

    side: Side
    log: str
    entry: Entry
    marker: str
    """The marker of its would-be mirror; empty if it gets none because our own account wrote it."""
    born: str
    """The value of :attr:`~itopsync.model.NoteRecord.born`; empty with the marker."""
    by_bridge: bool


def recognise(lines: Sequence[Line], bridge: Bridge) -> dict[Line, Standing]:
    """The standing of each of *lines*, which come from all logs of both tickets."""
    found: dict[Line, Standing] = {}

    def left(side: Side, *, by_bridge: bool) -> list[Line]:
        return [line for line in lines if line.side is side and line.by_bridge is by_bridge and line not in found]

    for side in Side:
        for pair in _alike(left(side, by_bridge=True), left(side.other, by_bridge=False), bridge.within):
            found |= dict.fromkeys(pair, Standing.COPIED)
    if not all(bridge.accounts.get(side) for side in Side):
        external, internal = (left(side, by_bridge=False) for side in Side)
        for pair in _alike(external, internal, timedelta.max):  # people may copy a note the day after
            found |= dict.fromkeys(pair, Standing.DOUBTFUL)
    for side in Side:
        for pair in _resembling(left(side, by_bridge=True), left(side.other, by_bridge=False), bridge.within):
            found |= dict.fromkeys(pair, Standing.DOUBTFUL)
    return {line: found.get(line, Standing.ALONE if line.by_bridge else Standing.NEW) for line in lines}


def _alike(some: Iterable[Line], others: Iterable[Line], within: timedelta) -> Iterator[tuple[Line, Line]]:
    """The pairs that say the same, at most *within* apart. The earliest are paired first, which makes the most pairs."""
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
    """Pairs of a copy and an original that it may hold: late, joined with others, with words added or missing. No copy is older.

    A copy may hold several originals, but each of its words belongs to one only. The original of which it holds most comes first,
    then the nearest in time.
    """
    free = {line: _Said.by(line.entry) for line in originals}
    for copy in sorted(copies, key=lambda line: line.entry.at):
        rest = _Said.by(copy.entry)
        near = (line for line in free if not copy.entry.dated or line.entry.earliest <= copy.entry.at + within)
        held = {line: len(places) for line in near if (places := rest.holds(free[line])) is not None}
        for line in sorted(held, key=lambda line: (-held[line], abs(line.entry.at - copy.entry.at))):
            places = rest.holds(free[line])
            if places is not None:
                rest = rest.without(free.pop(line), places)
                yield copy, line


@dataclass(frozen=True)
class _Said:
    """What an entry says. For a copy: the words not yet explained by an original, with gaps for those that are."""

    words: tuple[str | None, ...]
    signs: str
    """Everything visible; the only clue for an entry without words."""
    whole: bool = True

    @classmethod
    def by(cls, entry: Entry) -> Self:
        """What *entry* says, without letters that a wrong character set would garble."""
        seen = visible_words(entry.html)
        legible = [_SPOILT.sub("", word) or word for word in _LINK.sub(r"\1", " ".join(seen).lower()).split()]
        return cls(tuple(_WORD.findall(" ".join(legible))), "".join(seen))

    def without(self, original: Self, places: Collection[int]) -> Self:
        """The rest, once *original* is found at *places*."""
        signs = self.signs if original.words else self.signs.replace(original.signs, "", 1)
        words = tuple(None if place in places else word for place, word in enumerate(self.words))
        return replace(self, words=words, signs=signs, whole=False)

    def holds(self, original: Self) -> Collection[int] | None:
        """The places of *original*'s words in this entry, if it may be a copy of all or part of *original*; else None."""
        said = original.words
        if not said:
            fits = original.signs in self.signs if original.signs else self.whole and not self.words  # pictures, perhaps
            return () if fits else None
        found = self._together(said)
        most = 2 * len(found) >= min(len(said), len(self.words)) and len(found) >= _FEW
        if most or len(found) == len(said):
            return found
        if self.whole and self._may_be_cut_from(original):
            return range(len(self.words))
        if len(said) < _FEW:
            return None
        if original.counts <= self.counts:
            return self._apart(said)
        return found if original.letters[:_BEGINNING] in self.letters else None

    def _may_be_cut_from(self, original: Self) -> bool:
        return bool(self.words) and (self.counts <= original.counts or original.letters.startswith(self.letters))

    def _together(self, said: Sequence[str | None]) -> set[int]:
        """The places of those words of *said* that occur together here too, a few at a time."""
        length = min(len(said), _FEW)
        found: set[int] = set()
        met: Counter[tuple[str | None, ...]] = Counter()
        for run in _runs(said, length):
            places = self.runs[length].get(run, ())
            if met[run] < len(places):
                found.update(range(places[met[run]], places[met[run]] + length))
            met[run] += 1
        return found

    def _apart(self, said: Iterable[str | None]) -> set[int]:
        """The places of the words of *said*, in any order."""
        left = {word: iter(places) for (word,), places in self.runs[1].items()}
        return {next(left[word]) for word in said}

    @cached_property
    def letters(self) -> str:
        """All words run together, with a blank for each gap."""
        return "".join(word or " " for word in self.words)

    @cached_property
    def counts(self) -> Counter[str | None]:
        """How often each word occurs."""
        return Counter(word for word in self.words if word is not None)

    @cached_property
    def runs(self) -> Mapping[int, Mapping[tuple[str | None, ...], Sequence[int]]]:
        """Length → each run of that many words → the places where it begins."""
        found: dict[int, dict[tuple[str | None, ...], list[int]]] = {length: {} for length in range(1, _FEW + 1)}
        for length, places in found.items():
            for place, run in enumerate(_runs(self.words, length)):
                if None not in run:
                    places.setdefault(run, []).append(place)
        return found


def _runs(words: Sequence[str | None], length: int) -> Iterator[tuple[str | None, ...]]:
    return zip(*(words[start:] for start in range(length)), strict=False)


def _letters(fragment: str) -> str:
    """What a text says regardless of format: its letters and digits, or everything visible if it has none."""
    seen = visible_words(fragment)
    return "".join(_WORD.findall(_LINK.sub(r"\1", " ".join(seen).casefold()))) or "".join(seen)


# files


@dataclass(frozen=True)
class FileLook:
    """What tells whether two files are the same."""

    name: str
    digest: str


Looks = Mapping[tuple[Side, int], FileLook | None]
"""(Side, id) → the file's look; None if its server fails to show the file."""
UNSEEN: Looks = {}


def recognise_files(looks: Looks) -> dict[tuple[Side, int], Standing]:
    """The standing of each file: equal names and contents mean a copy; equal contents alone, or unreadable ones, doubt."""
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
    """The files with a counterpart on the other side, which has an equal value in *known_by*; each is in one pair."""
    groups: dict[tuple[str, ...], dict[Side, list[int]]] = {}
    for side, number in sorted(known_by):
        groups.setdefault(known_by[side, number], {each: [] for each in Side})[side].append(number)
    for group in groups.values():
        for external, internal in zip(group[Side.EXTERNAL], group[Side.INTERNAL], strict=False):
            yield Side.EXTERNAL, external
            yield Side.INTERNAL, internal
