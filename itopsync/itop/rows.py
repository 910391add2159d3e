"""Converts iTop's JSON to the model's values and back."""

from __future__ import annotations

import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import escape
from types import MappingProxyType
from typing import Any

from itopsync.errors import printable
from itopsync.itop.attributes import Attributes, is_key
from itopsync.itop.dates import Clock, DateFormatWrong
from itopsync.model import NOTHING, Attachment, Entry, File, Ref, Side, Sighting, Ticket
from itopsync.reconcile.rules import Kind

NAME = re.compile(r"(\w{1,80})::([0-9]{1,15})", re.ASCII)
FOUND = re.compile(r"(?:Found|Deleted): ([0-9]{1,15})(?: plus .*)?")
HIGHEST_KEY = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BIRTH = ("creation_date", "expire")
"""The attributes that show when an attachment was created. Before 3.1, one created by an API client has no ``creation_date``;
``expire`` is set on every creation and never again."""
WRONG_SHAPE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What decoding JSON of an unexpected shape can raise."""


@dataclass(frozen=True)
class Row:
    """One object in a response."""

    cls: str
    """The object's own class, even if an ancestor was queried."""
    id: int
    fields: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Rows:
    """The objects that a query found."""

    found: int
    """How many match, even beyond the limit."""
    rows: tuple[Row, ...]
    at: datetime
    """The server's own time of the answer (HTTP ``Date``), in UTC."""


@dataclass(frozen=True)
class Changed:
    """What a poll saw."""

    at: datetime
    """The server's own time (HTTP ``Date``) of the earliest answer."""
    sightings: tuple[Sighting, ...]
    odd: frozenset[int] = frozenset()
    """The ids of tickets that changed, or may have, but that the server fails to show."""


@dataclass(frozen=True)
class Document:
    """A JSON response in iTop's shape."""

    code: int
    message: str = field(repr=False)
    """May be huge, and quote a whole ticket."""
    rows: tuple[Row, ...] = field(repr=False)
    odd: int
    """How many rows have such an odd shape that they do not even identify their object."""
    contents: bytes | None = field(repr=False)
    """The contents of a file, if one was read."""
    at: datetime | None
    """HTTP ``Date`` in UTC."""

    @property
    def counted(self) -> int | None:
        """The number in ``Found: 3`` or ``Deleted: 1``."""
        found = FOUND.fullmatch(self.message)
        return int(found[1]) if found else None


def parse(body: bytearray, date: str | None, *, lift_contents: bool = False) -> Document | None:
    """Return the document in a response's body, or ``None`` if it is not iTop's JSON.

    With *lift_contents*, a file's base64 is decoded in place rather than parsed as JSON, which would take five times the file's
    memory. An unescaped ``"data":"`` cannot occur inside a JSON string.
    """
    contents = None
    text: bytes | bytearray = body
    if lift_contents and (start := body.find(b'"data":"')) >= 0:
        start += len(b'"data":"')
        end = body.find(b'"', start)
        with memoryview(body) as view, view[start:end] as base64:
            try:
                contents = a2b_base64(base64)  # ignores the backslashes that PHP puts before slashes
            except Base64Error:
                return None
        text = body[:start] + body[end:]
    try:
        document = json.loads(text)
        rows = [_row(str(name), row) for name, row in (document.get("objects") or {}).items()]
        return Document(
            code=int(document["code"]),
            message=str(document.get("message") or ""),
            rows=tuple(row for row in rows if row is not None),
            odd=rows.count(None),
            contents=contents,
            at=_date(date),
        )
    except (*WRONG_SHAPE, RecursionError):
        return None


def _row(name: str, row: Mapping[str, Any]) -> Row | None:
    """One object, without attributes if only its *name* (``UserRequest::17``) identifies it."""
    try:
        return Row(printable(str(row["class"])), _id(row["key"]), MappingProxyType(dict(row["fields"] or {})))
    except WRONG_SHAPE:
        found = NAME.fullmatch(name)
        return Row(found[1], int(found[2]), NOTHING) if found else None


