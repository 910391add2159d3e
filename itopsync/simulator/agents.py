"""What people do in iTop's web interface, as methods. This bypasses REST and the network's faults."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

from itopsync.simulator.caselog import EMPTY
from itopsync.simulator.faults import FaultKind
from itopsync.simulator.instance import Instance
from itopsync.simulator.refusals import BareRefusal, Refusal
from itopsync.simulator.rights import Account
from itopsync.simulator.store import Document, Row
from itopsync.simulator.values import convert
from itopsync.simulator.writing import Writer


class Agent:
    """A person with an account. Methods raise :class:`Refusal` (or :class:`BareRefusal`) if iTop refuses."""

    def __init__(self, instance: Instance, account: Account, by: str = "web") -> None:
        self._instance = instance
        self.account = account
        self._by = by

    # -- tickets -----------------------------------------------------------------------------------------------

    def create(self, class_name: str, **fields: Any) -> int:
        """Create a ticket (or any object) and return its id. Attributes that every ticket needs have defaults."""
        attributes = self._instance.store.schema[class_name].attributes
        usual = {"org_id": 3, "caller_id": self.account.contact_id, "title": "Untitled", "description": "<p>…</p>"}
        if self._instance.store.schema[class_name].root == "Ticket":
            fields = {**{code: value for code, value in usual.items() if code in attributes}, **fields}
        with self.acting(class_name) as writer:
            return int(writer.create(class_name, fields)["id"])

    def update(self, class_name: str, key: int, **fields: Any) -> None:
        """Save changes of the form."""
        with self.acting(class_name) as writer:
            writer.update(class_name, key, fields)

    def note(self, class_name: str, key: int, markup: str, log: str = "private_log") -> None:
        """Write an entry into a log."""
        self.update(class_name, key, **{log: markup})

    def stimulus(self, class_name: str, key: int, stimulus: str, **fields: Any) -> None:
        """Apply a stimulus, as the buttons that change the state do."""
        with self.acting(class_name) as writer:
            writer.apply_stimulus(class_name, key, stimulus, fields)

    def delete(self, class_name: str, key: int) -> None:
        """Delete the object with its files."""
        instance = self._instance
        with self.acting(class_name) as writer:
            row = instance.store.get(class_name, key)
            if row is None:
                raise Refusal(f"Invalid object {class_name}::{key}")
            writer.delete([row])

    def open(self, class_name: str, key: int) -> Form:
        """Open the form. Saving it later overwrites what others have written to a log meanwhile."""
        row = self._instance.store.get(class_name, key)
        if row is None:
            raise Refusal(f"Invalid object {class_name}::{key}")
        return Form(self, row)

    def fill_log(self, class_name: str, key: int, log: str = "private_log", room: int = 0) -> int:
        """Append entries until only ``room`` more fit; return how many were appended."""
        instance = self._instance
        row = instance.store.get(class_name, key)
        if row is None:
            raise Refusal(f"Invalid object {class_name}::{key}")
        content = row[log] or EMPTY
        session = instance.session(self.account, self._by)
        attribute = instance.store.schema[class_name].attributes[log]
        logs = [content]
        while not logs[-1].is_too_long:
            logs.append(convert(attribute, f"<p>Filler {len(logs)}</p>", logs[-1], session))
        chosen = max(0, len(logs) - 2 - room)
        instance.commit(class_name, key, None, {log: logs[chosen], "last_update": session.now})
        return chosen

    # -- files -------------------------------------------------------------------------------------------------

    def attach(self, class_name: str, key: int, name: str, mimetype: str, data: bytes) -> int:
        """Attach a file to a ticket in one step and return the attachment's id.

        The planned faults LATE_DRAFT, LOST_DRAFT and LATE_UPLOAD strike here.
        """
        instance = self._instance
        faults = instance.faults
        if faults:
            late = faults.strike(FaultKind.LATE_DRAFT, "attach", "Attachment", self.account.login)
            if late is not None:
                draft = self.draft(name, mimetype, data, class_name)
                instance.later(late, lambda: self._bind_late(draft, class_name, key))
                return draft
            if faults.strike(FaultKind.LOST_DRAFT, "attach", "Attachment", self.account.login) is not None:
                return self.draft(name, mimetype, data, class_name)
        fields = {"item_class": class_name, "item_id": key, "item_org_id": self._organization(class_name, key)}
        return self._store_file("Attachment", fields, Document(data, mimetype, name), FaultKind.LATE_UPLOAD)

    def draft(self, name: str, mimetype: str, data: bytes, class_name: str = "UserRequest") -> int:
        """Choose a file in a form that is not yet saved: an attachment with ``item_id`` 0 and a ``temp_id``."""
        fields = {"item_class": class_name, "item_id": 0, "item_org_id": 0, "temp_id": self._instance.token()}
        fields["expire"] = str(int(self._instance.now().timestamp()) + 86_400)
        return self._store_file("Attachment", fields, Document(data, mimetype, name), FaultKind.LATE_UPLOAD)

    def bind(self, attachment: int, class_name: str, key: int) -> None:
        """Save the form: the draft becomes a file of the ticket, with the same id and date."""
        fields = {"item_class": class_name, "item_id": key, "temp_id": ""}
        self.update("Attachment", attachment, **fields, item_org_id=self._organization(class_name, key))

    def _bind_late(self, attachment: int, class_name: str, key: int) -> None:
        with suppress(Refusal):  # its upload may take even longer: it stays a draft then
            self.bind(attachment, class_name, key)

    def delete_attachment(self, attachment: int) -> None:
        """Delete a file. Nothing remains of it that the service account could read."""
        self.delete("Attachment", attachment)

    def paste_image(self, class_name: str, key: int, name: str, mimetype: str, data: bytes) -> str:
        """Paste a picture into a form: stores an InlineImage and returns the ``<img …>`` to use in a text."""
        instance = self._instance
        secret = self._instance.token()
        fields = {"item_class": class_name, "item_id": key, "secret": secret}
        fields["item_org_id"] = self._organization(class_name, key)
        image = self._store_file("InlineImage", fields, Document(data, mimetype, name), None)
        address = f"{instance.url}/pages/ajax.document.php?operation=download_inlineimage&id={image}&s={secret}"
        return f'<img data-img-id="{image}" data-img-secret="{secret}" alt="{quote(name)}" src="{address.replace("&", "&amp;")}">'

    # -- internals ---------------------------------------------------------------------------------------------

    def _store_file(self, class_name: str, fields: Mapping[str, Any], document: Document, late: FaultKind | None) -> int:
        with self.acting(class_name, late) as writer:
            return int(writer.create(class_name, {**fields, "contents": _as_json(document)})["id"])

    def _organization(self, class_name: str, key: int) -> int:
        row = self._instance.store.get(class_name, key) if key else None
        return int(row.get("org_id") or 0) if row is not None else 0

    @contextmanager
    def acting(self, class_name: str, late: FaultKind | None = FaultKind.LATE_COMMIT) -> Iterator[Writer]:
        """The person writes: nobody else does meanwhile, and the writes become visible late if that is planned."""
        instance, login = self._instance, self.account.login
        with instance.exclusively():
            plan = instance.faults
            fault = plan.strike(late, "web", class_name, login) if plan and late is not None else None
            with instance.committing(fault):
                yield instance.writer(instance.session(self.account, self._by))


class Form:
    """A form as it was when it was opened."""

    def __init__(self, agent: Agent, row: Row) -> None:
        self._agent = agent
        self._row = row

    def save(self, **fields: Any) -> None:
        """Write back what was changed. A log is written as it was read, with the new entry appended."""
        with self._agent.acting(self._row["finalclass"]) as writer:
            self._row = writer.update_row(self._row, fields)


def _as_json(document: Document) -> dict[str, str]:
    data = base64.b64encode(document.data).decode()
    return {"data": data, "mimetype": document.mimetype, "filename": document.filename}


__all__ = ["Agent", "BareRefusal", "Form", "Refusal"]
