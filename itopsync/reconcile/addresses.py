"""Finds a server's addresses in texts, however they are spelt, the way a browser would understand them.

All of these name the same place: another case, full-width or invisible letters, percent-encoding, an international name or its
code, a user before the host, a default port, a dot at the end, a missing scheme, ``//``, ``\\\\``, ``/./`` and ``/x/../``. So
does an address that a service has wrapped in one of its own, with its own signs for ``:``, ``/`` and ``%``.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from itopsync.reconcile.normalising import normalise

_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me"})
_FILLERS = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Characters that show nothing."""
_PLAIN = re.compile(r"[\t\n\r -$&-~]*")
"""Text whose letters have one spelling each, apart from case."""
_BUT_LETTERS = re.compile(rf"[^\w\s!-~]|[{_FILLERS}]")
_ESCAPES = re.compile(r"(?:%(?:25)*[0-9a-f]{2})+", re.IGNORECASE)
_ESCAPED_SIGN = re.compile(r"%(?:25)+(?=[0-9a-f]{2})", re.IGNORECASE)
_ON = r"(?:[a-z0-9]|_+[a-z0-9.@:/\\-])"
"""What continues a host name. Underscores at its end do not belong to it, as in ``__https://desk.example.com__;``."""
_AFTER = re.compile(rf"\.?(?::(\d+)(?!@?{_ON})|(?::(?!\d))?(?![.@-]?{_ON}|:\d))")
_PATHS = (re.compile(r"[/\\][!$-;=@-~]{0,500}"), re.compile(r"[/\\][^\s?#]{0,500}"), re.compile(r"[/\\]\S{0,500}"))
"""A path as it ends in plain text; also with non-ASCII letters and escaped blanks, which a configured path may contain; and also
with any ``?`` or ``#``, which belong to the path if they were escaped."""
_PATH_ENDS = (re.compile(r"[?#]"), re.compile(r"[?#&]|__;"))
"""The second is for an address inside another: it also ends where the outer one goes on."""
_BLANK = "\u2423"
"""Stands for a blank that was written as ``%20``."""
_NUMBERS = re.compile(r"(?<![\w.])(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}(?![\w])|\[[0-9a-f:.]{2,45}\]")
_LONG_PATH = 500
_REST = re.compile(rf"[/\\?#][!#-;=?-~{_BLANK}]*")
_CLOSING = ".,;:!?'\"()[]{}<>*"
_OPEN_SCHEMES = ("https", "http", "ftp")
"""Browsers accept any number of slashes after these, or none."""
_LONGEST_SCHEME, _LONGEST_USER = 20, 2000
_SCHEME = re.compile(rf"(?:{'|'.join(_OPEN_SCHEMES)}):[/\\]*|(?:[a-z][a-z0-9+-]{{0,{_LONGEST_SCHEME}}}:)?[/\\]{{2,}}")
_SIGN = r"%(?:25)*[0-9a-f]{2}|(?:\\x|\\u00|[!-$&-.;-@\[\]^-`{-~])"
_SIGNS = re.compile(rf"({_SIGN})([0-9a-f]{{2}})?", re.IGNORECASE)
_SLASHES = rf"(?P<slash>{_SIGN})(?P=slash)+|(?P<first>{_SIGN})2f|(?(escape)[/\\]|(?!))"
_WRAPPED = re.compile(rf"(?:https?|ftp)(?::|(?P<escape>{_SIGN})3a)?(?:{_SLASHES})", re.IGNORECASE)
"""The beginning of an address with a substitute for ``:`` or ``//``, which shows how its other signs are substituted:
``https-3A__desk.example.com_itop-2Dold``."""
_WRAPPINGS = 3
"""How many levels of addresses inside addresses are searched."""
_UNSEEN = "\u200b"
"""Pads a sign to the length of its substitute."""
_SIGNS_FOR = str.maketrans(
    {
        "\u3002": ".",
        **dict.fromkeys("\u2044\u2215\u2216\u2571\u27cb\u29f5\u29f8\u2afd", "/"),
        **dict.fromkeys("\u2236\ua789", ":"),
    }
)
"""Signs that stand for others, in the names of hosts, and in the names of files, where those others are not allowed."""
_TELLING = 3
"""The minimum of signs of an address in a file's name: the words of host and path, the host's own dots, a scheme, and ``php``."""
_WORDS, _ANY_SIGNS = re.compile(r"[^\W_]+"), r"[\W_]++"
_SUFFIX = r"(?:\.[^\W_]{1,10})?\Z"
_HTTP, _HTTPS = 80, 443
_BYTE = 255


@dataclass(frozen=True)
class _Place:
    """One spelling of a host, with its ports and the start of its paths."""

    host: str
    ports: frozenset[int]
    path: tuple[str, ...]