def _id(value: object) -> int:
    """An id in MySQL's range. :raises ValueError, TypeError: it is not one"""
    number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else -1
    if not 0 <= number <= HIGHEST_KEY:
        raise ValueError("no id")
    return number


def _text(value: object) -> str:
    """A short text that can be stored. :raises UnicodeEncodeError: it contains a lone surrogate"""
    text = str(value)
    text.encode()
    return text


def _date(date: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(date or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def text_of(name: str, value: object, clock: Clock, kind: Kind) -> str:
    """Return an attribute's value as text: dates in UTC, an empty key as ``""``, and an invalid date unchanged."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    if kind is Kind.DATE:
        try:
            return clock.read(name, text)
        except DateFormatWrong:
            return text
    return "" if text == "0" and is_key(name) else text


def value_of(name: str, value: object, clock: Clock, kind: Kind) -> object:
    """Return an attribute's value as iTop accepts it. :raises ValueError, OverflowError: a date cannot be written there."""
    if kind is Kind.DATE and isinstance(value, str):
        return clock.write(value)
    # iTop 3.2.0 takes "" as a key for a query, and crashes on it (HTTP 500).
    return 0 if value in ("", None) and is_key(name) else value


def entries_of(entries: Sequence[Mapping[str, Any]], clock: Clock, otherwise: datetime) -> tuple[Entry, ...]:
    """Return the entries of a case log. An entry without a valid date gets that of its predecessor, or else its successor, to
    keep its place.

    :raises AttributeError, TypeError: they have another shape
    """
    dates = [clock.read_entry(str(entry.get("date") or "")) for entry in entries]
    before = next((at for at in dates if at is not None), otherwise)
    found: list[Entry] = []
    for at, entry in zip(dates, entries, strict=True):
        before = before if at is None else at
        html = entry.get("message_html") or escape(str(entry.get("message") or ""), quote=False).replace("\n", "<br>\n")
        author = printable(str(entry.get("user_login") or ""))  # people choose their names
        found.append(Entry(str(entry.get("user_id") or ""), author, before, str(html), dated=at is not None))
    return tuple(found)


def ticket_of(side: Side, row: Row, attributes: Attributes, clock: Clock) -> Ticket:
    """Return the ticket in *row*.

    :raises KeyError, TypeError: an attribute is missing or has another shape
    :raises DateFormatWrong: the date of its last change, which the server itself wrote, does not match the configured format
    """
    names = ("org_id", *attributes.fields)
    version = _text(row.fields["last_update"])
    changed = clock.read("last_update", version)
    otherwise = datetime.fromisoformat(changed) if changed else EPOCH
    return Ticket(
        ref=Ref(side, row.cls, row.id),
        number=printable(str(row.fields["ref"])),
        version=version,
        state=printable(str(row.fields[attributes.state])),
        fields=MappingProxyType({name: _text(text_of(name, row.fields[name], clock, attributes.kind(name))) for name in names}),
        logs=MappingProxyType({log: entries_of(row.fields[log]["entries"], clock, otherwise) for log in attributes.logs}),
    )


def sighting_of(side: Side, row: Row) -> Sighting:
    """Return the sighting in a poll's row. :raises KeyError: an attribute is missing."""
    return Sighting(Ref(side, row.cls, row.id), printable(str(row.fields["ref"])), _text(row.fields["last_update"]))


def attachment_of(row: Row, clock: Clock) -> Attachment:
    """Return an attachment without its contents. :raises KeyError, ValueError: it has another shape."""
    dates = (clock.digits(str(row.fields.get(name) or "")) for name in BIRTH)
    return Attachment(
        row.id,
        _text(row.fields["temp_id"]),
        _text(row.fields["item_class"]),
        _id(row.fields["item_id"]),
        next(filter(None, dates), ""),
    )


def file_of(row: Row, contents: bytes | None) -> File:
    """Return the file in an attachment's row, whose *contents* were lifted. :raises KeyError, ValueError: another shape."""
    about = row.fields["contents"]
    if contents is None:
        raise ValueError("contents without data")
    return File(str(about["filename"] or ""), str(about["mimetype"] or "") or "application/octet-stream", contents)
