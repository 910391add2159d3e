"""Decides what is kept of an error's text.

Reasons are logged, stored and shown, so they must not contain a ticket's text. But iTop quotes what it refuses: a value, a title
that an administrator made part of an object's name, or the whole SQL with the ticket's log in it. Therefore:

- of errors in the known forms of iTop's own code, only names and numbers are kept (:data:`FORMS`, :data:`CHECKS`);
- of a database error, only its number and the column that it names;
- of any other text, such as an extension's, what precedes the first quote or bracket, without the words that we sent, and
  without the names of the two tickets and their people (:func:`hidden`, once it is known which tickets these are).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from itopsync.errors import clip

FORMS = tuple(
    re.compile(form, re.DOTALL)
    for form in (
        r"(\w{1,60}: Unknown attribute)",
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
QUOTES = re.compile(r"""["“”„«»‹›‘\[\]{}<>=]|(?<!\w)['’]|['’](?!\w)""")
WORD = re.compile(r"\w{3,}")
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


def reason(text: str, sent: object) -> str:
    """Return why iTop refuses a write. *sent* contains the values that were sent, at any depth."""
    known = known_reason(text)
    if known is not None:
        return known
    return hidden(clip(QUOTES.split(_message(text), maxsplit=1)[0]), _words(sent))


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


def hidden(text: str, words: Iterable[str]) -> str:
    """*text* without any of *words*, regardless of case."""
    ours = {word.casefold() for word in words}
    kept = WORD.sub(lambda word: "…" if word[0].casefold() in ours else word[0], text).strip(" :,;")
    return kept if WORD.search(kept) else "iTop's reason quotes the ticket, and is not kept"


def _message(text: str) -> str:
    return text.removeprefix("Error: ").partition(": issues = {")[0]


def query_fault(text: str) -> str:
    """Return why iTop cannot run a query. The query, the operator's or ours, contains no ticket; it is left out as too long."""
    if error := database_error(text):
        return str(error)
    text = text.rpartition("exception_message = ")[2].removeprefix("Error: ")
    return clip(re.split(r" in '|, expecting \{|, available = |: issues = \{", text, maxsplit=1)[0])


def _words(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from WORD.findall(value)
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _words(inner)
