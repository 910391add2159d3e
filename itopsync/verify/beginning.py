"""Whether a note begins with a tag, however disguised; parsed with the standard library."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from itopsync.reconcile.normalising import Replacing, normalise
from itopsync.verify.parsing import Parser

_SHOWS_NOTHING = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me"})
_BLANKS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and symbols that show nothing."""
_PARTING = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"
"""Control characters that show nothing either, but separate words; all but one end a line."""
_WRITTEN = re.compile(r"&#(?:x0*(b|1[c-f])(?![0-9a-f])|0*(11|28|29|30|31)(?![0-9]));?", re.IGNORECASE)
"""Some of these written as character references, which the standard library drops."""
_NO_LETTER = "\ue000"
"""Put around each letter that was written as another sign."""
_TOLD = frozenset(f"\t\n\r{_PARTING}{_NO_LETTER}")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NOT_READ = _names(
    "script style template title noscript noembed noframes iframe frame frameset datalist object embed applet portal audio video "
    "canvas colgroup"
)
_EMPTY = _names("area base br col embed frame hr img input link meta param source track wbr")
_LINES = _names(
    "address article aside blockquote br caption center dd details dialog dir div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hgroup hr legend li listing main menu nav ol p plaintext pre search section summary table tbody "
    "tfoot thead tr ul xmp"
)
"""Elements that start and end a line."""
_CELLS = _names("body img option optgroup td th")
"""Elements that may do so, or may share a line with what is around them."""
_ENDS_ITSELF = _names("p li dd dt td th tr tbody thead tfoot option")
_OF_TABLES = _names("tr tbody thead tfoot caption")
_DEEPEST = 200
_QUOTES = _names("blockquote q cite")
_FIGURES = _names("figure figcaption")
_ANCHORS = _names("a")
"""An anchor without an address may be a link too: iTop may have dropped the address."""
_HIDING = re.compile(r"(?:font-size|opacity)\s*:\s*0(?!\.?\d*[1-9])|display\s*:\s*none|visibility\s*:\s*hidden")
_MENTION = re.compile(r"\[\[\w[^\[\]|:\n]{0,80}:[^\]|\n]{0,300}(?:\|[^\]]{0,300})?\]\]")
"""No name or label in iTop has more than 255 characters."""
_LINES_TO_READ = 5
"""iTop 3.3 puts one more line before an entry with each copy from parent to child; no family is deeper than four steps."""
_MOST_PLACES = 100
_WORD = re.compile(r"[^\W\d_]{2}")
_SEEN = re.compile(r"[^\n]+")
"""A line as a browser shows it."""
_WRITTEN_LINE = re.compile(f"[^\n\r\u2028\u2029{_PARTING.replace(chr(0x1F), '')}]+")
"""What may be a line in the source."""
_NEVER = re.compile(r"(?!)")
_QUOTED = re.compile(r"[\W_]*>|\s*\Z")
"""A line that is marked as a quote, or empty."""
_ADDRESSED = 30
"""The number of leading words that may address people, each by a name of up to three words."""


def begins_with(fragment: str, tag: str) -> bool:
    """Whether one of the first five lines of an HTML *fragment* begins with *tag*.

    The whole text is checked, and also the text without quotes, links, pictures, mentions and hidden parts, after any people it
    addresses. The five lines are those that a browser shows; within them, each source line counts as well. In a fragment that is
    nested too deeply or too broken to tell, has very many lines, or contains an exported log, a tag anywhere counts.
    """
    words = _folded(tag).replace(_NO_LETTER, "").split()
    if not words:
        return False
    within, behind = rf"[{_NO_LETTER}{_PARTING}]*+", rf"[\s{_NO_LETTER}]*+"
    signs = ("".join(re.escape(sign) + (within if sign.isalnum() else behind) for sign in word[:-1]) for word in words)
    pattern = re.compile(behind.join(f"{most}{re.escape(word[-1])}" for most, word in zip(signs, words, strict=True)))
    fragment = _WRITTEN.sub(lambda found: chr(int(found[1], 16) if found[1] else int(found[2])), fragment)
    reader = _Reader()
    reader.parse(fragment)
    if reader.doubts:
        reader = _Reader(frozenset(reader.doubts))
        reader.parse(fragment)
    every = _folded("".join(reader.every))
    if reader.deepest > _DEEPEST or reader.is_broken or re.search(r"=====[^=\n]{8,80} : ", "".join(reader.every)):
        return pattern.search(every) is not None
    owns = {_MENTION.sub(" ", _folded("".join(own.pieces))) for own in reader.owns}
    readings = [(every, _NEVER, _as_it_is), *((own, _QUOTED, _behind_names) for own in owns)]
    return any(_begins(text, pattern, _places(text, quoted), trimmed) for text, quoted, trimmed in readings)


def _begins(text: str, pattern: re.Pattern[str], places: list[int], trimmed: Callable[[str], Iterator[str]]) -> bool:
    if len(places) > _MOST_PLACES:
        return pattern.search(text) is not None
    found = (pattern.search(words) for place in places for words in trimmed(text[place:]))
    return any(match is not None and not _WORD.search(match.string[: match.start()]) for match in found)