@lru_cache(maxsize=4096)
def is_invisible(char: str) -> bool:
    """Whether a character shows nothing, or only modifies the one before it."""
    return char in _FILLERS or (unicodedata.category(char) in _INVISIBLE and char not in "\t\n\r")


def points_into(address: str, addresses: tuple[str, ...]) -> bool:
    """Whether the *address* of a link or picture is below one of *addresses*, as a browser would resolve it."""
    return any(begin == 0 for begin, _ in find(trimmed(address), addresses))


def trimmed(address: str) -> str:
    """An attribute's *address* without the characters that browsers strip."""
    return re.sub(r"[\t\r\n]", "", address).strip("".join(map(chr, range(0x21))))


def find(text: str, addresses: tuple[str, ...]) -> list[tuple[int, int]]:
    """The non-overlapping spans of *text* that hold an address below one of *addresses*, in order."""
    return _merged(span for reading in _readings(text) for span in _found(reading, addresses))


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    apart: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if apart and begin < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((begin, end))
    return apart


def find_in_name(name: str, addresses: tuple[str, ...]) -> list[tuple[int, int]]:
    """The spans of a file's *name* that contain an address below one of *addresses*, in order, without the name's suffix.

    Programs that name files substitute or leave out the signs of an address, so all signs are treated alike here.
    """
    folded, where = _folded(name)
    spans: list[tuple[int, int]] = []
    for pattern, telling in _in_names(addresses):
        for found in pattern.finditer(folded):
            if telling + sum(found[sign] is not None for sign in ("scheme", "dotted", "php")) >= _TELLING:
                spans.append((where[found.start()][0], where[found.end() - 1][1]))
    return _merged(spans)


@lru_cache(maxsize=64)
def _in_names(addresses: tuple[str, ...]) -> tuple[tuple[re.Pattern[str], int], ...]:
    """For each spelling of *addresses*, the pattern for it in a file's name, and the number of its words."""
    patterns: dict[re.Pattern[str], int] = {}
    for place in _places(addresses):
        host, path = (_WORDS.findall(part) for part in (place.host, "/".join(place.path)))
        dotted = re.escape(place.host) if "." in place.host else "(?!)"
        port = "|".join(map(str, sorted(place.ports)))
        below = "".join(_ANY_SIGNS + re.escape(word) for word in path)
        pattern = re.compile(
            rf"(?<![^\W_])(?:(?P<scheme>https?){_ANY_SIGNS})?(?:(?P<dotted>{dotted})|{_ANY_SIGNS.join(map(re.escape, host))})"
            rf"(?:{_ANY_SIGNS}(?:{port}))?{below}(?![^\W_])(?=(?P<php>\S*?[\W_]php(?![^\W_]))?)(?:\S*?(?={_SUFFIX})|\S*)"
        )
        patterns[pattern] = len(host) + len(path)
    return tuple(patterns.items())


def _found(text: str, addresses: tuple[str, ...]) -> Iterable[tuple[int, int]]:
    places = [place for place in (*_places(addresses), *_numeric_places(text, addresses)) if _may_hold(text, place)]
    if not places:
        return ()
    return _spans(text.lower(), places) if _PLAIN.fullmatch(text) else _spans_of_words(text, places)


# addresses inside others


def _readings(text: str) -> Iterator[str]:
    """*text*, then with the addresses inside others unwrapped, one level at a time; all padded to the same length."""
    yield text
    for _ in range(_WRAPPINGS):
        wrapped = list(_WRAPPED.finditer(text))
        if not wrapped:
            return
        ends = [*(found.start() for found in wrapped[1:]), len(text)]
        kept, escapes = text[: wrapped[0].start()], set[str]()
        spans = zip(wrapped, ends, strict=True)
        text = kept + "".join(_unwrapped(text[found.start() : end], found, escapes) for found, end in spans)
        yield text


def _unwrapped(text: str, found: re.Match[str], escapes: set[str]) -> str:
    """*text*, which begins with a wrapped address, with the usual signs in its first word.

    *escapes*: the substitutes for ``%`` so far; those of an outer address still count inside it.
    """
    escape, slash = ((sign or "").lower() for sign in (found["escape"] or found["first"], found["slash"]))
    escapes.add(escape)

    def usual(found: re.Match[str]) -> str:
        sign, number = found[1].lower(), found[2] or ""
        if number and sign in escapes:
            return f"%{number}".rjust(len(found[0]), _UNSEEN)
        return "/".rjust(len(sign), _UNSEEN) + number if sign == slash else found[0]

    word = text.split(maxsplit=1)[0]
    return _SIGNS.sub(usual, word) + text[len(word) :]


# the server's own addresses


