"""Whether a note begins with a tag, however disguised; parsed with the standard library."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

from itopsync.reconcile.normalising import normalise
from itopsync.verify.parsing import Parser

_SHOWS_NOTHING = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me"})
_BLANKS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and symbols that show nothing."""
_PARTING = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"
"""Control characters that show nothing either, but part words; all but one end a line."""
_WRITTEN = re.compile(r"&#(?:x0*(b|1[c-f])(?![0-9a-f])|0*(11|28|29|30|31)(?![0-9]));?", re.IGNORECASE)
"""Some of them written as references, which the standard library leaves out."""
_NO_LETTER = "\ue000"
"""Stands around each letter that was written as another sign."""
_TOLD = frozenset(f"\t\n\r{_PARTING}{_NO_LETTER}")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NOT_READ = _names(
    "script style template title noscript noembed noframes iframe frame frameset datalist object embed applet portal audio video "
    "canvas colgroup"
)
_EMPTY = _names("area base br col embed frame hr img input link meta param source track wbr")
_LINES = _names(
    "address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hgroup hr img legend li listing main menu nav ol optgroup option p plaintext pre search "
    "section summary table tbody td tfoot th thead tr ul xmp"
)
"""Elements that start and end a line."""
_ENDS_ITSELF = _names("p li dd dt td th tr tbody thead tfoot option")
_DEEPEST = 200
_QUOTES = _names("blockquote q cite")
_FIGURES = _names("figure figcaption")
_ANCHORS = _names("a")
"""One without an address may be a link too: iTop may have dropped that."""
_HIDING = re.compile(r"(?:font-size|opacity)\s*:\s*0(?!\.?\d*[1-9])|display\s*:\s*none|visibility\s*:\s*hidden")
_MENTION = re.compile(r"\[\[\w[^\[\]|:\n]{0,80}:[^\]|\n]{0,300}(?:\|[^\]]{0,300})?\]\]")
"""No name or label in iTop has more than 255 characters."""
_LINES_TO_READ = 5
"""iTop 3.3 puts one more line before an entry with each copy from parent to child; deeper than four steps no family reaches."""
_WORD = re.compile(r"[^\W\d_]{2}")
_ADDRESSED = 30
"""The number of leading words that may address people, each by a name of up to three words."""


def begins_with(fragment: str, tag: str) -> bool:
    """Whether one of the first five lines of an HTML *fragment* begins with *tag*.

    This holds if it is true of the whole text, or of the text without quotes, links, pictures, mentions and hidden parts, after
    the people it addresses. In a fragment nested too deeply or too broken to tell, or with a log's export in it, a tag anywhere
    counts.
    """
    words = _folded(tag).replace(_NO_LETTER, "").split()
    if not words:
        return False
    between = rf"{_NO_LETTER}*"
    signs = [between.join(re.escape(sign) + ("" if sign.isalnum() else r"\s*") for sign in word) for word in words]
    pattern = re.compile(rf"{between}\s*{between}".join(signs))
    fragment = _WRITTEN.sub(lambda found: chr(int(found[1], 16) if found[1] else int(found[2])), fragment)
    reader = _Reader()
    reader.parse(fragment)
    every = _folded("".join(reader.every))
    if reader.deepest > _DEEPEST or reader.is_broken or re.search(r"=====\s*\S+ \S+ : ", "".join(reader.every)):
        return pattern.search(_shown(every)) is not None
    owns = {_folded("".join(own.pieces)) for own in reader.owns}
    found = (pattern.search(_shown(text)) for text in chain(_beginnings(every), *map(_beginnings_of_own, owns)))
    return any(match is not None and not _WORD.search(match.string[: match.start()]) for match in found)


def _beginnings(every: str) -> Iterator[str]:
    """Where a tag may stand in the whole text."""
    for _ in range(_LINES_TO_READ):
        yield every
        every = _behind_first_line(every)


def _beginnings_of_own(own: str) -> Iterator[str]:
    """Where it may stand in the author's own words."""
    for _ in range(_LINES_TO_READ):
        own = _behind_quotes(own)
        yield from _behind_names(own)
        own = _behind_first_line(own)


