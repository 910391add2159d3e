"""The client of one iTop server, with the operations that write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from itopsync.errors import AccessRefused, OutcomeUnknown, ReadOnly, RemoteError, StimulusRefused
from itopsync.itop import older
from itopsync.itop.answers import Call
from itopsync.itop.attributes import Attributes
from itopsync.itop.body import Contents
from itopsync.itop.reader import OF_AN_ATTACHMENT, Reader
from itopsync.itop.rows import Document, Row, value_of
from itopsync.model import Attachment, File, NewEntry, Ref, Ticket
from itopsync.reconcile.plaintext import as_text
from itopsync.reconcile.rules import Kind

T = TypeVar("T")


class Server(Reader):
    """A client of one server, safe to use from several threads. Close it, or use it as a context manager.

    Every method raises a :class:`~itopsync.errors.RemoteError`, grouped by how to recover from it. Methods that only read send a
    request up to ``read_tries`` times. A write is sent once: :class:`~itopsync.errors.OutcomeUnknown` means that it may or may
    not have been carried out, and any other error that nothing was written.

    It is constructed like a :class:`~itopsync.itop.reader.Reader`.
    """

    def create(
        self, cls: str, fields: Mapping[str, object], logs: Mapping[str, Sequence[NewEntry]], attributes: Attributes
    ) -> Ticket:
        """Create a ticket with its whole history, and return it as stored."""
        whole = {log: {"items": [self._item(entry) for entry in entries]} for log, entries in logs.items() if entries}
        call = Call(self.side, "core/create", cls, writes=True)
        return self._write_ticket(call, {"fields": {**self._values(fields, attributes), **whole}}, attributes)

    def update(self, ref: Ref, fields: Mapping[str, object], logs: Mapping[str, NewEntry], attributes: Attributes) -> Ticket:
        """Set attributes, append at most one entry to each log, and return the ticket as stored.

        :raises Missing: there is no such ticket
        :raises LogFull: a log takes no more entries; nothing was written
        """
        call = Call(self.side, "core/update", ref.cls, ref.id, writes=True)
        return self._write_ticket(call, {"key": ref.id, "fields": self._with_entries(fields, logs, attributes)}, attributes)

    def stimulate(
        self, ref: Ref, stimulus: str, fields: Mapping[str, object], logs: Mapping[str, NewEntry], attributes: Attributes
    ) -> Ticket:
        """Apply a stimulus together with attributes and entries, and return the ticket as stored.

        :raises StimulusRefused: the state or the transition's action refused the stimulus; nothing was written
        """
        call = Call(self.side, "core/apply_stimulus", ref.cls, ref.id, writes=True)
        parameters = {"key": ref.id, "stimulus": stimulus, "fields": self._with_entries(fields, logs, attributes)}
        return self._write_ticket(call, parameters, attributes)

    def create_attachment(self, ref: Ref, org_id: int, file: File, temp_id: str) -> Attachment:
        """Attach a file to a ticket. This takes hardly any memory besides *file*.

        *org_id* is the ticket's organisation; without it, an account limited to organisations cannot see its own upload.

        :raises TooLarge: the server does not accept such a large request
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
        try:
            document = self._write(call, {"fields": fields}, OF_AN_ATTACHMENT, contents, of=ref.cls)
        finally:
            contents.release()
        return self._decode_written(call, document, self._attachment)

    def delete_ticket(self, ref: Ref) -> bool:
        """Delete a ticket, and return whether it still existed. Only :mod:`itopsync.check.probe` does so, with its own."""
        return self._delete(ref.cls, ref.id, ref.cls)

    def delete_attachment(self, ref: Ref, id: int) -> bool:
        """Delete an attachment of a ticket, and return whether it still existed."""
        return self._delete("Attachment", int(id), ref.cls)

    # Internals

    def _delete(self, cls: str, id: int, of: str) -> bool:
        call = Call(self.side, "core/delete", cls, id, writes=True)
        deleted = self._write(call, {"key": id}, of=of).counted
        if deleted is None:
            raise OutcomeUnknown(self.side, f"answered without a count; whether {call} was carried out is to be looked for")
        return deleted > 0

    def _write(
        self,
        call: Call,
        parameters: Mapping[str, object],
        names: Iterable[str] = ("id",),
        contents: Contents | None = None,
        *,
        of: str,
    ) -> Document:
        """Send a write to a ticket of the class *of*, or to one of its attachments."""
        common = {"comment": self.settings.comment, "class": call.cls, "output_fields": ",".join(names)}
        try:
            return self._caller.run(call, {**common, **parameters}, contents)
        except AccessRefused as error:
            if self._takes_any_write(call.cls, of):
                raise
            raise ReadOnly(
                self.side, f"{call} is refused, as every write is: the server is in read-only mode, or the account may only read"
            ) from error

    def _takes_any_write(self, refused: str, ticket: str) -> bool:
        """Return whether anything may be written although the class *refused* was not: neither an attachment nor a *ticket*.

        In read-only mode, iTop responds as if every right were missing.
        """
        try:
            if self.may_create("Attachment") or self.may_delete("Attachment"):
                return True
            return ticket != refused and self.may_create(ticket)
        except RemoteError:
            return True

    def _write_ticket(self, call: Call, parameters: Mapping[str, object], attributes: Attributes) -> Ticket:
        document = self._write(call, parameters, attributes.names, of=call.cls)

        def decode(row: Row) -> Ticket:
            ticket = self._ticket(row, attributes)
            if call.id not in (None, ticket.ref.id):
                raise ValueError(f"{call} is answered with {ticket.ref}")
            return ticket

        return self._decode_written(call, document, decode)

    def _decode_written(self, call: Call, document: Document, decode: Callable[[Row], T]) -> T:
        if not document.rows and call.verb == "core/apply_stimulus":
            raise StimulusRefused(self.side, f"{call}: the transition's own action refused; nothing was written")
        try:
            return decode(document.rows[0])
        except Exception as error:
            # It was most likely carried out; the engine will look for it.
            raise OutcomeUnknown(self.side, f"answered {call} in an unknown shape; what it did is to be looked for") from error

    def _values(self, fields: Mapping[str, object], attributes: Attributes) -> dict[str, object]:
        return {name: self._value(name, value, attributes.kind(name)) for name, value in fields.items()}

    def _value(self, name: str, value: object, kind: Kind) -> object:
        if name in older.PLAIN and kind is Kind.HTML and isinstance(value, str) and self.version() in older.OLDER:
            return as_text(value)
        return value_of(name, value, self.clock, kind)

    def _with_entries(
        self, fields: Mapping[str, object], logs: Mapping[str, NewEntry], attributes: Attributes
    ) -> dict[str, object]:
        # Not "items": in an update, it would replace the whole log.
        return self._values(fields, attributes) | {log: {"add_item": self._item(entry)} for log, entry in logs.items()}

    def _item(self, entry: NewEntry) -> dict[str, str]:
        return {"date": self.clock.write_entry(entry.at), "message": entry.html, "format": "html"}
