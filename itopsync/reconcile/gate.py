"""What must not leave with a text: the origin's addresses, mentions of its objects, and notes marked to stay.

Everything that people wrote passes through here on its way to the other side: notes, values, titles, names of files and of
people. In doubt, it stays.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote

from itopsync.model import File
from itopsync.reconcile.addresses import find, find_in_name, is_invisible, trimmed
from itopsync.reconcile.markup import BLOCKS, Close, Open, Piece, Text, is_flattened, names, read

LINK = "[link]"
"""Replaces an address of the origin."""
_MENTION = re.compile(r"\[\[\w[^\[\]|:\n]{0,80}: *((?:(?!\]\]|\[\[)[^|\n])*?)(?: *\| *((?:(?!\]\]|\[\[).)*))?\]\]")
"""In iTop's notation: ``[[UserRequest:41|R-000041]]`` or ``[[Person:Carla]]``, before 3.2 ``[[User Request:41 | R-000041]]``."""
_NESTED = 5
_HIDDEN = re.compile(r"(?:font-size|opacity)\s*:\s*0(?!\.?\d*[1-9])|display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_QUOTING = re.compile(r"quote|cite", re.IGNORECASE)
_QUOTES = frozenset({"blockquote", "q", "cite"})
_FIGURES = frozenset({"figure", "figcaption"})
"""A picture's caption does not count as the beginning, unless somebody writes a note there."""
_MENTIONS = frozenset({"hidden", "data-object-class", "data-object-id"})
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)
"""RFC 6838."""
_SEPARATOR = re.compile(r"={5,}[^=\n]{8,80} : ")
"""The line that iTop puts before each entry where it shows a log as text; its date is written as each server is configured."""
_BREAKS = BLOCKS | {"br", "img"}
_LINE, _SOURCE_LINE = "\n", "\r"
"""The end of a visible line; and of a source line, which is, or may be, shown as a space."""
_BESIDE = names("body img td th option optgroup")
"""The breaks that may share a line with other words."""
_CELLS, _ROWS, _ON_TOP = names("td th"), names("tr tbody thead tfoot caption"), names("thead caption")
_FOLDED_UP = names("details dialog")
"""Elements whose content may be hidden."""
_LETTER, _SIGN = "x", "s"
"""The kinds of characters: written as letters, and others. In upper case if an invisible word separator precedes it."""
_WORD = re.compile(f"[{_LETTER}{_LETTER.upper()}]{_LETTER}")
_HEAD = 200
"""How many characters are examined, from the first word on; more for a longer tag."""
_GAPS = re.compile(r"[^\S\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]{2,}")
"""Blanks on one line."""
_TAGGED_LINES = 5
"""How many of the first lines may bear the tag: iTop 3.3 puts a line of unpredictable words before an entry with each step from
parent to child, and no family of tickets is deeper than four steps."""
_MOST_BEGINNINGS = 100
_ASCII = {code: None if is_invisible(chr(code)) else chr(code).lower() for code in range(0x80)}
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_SPOKEN_TO, _NAME = 30, 3
"""How many words in all may name the addressees, and how many may follow one ``@``."""


def words(text: str, addresses: tuple[str, ...]) -> str:
    """A plain *text* without the origin's addresses, and with mentions reduced to their labels."""
    for _ in range(_NESTED):
        cuts = _cuts(text, addresses)
        if not cuts:
            return text
        text = "".join(_cut([text], cuts))
    return re.sub(r"\[{2,}", "[", "".join(_cut([text], [(*span, LINK) for span in find(text, addresses)])))


def guard_file(file: File, addresses: tuple[str, ...]) -> File:
    """*file* with a name and type that may leave. A server stores any text as a type; its parameters are dropped."""
    kind = file.mimetype.partition(";")[0].strip()
    fits = _MEDIA_TYPE.fullmatch(kind) and words(kind, addresses) == kind
    return replace(file, name=name_words(file.name, addresses), mimetype=kind if fits else "application/octet-stream")


def name_words(name: str, addresses: tuple[str, ...]) -> str:
    """The *name* of a file or picture without the origin's addresses, also as programs write them that name files."""
    read = unquote(name)  # iTop writes a pasted picture's name so
    name = name if words(read, addresses) == read else words(read, addresses)
    return "".join(_cut([name], [(*span, LINK) for span in find_in_name(name, addresses)]))