@lru_cache(maxsize=64)
def _places(addresses: tuple[str, ...]) -> tuple[_Place, ...]:
    places = []
    for address in addresses:
        parts = urlsplit(address)
        port = parts.port or (_HTTP if parts.scheme == "http" else _HTTPS)
        ports = frozenset({_HTTP, _HTTPS} if port in (_HTTP, _HTTPS) else {port})
        path = tuple(_steps(_folded(parts.path)[0]))
        places += [_Place(spelling, ports, path) for spelling in sorted(_spellings((parts.hostname or "").rstrip(".")))]
    return tuple(dict.fromkeys(place for place in places if place.host))


def _spellings(host: str) -> set[str]:
    if _number(f"[{host}]" if ":" in host else host) is not None:
        return {f"[{host}]" if ":" in host else host}  # _numeric_places finds the other spellings
    folded = _folded(host)[0]
    of_2008 = ".".join(_coded(label) for label in normalise("NFC", host.lower()).split("."))
    try:
        coded = folded.encode("idna").decode()
        return {folded, of_2008, coded, _folded(coded.encode().decode("idna"))[0]}
    except UnicodeError:
        return {folded, of_2008}


def _coded(label: str) -> str:
    """A label of an international name encoded by IDNA 2008, which keeps *ß*; Python's codec implements the older standard."""
    return label if label.isascii() else f"xn--{label.encode('punycode').decode()}"


def _numeric_places(text: str, addresses: tuple[str, ...]) -> Iterator[_Place]:
    """The IP addresses in *text* that name the host of one of *addresses*, in any notation."""
    numeric = {number: place for place in _places(addresses) if (number := _number(place.host)) is not None}
    if not numeric:
        return
    for found in {each[0] for each in _NUMBERS.finditer(_skimmed(text))}:
        place = numeric.get(_number(found) or -1)
        if place is not None and place.host != found:
            yield replace(place, host=found)


def _number(host: str) -> int | None:
    """The number of an IP address as browsers read it: ``127.1``, ``0x7f.1`` and ``[::ffff:127.0.0.1]`` are the same."""
    if host.startswith("["):
        try:
            address = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return None
        return int(address.ipv4_mapped or address)
    try:
        parts = [int(part or "0", 16 if part.startswith("0x") else 8 if part.startswith("0") else 10) for part in _parts(host)]
    except ValueError:
        return None
    if any(part > _BYTE for part in parts[:-1]) or parts[-1] >= 256 ** (5 - len(parts)):
        return None
    return sum(part << 8 * (3 - place) for place, part in enumerate(parts[:-1])) + parts[-1]


def _parts(host: str) -> list[str]:
    if not _NUMBERS.fullmatch(host):
        raise ValueError(host)
    return [part if part != "0x" else "0x0" for part in host.split(".")]


def _steps(path: str) -> list[str]:
    """The parts of a path, with ``.``, ``..`` and redundant slashes resolved."""
    steps: list[str] = []
    for step in re.split(r"[/\\]", path):
        name = step.partition(";")[0]
        if name == "..":
            del steps[-1:]
        elif name not in ("", "."):
            steps.append(name)
    return steps


# normalising spelling


def _may_hold(text: str, place: _Place) -> bool:
    """Whether *text* may contain the host: a quick check without false negatives."""
    return _BUT_LETTERS.sub("", place.host) in _skimmed(text)


@lru_cache(maxsize=4)
def _skimmed(text: str) -> str:
    text = unquote(_ESCAPED_SIGN.sub("%", text)) if "%" in text else text
    return text.lower() if text.isascii() and text.isprintable() else _BUT_LETTERS.sub("", _one_spelling(text))


def _one_spelling(text: str) -> str:
    return normalise("NFKC", text).casefold().translate(_SIGNS_FOR)


def _folded(text: str) -> tuple[str, list[tuple[int, int]]]:
    """*text* in one spelling, and for each letter of that the span of *text* that it comes from."""
    letters: list[str] = []
    places: list[tuple[int, int]] = []
    for begin, end, chars in _unescaped(text):
        if letters and unicodedata.combining(chars[0]):
            composed = normalise("NFC", letters[-1] + chars)
            if len(composed) == 1:
                letters[-1], places[-1] = composed, (places[-1][0], end)
                continue
        for char in _BLANK if chars == " " and end - begin > 1 else _one_spelling(chars):
            if not is_invisible(char):
                letters.append(char)
                places.append((begin, end))
    return "".join(letters), places


