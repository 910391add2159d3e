"""Restores the blanks that iTop 3.0 drops from its answers: those between ``>`` and ``<``, so that formatted words run together.

They are still stored. For a log entry, the plain text beside it shows where they were; for an attribute, a query does. Both were
observed on 3.0.4. Only blanks between two words matter: elsewhere, browsers show none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from html import unescape

from itopsync.itop import oql

VERSION = "3.0"
_INLINE = "a|abbr|b|big|cite|code|del|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var"
_BEHIND = rf"/?(?:{_INLINE})\b[^<>]*>"
_TAG = f"<{_BEHIND}"
_JOINED = re.compile(rf"(<(?<=[^\s<>]<){_BEHIND}(?:{_TAG})*)({_TAG})(?=[^\s<>])", re.IGNORECASE)
"""The tags between two words, without a blank. It begins with a plain ``<``, which makes searching a long text fast."""
_ANY_TAG = re.compile(r"<[^<>]*>")
_NAME = re.compile(r"</?\w+")
_TARGET = re.compile(r"\]\([^()\s]*\)")
"""The address of a link in plain text: ``[here](https://…)``."""
_BLANK = re.compile(r"\]?\s")
_CONTEXT = 12
"""How many characters on each side distinguish one place in a text from the others."""
_MOST = 50


def restored(shown: str, plain: str) -> str:
    """A log entry with the blanks that *plain*, its plain text, has between the words."""
    if not may_lack(shown):
        return shown
    plain = _TARGET.sub("]", plain)
    parts: list[str] = []
    begin = place = 0
    for found in _JOINED.finditer(shown):
        place = _behind(_ANY_TAG.sub("", shown[begin : found.start()]), plain, place)
        if not place:
            return shown
        parts += (shown[begin : found.start(2)], " " if _BLANK.match(plain, place) else "")
        begin = found.start(2)
    return "".join(parts) + shown[begin:]


def _behind(words: str, plain: str, place: int) -> int:
    """Where the letters of *words* end in *plain*, when found one by one from *place* on; 0 if one is missing."""
    for letter in unescape(words):
        if letter.isspace():
            continue
        place = plain.find(letter, place) + 1
        if not place:
            return 0
    return place


def may_lack(text: str) -> bool:
    """Whether blanks may have been dropped from between the words of *text*."""
    return _JOINED.search(text) is not None


def asked_for(name: str, shown: str, holds: Callable[[str], bool]) -> str:
    """The HTML attribute *name* with its stored blanks; *holds* tells whether an OQL condition holds for its ticket.

    Asks once or twice if all or none were dropped, and not at all if words meet in more than 50 places.
    """
    joined = list(_JOINED.finditer(shown))
    if len(joined) > _MOST:
        return shown
    conditions = {found.start(2): f"{oql.name(name)} REGEXP {oql.literal(_pattern(shown, found))}" for found in joined}
    begin, parts = 0, []
    for place in _stored(list(conditions), conditions, holds):
        parts += [shown[begin:place], " "]
        begin = place
    return "".join(parts) + shown[begin:]


def _stored(places: Sequence[int], conditions: Mapping[int, str], holds: Callable[[str], bool]) -> list[int]:
    """The *places* at which a blank is stored, found by halving."""
    asked = [conditions[place] for place in places]
    if not asked or holds(" AND ".join(asked)):
        return list(places)
    if len(asked) == 1 or not holds(f"({' OR '.join(asked)})"):
        return []
    middle = len(places) // 2
    return _stored(places[:middle], conditions, holds) + _stored(places[middle:], conditions, holds)


def _pattern(shown: str, found: re.Match[str]) -> str:
    """A regular expression for the tags between two words with a blank somewhere."""
    before, after = shown[max(0, found.start() - _CONTEXT) : found.start()], shown[found.end() : found.end() + _CONTEXT]
    tags = [f"{name}[^<>]*>" for name in _NAME.findall(found[0])]
    ways = (" *".join(tags[:number]) + " +" + " *".join(tags[number:]) for number in range(1, len(tags)))
    return f"{_loosely(before)}({'|'.join(ways)}){_loosely(after)}"


def _loosely(text: str) -> str:
    """*text* as a regular expression, in which anything matches special characters and those of more than one byte."""
    return re.sub(r"[^\w<>/ =:-]+", ".*", text, flags=re.ASCII).replace("><", "> *<")