def guard(pieces: Iterable[Piece], addresses: tuple[str, ...]) -> list[Piece]:
    """What may leave of a text: links into the origin become their words; addresses and mentions are cut, also from attributes.

    Text is examined as it is read: line by line, regardless of formatting.
    """
    guarded: list[Piece] = []
    line: list[int] = []
    unlinked: list[bool] = []
    for piece in pieces:
        if isinstance(piece, Text):
            line.append(len(guarded))
            guarded.append(piece)
            continue
        if piece.tag == "a":
            if isinstance(piece, Open):
                unlinked.append(bool(find(trimmed(piece.attributes.get("href", "")), addresses)))
            if unlinked[-1] if isinstance(piece, Open) else unlinked.pop():
                continue
        if piece.tag in _BREAKS:
            _guard_line(guarded, line, addresses)
            line = []
        if isinstance(piece, Open) and piece.attributes:
            said = {name: words(value, addresses) for name, value in piece.attributes.items() if name not in ("href", "src")}
            guarded.append(replace(piece, attributes={**piece.attributes, **said}))
        else:
            guarded.append(piece)
    _guard_line(guarded, line, addresses)
    return guarded


def _guard_line(pieces: list[Piece], line: Sequence[int], addresses: tuple[str, ...]) -> None:
    """Remove what must not leave from one line, whose texts are at the places *line* of *pieces*."""
    texts = [piece.text for place in line if isinstance(piece := pieces[place], Text)]
    for _ in range(_NESTED):
        cuts = _cuts("".join(texts), addresses)
        if not cuts:
            break
        texts = [*_cut(texts, cuts)]
    else:
        texts = [words(text, addresses) for text in texts]
    for place, text in zip(line, texts, strict=True):
        pieces[place] = Text(text)