def _folded(text: str) -> str:
    """The visible characters of *text*, and those that part its lines and words, with all forms of a letter made alike."""
    text = "".join(map(_told_apart, text.replace(_NO_LETTER, "")))
    for _ in range(2):
        text = normalise("NFKD", text).casefold()
    shown = (letter for letter in text if letter in _TOLD or unicodedata.category(letter) not in _SHOWS_NOTHING)
    return "".join(letter for letter in shown if letter not in _BLANKS).replace("ı", "i")


@lru_cache(maxsize=4096)
def _told_apart(sign: str) -> str:
    """*sign*, or where it is none of a word's letters but reads like some, these letters apart."""
    read = unicodedata.normalize("NFKD", sign)
    is_letter = unicodedata.category(sign).startswith("L") and read == unicodedata.normalize("NFD", sign)
    return (
        sign if is_letter or not re.search(r"[^\W_]", read) else "".join(f"{_NO_LETTER}{letter}" for letter in read) + _NO_LETTER
    )


def _shown(text: str) -> str:
    """Folded *text* as it is read."""
    return re.sub(f"[{_PARTING}]", "", text)


def _behind_first_line(text: str) -> str:
    """The text after the first line that contains a word."""
    lines = text.splitlines()
    first = next((number for number, line in enumerate(lines) if _WORD.search(line)), len(lines))
    return "\n".join(lines[first + 1 :])


def _behind_quotes(text: str) -> str:
    """The text without mentions and without leading lines that are empty or quoted."""
    lines = _MENTION.sub(" ", text).splitlines()
    while lines and (not lines[0].strip() or ">" in re.split(r"[^\W_]", lines[0], maxsplit=1)[0]):
        del lines[0]
    return "\n".join(lines)


def _behind_names(text: str) -> Iterator[str]:
    yield text
    left = 0
    for number, word in enumerate(re.finditer(r"\S+", text)):
        if "@" in word[0].replace(_NO_LETTER, "")[:3] or "://" in word[0]:
            left = 3
        elif _WORD.search(word[0]):
            left -= 1
        if left < 0 or number > _ADDRESSED:
            return
        yield text[word.end() :]


@dataclass
class _Own:
    """An author's own words, without some elements."""

    without: frozenset[str]
    pieces: list[str] = field(default_factory=list)
    _foreign: list[str] = field(default_factory=list)

    def open(self, tag: str, *, is_foreign: bool) -> None:
        if tag == self._foreign[0] if self._foreign else is_foreign or tag in self.without:
            self._foreign.append(tag)

    def close(self, tag: str) -> None:
        if self._foreign and tag == self._foreign[0]:
            self._foreign.pop()

    def add(self, text: str) -> None:
        if not self._foreign:
            self.pieces.append(text)


class _Reader(Parser):
    """Collects the visible text, and separately the author's own words in it, by each way to tell them."""

    def __init__(self) -> None:
        super().__init__()
        self.every: list[str] = []
        self.owns = [_Own(_QUOTES | more) for more in (_names(""), _FIGURES, _ANCHORS, _FIGURES | _ANCHORS)]
        self.deepest = 0
        self._left_out: list[str] = []
        self._open = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _NOT_READ and tag not in _EMPTY:
            self._left_out.append(tag)
        if self._left_out:
            return
        if tag in _LINES:
            self._break()
        if tag in _EMPTY:
            return
        self._open += tag not in _ENDS_ITSELF
        self.deepest = max(self.deepest, self._open)
        given = {name: value or "" for name, value in attrs}
        is_foreign = _is_foreign(tag, given)
        for own in self.owns:
            own.open(tag, is_foreign=is_foreign)

    def handle_endtag(self, tag: str) -> None:
        if self._left_out:
            if tag == self._left_out[-1]:
                self._left_out.pop()
            return
        if tag in _LINES:
            self._break()
        self._open -= tag not in _ENDS_ITSELF
        for own in self.owns:
            own.close(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self._left_out:
            return
        self.every.append(data)
        for own in self.owns:
            own.add(data)

    def _break(self) -> None:
        self.every.append("\n")
        for own in self.owns:
            own.pieces.append("\n")


def _is_foreign(tag: str, given: Mapping[str, str]) -> bool:
    """Whether an element's content is hidden or not its author's own."""
    looks = given.get("class", "").lower()
    return (
        (tag == "a" and "href" in given)
        or not given.keys().isdisjoint(("hidden", "data-object-class", "data-object-id"))
        or "quote" in looks
        or "cite" in looks
        or _HIDING.search(given.get("style", "").lower()) is not None
    )
