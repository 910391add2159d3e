"""What a text says, parsed with the standard library and reduced to what must be the same on both servers.

White space and invisible characters do not count, so that neither the ways in which servers store HTML nor ours of writing it
look like differences.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from itopsync.reconcile.normalising import Replacing, normalise
from itopsync.verify.parsing import Parser

PICTURE = "\N{OBJECT REPLACEMENT CHARACTER}"
LINK = "[link]"
"""Replaces an address of the other server."""
_IN_WORDS = r"\[picture(?:notcarried)?:(?:\[link\]|[^\[])*?\]"
"""A picture replaced by words."""
_NOT_SEEN = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"})
_INERT = frozenset(
    {
        *("script", "style", "template", "noscript", "noembed", "noframes", "title", "xmp", "listing", "textarea", "iframe"),
        *("frameset", "object", "applet", "portal", "svg", "math", "audio", "video", "canvas", "marquee", "dialog"),
        *("form", "button", "select"),
    }
)
"""Elements that are never carried, nor anything inside them."""
_BLOCKS = frozenset({"p", "div", "br", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "figure"})
_MENTION = re.compile(r"\[\[\w[\w ]*:[^\[\]|]*\|([^\[\]]*)\]\]|\[\[\w[\w ]*:([^\[\]|]*)\]\]")
_IN_WORDS_BEGIN = re.compile(r"\[picture(?:notcarried)?:")
_BRACKET = re.compile(r"\[link\]|[\[\]]")
_BEGINNING = 20
"""How many letters distinguish a list item from the others."""
_WITHIN = 60
"""Among how many characters these letters are looked for."""
_READINGS = 8
"""How many readings of the same words are followed: a picture's name may contain brackets."""


@dataclass(frozen=True)
class Said:
    """A place where words say a text."""

    end: int
    shown: tuple[bool, ...]
    """For each picture of the text, whether a picture is there instead of words."""


@dataclass(frozen=True)
class Text:
    """What a text shows."""

    words: str = field(repr=False)
    """The text without white space; each picture is one character."""
    body: str = field(repr=False)
    """The words after the first paragraph, which is our header in what we write."""
    pictures: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """The attributes of each picture."""
    addresses: tuple[str, ...] = field(default=(), repr=False)
    """The targets of its links, without white space."""
    items: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """For each list item, its number or dash in plain text, and how the item begins."""
    parts: tuple[tuple[int, int], ...] = field(default=((0, 0),), repr=False)
    """For each part between horizontal rules, where in the words its first paragraph ends, and where it ends itself."""

    @cached_property
    def letters(self) -> str:
        """The words without pictures and without the words that replace pictures."""
        return without_pictures(self.words)

    def said_by(self, words: str) -> Said | None:
        """Match *words* if they say this and nothing else, with each picture shown or replaced by words."""
        return self._said_at(words, 0, whole=True)

    def found_in(self, words: str, start: int) -> Said | None:
        """Find this text in *words*, from *start* on, with each picture shown or replaced by words."""
        begins = self.words.partition(PICTURE)[0]
        place = words.find(begins, start)
        while place >= 0:
            if found := self._said_at(words, place):
                return found
            place = words.find(begins, place + 1)
        return None

    def next_in(self, joined: Text, start: int) -> int | None:
        """Where in the words of *joined* the next note from *start* on ends, if it says this and nothing else.

        A link that it begins with stands for what begins as an address here: without that, it may be another note's.
        """
        begin, end = next(self._places(joined, start), (0, 0))
        if begin == end or (joined.words.startswith(LINK, begin) and not self.words.startswith("http")):
            return None
        return end if self.is_said_by(joined.words[begin:end]) else None

    def linked_in(self, joined: Text, ends: Sequence[int]) -> int | None:
        """Where in the words of *joined* the longest note ends that says this with a link in it.

        *ends*: where other notes end, in order; these are passed over.
        """
        fits = [
            (end - begin, end)
            for begin, end in self._places(joined, 0)
            if bisect_right(ends, begin) == bisect_right(ends, end)
            and joined.words.find(LINK, begin, end) >= 0
            and self.is_said_by(joined.words[begin:end])
        ]
        return max(fits)[1] if fits else None

    def _places(self, joined: Text, start: int) -> Iterator[tuple[int, int]]:
        """Where in the words of *joined* this may be: from the end of a header up to a rule that is not this text's own."""
        own = len(self.parts) - 1
        for place in range(bisect_left(joined.parts, (start, start)), len(joined.parts) - own):
            yield joined.parts[place][0], joined.parts[place + own][1]

    def _said_at(self, words: str, place: int, *, whole: bool = False) -> Said | None:
        """Match picture by picture: a regular expression for thousands of pictures takes quadratic memory."""
        begins, *rest = self.words.split(PICTURE)
        reached = [place + len(begins)] if words.startswith(begins, place) else []
        steps: list[Mapping[int, int]] = []
        for between in rest:
            step = {
                end + len(between): begin
                for begin in reached
                for end in _picture_ends(words, begin)
                if words.startswith(between, end)
            }
            steps.append(step)
            reached = sorted(step)[:_READINGS]
        end = at = next((end for end in reached if not whole or end == len(words)), None)
        if end is None or at is None:
            return None
        shown: list[bool] = []
        for known in reversed(steps):
            at = known[at]
            shown.append(words[at] == PICTURE)
        return Said(end, tuple(reversed(shown)))

    def is_said_by(self, words: str) -> bool:
        """Whether *words* on the other side say this and nothing else."""
        if self.words == words:
            return True
        if PICTURE in self.words and self.said_by(words) is not None:
            return True
        return LINK in words and self._is_said_but_for_links(words)

    def _is_said_but_for_links(self, words: str) -> bool:
        """Whether *words* say this, with something in place of each link."""
        if not (self.words.startswith(words.partition("[")[0]) and self.words.endswith(words.rpartition("]")[2])):
            return False
        between = [""]
        for piece in re.split(f"({_IN_WORDS}|{re.escape(LINK)})", words):
            if piece == LINK:
                between.append("")
            else:
                between[-1] += f"(?:{PICTURE}|{re.escape(piece)})" if re.fullmatch(_IN_WORDS, piece) else re.escape(piece)
        position = 0
        for number, pattern in enumerate(between):
            last = r"\Z" if number == len(between) - 1 else ""
            reading = re.compile(pattern + last)
            found = reading.match(self.words) if number == 0 else reading.search(self.words, position + 1)
            if found is None:
                return False
            position = found.end()
        return True