def _places(text: str, quoted: re.Pattern[str]) -> list[int]:
    """Where a tag may be: at the beginning of each line, up to the fifth visible line that has a word and is not *quoted*."""
    lines = (line for line in _SEEN.finditer(text) if _WORD.search(line[0]) and not quoted.match(line[0]))
    last = next(islice(lines, _LINES_TO_READ - 1, None), None)
    places: list[int] = []
    has_word = True
    for line in _WRITTEN_LINE.finditer(text, 0, last.end() if last else len(text)):
        if has_word and not quoted.match(line[0]):
            places.append(line.start())
            has_word = False
        has_word = has_word or _WORD.search(line[0]) is not None
    return places


def _folded(text: str) -> str:
    """The visible characters of *text* and its separators of lines and words, with all forms of a letter made alike."""
    text = text.replace(_NO_LETTER, "").translate(_TOLD_APART)
    for _ in range(2):
        text = normalise("NFKD", text).casefold()
    return text.translate(_SHOWN).replace("ı", "i")


def _told_apart(sign: str) -> str:
    """*sign*; or, if it is not a letter but reads like some, these letters set apart."""
    read = unicodedata.normalize("NFKD", sign)
    is_letter = unicodedata.category(sign).startswith("L") and read == unicodedata.normalize("NFD", sign)
    return (
        sign if is_letter or not re.search(r"[^\W_]", read) else "".join(f"{_NO_LETTER}{letter}" for letter in read) + _NO_LETTER
    )


def _shown(letter: str) -> str | None:
    is_seen = unicodedata.category(letter) not in _SHOWS_NOTHING and letter not in _BLANKS
    return letter if is_seen or letter in _TOLD else None


_TOLD_APART, _SHOWN = Replacing(_told_apart), Replacing(_shown)


def _as_it_is(text: str) -> Iterator[str]:
    yield text


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
    """Collects the visible text, and separately the author's own words in it, in each way of distinguishing them.

    A visible end of a line becomes a line feed; any other end of a line does not, nor does a *doubted* one.
    """

    def __init__(self, doubted: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.doubts: set[str] = set()
        """What may not end lines because of this text's styles: ``blocks``, or line feeds in preformatted text (``pre``)."""
        self.every: list[str] = []
        self.owns = [_Own(_QUOTES | more) for more in (_names(""), _FIGURES, _ANCHORS, _FIGURES | _ANCHORS)]
        self.deepest = 0
        self._doubted = doubted
        self._left_out: list[str] = []
        self._open = 0
        self._preformatted = 0
        self._rows: list[bool] = []
        """For each open table, whether a cell of its last row has lines of its own."""
        self._met_a_row = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _NOT_READ and tag not in _EMPTY:
            self._left_out.append(tag)
        if self._left_out:
            return
        given = {name: value or "" for name, value in attrs}
        self._doubt(tag, given)
        self._lay_out(tag, given)
        self._break(tag)
        if tag in _EMPTY:
            return
        self._preformatted += tag == "pre"
        self._open += tag not in _ENDS_ITSELF
        self.deepest = max(self.deepest, self._open)
        is_foreign = _is_foreign(tag, given)
        for own in self.owns:
            own.open(tag, is_foreign=is_foreign)

    def handle_endtag(self, tag: str) -> None:
        if self._left_out:
            if tag == self._left_out[-1]:
                self._left_out.pop()
            return
        if tag == "table" and self._rows:
            self._rows.pop()
        self._break(tag)
        self._preformatted = max(0, self._preformatted - (tag == "pre"))
        self._open -= tag not in _ENDS_ITSELF
        for own in self.owns:
            own.close(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self._left_out:
            return
        self._add(data if self._preformatted and "pre" not in self._doubted else data.replace("\n", "\r"))

    def _add(self, text: str) -> None:
        self.every.append(text)
        for own in self.owns:
            own.add(text)

    def _break(self, tag: str) -> None:
        if tag in _LINES | _CELLS:
            end = "\n" if tag in _LINES and "blocks" not in self._doubted else "\r"
            self.every.append(end)
            for own in self.owns:
                own.pieces.append(end)

    def _doubt(self, tag: str, given: Mapping[str, str]) -> None:
        """Note styles that put lines side by side or hide them."""
        style = given.get("style", "").casefold()
        if "white-space" in style:
            self.doubts.add("pre")
        if (
            tag in ("details", "dialog")
            or (tag == "table" and "align" in given)
            or (tag in _LINES | _CELLS and tag != "img" and "float" in style)
        ):
            self.doubts.add("blocks")

    def _lay_out(self, tag: str, given: Mapping[str, str]) -> None:
        """Note a table that shows something beside or above earlier lines."""
        if tag in ("td", "th"):
            beside = bool(self._rows) and self._rows[-1]
            moved = beside or "rowspan" in given
        else:
            moved = tag == "tfoot" or (self._met_a_row and tag in ("thead", "caption"))
        if moved:
            self.doubts.add("blocks")
        if tag in _LINES - _OF_TABLES:
            self._rows = [True] * len(self._rows)
        if tag == "table":
            self._rows.append(False)
        if tag == "tr":
            self._met_a_row = True
            self._rows[-1:] = [False]


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
