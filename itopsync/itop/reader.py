"""Reads the tickets and files of one iTop server. An object that the server fails to show does not hold up the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Generic, TypeVar

from itopsync.errors import BadQuery, Missing, Refused, RemoteError, SideUnavailable, TooLarge, Unreachable
from itopsync.itop import blanks, older, oql
from itopsync.itop.answers import Call
from itopsync.itop.attributes import Attributes
from itopsync.itop.dates import DateFormatWrong
from itopsync.itop.images import PAGE, VERB, judge_image
from itopsync.itop.inquiry import HIGHEST_ID, Inquiry, parameters_of_get
from itopsync.itop.piecewise import NO_ID, read_piecewise
from itopsync.itop.rows import BIRTH, Changed, Row, Rows, attachment_of, file_of, sighting_of, ticket_of
from itopsync.model import Attachment, File, Ref, Side, Sighting, Ticket
from itopsync.reconcile.rules import Kind

T = TypeVar("T")

ANY_ID = range(1, NO_ID)
SAMPLE = 20
"""How many tickets are sampled to decide whether the date format is wrong, or only one ticket's date."""
LIGHT = ("id", "ref", "last_update", "finalclass")
LIGHT_BATCH = 1000
"""Ids in one query that reads very little of each ticket: 10,000 such rows take a server 180 ms."""
SPAN = 10_000
"""How many ids a range holds initially: searching their logs takes a second if each ticket has 6 kB of them."""
OF_AN_ATTACHMENT = ("id", "temp_id", "item_class", "item_id", *BIRTH)


class OddRow(Unreachable):
    """The server shows an object in an unexpected shape."""


class Unnamed(Unreachable):
    """The server shows objects without a usable id, among as many as it *counted*."""

    def __init__(self, side: Side, what: str, counted: int) -> None:
        super().__init__(side, what)
        self.counted = counted


@dataclass(frozen=True)
class Pieces(Generic[T]):
    """The result of reading many objects."""

    found: list[T]
    failed: dict[int, RemoteError]
    """Id → why it cannot be read; under :data:`~itopsync.itop.piecewise.NO_ID`, of those without a usable id."""
    at: datetime | None
    """The server's clock at its first response; None if it never said."""