def _picture_ends(words: str, begin: int) -> Iterator[int]:
    """Where a picture that begins at *begin* may end, shown or replaced by words."""
    if words.startswith(PICTURE, begin):
        yield begin + 1
    told = _IN_WORDS_BEGIN.match(words, begin)
    if told is None:
        return
    ends = 0
    for bracket in _BRACKET.finditer(words, told.end()):
        if bracket[0] == "[" or ends == _READINGS:
            return
        if bracket[0] == "]":
            ends += 1
            yield bracket.end()


def as_marked_up(words: str, text: Text) -> str:
    """The *words* of a plain text without the addresses and numbers that represent the links and lists of *text*."""
    for address in text.addresses:
        words = words.replace(f"({address})", "", 1)
    end = len(words)
    for bullet, begins in reversed(text.items):  # an item may continue with the next one's words
        place = words.rfind(bullet + begins, 0, end)
        if place >= 0:
            words, end = words[:place] + words[place + len(bullet) :], place + len(begins)
    return words


def without_pictures(words: str) -> str:
    """*words* without pictures and without the words that replace pictures."""
    return re.sub(f"{PICTURE}|{_IN_WORDS}", "", words)


def folded(text: str) -> str:
    """*text* without white space and invisible characters, in one Unicode form, with mentions reduced to their labels."""
    text = normalise("NFKC", _MENTION.sub(lambda found: found[1] or found[2], text))
    return text.translate(_SEEN)


def _seen(letter: str) -> str | None:
    return None if letter.isspace() or unicodedata.category(letter) in _NOT_SEEN else letter


_SEEN = Replacing(_seen)


def text_of(fragment: str) -> Text:
    """Parse a fragment of HTML."""
    reader = _Reader()
    reader.parse(fragment)
    return reader.text()


class _Reader(Parser):
    """Collects the pieces of a text."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[str] = []
        self._pictures: list[Mapping[str, str]] = []
        self._left_out: list[str] = []
        self._addresses: list[str] = []
        self._lists: list[int | None] = []
        self._items: list[tuple[str, int]] = []
        self._begins = [0]
        self._heads: list[int | None] = [None]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _INERT:
            self._left_out.append(tag)
        if self._left_out:
            return
        if tag == "img":
            self._pictures.append(given)
            self._add(PICTURE)
        elif tag in _BLOCKS:
            self._add("\n")
        elif tag == "hr":
            self._begins.append(len(self._pieces))
            self._heads.append(None)
        if tag == "a":
            self._addresses.append(given.get("href", ""))
        if tag in {"ol", "ul"}:
            self._lists.append(_number(given.get("start", ""), 1) if tag == "ol" else None)
        elif tag == "li":
            self._begin_item(given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if self._left_out:
            if tag == self._left_out[-1]:
                self._left_out.pop()
            return
        if tag in {"ol", "ul"} and self._lists:
            self._lists.pop()
        if tag in _BLOCKS:
            self._add("\n")
        if tag == "p" and self._heads[-1] is None:
            self._heads[-1] = len(self._pieces)

    def _begin_item(self, value: str) -> None:
        number = self._lists[-1] if self._lists else None
        if number is not None:
            number = _number(value, number)
            self._lists[-1] = number + 1
        self._items.append(("-" if number is None else f"{number}.", len(self._pieces)))

    def handle_data(self, data: str) -> None:
        if not self._left_out:
            self._add(data)

    def _add(self, text: str) -> None:
        self._pieces.append(text)

    def text(self) -> Text:
        """The text that was parsed."""
        words, parts = "", []
        for begin, head, end in zip(self._begins, self._heads, [*self._begins[1:], len(self._pieces)], strict=True):
            words += self._folded(begin, end)
            parts.append((len(words) - len(self._folded(head or begin, end)), len(words)))
        return Text(
            words,
            self._folded(next(filter(None, self._heads), 0), len(self._pieces)),
            tuple(self._pictures),
            tuple(folded(address) for address in self._addresses if address),
            tuple((bullet, self._beginning(at)) for bullet, at in self._items),
            tuple(parts),
        )

    def _folded(self, begin: int, end: int) -> str:
        return folded("".join(self._pieces[begin:end]))

    def _beginning(self, at: int) -> str:
        """The beginning of the item whose first piece is at *at*."""
        begins, _, _ = "".join(self._pieces[at : at + _WITHIN])[:_WITHIN].partition(PICTURE)
        return folded(begins)[:_BEGINNING]


def _number(text: str, otherwise: int) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else otherwise
