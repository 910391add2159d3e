"""What is asked of one iTop server without changing anything, by name."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType, TracebackType
from typing import Self, TypeVar

import httpx

from itopsync.errors import AccessRefused, BadQuery, Missing, Refused, RemoteError, TooLarge, Unreachable
from itopsync.itop import address, older, oql, versions
from itopsync.itop.answers import Call, ServerFailed
from itopsync.itop.attributes import Attributes
from itopsync.itop.caller import Caller, CallRecord, Guard
from itopsync.itop.dates import Clock
from itopsync.itop.images import PAGE, VERB, judge_image
from itopsync.itop.rows import WRONG_SHAPE, Changed, Document, Row, Rows, attachment_of, file_of, sighting_of, ticket_of
from itopsync.itop.settings import ServerSettings
from itopsync.model import Attachment, File, Side, Sighting, Ticket
from itopsync.reconcile.rules import Kind

T = TypeVar("T")

LIGHT = ("id", "ref", "last_update", "finalclass")
LIGHT_BATCH = 1000
"""Ids in one query that reads next to nothing of each ticket: 10,000 such rows take a server 180 ms."""
OF_AN_ATTACHMENT = ("id", "temp_id", "item_class", "item_id")
NO_SUCH_ATTRIBUTE = "itopsync-no-such-attribute"
POINTS_TO = re.compile(r"which is pointing to (\w{1,80})")
NO_KEY = "Unknown key in join condition"
NO_CLASS = "is not a valid class"
HIGHEST_ID = 2**31
"""Of iTop's keys, which are MySQL's signed integers."""


class Reader:
    """The half of :class:`~itopsync.itop.server.Server` that changes nothing. A request is sent up to ``read_tries`` times.

    *on_call* is told of each exchange. *probe* is called with ``before:<verb>`` before each exchange and with ``after:<verb>``
    after each that is answered, for tests that crash there. *guard* is called before each exchange with whether it writes;
    what it raises goes to the caller, and nothing is sent.

    :raises ValueError: on making one, when ``date_format`` is not usable
    :raises OSError: on making one, when ``ca_file`` cannot be read
    """

    def __init__(
        self,
        settings: ServerSettings,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_call: Callable[[CallRecord], None] | None = None,
        probe: Callable[[str], None] | None = None,
        *,
        guard: Guard | None = None,
    ) -> None:
        self.settings = settings
        self.clock = Clock(settings.side, settings.timezone, settings.date_format)
        self._caller = Caller(settings, transport, sleep, on_call, probe, guard=guard)
        self._version: str | None = None

    @property
    def side(self) -> Side:
        return self.settings.side

    @property
    def refused_bytes(self) -> int | None:
        """The size of the smallest request so far that was too large for the server; None if none was."""
        return self._caller.refused_bytes

    def close(self) -> None:
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # What the server is

    def check_login(self) -> None:
        """See that the server answers and takes our login."""
        self._caller.run(Call(self.side, "list_operations"), {})

    def operations(self) -> list[str]:
        """Return the verbs that the server's REST API offers us."""
        offered = self._caller.run(Call(self.side, "list_operations"), {}).other.get("operations")
        if not isinstance(offered, list):
            raise Unreachable(self.side, "answered list_operations in an unknown shape. See that it is iTop 3.2")
        return [str(operation["verb"]) for operation in offered if isinstance(operation, dict) and "verb" in operation]

    def own_address(self) -> str:
        """Return what the server calls itself, without a trailing slash; ``""`` where it does not tell."""
        return self._caller.download(Call(self.side, address.VERB), address.PAGE, {}, address.judge_address)

    def account(self, known: str | None = None) -> str:
        """Return the id of our own account, as log entries and attachments show it: in two calls if it is the one that was
        *known* so far, else in some dozen.

        The class of accounts cannot be read without an administrator's rights, but a query can be compared with one's own id.

        :raises BadQuery: the server has no such comparison, or shows us no organisation to count
        """
        if known and self._account_is_at_least(int(known)) and not self._account_is_at_least(int(known) + 1):
            return known
        low, high = 0, 1
        while high < HIGHEST_ID and self._account_is_at_least(high):
            low, high = high, high * 2
        if not low or high == HIGHEST_ID:
            raise BadQuery(self.side, "does not tell our own account's id. See that the account may read the class Organization")
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._account_is_at_least(middle) else (low, middle)
        return str(low)

    def _account_is_at_least(self, number: int) -> bool:
        return self.count("Organization", f"SELECT Organization WHERE :current_user->id >= {number}") > 0

    def version(self) -> str:
        """Return which iTop it is: ``2.7`` (or older), ``3.0``, ``3.1`` or ``3.2`` (or newer). Asked once."""
        if self._version is None:
            newest = (version for version, cls in versions.FIRST_WITH if self._knows(cls))
            self._version = next(newest, versions.OLDEST)
        return self._version

    def _knows(self, cls: str) -> bool:
        try:
            self.count(cls, f"SELECT {cls} WHERE id = 0")
        except AccessRefused:
            return True
        except BadQuery as error:
            if NO_CLASS not in str(error):
                raise
            return False
        return True

    def may_create(self, cls: str) -> bool:
        """Return whether the account may create and change objects of *cls* at this moment. Nothing is written.

        iTop looks at rights before it looks at attributes, and there is none of the name that is asked for.

        :raises BadQuery: there is no such class
        """
        try:
            self._may("core/create", cls, {"fields": {NO_SUCH_ATTRIBUTE: ""}})
        except BadQuery as error:
            if NO_SUCH_ATTRIBUTE not in str(error):
                raise
        except AccessRefused:
            return False
        return True

    def may_delete(self, cls: str) -> bool:
        """Return whether the account may delete objects of *cls* at this moment. Nothing is deleted.

        :raises BadQuery: there is no such class
        """
        try:
            self._may("core/delete", cls, {"key": 0, "simulate": True})
        except AccessRefused:
            return False
        return True

    def key_class(self, cls: str, name: str) -> str | None:
        """Return the class that an attribute of *cls* points to, or ``None`` if it is no external key.

        iTop names that class when it refuses to join another one.

        :raises BadQuery: there is no class *cls*
        """
        query = f"SELECT {oql.name(cls)} AS this JOIN {oql.name(cls)} AS other ON this.{oql.name(name)} = other.id"
        try:
            self.count(cls, query)
        except BadQuery as error:
            if found := POINTS_TO.search(str(error)):
                return found[1]
            if NO_KEY not in str(error):
                raise
            return None
        return cls

    def _may(self, verb: str, cls: str, parameters: Mapping[str, object]) -> None:
        told = {"comment": self.settings.comment, "class": cls, "output_fields": "id"}
        self._caller.run(Call(self.side, verb, cls), {**told, **parameters})

    # Reading

    def get(self, cls: str, oql_or_id: str | int, attributes: Sequence[str], limit: int | None = None) -> Rows:
        """Return the objects of a class that a query finds, or the one with an id, with *attributes* as iTop shows them.

        There is no order. ``Rows.found`` counts all that match, also where *limit* cuts.

        :raises BadQuery: the query, the class or an attribute is not one
        """
        document = self._read(self._get_call(cls, oql_or_id), cls, oql_or_id, attributes, limit)
        found = document.counted
        if found is None or document.at is None:
            raise Unreachable(self.side, "gave an answer without a count or without a Date header: something between alters it")
        return Rows(found, document.rows, document.at)

    def count(self, cls: str, query: str) -> int:
        """Return how many objects *query* finds, for the price of one row."""
        return self.get(cls, query, ("id",), limit=1).found

    def changed_tickets(self, classes: Sequence[str], since: datetime) -> Changed:
        """Return all tickets of *classes* that changed at *since* or later, in one call."""
        condition = f"last_update >= {oql.literal(self.clock.earliest(since))} AND finalclass IN {oql.names(classes)}"
        rows = self.get("Ticket", f"SELECT Ticket WHERE {condition}", LIGHT)
        return Changed(rows.at, self._sightings(rows.rows))

    def sightings(self, cls: str, condition: str = "", ids: Sequence[int] | None = None) -> tuple[Sighting, ...]:
        """Return which tickets of a class (of *ids*, or all) meet an OQL *condition*, in which the ticket is called ``this``."""
        found: list[Sighting] = []
        for batch in oql.batches(ids, LIGHT_BATCH) if ids is not None else (None,):
            conditions = [f"this.id IN {oql.ids(batch)}"] if batch else []
            conditions += [f"({condition})"] if condition else []
            query = " WHERE ".join((f"SELECT {oql.name(cls)} AS this", *([" AND ".join(conditions)] if conditions else [])))
            found += self._sightings(self.get(cls, query, LIGHT).rows)
        return tuple(found)

    def tickets(self, cls: str, ids: Sequence[int], attributes: Attributes) -> dict[int, Ticket]:
        """Return the tickets with these *ids*, without their attachments; those that are not there are not in the answer.

        :raises Refused: one of them cannot be read, as :meth:`readable_tickets` tells
        :raises DateFormatWrong: the server's ``date_format`` is another one
        """
        found, unreadable = self.readable_tickets(cls, ids, attributes)
        for failure in unreadable.values():
            raise failure
        return found

    def readable_tickets(
        self, cls: str, ids: Sequence[int], attributes: Attributes
    ) -> tuple[dict[int, Ticket], dict[int, Refused]]:
        """Return the same, and why each one that is not among them cannot be read though the server answers.

        A batch that is too long, or that the server fails on, is cut in halves until the ticket is found that does it: that one
        is longer than ``max_answer_bytes`` (:class:`~itopsync.errors.TooLarge`), or the server fails whenever it reads it
        (HTTP 500).

        :raises DateFormatWrong: the server's ``date_format`` is another one
        """
        found: dict[int, Ticket] = {}
        unreadable: dict[int, Refused] = {}
        for batch in oql.batches(ids, self.settings.batch):
            found |= self._tickets(cls, batch, attributes, unreadable)
        return found, unreadable

    def _tickets(self, cls: str, ids: Sequence[int], attributes: Attributes, unreadable: dict[int, Refused]) -> dict[int, Ticket]:
        query = f"SELECT {oql.name(cls)} WHERE id IN {oql.ids(ids)}"
        failure: RemoteError
        try:
            document = self._caller.run(self._get_call(cls, query), _parameters_of_get(cls, query, attributes.names, None))
        except (TooLarge, ServerFailed) as error:
            failure = error
        else:
            return {row.id: self._decode(lambda row: self._ticket(row, attributes), row) for row in document.rows}
        if isinstance(failure, ServerFailed):
            self.check_login()  # raises where it is not these tickets that the server fails on
        if len(ids) > 1:
            half = len(ids) // 2
            left = self._tickets(cls, ids[:half], attributes, unreadable)
            return left | self._tickets(cls, ids[half:], attributes, unreadable)
        if isinstance(failure, TooLarge):
            unreadable[ids[0]] = TooLarge(self.side, f"{cls}::{ids[0]} is longer than max_answer_bytes allows")
        else:
            unreadable[ids[0]] = Refused(self.side, f"the server fails on reading {cls}::{ids[0]}. See its own error log")
        return {}

    def _ticket(self, row: Row, attributes: Attributes) -> Ticket:
        """The ticket of a row, with HTML as iTop 3.2 would show it."""
        ticket = ticket_of(self.side, row, attributes, self.clock)
        html = {name: text for name, text in ticket.fields.items() if attributes.kind(name) is Kind.HTML}
        if not any(older.may_differ(name, text) for name, text in html.items()) or self.version() not in older.OLDER:
            return ticket
        shown = {name: older.as_html(name, text) for name, text in html.items() if older.may_differ(name, text)}
        return replace(ticket, fields=MappingProxyType({**ticket.fields, **shown}))

    # Attachments

    def attachments_of(self, cls: str, ids: Sequence[int]) -> dict[int, tuple[Attachment, ...]]:
        """Return the attachments of each of these tickets, in the order of their ids."""
        found: dict[int, list[Attachment]] = {ticket: [] for ticket in ids}
        for batch in oql.batches(ids, LIGHT_BATCH):
            for attachment in self.attachments_where(f"item_class = {oql.literal(cls)} AND item_id IN {oql.ids(batch)}"):
                found.setdefault(attachment.item_id, []).append(attachment)
        return {ticket: tuple(attachments) for ticket, attachments in found.items()}

    def attachments_above(self, id: int, also: Collection[int] = ()) -> tuple[Attachment, ...]:
        """Return the attachments with higher ids than *id*, and those of *also* that are there, in the order of their ids."""
        return self.attachments_where(f"id > {int(id)}" + (f" OR id IN {oql.ids(sorted(also))}" if also else ""))

    def attachments_where(self, condition: str) -> tuple[Attachment, ...]:
        """Return the attachments that meet an OQL *condition*, in the order of their ids."""
        rows = self.get("Attachment", f"SELECT Attachment WHERE {condition}", OF_AN_ATTACHMENT).rows
        return tuple(sorted((self._decode(attachment_of, row) for row in rows), key=lambda attachment: attachment.id))

    def count_attachments(self, condition: str) -> int:
        """Return how many attachments meet an OQL *condition*."""
        return self.count("Attachment", f"SELECT Attachment WHERE {condition}")

    def attachment_file(self, id: int) -> File:
        """Return the contents of an attachment. It takes two and a half times the file's size in memory.

        :raises Missing: it is not there
        :raises TooLarge: its answer is longer than ``max_answer_bytes``
        :raises Refused: the server answers, but fails on this one
        """
        call = Call(self.side, "core/get", "Attachment", int(id), reads_contents=True)
        return self._contents(call, lambda: self._attachment_file(call))

    def _attachment_file(self, call: Call) -> File:
        document = self._caller.run(call, _parameters_of_get(call.cls, call.id or 0, ("contents",), None))
        if not document.rows:
            raise Missing(self.side, f"there is no Attachment::{call.id}, or the account may not see it")
        return self._decode(lambda row: file_of(row, document.contents), document.rows[0])

    def image(self, id: int, secret: str) -> File:
        """Return an image that was pasted into a text, by the id and the secret that stand there, from this server only.

        :raises Missing: there is no such image, or it has another secret
        :raises TooLarge: it is longer than ``max_answer_bytes``
        :raises Refused: the server answers, but fails on this one
        """
        query = {"operation": VERB, "id": str(int(id)), "s": secret}
        call = Call(self.side, VERB, "InlineImage", int(id))
        return self._contents(call, lambda: self._caller.download(call, PAGE, query, judge_image))

    # Within

    def _contents(self, call: Call, read: Callable[[], T]) -> T:
        """Read one thing of any size. Where the server fails on it but answers else, it must not pass for one that is down."""
        try:
            return read()
        except (Unreachable, BadQuery) as error:
            failure = error
        self.check_login()
        why = str(failure).removeprefix(f"{self.side}: ")
        raise Refused(self.side, f"the server fails on reading {call.cls}::{call.id}: it {why}")

    def _get_call(self, cls: str, key: str | int) -> Call:
        return Call(self.side, "core/get", cls, key if isinstance(key, int) else None)

    def _read(self, call: Call, cls: str, key: str | int, attributes: Sequence[str], limit: int | None) -> Document:
        try:
            return self._caller.run(call, _parameters_of_get(cls, key, attributes, limit))
        except TooLarge as error:
            raise Unreachable(self.side, f"{str(error).removeprefix(f'{self.side}: ')}. Raise max_answer_bytes") from None

    def _decode(self, decode: Callable[[Row], T], row: Row) -> T:
        try:
            return decode(row)
        except WRONG_SHAPE:
            raise Unreachable(self.side, f"shows {row.cls}::{row.id} in an unknown shape. See that it is iTop 3.2") from None

    def _sightings(self, rows: Iterable[Row]) -> tuple[Sighting, ...]:
        return tuple(self._decode(lambda row: sighting_of(self.side, row), row) for row in rows)


def _parameters_of_get(cls: str, key: str | int, names: Iterable[str], limit: int | None) -> dict[str, object]:
    parameters: dict[str, object] = {"class": cls, "key": key, "output_fields": ",".join(names)}
    return parameters if limit is None else {**parameters, "limit": limit}
