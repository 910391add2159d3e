"""An object in a request's memory, between reading it and writing it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from itopsync.simulator.caselog import CaseLog
from itopsync.simulator.refusals import Refusal, cannot_save, failed_sql
from itopsync.simulator.session import Session
from itopsync.simulator.store import Row
from itopsync.simulator.values import convert, database_issue, default_of, issue_with, make_value, php_string, unexpected

#: Classes that get a start date when they are created; changes get a creation date.
_STARTED_ON_CREATE = frozenset({"UserRequest", "Incident", "Problem"})


class Draft:
    """The row as read (``original``, None for a new object) and its new ``values``.

    ``links`` holds the given link sets, which are rows of other classes.
    """

    def __init__(self, class_name: str, original: Row | None, session: Session) -> None:
        self.itop_class = session.schema[class_name]
        self.original = original
        self.links: dict[str, list[Any]] = {}
        self._session = session
        if original is not None:
            self.values = dict(original)
            return
        self.values = {"finalclass": class_name}
        for code, attribute in self.itop_class.attributes.items():
            if attribute.stored:
                self.values[code] = default_of(attribute, session.now)

    @property
    def id(self) -> int:
        return int(self.values.get("id", -1))

    @property
    def changes(self) -> dict[str, Any]:
        before = self.original or {}
        return {code: content for code, content in self.values.items() if before.get(code) != content}

    # -- filling -----------------------------------------------------------------------------------------------

    def assign(self, fields: Mapping[str, Any]) -> None:
        """Assign what a client sends. Raises :class:`Refusal` for invalid values."""
        for code, given in fields.items():
            self._session.class_name = self.itop_class.name
            proposed = make_value(self.itop_class, code, given, self._session)
            attribute = self.itop_class.attributes[code]
            if attribute.type == "linkset":
                self.links[code] = proposed
            elif attribute.type != "finalclass":
                try:
                    self.values[code] = convert(attribute, proposed, self.values.get(code), self._session)
                except Refusal as refusal:
                    raise Refusal(f"{code}: {refusal.message}", refusal.code) from None

    def reset(self, code: str) -> None:
        """Set an attribute to its default."""
        self.values[code] = default_of(self.itop_class.attributes[code], self._session.now)

    def compute(self) -> None:
        """Compute what iTop computes before each write."""
        if self.itop_class.name in _STARTED_ON_CREATE:
            by_urgency = self._session.schema.priorities.get(php_string(self.values.get("impact")), {})
            default = self.itop_class.attributes["priority"].default
            self.values["priority"] = by_urgency.get(php_string(self.values.get("urgency")), default)

    def complete(self) -> None:
        """Fill in what iTop adds to a new object, unless it was given."""
        values, session = self.values, self._session
        filled: Row = {}
        if self.itop_class.root == "Ticket":
            number, session.store.next_ref = session.store.next_ref, session.store.next_ref + 1
            own_date = "start_date" if self.itop_class.name in _STARTED_ON_CREATE else "creation_date"
            filled = {"ref": f"{self.itop_class.ref_prefix}-{number:06d}", "last_update": session.now, own_date: session.now}
        elif self.itop_class.name == "Attachment":
            account = session.account
            if session.schema.traits.signs_uploads or session.by != "rest":
                filled = {"creation_date": session.now, "user_id": account.user_id, "contact_id": account.contact_id}
        for code, content in filled.items():
            if self.itop_class.attributes[code].stored:
                values[code] = values.get(code) or content

    def lose_marks(self) -> None:
        """Remove the marker that a client gives to an attachment, if markers get lost."""
        losses, values = self._session.around.losses, self.values
        marked = self.itop_class.name == "Attachment" and self._session.by == "rest" and self.changes.get("temp_id")
        if marked and losses.loses("in", "files", values["item_class"]):
            values["temp_id"] = ""

    # -- checking ----------------------------------------------------------------------------------------------

    def check(self, fields: Mapping[str, Any]) -> None:
        """Check what will be written, as iTop does: everything of a new object, otherwise what has changed."""
        attributes, traits = self.itop_class.attributes, self._session.schema.traits
        codes = [code for code in (attributes if self.original is None else self.changes) if code in attributes]
        issues = [issue_with(attributes[code], self.values.get(code), traits) for code in codes]
        if "contents" in fields and "contents" in attributes and self.values.get("contents") is None:
            # Contents may be omitted, but not null.
            issues.append(unexpected(attributes["contents"], "Null not allowed", traits))
        found = [issue for issue in issues if issue is not None]
        if found:
            key = "" if self.original is None and not traits.shows_labels else self.id
            raise cannot_save(found, self.itop_class.name, key)

    def check_database(self, columns: Mapping[str, Any]) -> None:
        """Raise what the database refuses, with the statement that iTop quotes."""
        for code, content in columns.items():
            attribute = self.itop_class.attributes.get(code)
            problem = database_issue(attribute, content) if attribute is not None else None
            if problem is None:
                continue
            listed = {name: self._sql(item) for name, item in columns.items() if name not in ("id", "finalclass")}
            if self.original is None:
                names = ",".join(f"`{name}`" for name in listed)
                statement = " ".join(("INSERT INTO `ticket`", f"({names})", "VALUES", f"({', '.join(listed.values())})"))
            else:
                sets = ", ".join(f"`{name}` = {item}" for name, item in listed.items())
                statement = " ".join(("UPDATE `ticket` SET", sets, f"WHERE (`id` = '{self.id}')"))
            raise failed_sql(statement, *problem, self.itop_class.name, None if self.original is None else self.id)

    def _sql(self, content: Any) -> str:
        if content is None:
            return "NULL"
        if isinstance(content, CaseLog):
            index = "x" * content.index_bytes  # the statement also contains the serialised index
            return f"{_quoted(content.text(self._session.timezone))}, '{index}'"
        return str(content) if isinstance(content, int) else _quoted(php_string(content))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"').replace("\n", "\\n")
    return f"'{escaped}'"
