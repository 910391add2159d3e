"""Decides what is kept of an error's text.

Reasons are logged, stored and shown, so they must not contain a ticket's text. But iTop quotes what it refuses: a value, a title
that an administrator made part of an object's name, or the whole SQL with the ticket's log in it. Therefore:

- of errors in the known forms of iTop's own code, only names and numbers are kept (:data:`FORMS`, :data:`CHECKS`);
- of a database error, only its number and the column that it names;
- of any other text, such as an extension's, nothing if it refuses a read: nobody can say which ticket it speaks of;
- if it refuses a write, what precedes the first quote, bracket or escape, without the words that we sent, and without the names
  of the two tickets and their people (:func:`hidden`, once it is known which tickets these are). Words are compared whatever
  their case and accents, and in HTML as it is read. A text with a password or token of ours is not kept at all.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from itopsync.errors import REMOTE_TEXT_LIMIT, clip
from itopsync.reconcile.normalising import Replacing
from itopsync.settings.secrets import LONGEST, Secret

FORMS = tuple(
    re.compile(form, re.DOTALL)
    for form in (
        r"([\w-]{1,60}: Unknown attribute)",
        r"(\w{1,60}: Invalid object \w{1,60}::\d{1,20})",
        r"(\w{1,60}: invalid attribute code '\w{1,60}')",
        r"(\w{1,60}: '\w{1,60}' is not a valid class)'?",
        r"((?:\w{1,60}: ){0,3}(?:No item found|Several items found \(\d{1,20}\))) (?:with criteria|for query): .*",
        r"((?:\w{1,60}: )?Wrong format for date attribute \w{1,60}).*",
        r"((?:\w{1,60}: )?Only administrators can set the user id)",
        r"(Missing mandatory attribute\(s\) for applying the stimulus: [\w, ]{1,150})\.",
        r"(Invalid stimulus: '\w{1,60}') on the object .*( in state '\w{1,60}')",
        r"(Deletion not allowed on some objects)",
        r"(The deletion requires that other objects be deleted/updated), .*",
        r"(Some issues have been encountered)\. .*",
    )
)
"""Patterns of whole texts; their groups are kept."""
CHECKS = re.compile(
    r"(?:\((\w{1,60})\) ?|'(\w{1,60})'): ?"  # the first from 3.0 on, with a label before it; the second in 2.7
    r"(Null not allowed|Value not allowed|Wrong format|Target object not found"
    r"|String too long \(found \d{1,20}, limited to \d{1,20}\))"
)
"""What is wrong with an attribute's value. These words are in English; those around them are in the account's language."""
QUERY_FAULTS = tuple(
    re.compile(form, re.DOTALL)
    for form in (
        r"(Missing query argument: expecting = [\w>-]{1,60}), available = .*",
        r"(Parameter json_data is not a valid JSON structure)",
        r"((?:Unknown|Unexpected|Ambiguous|Duplicate|Incompatible|Expecting|Syntax error|Stack overflow|Wrong format for Join|Too"
        r"|The joined class|The specified tree operator|Only \"field MATCHES)[\w :,\"()\[\]]{0,120})"
        r" - found '(?:([\w.:`]{0,60}|[^\w\s']{1,3})' at (\d{1,9}) in ')?.*",
        r"(Unexpected input at line \d{1,9}: \S{1,3})",
        r"(Only instance of \w{1,60} or \w{1,60} are allowed in MATCHES \w{1,60} found)",
        r"(DBObjectSearch::__construct called for an invalid class: \"\w{1,60}\")",
        r"(\w{1,60} is not a valid alias)",
    )
)
"""The same, of faults in a query, seen on iTop 3.1.2 and 3.2.0; the third with the word at which it fails, and where."""
ESCAPE = r"%[0-9A-Fa-f]{2}|&\#?\w{1,32};|\\[ux]"
QUOTES = re.compile(rf"""["“”„«»‹›‘\[\]{{}}<>=]|(?<!\w)['’]|['’](?!\w)|{ESCAPE}""")
TOKEN = re.compile(r"[^\s\x00-/:-@\[-^`{-\x7f]+")
"""What stands between blanks and ASCII punctuation: other punctuation may be part of a word, as may combining marks."""
WORD = re.compile(r"[^\W_]{3,}")
INLINE = re.compile(r"</?(?:a|b|code|del|em|font|i|ins|mark|s|small|span|strike|strong|sub|sup|u|wbr)\b[^<>]*>", re.IGNORECASE)
"""Tags that may stand within a word."""
UNSPACED = re.compile("[\u0e00-\U0010ffff]")
"""Scripts without blanks between words, such as Thai and Chinese, and some others. They begin here once accents are removed."""
FOLDED = Replacing(
    lambda char: "".join(
        part
        for part in unicodedata.normalize("NFKD", char.casefold())
        if unicodedata.category(part) not in ("Mn", "Mc", "Me", "Cf")
    )
)
MOST_READ = 50 * REMOTE_TEXT_LIMIT
"""Characters. Enough for what is kept of a text, however many of its words are hidden."""
NOT_KEPT = "iTop's reason quotes the ticket, and is not kept"
COLUMN = re.compile(r"\b[Cc]olumn [`']?(?:\w{1,60}[`']?\.[`']?){0,2}(\w{1,60})[`']?(?: at row \d+| in '[\w ]{1,40}')?\}*\Z")
NAMES = {
    1021: "disk full",
    1040: "too many connections",
    1062: "duplicate",
    1114: "table full",
    1153: "packet too large",
    1205: "lock wait time-out",
    1213: "deadlock",
    1290: "read-only",
    1366: "characters that it cannot store",
    1406: "data too long",
    2002: "no connection",
    2003: "no connection",
    2006: "gone away",
    2013: "connection lost",
}
"""MySQL's errors that occur in practice."""


