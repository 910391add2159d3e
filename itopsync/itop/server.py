"""One iTop server: everything that itopsync asks of it, by name."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

import httpx

from itopsync.errors import Missing, OutcomeUnknown, Refused, RemoteError, StimulusRefused, TooLarge, Unreachable
from itopsync.itop import oql
from itopsync.itop.answers import Call, ServerFailed
from itopsync.itop.attributes import Attributes
from itopsync.itop.body import Contents
from itopsync.itop.caller import Caller, CallRecord
from itopsync.itop.dates import Clock
from itopsync.itop.images import PAGE, VERB, judge_image
from itopsync.itop.rows import Changed, Document, Row, Rows, attachment_of, sighting_of, ticket_of, value_of
from itopsync.itop.settings import ServerSettings
from itopsync.model import Attachment, File, NewEntry, Ref, Side, Sighting, Ticket

T = TypeVar("T")

LIGHT = ("id", "ref", "last_update", "finalclass")
LIGHT_BATCH = 1000
"""Ids in one query that reads next to nothing of each ticket: 10,000 such rows take a server 180 ms."""
OF_AN_ATTACHMENT = ("id", "temp_id", "item_class", "item_id")
WRONG_SHAPE = (KeyError, TypeError, ValueError, AttributeError)


class Server:
    """A client of one server. Threads may share it; it is to be closed, or used as a context manager.

    Every method raises a :class:`~itopsync.errors.RemoteError`, grouped by what recovers from it. Methods that only read send
    a request up to ``read_tries`` times; a write is sent once, and :class:`~itopsync.errors.OutcomeUnknown` says that it may or
    may not have been carried out. Any other error of a write says that nothing was written.

    *on_call* is told of each exchange. *probe* is called with ``before:<verb>`` and ``after:<verb>`` around each exchange
    that is answered, for tests that crash there.

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
    ) -> None:
        self.settings = settings
        self.clock = Clock(settings.side, settings.timezone, settings.date_format)
        self._caller = Caller(settings, transport, sleep, on_call, probe)

    @property
    def side(self) -> Side:
        return self.settings.side

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
        document = self._caller.run(Call(self.side, "list_operations"), {})
        return [str(operation["verb"]) for operation in document.other.get("operations") or ()]

    def account(self) -> str:
        """Return the id of our own account, as log entries and attachments show it, in some dozen calls.

        The class of accounts cannot be read without an administrator's rights, but a query can be compared with one's own id.

        :raises BadQuery: the server has no such comparison, or shows us no organisation to count
        """
        low, high = 0, 1
        while self._account_is_at_least(high):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._account_is_at_least(middle) else (low, middle)
        return str(low) if low else ""

    def _account_is_at_least(self, number: int) -> bool:
        return self.count("Organization", f"SELECT Organization WHERE :current_user->id >= {number}") > 0

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

        A batch that is too long, or that the server fails on, is cut in halves until the ticket is found that does it.

        :raises TooLarge: one ticket is longer than ``max_answer_bytes``: read the others without it
        :raises Refused: the server answers, but fails whenever it reads this one ticket (HTTP 500): likewise
        :raises DateFormatWrong: the server's ``date_format`` is another one
        """
        found: dict[int, Ticket] = {}
        for batch in oql.batches(ids, self.settings.batch):
            found |= self._tickets(cls, batch, attributes)
        return found

    def _tickets(self, cls: str, ids: Sequence[int], attributes: Attributes) -> dict[int, Ticket]:
        query = f"SELECT {oql.name(cls)} WHERE id IN {oql.ids(ids)}"
        failure: RemoteError
        try:
            document = self._caller.run(self._get_call(cls, query), _parameters_of_get(cls, query, attributes.names, None))
        except (TooLarge, ServerFailed) as error:
            failure = error
        else:
            return {
                row.id: self._decode(lambda row: ticket_of(self.side, row, attributes, self.clock), row) for row in document.rows
            }
        if isinstance(failure, ServerFailed):
            self.check_login()  # raises where it is not these tickets that the server fails on
        if len(ids) > 1:
            half = len(ids) // 2
            return self._tickets(cls, ids[:half], attributes) | self._tickets(cls, ids[half:], attributes)
        if isinstance(failure, TooLarge):
            raise TooLarge(self.side, f"{cls}::{ids[0]} is longer than max_answer_bytes allows")
        raise Refused(self.side, f"the server fails on reading {cls}::{ids[0]}. See its own error log")

    # Attachments

    def attachments_of(self, cls: str, ids: Sequence[int]) -> dict[int, tuple[Attachment, ...]]:
        """Return the attachments of each of these tickets, in the order of their ids."""
        found: dict[int, list[Attachment]] = {ticket: [] for ticket in ids}
        for batch in oql.batches(ids, LIGHT_BATCH):
            for attachment in self.attachments_where(f"item_class = {oql.literal(cls)} AND item_id IN {oql.ids(batch)}"):
                found[attachment.item_id].append(attachment)
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
        """
        call = Call(self.side, "core/get", "Attachment", int(id), reads_contents=True)
        document = self._caller.run(call, _parameters_of_get("Attachment", int(id), ("contents",), None))
        if not document.rows:
            raise Missing(self.side, f"there is no Attachment::{id}, or the account may not see it")
        told = document.rows[0].fields.get("contents") or {}
        name, mimetype = str(told.get("filename") or ""), str(told.get("mimetype") or "")
        return File(name, mimetype or "application/octet-stream", document.contents or b"")

    def image(self, id: int, secret: str) -> File:
        """Return an image that was pasted into a text, by the id and the secret that stand there, from this server only.

        :raises Missing: there is no such image, or it has another secret
        :raises TooLarge: it is longer than ``max_answer_bytes``
        """
        query = {"operation": VERB, "id": str(int(id)), "s": secret}
        return self._caller.download(Call(self.side, VERB, "InlineImage", int(id)), PAGE, query, judge_image)

    # Writing

    def create(
        self, cls: str, fields: Mapping[str, object], logs: Mapping[str, Sequence[NewEntry]], attributes: Attributes
    ) -> Ticket:
        """Make a ticket with its whole history, and return it as it is stored."""
        whole = {log: {"items": [self._item(entry) for entry in entries]} for log, entries in logs.items() if entries}
        call = Call(self.side, "core/create", cls, writes=True)
        return self._write_ticket(call, {"fields": {**self._values(fields, attributes), **whole}}, attributes)

    def update(self, ref: Ref, fields: Mapping[str, object], logs: Mapping[str, NewEntry], attributes: Attributes) -> Ticket:
        """Set attributes and append at most one entry to each log, and return the ticket as it is stored.

        :raises Missing: there is no such ticket
        :raises LogFull: a log takes no further entry; nothing was written
        """
        call = Call(self.side, "core/update", ref.cls, ref.id, writes=True)
        return self._write_ticket(call, {"key": ref.id, "fields": self._with_entries(fields, logs, attributes)}, attributes)

    def stimulate(
        self, ref: Ref, stimulus: str, fields: Mapping[str, object], logs: Mapping[str, NewEntry], attributes: Attributes
    ) -> Ticket:
        """Apply a stimulus together with attributes and entries, and return the ticket as it is stored.

        :raises StimulusRefused: its state does not take the stimulus, or the transition's own action refused; nothing was written
        """
        call = Call(self.side, "core/apply_stimulus", ref.cls, ref.id, writes=True)
        parameters = {"key": ref.id, "stimulus": stimulus, "fields": self._with_entries(fields, logs, attributes)}
        return self._write_ticket(call, parameters, attributes)

    def create_attachment(self, ref: Ref, org_id: int, file: File, temp_id: str) -> Attachment:
        """Attach a file to a ticket. Besides *file* it takes next to no memory.

        *org_id* is the ticket's organisation: without it an account that is limited to organisations cannot see its own upload.

        :raises TooLarge: the server takes no such large request
        """
        contents = Contents(file.data)
        fields = {
            "item_class": ref.cls,
            "item_id": ref.id,
            "item_org_id": org_id,
            "temp_id": temp_id,
            "contents": {"data": contents, "mimetype": file.mimetype, "filename": file.name},
        }
        call = Call(self.side, "core/create", "Attachment", writes=True)
        return self._decode_written(call, self._write(call, {"fields": fields}, OF_AN_ATTACHMENT, contents), attachment_of)

    def delete_attachment(self, id: int) -> bool:
        """Delete an attachment, and return whether it was still there."""
        call = Call(self.side, "core/delete", "Attachment", int(id), writes=True)
        deleted = self._write(call, {"key": int(id)}).counted
        if deleted is None:
            raise OutcomeUnknown(self.side, f"answered without a count; whether {call} was carried out is to be looked for")
        return deleted > 0

    # Within

    def _get_call(self, cls: str, key: str | int) -> Call:
        return Call(self.side, "core/get", cls, key if isinstance(key, int) else None)

    def _read(self, call: Call, cls: str, key: str | int, attributes: Sequence[str], limit: int | None) -> Document:
        try:
            return self._caller.run(call, _parameters_of_get(cls, key, attributes, limit))
        except TooLarge as error:
            raise Unreachable(self.side, f"{str(error).removeprefix(f'{self.side}: ')}. Raise max_answer_bytes") from None

    def _write(
        self, call: Call, parameters: Mapping[str, object], names: Iterable[str] = ("id",), contents: Contents | None = None
    ) -> Document:
        told = {"comment": self.settings.comment, "class": call.cls, "output_fields": ",".join(names)}
        return self._caller.run(call, {**told, **parameters}, contents)

    def _write_ticket(self, call: Call, parameters: Mapping[str, object], attributes: Attributes) -> Ticket:
        document = self._write(call, parameters, attributes.names)
        return self._decode_written(call, document, lambda row: ticket_of(self.side, row, attributes, self.clock))

    def _decode_written(self, call: Call, document: Document, decode: Callable[[Row], T]) -> T:
        if not document.rows and call.verb == "core/apply_stimulus":
            raise StimulusRefused(self.side, f"{call}: the transition's own action refused; nothing was written")
        try:
            return decode(document.rows[0])
        except (IndexError, RemoteError, *WRONG_SHAPE):
            # It was carried out, most likely. What the answer cannot tell is to be looked for.
            raise OutcomeUnknown(self.side, f"answered {call} in an unknown shape; what it did is to be looked for") from None

    def _decode(self, decode: Callable[[Row], T], row: Row) -> T:
        try:
            return decode(row)
        except WRONG_SHAPE:
            raise Unreachable(self.side, f"shows {row.cls}::{row.id} in an unknown shape. See that it is iTop 3.2") from None

    def _sightings(self, rows: Iterable[Row]) -> tuple[Sighting, ...]:
        return tuple(self._decode(lambda row: sighting_of(self.side, row), row) for row in rows)

    def _values(self, fields: Mapping[str, object], attributes: Attributes) -> dict[str, object]:
        return {name: value_of(name, value, self.clock, attributes.kind(name)) for name, value in fields.items()}

    def _with_entries(
        self, fields: Mapping[str, object], logs: Mapping[str, NewEntry], attributes: Attributes
    ) -> dict[str, object]:
        # Never "items" here: in an update it replaces the whole log.
        return self._values(fields, attributes) | {log: {"add_item": self._item(entry)} for log, entry in logs.items()}

    def _item(self, entry: NewEntry) -> dict[str, str]:
        return {"date": self.clock.write_entry(entry.at), "message": entry.html, "format": "html"}


def _parameters_of_get(cls: str, key: str | int, names: Iterable[str], limit: int | None) -> dict[str, object]:
    parameters: dict[str, object] = {"class": cls, "key": key, "output_fields": ",".join(names)}
    return parameters if limit is None else {**parameters, "limit": limit}