def _unescaped(text: str) -> Iterator[tuple[int, int, str]]:
    """Each character of *text* with its span; ``%41`` is one character, and so is ``%2541``."""
    position = 0
    for found in _ESCAPES.finditer(text):
        yield from ((place, place + 1, text[place]) for place in range(position, found.start()))
        escapes = [*re.finditer(r"%(?:25)*([0-9a-f]{2})", found[0], re.IGNORECASE)]
        chars = bytes.fromhex("".join(escape[1] for escape in escapes)).decode(errors="replace")
        chars = re.sub(r"[\t\n\r]", "\0", chars)  # an escaped one separates no words
        if len(chars) == len(escapes):
            yield from (
                (found.start() + escape.start(), found.start() + escape.end(), char)
                for escape, char in zip(escapes, chars, strict=True)
            )
        else:
            yield from ((*found.span(), char) for char in chars)
        position = found.end()
    yield from ((place, place + 1, text[place]) for place in range(position, len(text)))


# searching a text


def _spans_of_words(text: str, places: list[_Place]) -> Iterator[tuple[int, int]]:
    for word in re.finditer(r"\S+", text):
        there = [place for place in places if _may_hold(word[0], place)]
        if there:
            folded, where = _folded(word[0])
            for begin, end in _spans(folded, there):
                yield word.start() + where[begin][0], word.start() + where[end - 1][1]


def _spans(folded: str, places: list[_Place]) -> Iterator[tuple[int, int]]:
    for place in places:
        position = folded.find(place.host)
        while position >= 0:
            span = _address_at(folded, position, place)
            if span is not None:
                yield span
            position = folded.find(place.host, span[1] if span is not None else position + len(place.host))


def _address_at(folded: str, begin: int, place: _Place) -> tuple[int, int] | None:
    """The span of the address whose host is at *begin*, or None if it is no address below *place*."""
    end = begin + len(place.host)
    after = _AFTER.match(folded, end)
    if after is None:
        return None
    port = int(after[1][-6:]) if after[1] else _HTTPS
    paths = (pattern.match(folded, after.end()) for pattern in _PATHS)
    ends = [path.end() if path else after.end() for path in paths if _is_below(path[0] if path else "", place)]
    if port not in place.ports or not ends:
        return None
    rest = _REST.match(folded, after.end())
    is_address = "." in place.host or rest is not None or after[1] is not None
    first = _begin(folded, begin, is_address=is_address, has_path=folded[after.end() : after.end() + 1] in ("/", "\\"))
    last = max([ends[0], *(found.end() for found in (rest, _REST.match(folded, ends[0])) if found)])
    while last > end and folded[last - 1] in _CLOSING:
        last -= 1
    return None if first is None else (first, last)


def _is_below(path: str, place: _Place) -> bool:
    """Whether *path* is below that of *place*; a path too long to check counts as below."""
    steps = (_steps(each.rstrip(_CLOSING)) for each in {path, *(end.split(path, maxsplit=1)[0] for end in _PATH_ENDS)})
    too_long = len(path) > _LONG_PATH and (path.isascii() or ".." in path)  # in scripts without blanks, text follows directly
    return too_long or any(tuple(each[: len(place.path)]) == place.path for each in steps)


def _begin(folded: str, host: int, *, is_address: bool, has_path: bool) -> int | None:
    """Where the address with its host at *host* begins; None if that is part of another name or of a mail address."""
    before = folded[host - 1 : host]
    if before == "@":
        return _begin_of_user(folded, host, has_path=has_path)
    slashes = host
    while slashes and folded[slashes - 1] in "/\\":
        slashes -= 1
    scheme = _scheme(folded, slashes)
    if host - slashes > 1 or folded[scheme : slashes - 1] in _OPEN_SCHEMES:
        return scheme
    if not is_address or before in (".", "-", "_") or (before.isascii() and before.isalnum()):
        return None
    return host


def _begin_of_user(folded: str, host: int, *, has_path: bool) -> int | None:
    """Where the address with its host at *host*, after an ``@``, begins: whatever precedes the ``@`` may be a user.

    None if it may be a mail address, which has neither a scheme nor a path.
    """
    user = folded[max(0, host - _LONGEST_USER) : host].rsplit(maxsplit=1)[-1]
    schemes = [*_SCHEME.finditer(user)]
    if schemes and not re.search(r"[/\\?#]", user[schemes[-1].end() :]):
        return host - len(user) + schemes[-1].start()
    return host if schemes or has_path or len(user) == _LONGEST_USER else None


def _scheme(folded: str, end: int) -> int:
    """Where the scheme with its colon right before *end* begins; *end* if there is none."""
    if folded[end - 1 : end] != ":":
        return end
    for known in _OPEN_SCHEMES:
        if folded[end - 1 - len(known) : end - 1] == known:
            return end - 1 - len(known)
    begin = end - 1
    while begin > max(0, end - _LONGEST_SCHEME) and (char := folded[begin - 1]).isascii() and (char.isalnum() or char in "+-"):
        begin -= 1
    return begin if begin < end - 1 else end