def _cuts(text: str, addresses: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """The spans to cut from *text*, with their replacements: first mentions, then the addresses that these leave behind."""
    mentions = [(*found.span(), found[1] if found[2] is None else found[2]) for found in _MENTION.finditer(text)]
    return mentions or [(begin, end, LINK) for begin, end in find(text, addresses)]


def _cut(texts: Sequence[str], cuts: Sequence[tuple[int, int, str]]) -> Iterator[str]:
    """The consecutive *texts* with *cuts* applied; each replacement is put where its cut begins."""
    begin, next_cut = 0, 0
    for text in texts:
        end = begin + len(text)
        kept: list[str] = []
        position = begin
        while next_cut < len(cuts) and cuts[next_cut][0] < end:
            first, last, instead = cuts[next_cut]
            if first >= begin:
                kept += [text[position - begin : first - begin], instead]
            position = min(last, end)
            if last > end:
                break
            next_cut += 1
        kept.append(text[position - begin :])
        yield "".join(kept)
        begin = end


# notes that stay


def begins_with_tag(fragment: str, tags: tuple[str, ...]) -> bool:
    """Whether one of the first five lines of an entry begins with one of *tags*, as it is read or as its author wrote it.

    The five lines are visible ones; within them, a source line counts as a line too. Invisible characters, pictures, quotes,
    links and mentions are ignored, and so is anything else before the tag that is not a word: signs, emojis, numbers, single
    letters. ``# tag`` counts as ``#tag``, and so does the beginning of ``#tagged``. If an entry is too costly to lay out, or
    contains other entries, as when somebody pastes an exported log, a tag counts wherever it is.
    """
    patterns = [_pattern(tag) for tag in tags if shows_something(tag)]
    if not patterns:
        return False
    every, owns = _readings(fragment)
    if is_flattened(fragment) or _SEPARATOR.search(every):
        return _bears(every, patterns)
    return _one_begins(every, patterns) or any(_one_begins(own, patterns, _is_quoted, _own_words) for own in owns)


def _itself(text: str, _: int) -> Iterable[str]:
    return (text,)


def _one_begins(
    text: str,
    patterns: Sequence[re.Pattern[str]],
    is_passed_over: Callable[[str], bool] = str.isspace,
    trimmed: Callable[[str, int], Iterable[str]] = _itself,
) -> bool:
    """Whether one of the first lines of *text* begins with one of *patterns*, also after any part that may be *trimmed*."""
    if not _bears(text, patterns):
        return False
    text = _GAPS.sub(" ", "".join(char for char in text if char.isspace() or not is_invisible(char)))
    beginnings = _beginnings(text, is_passed_over)
    if len(beginnings) > _MOST_BEGINNINGS:
        return True
    reach = _HEAD + max(len(pattern.pattern) for pattern in patterns)
    starts = (words for begin in beginnings for words in trimmed(text[begin:], 10 * reach))
    return any(_begins(words, pattern, reach) for words in starts for pattern in patterns)


def _bears(text: str, patterns: Iterable[re.Pattern[str]]) -> bool:
    folded = _folded(text)
    return any(pattern.search(folded) for pattern in patterns)


def _beginnings(text: str, is_passed_over: Callable[[str], bool]) -> list[int]:
    """Where in *text* a tag may be: at the start of each source line, up to the fifth visible line that says something.

    A start is left out if no word separates it from the one before, or if the line *is_passed_over*; such lines are not counted.
    """
    found: list[int] = []
    begin = seen = 0
    behind_word = True
    for line in text.split(_LINE):
        says_something = False
        for part in line.splitlines(keepends=True):
            speaks, passed_over = _has_word(_head(part)[1]), is_passed_over(part)
            if behind_word and not passed_over:
                found.append(begin)
                behind_word = False
            behind_word = behind_word or speaks
            says_something = says_something or speaks
            begin += len(part)
        begin += len(_LINE)
        seen += says_something and not is_passed_over(line)
        if seen == _TAGGED_LINES or len(found) > _MOST_BEGINNINGS:
            break
    return found


def shows_something(tag: str) -> bool:
    """Whether *tag* contains anything visible; every note begins with an empty tag."""
    return bool(_folded(tag).strip())


def _pattern(tag: str) -> re.Pattern[str]:
    """A pattern for *tag* in folded text, allowing any white space between its words and after its signs."""
    words = ("".join(re.escape(char) + ("" if char.isalnum() else r"\s*+") for char in word) for word in _folded(tag).split())
    return re.compile(r"\s*+".join(words))


def _folded(text: str) -> str:
    """The visible characters of *text*, in one spelling."""
    return _BEYOND_ASCII.sub(lambda found: "".join(map(_visible, found[0])), text.translate(_ASCII))


@lru_cache(maxsize=4096)
def _visible(char: str) -> str:
    return "".join(char for char in _one_spelling(char) if not is_invisible(char))


@lru_cache(maxsize=4096)
def _one_spelling(char: str) -> str:
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold()).replace("ı", "i")


def _head(text: str, left: int = _HEAD) -> tuple[str, str]:
    """The first visible characters of *text*, in one spelling, and the kind of each (``_LETTER`` or ``_SIGN``)."""
    shown: list[str] = []
    kinds: list[str] = []
    met = parted = False
    for char in text:
        for folded in _one_spelling(char):
            if is_invisible(folded):
                parted = parted or folded.isspace()
            else:
                shown.append(folded)
                kind = _LETTER if _is_letter(char) else _SIGN
                kinds.append(kind.upper() if parted else kind)
                met = met or _has_word("".join(kinds[-2:]))
                parted = False
        left -= met
        if left <= 0:
            break
    return "".join(shown), "".join(kinds)


@lru_cache(maxsize=4096)
def _is_letter(char: str) -> bool:
    """Whether *char* is a letter, and not a sign derived from one, such as the information sign."""
    return unicodedata.category(char)[0] == "L" and unicodedata.normalize("NFD", char) == unicodedata.normalize("NFKD", char)


def _has_word(kinds: str) -> bool:
    return _WORD.search(kinds) is not None


def _begins(text: str, pattern: re.Pattern[str], reach: int) -> bool:
    shown, kinds = _head(text, reach)
    found = pattern.search(shown)
    return found is not None and not _has_word(kinds[: found.start()])


def _readings(fragment: str) -> tuple[str, set[str]]:
    """Everything that an entry says, and the variants of what its author may have written: with or without doubtful elements.

    iTop drops the address of some links, which then look like any other anchor. Mentions are not the author's words.
    """
    every: list[str] = []
    owns = [_Own(left_out) for left_out in (_QUOTES | _FIGURES, _QUOTES, _QUOTES | _FIGURES | {"a"}, _QUOTES | {"a"})]
    for piece, said in _laid_out(list(read(fragment))):
        every.append(said)
        for own in owns:
            own.take(piece, said)
    return "".join(every), {_MENTION.sub(" ", "".join(own.texts)) for own in owns}