class Reader(Inquiry):
    """The part of :class:`~itopsync.itop.server.Server` that only reads; constructed like an inquiry."""

    # Tickets

    def changed_tickets(self, classes: Sequence[str], since: datetime) -> Changed:
        """Return all tickets of *classes* that changed at *since* or later, in one call unless a ticket makes it fail."""
        condition = f"last_update >= {oql.literal(self.clock.earliest(since))} AND finalclass IN {oql.names(classes)}"

        def decode(row: Row) -> Sighting:
            if row.cls not in classes:
                raise ValueError("another class than was asked for")
            return self._sighting(row)

        pieces = self._pieces("Ticket", lambda ids: f"SELECT Ticket WHERE {_all(condition, ids)}", LIGHT, decode)
        if pieces.at is None:
            raise Unreachable(self.side, "gave an answer without a count or without a Date header: something between alters it")
        return Changed(pieces.at, tuple(pieces.found), frozenset(pieces.failed))

    def sightings(self, cls: str, condition: str = "", ids: Sequence[int] | None = None) -> tuple[Sighting, ...]:
        """Return the tickets of a class (with *ids*, or all) that meet an OQL *condition*, which calls the ticket ``this``.

        Tickets that the server fails to show are left out.
        """
        return self.readable_sightings(cls, condition, ids)[0]

    def readable_sightings(
        self, cls: str, condition: str = "", ids: Sequence[int] | None = None
    ) -> tuple[tuple[Sighting, ...], dict[int, RemoteError]]:
        """Return the same, and the error of each existing ticket that the server fails to show.

        Those without a usable id have one error together, under :data:`~itopsync.itop.piecewise.NO_ID`: something is there.
        """

        def query(within: str) -> str:
            conditions = _all(within, f"({condition})" if condition else "")
            return f"SELECT {oql.name(cls)} AS this" + (f" WHERE {conditions}" if conditions else "")

        found: list[Sighting] = []
        odd: dict[int, RemoteError] = {}
        for batch in oql.batches(ids, LIGHT_BATCH) if ids is not None else (None,):
            pieces = self._pieces(cls, query, LIGHT, self._sighting, key="this.id", ids=batch)
            found, odd = found + pieces.found, odd | pieces.failed
        return tuple(found), odd

    def _sighting(self, row: Row) -> Sighting:
        return sighting_of(self.side, row)

    def tickets(self, cls: str, ids: Sequence[int], attributes: Attributes) -> dict[int, Ticket]:
        """Return the tickets with these *ids*, without their attachments; missing ones are left out.

        :raises Refused: one of them cannot be read, see :meth:`readable_tickets`
        :raises DateFormatWrong: the server's dates do not match ``date_format``
        """
        found, unreadable = self.readable_tickets(cls, ids, attributes)
        for failure in unreadable.values():
            raise failure
        return found

    def readable_tickets(
        self, cls: str, ids: Sequence[int], attributes: Attributes
    ) -> tuple[dict[int, Ticket], dict[int, Refused]]:
        """Return the same, and why each of the others cannot be read although the server answers.

        If the server fails on a batch in any way, or the response exceeds ``max_answer_bytes``, the batch is halved until the
        ticket at fault is found. A ticket of an unknown shape, or whose last change is not a date, fails by itself.

        :raises DateFormatWrong: most of the server's tickets have a last change that does not match ``date_format``
        """

        def decode(row: Row) -> Ticket:
            if row.cls != cls:
                raise ValueError("another class than was asked for")
            return self._ticket(row, attributes)

        tickets: dict[int, Ticket] = {}
        failed: dict[int, RemoteError] = {}
        for batch in oql.batches(ids, self.settings.batch):
            pieces = self._pieces(cls, lambda ids: f"SELECT {oql.name(cls)} WHERE {ids}", attributes.names, decode, ids=batch)
            tickets |= {ticket.ref.id: ticket for ticket in pieces.found}
            failed |= pieces.failed
        wrong = next((error for error in failed.values() if isinstance(error, DateFormatWrong)), None)
        if wrong is not None:
            self._see_format(cls, wrong)
        return tickets, {number: self._held_against(f"{cls}::{number}", why) for number, why in sorted(failed.items())}

    def _see_format(self, cls: str, error: DateFormatWrong) -> None:
        """Check that only one ticket's date does not match. :raises DateFormatWrong: half of a sample do not match."""
        rows = self.get(cls, f"SELECT {oql.name(cls)}", ("last_update",), limit=SAMPLE).rows
        wrong = 0
        for row in rows:
            try:
                self.clock.read("last_update", str(row.fields.get("last_update") or ""))
            except DateFormatWrong:
                wrong += 1
        if wrong * 2 >= len(rows):
            raise error

    def _held_against(self, what: str, failure: RemoteError) -> Refused:
        """The error for one object that cannot be read."""
        if isinstance(failure, TooLarge):
            return TooLarge(self.side, f"{what} is longer than is read")
        why = str(failure).removeprefix(f"{self.side}: ").partition(". Check the scope")[0]
        if isinstance(failure, DateFormatWrong):
            why = "shows a last change that is not a date"
        found = Refused(self.side, f"the server fails on reading {what}: it {why}")
        found.__cause__ = failure.__cause__
        return found

    def _pieces(
        self,
        cls: str,
        query: Callable[[str], str],
        names: Sequence[str],
        decode: Callable[[Row], T],
        *,
        key: str = "id",
        ids: Sequence[int] | None = None,
    ) -> Pieces[T]:
        """Read the objects that *query* finds, among those with *ids* as their *key* or all, and the error of each that fails.

        *query* gets a condition on ids, which is empty for all.
        """
        at: list[datetime] = []
        odd: dict[int, RemoteError] = {}
        everything: Sequence[int] = ANY_ID if ids is None else ids

        def asked(part: Sequence[int]) -> str:
            if part is ANY_ID:
                return query("")
            if isinstance(part, range):
                return query(f"{key} >= {part.start} AND {key} < {part.stop}")
            return query(f"{key} IN {oql.ids(part)}")

        unnamed: list[Unnamed] = []

        def read(part: Sequence[int]) -> list[T]:
            try:
                rows = self._whole(cls, asked(part), names, once=part is not everything)
            except Unnamed as error:
                unnamed.extend([error] if part is ANY_ID else [])
                raise
            at.append(rows.at)
            found: list[T] = []
            for row in rows.rows:
                try:
                    found.append(self._decode(decode, row))
                except (OddRow, DateFormatWrong) as error:
                    if key == "item_id":  # the row's own id is not the key
                        raise
                    odd[row.id] = error
            return found

        def there(part: Sequence[int], failure: RemoteError) -> bool:
            many = isinstance(part, range)
            if isinstance(failure, TooLarge) and not many:
                return True  # the server answers, so it exists
            rows = self.get(cls, asked(part if many else [NO_ID]), ("id",) if many else names, limit=1 if many else None)
            at.append(rows.at)
            return not many or rows.found > 0

        found, failed = read_piecewise(everything, read, there)
        if unnamed and unnamed[0].counted > len(found) + len(failed | odd):
            odd[NO_ID] = Refused(self.side, f"shows objects of {cls} without a usable id. Look at its database")
        return Pieces(found, failed | odd, min(at, default=None))

    def _whole(self, cls: str, query: str, names: Sequence[str], *, once: bool) -> Rows:
        """All objects that *query* finds. *once*: do not retry, when reading part of what has failed.

        :raises Unreachable: the response contains fewer objects than it counts
        """
        call = replace(self._get_call(cls, query), once=once)
        document = self._caller.run(call, parameters_of_get(cls, query, names, None))
        if document.counted is None or document.at is None:
            raise Unreachable(self.side, "gave an answer without a count or without a Date header: something between alters it")
        shows = f"counts {document.counted} in its answer and shows {len(document.rows)}"
        if document.odd:
            raise Unnamed(self.side, shows, document.counted)
        if document.counted != len(document.rows):
            raise Unreachable(self.side, shows)
        return Rows(document.counted, document.rows, document.at)

    def _ticket(self, row: Row, attributes: Attributes) -> Ticket:
        """The ticket in a row, with HTML as iTop 3.2 would show it."""
        ticket = self._with_blanks_in_logs(ticket_of(self.side, row, attributes, self.clock), row)
        html = {name: text for name, text in ticket.fields.items() if attributes.kind(name) is Kind.HTML}
        odd = any(older.may_differ(name, text) or blanks.may_lack(text) for name, text in html.items())
        if not odd or self.version() not in older.OLDER:
            return ticket
        shown = {name: older.as_html(name, text) if older.may_differ(name, text) else text for name, text in html.items()}
        if self.version() == blanks.VERSION:
            shown = {name: self._with_blanks(ticket.ref, name, text) for name, text in shown.items()}
        return replace(ticket, fields=MappingProxyType({**ticket.fields, **shown}))

    def _with_blanks_in_logs(self, ticket: Ticket, row: Row) -> Ticket:
        """The ticket in *row* with the blanks that the server dropped from its logs' HTML."""
        if not any(blanks.may_lack(entry.html) for entries in ticket.logs.values() for entry in entries):
            return ticket
        logs = {
            log: tuple(
                replace(entry, html=blanks.restored(entry.html, str(shown.get("message") or "")))
                for entry, shown in zip(entries, row.fields[log]["entries"], strict=True)
            )
            for log, entries in ticket.logs.items()
        }
        if logs == ticket.logs or self.version() != blanks.VERSION:
            return ticket
        return replace(ticket, logs=MappingProxyType(logs))

    def _with_blanks(self, ref: Ref, name: str, text: str) -> str:
        """An HTML attribute with the blanks that the server dropped from its answer."""
        if name in older.PLAIN:
            return text

        def holds(condition: str) -> bool:
            return self.count(ref.cls, f"SELECT {oql.name(ref.cls)} WHERE id = {ref.id} AND {condition}") > 0

        return blanks.asked_for(name, text, holds)

    # Attachments

    def attachments_of(self, cls: str, ids: Sequence[int]) -> tuple[dict[int, tuple[Attachment, ...]], dict[int, Refused]]:
        """Return the attachments of each of these tickets, ordered by id, and the tickets whose attachments cannot be read."""
        found: dict[int, list[Attachment]] = {ticket: [] for ticket in ids}
        failed: dict[int, RemoteError] = {}
        query = f"SELECT Attachment WHERE item_class = {oql.literal(cls)} AND "
        for batch in oql.batches(ids, LIGHT_BATCH):
            pieces = self._pieces(
                "Attachment", lambda ids: query + ids, OF_AN_ATTACHMENT, self._attachment, key="item_id", ids=batch
            )
            failed |= pieces.failed
            for attachment in sorted(pieces.found, key=lambda attachment: attachment.id):
                found.setdefault(attachment.item_id, []).append(attachment)
        listed = {ticket: tuple(attachments) for ticket, attachments in found.items() if ticket not in failed}
        return listed, {ticket: self._held_against(f"the files of {cls}::{ticket}", why) for ticket, why in failed.items()}

    def attachments_above(self, id: int, also: Collection[int] = ()) -> tuple[Attachment, ...]:
        """Return the attachments with ids above *id*, and those of *also* that exist, ordered by id."""
        return self.attachments_where(f"id > {int(id)}" + (f" OR id IN {oql.ids(sorted(also))}" if also else ""))

    def attachments_where(self, condition: str) -> tuple[Attachment, ...]:
        """Return the attachments that meet an OQL *condition*, ordered by id, without those that the server fails to show."""

        def query(ids: str) -> str:
            return f"SELECT Attachment WHERE {f'({condition}) AND {ids}' if ids else condition}"

        pieces = self._pieces("Attachment", query, OF_AN_ATTACHMENT, self._attachment)
        return tuple(sorted(pieces.found, key=lambda attachment: attachment.id))

    def count_attachments(self, condition: str) -> int:
        """Return how many attachments meet an OQL *condition*."""
        return self.count("Attachment", f"SELECT Attachment WHERE {condition}")

    def attachment_file(self, id: int, of: Ref | None = None) -> File:
        """Return the contents of an attachment. This takes two and a half times the file's size in memory.

        *of*: the ticket that must have it; a server may give its id to another file.

        :raises Missing: it does not exist, or another ticket has it
        :raises TooLarge: the response exceeds ``max_answer_bytes``
        :raises Refused: the server answers, but fails on this one
        """
        call = Call(self.side, "core/get", "Attachment", int(id), reads_contents=True)
        return self._contents(call, lambda: self._attachment_file(call, of))

    def _attachment(self, row: Row) -> Attachment:
        return attachment_of(row, self.clock)

    def _attachment_file(self, call: Call, of: Ref | None) -> File:
        names = ("contents",) if of is None else ("contents", *OF_AN_ATTACHMENT)
        document = self._caller.run(call, parameters_of_get(call.cls, call.id or 0, names, None))
        if not document.rows:
            raise Missing(self.side, f"there is no Attachment::{call.id}, or the account may not see it")
        row = document.rows[0]
        found = None if of is None else self._decode(self._attachment, row)
        if of is not None and found is not None and (found.cls, found.item_id) != (of.cls, of.id):
            raise Missing(self.side, f"Attachment::{call.id} is another ticket's by now")
        return self._decode(lambda row: file_of(row, document.contents), row)

    def image(self, id: int, secret: str) -> File:
        """Return an image pasted into a text, by the id and the secret there, from this server only.

        :raises Missing: there is no such image, or it has another secret
        :raises TooLarge: it exceeds ``max_answer_bytes``
        :raises Refused: the server answers, but fails on this one
        """
        query = {"operation": VERB, "id": str(int(id)), "s": secret}
        call = Call(self.side, VERB, "InlineImage", int(id))
        return self._contents(call, lambda: self._caller.download(call, PAGE, query, judge_image))

    # Internals

    def _contents(self, call: Call, read: Callable[[], T]) -> T:
        """Read one object of any size. A server that fails only on this object must not count as down."""
        try:
            return read()
        except (SideUnavailable, BadQuery) as error:
            failure = error
        self.check_login()
        why = str(failure).removeprefix(f"{self.side}: ")
        raise Refused(self.side, f"the server fails on reading {call.cls}::{call.id}: it {why}")

    def _decode(self, decode: Callable[[Row], T], row: Row) -> T:
        """Decode one object. An exception that its data causes counts as the object's fault, and reveals nothing of the data."""
        try:
            return decode(row)
        except RemoteError:
            raise
        except Exception as error:
            raise OddRow(self.side, f"shows {row.cls}::{row.id} in an unknown shape. Check that it is iTop 3.2") from error


def _all(*conditions: str) -> str:
    return " AND ".join(condition for condition in conditions if condition)


def by_ranges(server: Reader, cls: str, condition: str, read: Callable[[str], tuple[int, T]]) -> Iterator[T]:
    """Read the tickets of a class that meet an OQL *condition* (empty: all) range by range; yield what *read* makes of each.

    The REST service cannot sort, so these are ranges of ids, which grow where few tickets are found. *read* gets a condition
    that at most :data:`SPAN` tickets meet, and returns how many it found as well. Both conditions call the ticket ``this``.
    """

    def within(low: int, high: int) -> str:
        return _all(condition, f"this.id >= {low} AND this.id < {high}")

    def count(low: int, high: int) -> int:
        return server.count(cls, f"SELECT {oql.name(cls)} AS this WHERE {within(low, high)}")

    low, span = 0, SPAN
    left = count(low, HIGHEST_ID)
    while left > 0 and low < HIGHEST_ID:
        if left <= SPAN:
            span = HIGHEST_ID - low
        elif span > SPAN and count(low, low + span) > SPAN:  # denser here than where the range grew
            span = SPAN
        there, found = read(within(low, low + span))
        yield found
        low, left = low + span, left - there
        if there < SPAN // 4:
            span *= 2