@dataclass(frozen=True)
class DatabaseError:
    """An error that MySQL returned to iTop."""

    number: int
    column: str | None
    too_long: bool
    """Whether a value is too long for its column, or a statement for MySQL."""

    def __str__(self) -> str:
        details = [NAMES.get(self.number), f"column {self.column}" if self.column else None]
        return " ".join((f"MySQL error {self.number}", *(f"({detail})" for detail in details if detail)))


def database_error(text: str) -> DatabaseError | None:
    """Return the database error at the end of *text*, after the SQL that it quotes."""
    _, found, after = text.rpartition("mysql_errno = ")
    number, _, message = after.partition(", mysql_error = ")
    if not found or not re.fullmatch(r"\d{1,9}", number):
        return None
    column = COLUMN.search(message)
    too_long = "Data too long" in message or "max_allowed_packet" in message
    return DatabaseError(int(number), column[1] if column else None, too_long)


def reason(text: str, sent: object, secrets: Iterable[Secret] = ()) -> str:
    """Return why iTop refuses a write. *sent* contains the values that were sent, at any depth, and *secrets* the login's."""
    known = known_reason(text)
    if known is not None:
        return known
    start = text[: MOST_READ + LONGEST]
    folded, ours = _folded(start), [secret.reveal() for secret in secrets]
    if any(secret and _folded(secret) in folded for secret in ours):
        return NOT_KEPT
    return hidden(_before_a_quote(_message(start)), _tokens([sent, ours]))


def known_reason(text: str) -> str | None:
    """Return the same for an error in a known form, without any of the ticket's words; else None."""
    if error := database_error(text):
        return str(error)
    text = _message(text)
    for form in FORMS:
        if found := form.fullmatch(text):
            return clip("".join(found.groups()))
    checks = dict.fromkeys(f"{name or older_name}: {problem}" for name, older_name, problem in CHECKS.findall(text))
    return clip(", ".join(checks)) if checks else None


def hidden(text: str, tokens: Iterable[str]) -> str:
    """The start of *text* without any word of *tokens*, regardless of case and accents."""
    folded = frozenset(map(_folded, tokens))
    ours = frozenset(word for token in folded for word in _words(token))
    unspaced = any(map(UNSPACED.search, folded))

    def kept(token: re.Match[str]) -> str:
        theirs = _folded(token[0])
        is_ours = not ours.isdisjoint(_words(theirs)) or (unspaced and UNSPACED.search(theirs))
        return "…" if is_ours else token[0]

    text = clip(TOKEN.sub(kept, text)).strip(" :,;")
    return text if WORD.search(text) else NOT_KEPT


def _words(token: str) -> Iterator[str]:
    """The words within a folded token, and it as one."""
    yield from WORD.findall(token)
    yield from WORD.findall("".join(filter(str.isalnum, token)))


def _folded(text: str) -> str:
    return text.translate(FOLDED)


def _before_a_quote(text: str) -> str:
    if len(text) > MOST_READ:
        text = _whole_words(text[:MOST_READ])
    found = QUOTES.search(text)
    if found is None:
        return text
    text = text[: found.start()]
    return text if text[-1:].isspace() else _whole_words(text)


def _whole_words(text: str) -> str:
    """*text* without its last word, which may go on behind its end."""
    return " ".join(text.split()[:-1])


def _message(text: str) -> str:
    return text.removeprefix("Error: ").partition(": issues = {")[0]


def query_fault(text: str) -> str | None:
    """Return why iTop cannot run a query; None if that is not in iTop's own words. The query itself is left out as too long."""
    if known := known_reason(text):
        return known
    text = text.removeprefix("Error: ")
    if text.startswith("Query failed to execute: "):
        text = text.rpartition(", exception_message = ")[2]
    found = next(filter(None, (form.fullmatch(text) for form in QUERY_FAULTS)), None)
    if found is None:
        return None
    fault, *place = found.groups()
    return clip(f"{fault} - found '{place[0]}' at {place[1]}" if any(place) else fault)


def _tokens(value: object) -> Iterator[str]:
    if isinstance(value, str):
        for text in (value, INLINE.sub("", value)):
            yield from TOKEN.findall(html.unescape(text))
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _tokens(inner)
