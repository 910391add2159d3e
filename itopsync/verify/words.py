"""What a text says, parsed with the standard library and reduced to what both servers must show alike.

White space and invisible characters do not count, so that the ways in which servers store HTML, and in which we write it, are
not taken for differences.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from itopsync.reconcile.normalising import normalise
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
_BEGINNING = 20
"""How many letters tell a list item from the others."""
_WITHIN = 60
"""Among how many characters they are looked for."""


@dataclass(frozen=True)
class Text:
    """What a text shows."""

    words: str = field(repr=False)
    """The text without white space; each picture is one character."""
    body: str = field(repr=False)
    """The words after the first paragraph, which is the header in what we write."""
    pictures: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """The attributes of each picture."""
    addresses: tuple[str, ...] = field(default=(), repr=False)
    """The targets of its links, without white space."""
    items: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """For each list item, its number or dash in plain text, and how the item begins."""

    @cached_property
    def letters(self) -> str:
        """The words without pictures and without the words that replace pictures."""
        return without_pictures(self.words)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches texts that say the same, with each picture shown or replaced by words."""
        return re.compile(f"({PICTURE}|{_IN_WORDS})".join(map(re.escape, self.words.split(PICTURE))), re.DOTALL)

    def is_said_by(self, words: str) -> bool:
        """Whether *words* on the other side say this and nothing else."""
        if self.words == words:
            return True
        if PICTURE in self.words and self.pattern.fullmatch(words) is not None:
            return True
        return LINK in words and self._is_said_but_for_links(words)

    def _is_said_but_for_links(self, words: str) -> bool:
        """Whether *words* say this, with anything but nothing in place of each link."""
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
    return "".join(letter for letter in text if not letter.isspace() and unicodedata.category(letter) not in _NOT_SEEN)


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
        self._head: int | None = None

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
        if tag == "p" and self._head is None:
            self._head = len(self._pieces)

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
        head = self._head or 0
        return Text(
            folded("".join(self._pieces)),
            folded("".join(self._pieces[head:])),
            tuple(self._pictures),
            tuple(folded(address) for address in self._addresses if address),
            tuple((bullet, self._beginning(at)) for bullet, at in self._items),
        )

    def _beginning(self, at: int) -> str:
        """How an item begins whose first piece is at *at*."""
        return folded("".join(self._pieces[at : at + _WITHIN])[:_WITHIN])[:_BEGINNING]


def _number(text: str, otherwise: int) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else otherwise
