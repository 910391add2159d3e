"""What a text says, read with the standard library's parser and reduced to what both servers must show alike.

White space and what is not to be seen do not count, so that neither a server's way of storing HTML nor ours of writing it
looks like a difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser

PICTURE = "\N{OBJECT REPLACEMENT CHARACTER}"
LINK = "[link]"
"""What stands where an address of the other server stood."""
_TOLD = r"\[picture(?:notcarried)?:(?:\[link\]|[^\[])*?\]"
"""A picture that is told in words."""
_NOT_SEEN = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"})
_INERT = frozenset(
    {
        *("script", "style", "template", "noscript", "noembed", "noframes", "title", "xmp", "listing", "textarea", "iframe"),
        *("frameset", "object", "applet", "portal", "svg", "math", "audio", "video", "canvas", "marquee", "dialog"),
        *("form", "button", "select"),
    }
)
"""Elements that are never carried, with all that is in them."""
_BLOCKS = frozenset({"p", "div", "br", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "figure"})
_MENTION = re.compile(r"\[\[\w[\w ]*:[^\[\]|]*\|([^\[\]]*)\]\]|\[\[\w[\w ]*:([^\[\]|]*)\]\]")
_BEGINNING = 20
"""So many letters tell an item of a list from others."""


@dataclass(frozen=True)
class Text:
    """What a text shows."""

    words: str = field(repr=False)
    """Without white space; a sign stands for each picture."""
    body: str = field(repr=False)
    """The same from behind the end of its first paragraph: what we write has a header there."""
    pictures: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """The attributes of each picture."""
    addresses: tuple[str, ...] = field(default=(), repr=False)
    """Those that its links lead to, without white space."""
    items: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """How each item of its lists is told in a plain text, by its number or a dash, and how that item begins."""

    @cached_property
    def letters(self) -> str:
        """The words without pictures, and without those that are told in words."""
        return without_pictures(self.words)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What says the same, each picture shown or told in words."""
        return re.compile(f"({PICTURE}|{_TOLD})".join(map(re.escape, self.words.split(PICTURE))), re.DOTALL)

    def is_said_by(self, words: str) -> bool:
        """Whether *words*, of the other side, say this and nothing else."""
        if self.words == words:
            return True
        if PICTURE in self.words and self.pattern.fullmatch(words) is not None:
            return True
        return LINK in words and self._is_said_but_for_links(words)

    def _is_said_but_for_links(self, words: str) -> bool:
        """Whether *words* say this with something else than nothing in the place of each link."""
        between = [""]
        for piece in re.split(f"({_TOLD}|{re.escape(LINK)})", words):
            if piece == LINK:
                between.append("")
            else:
                between[-1] += f"(?:{PICTURE}|{re.escape(piece)})" if re.fullmatch(_TOLD, piece) else re.escape(piece)
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
    """*words* of a plain text without the addresses and the numbers that stand in it for the links and the lists of *text*."""
    for address in text.addresses:
        words = words.replace(f"({address})", "", 1)
    end = len(words)
    for told, begins in reversed(text.items):  # how an item goes on may be the next one
        place = words.rfind(told + begins, 0, end)
        if place >= 0:
            words, end = words[:place] + words[place + len(told) :], place + len(begins)
    return words


def without_pictures(words: str) -> str:
    """*words* without the signs of pictures, and without those that are told in words."""
    return re.sub(f"{PICTURE}|{_TOLD}", "", words)


def folded(text: str) -> str:
    """*text* without white space and what is not to be seen, in one form of Unicode; mentions as they read."""
    text = unicodedata.normalize("NFKC", _MENTION.sub(lambda found: found[1] or found[2], text))
    return "".join(letter for letter in text if not letter.isspace() and unicodedata.category(letter) not in _NOT_SEEN)


def text_of(fragment: str) -> Text:
    """Read a fragment of HTML."""
    reader = _Reader()
    reader.feed(fragment)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    """Collects pieces of text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
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
        """What was read."""
        head = self._head or 0
        return Text(
            folded("".join(self._pieces)),
            folded("".join(self._pieces[head:])),
            tuple(self._pictures),
            tuple(folded(address) for address in self._addresses if address),
            tuple((told, folded("".join(self._pieces[at:]))[:_BEGINNING]) for told, at in self._items),
        )


def _number(text: str, otherwise: int) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else otherwise