def _laid_out(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, str]]:
    """*pieces*, each with what a reader gets from it: its text, or the end of a line.

    Styles, tables and collapsible elements can put apparent lines side by side or hide them; if any do, no end of a line is
    certain to be visible.
    """
    opened = [piece for piece in pieces if isinstance(piece, Open)]
    restyled = any("white-space" in _style(piece) for piece in opened)
    displaced = any(piece.tag in _FOLDED_UP or (piece.tag in BLOCKS and _floats(piece)) for piece in opened) or _shifts(pieces)
    preformatted = 0
    for piece in pieces:
        if isinstance(piece, Text):
            yield piece, piece.text if preformatted and not restyled else piece.text.replace(_LINE, _SOURCE_LINE)
            continue
        preformatted += (1 if isinstance(piece, Open) else -1) * (piece.tag == "pre")
        end = _SOURCE_LINE if displaced or piece.tag in _BESIDE else _LINE
        yield piece, end if piece.tag in _BREAKS else ""


def _shifts(pieces: Sequence[Piece]) -> bool:
    """Whether a table shows lines beside or above earlier ones: a cell beside one with several lines, a cell that spans rows,
    or a part of the table that is displayed elsewhere.
    """
    tall: list[bool] = []
    has_rows = False
    for piece in pieces:
        if isinstance(piece, Text):
            continue
        if isinstance(piece, Close):
            if piece.tag == "table" and tall:
                tall.pop()
            continue
        if piece.tag in _CELLS:
            if "rowspan" in piece.attributes or (tall and tall[-1]):
                return True
        elif piece.tag == "tfoot" or (piece.tag in _ON_TOP and has_rows):
            return True
        elif piece.tag == "tr":
            has_rows = True
            tall[-1:] = [False]
        elif piece.tag in _BREAKS - _BESIDE - _ROWS:
            tall = [True for _ in tall] + [False] * (piece.tag == "table")
    return False


def _style(piece: Open) -> str:
    return piece.attributes.get("style", "").casefold()


def _floats(piece: Open) -> bool:
    return "float" in _style(piece) or (piece.tag == "table" and "align" in piece.attributes)


class _Own:
    """Collects what an entry's author wrote, without the elements *left_out*."""

    def __init__(self, left_out: frozenset[str]) -> None:
        self.texts: list[str] = []
        self._left_out = left_out
        self._inside: list[str] = []

    def take(self, piece: Piece, said: str) -> None:
        """Take the next piece of the entry; *said* is what a reader gets from it."""
        inside = self._inside
        if isinstance(piece, Text):
            self.texts += [] if inside else [said]
            return
        self.texts.append(said)
        if isinstance(piece, Open):
            if piece.has_end and (piece.tag == inside[0] if inside else piece.tag in self._left_out or _is_not_own(piece)):
                inside.append(piece.tag)
        elif inside and piece.tag == inside[0]:
            inside.pop()


def _is_not_own(piece: Open) -> bool:
    """Whether an element's attributes say that its content is a quote, a link, a mention or hidden."""
    of = piece.attributes
    return (
        (piece.tag == "a" and "href" in of)
        or not of.keys().isdisjoint(_MENTIONS)
        or _QUOTING.search(of.get("class", "")) is not None
        or _HIDDEN.search(of.get("style", "")) is not None
    )


def _is_quoted(line: str) -> bool:
    """Whether a line is marked as a quote, or says nothing."""
    shown = _head(line)[0].strip()
    signs = itertools.takewhile(lambda char: not char.isalnum(), shown)
    return not shown or ">" in signs


def _own_words(text: str, reach: int) -> Iterator[str]:
    """*text* from each place where the author's own words may begin: its start, or after each addressee (*reach* characters)."""
    yield text
    named = 0
    for number, word in enumerate(re.finditer(r"\S+", text)):
        shown, kinds = _head(word[0])
        if "@" in shown[:3] or "://" in shown:
            named = _NAME
        elif _has_word(kinds):
            named -= 1
        if named < 0 or number > _SPOKEN_TO:
            return
        yield text[word.end() : word.end() + reach]
