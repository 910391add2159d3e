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
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0", re.IGNORECASE)


@dataclass(frozen=True)
class Text:
    """What a text shows."""

    words: str = field(repr=False)
    """Without white space; a sign stands for each picture."""
    body: str = field(repr=False)
    """The same from behind the end of its first paragraph: what we write has a header there."""
    pictures: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """The attributes of each picture."""
    beginnings: tuple[str, ...] = field(default=(), repr=False)
    """All that may be meant by its beginning: with and without its first line, quotes, mentions, pictures, and a pasted head."""

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


def begins_with(text: Text, mark: str) -> bool:
    """Whether *text* may be said to begin with *mark*, in whatever case and however disguised."""
    also = {letter for letter in mark if not letter.isspace()} | {"#"}
    wanted = _letters(mark, also)
    return bool(wanted) and any(_letters(beginning, also).startswith(wanted) for beginning in text.beginnings)


def _letters(text: str, also: set[str]) -> str:
    folded_text = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded_text if letter.isalnum() or letter in also)


class _Reader(HTMLParser):
    """Collects pieces of text, each with whether it is somebody else's: quoted, a link, or not to be seen."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[tuple[str, bool, bool]] = []
        self._pictures: list[Mapping[str, str]] = []
        self._left_out: list[str] = []
        self._quotes: list[str] = []
        self._links: list[str] = []
        self._addresses: list[str] = []
        self._lists: list[int | None] = []
        self._items: list[tuple[str, int]] = []
        self._head: int | None = None
        self._pasted = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _INERT:
            self._left_out.append(tag)
        if self._left_out:
            return
        if self._head is None and any("itopsync-" in value for value in given.values()):
            self._pasted = True
        if tag == "img":
            self._pictures.append(given)
            self._add(PICTURE)
        elif tag in _BLOCKS:
            self._add("\n")
        hidden = _HIDDEN.search(given.get("style", "")) is not None and tag in {"span", "p", "div", "font"}
        begins = tag == self._quotes[0] if self._quotes else hidden or tag in {"blockquote", "q", "cite"}
        if begins:
            self._quotes.append(tag)
        if tag == "a":
            self._links.append(tag)
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
        if self._quotes and tag == self._quotes[-1]:
            self._quotes.pop()
        if tag == "a" and self._links:
            self._links.pop()
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
        self._pieces.append((text, bool(self._quotes), bool(self._links)))

    def text(self) -> Text:
        """What was read."""
        head = self._head or 0
        whole = "".join(piece for piece, _, _ in self._pieces)
        return Text(
            folded(whole),
            folded("".join(piece for piece, _, _ in self._pieces[head:])),
            tuple(self._pictures),
            tuple(
                beginning
                for start in ((0, head) if self._pasted else (0,))
                for beginning in (
                    _unquoted("".join(piece for piece, _, _ in self._pieces[start:])),
                    _unquoted("".join(piece for piece, quoted, _ in self._pieces[start:] if not quoted)),
                    _unquoted("".join(piece for piece, quoted, link in self._pieces[start:] if not quoted and not link)),
                )
                for beginning in (beginning, _without_quoted_lines(beginning))
                for beginning in (beginning, _unquoted(_behind_first_line(beginning)))
            ),
            tuple(folded(address) for address in self._addresses if address),
            tuple((told, folded("".join(piece for piece, _, _ in self._pieces[at:]))[:_BEGINNING]) for told, at in self._items),
        )


def _number(text: str, otherwise: int) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else otherwise


def _unquoted(text: str) -> str:
    """Without pictures, and without the mentions that it begins with."""
    text = _MENTION.sub(" ", text.replace(PICTURE, " "))
    return re.sub(r"^(?:\s*@\S+)+", "", text)


def _behind_first_line(text: str) -> str:
    """From behind the first line in which there is a letter."""
    return re.sub(r"\A\W*\w.*", "", text)


def _without_quoted_lines(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(">"))
