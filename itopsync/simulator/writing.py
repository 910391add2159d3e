"""Create, update, stimulus and delete, with what iTop does of its own accord on the way.

As in iTop, an update reads the object, changes its copy and writes the changed columns back without a lock: a log
goes back whole, so that what somebody else appended in between is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from itopsync.simulator import html
from itopsync.simulator.audit import Audit, Written
from itopsync.simulator.caselog import EMPTY, CaseLog
from itopsync.simulator.reading import friendly_name
from itopsync.simulator.refusals import BareRefusal, Crash, Refusal, cannot_save, failed_sql
from itopsync.simulator.schema import Attribute, ItopClass
from itopsync.simulator.session import Session
from itopsync.simulator.store import Row
from itopsync.simulator.values import convert, database_issue, find_one, issue_with, make_value, php_string

#: Classes that copy their new log entries to the tickets that name them as parent: class -> (child class, key).
PARENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "UserRequest": (("UserRequest", "parent_request_id"),),
    "Incident": (("UserRequest", "parent_incident_id"), ("Incident", "parent_incident_id")),
}
#: Classes that get a start date of their own when they are created; changes get a creation date.
_STARTED_ON_CREATE = frozenset({"UserRequest", "Incident", "Problem"})


@dataclass(slots=True)
class Draft:
    """An object as one request holds it in memory: the row as read, and the values as they shall be."""

    itop_class: ItopClass
    original: Row | None
    values: Row
    links: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return int(self.values.get("id", -1))

    @property
    def changes(self) -> dict[str, Any]:
        before = self.original or {}
        return {code: content for code, content in self.values.items() if before.get(code) != content}


@dataclass(frozen=True, slots=True)
class Deleted:
    """One line of a deletion's answer: 0 asked for, 2 deleted along with it, 5 a key that was reset."""

    row: Row
    code: int
    message: str


class Writer:
    """The writes of one session. ``commit`` makes a row visible (None in place of it removes), ``between`` runs
    between reading and writing back, where others may come in."""

    def __init__(
        self,
        session: Session,
        audit: Audit,
        commit: Callable[[str, int, Row | None, Mapping[str, Any] | None], None],
        between: Callable[[str, int], None],
    ) -> None:
        self._session = session
        self._store = session.store
        self._audit = audit
        self._commit = commit
        self._between = between
        self._resolved: set[int] = set()

    # -- verbs -------------------------------------------------------------------------------------------------

    def create(self, class_name: str, fields: Mapping[str, Any]) -> Row:
        try:
            row = self._create(class_name, fields)
        except (Refusal, Crash) as refusal:
            self.record("create", class_name, 0, fields, outcome=_told(refusal))
            raise
        self.record("create", class_name, row["id"], fields)
        return row

    def update(self, class_name: str, key: Any, fields: Mapping[str, Any]) -> Row:
        draft: Draft | None = None
        try:
            draft = self._open(class_name, key, fields)
            row = self._save(draft)
        except (Refusal, Crash) as refusal:
            self.record("update", class_name, _id_of(draft, key), fields, outcome=_told(refusal))
            raise
        self.record("update", row["finalclass"], row["id"], fields)
        return row

    def update_row(self, row: Row, fields: Mapping[str, Any]) -> Row:
        """As :meth:`update`, on a row that was read before: what others did since is not seen."""
        draft = self._draft_of(row)
        for code, given in fields.items():
            self._assign(draft, code, given)
        saved = self._save(draft)
        self.record("update", row["finalclass"], row["id"], fields)
        return saved

    def apply_stimulus(self, class_name: str, key: Any, stimulus: str, fields: Mapping[str, Any]) -> Row:
        """The row after the transition. Raises :class:`BareRefusal` where the state or a missing attribute forbids it."""
        draft: Draft | None = None
        try:
            draft = self._open(class_name, key, fields)
            self._check_transition(draft, stimulus)
            self._transit(draft, stimulus)
            row = self._save(draft)
        except (Refusal, Crash, BareRefusal) as refusal:
            told = _told(refusal)
            self.record("apply_stimulus", class_name, _id_of(draft, key), fields, stimulus=stimulus, outcome=told)
            raise
        self.record("apply_stimulus", row["finalclass"], row["id"], fields, stimulus=stimulus)
        return row

    def delete(self, rows: list[Row]) -> list[Deleted]:
        """Remove the rows and what hangs on them; keys that point at them are reset."""
        lines: list[Deleted] = []
        resets: list[Deleted] = []
        for row in rows:
            lines.append(Deleted(row, 0, ""))
            self._delete_files(row)
            dependents, references = self._references_to(row)
            for dependent in dependents:
                lines.append(Deleted(dependent, 2, "Deleted automatically"))
                self._commit(dependent["finalclass"], dependent["id"], None, None)
            for other, attribute in references:
                resets.append(Deleted(other, 5, f"Reset external keys: {attribute.label}"))
                draft = self._draft_of(other)
                draft.values[attribute.code] = 0
                self._save(draft)
            self._commit(row["finalclass"], row["id"], None, None)
            self.record("delete", row["finalclass"], row["id"], {})
        return lines + resets

    def record(
        self,
        verb: str,
        class_name: str,
        key: int,
        fields: Mapping[str, Any],
        *,
        stimulus: str = "",
        outcome: str = "done",
        by: str | None = None,
    ) -> None:
        session = self._session
        entries = tuple(entry for code in fields for entry in _entries_of(code, fields[code], class_name, session))
        self._audit.record(
            Written(
                session.moment, session.account.login, by or session.by, verb, class_name, key, dict(fields), entries,
                stimulus, session.comment, outcome,
            )
        )  # fmt: skip

    # -- reading and assigning ---------------------------------------------------------------------------------

    def _open(self, class_name: str, key: Any, fields: Mapping[str, Any]) -> Draft:
        draft = self._draft_of(find_one(class_name, key, self._session))
        for code, given in fields.items():
            self._assign(draft, code, given)
        return draft

    def _draft_of(self, row: Row) -> Draft:
        return Draft(self._session.schema[row["finalclass"]], row, dict(row))

    def _assign(self, draft: Draft, code: str, given: Any) -> None:
        session = self._session
        session.class_name = draft.itop_class.name
        proposed = make_value(draft.itop_class, code, given, session)
        attribute = draft.itop_class.attributes[code]
        if attribute.type == "finalclass":
            return
        if attribute.type == "linkset":
            draft.links[code] = proposed
            return
        try:
            draft.values[code] = convert(attribute, proposed, draft.values.get(code), session)
        except Refusal as refusal:
            raise Refusal(f"{code}: {refusal.message}", refusal.code) from None

    # -- saving ------------------------------------------------------------------------------------------------

    def _create(self, class_name: str, fields: Mapping[str, Any]) -> Row:
        itop_class = self._session.schema[class_name]
        if itop_class.abstract:
            raise Crash
        values: Row = {"finalclass": class_name}
        for code, attribute in itop_class.attributes.items():
            if attribute.stored:
                values[code] = self._default(attribute)
        draft = Draft(itop_class, None, values)
        for code, given in fields.items():
            self._assign(draft, code, given)
        self._compute(draft)
        self._before_insert(draft)
        issues = [issue_with(itop_class.attributes[code], values.get(code)) for code in itop_class.attributes]
        issues += [_missing_contents(draft, fields)]
        found = [issue for issue in issues if issue is not None]
        if found:
            raise cannot_save(found, class_name, -1)
        values["id"] = self._store.allocate(class_name)
        self._check_database(draft, values, inserting=True)
        self._commit(class_name, values["id"], values, None)
        self._write_links(draft)
        return values

    def _default(self, attribute: Attribute) -> Any:
        if attribute.type in ("extkey", "objectkey"):
            return 0
        if attribute.type == "int":
            return int(attribute.default) if attribute.default else None
        if attribute.type == "caselog":
            return EMPTY
        if attribute.type == "datetime":
            return None if attribute.null else self._session.now
        if attribute.type in ("duration", "blob"):
            return None
        return attribute.default or (None if attribute.type == "enum" else "")

    def _before_insert(self, draft: Draft) -> None:
        values, session = draft.values, self._session
        if draft.itop_class.root == "Ticket":
            number, self._store.next_ref = self._store.next_ref, self._store.next_ref + 1
            values["ref"] = values.get("ref") or f"{draft.itop_class.ref_prefix}-{number:06d}"
            own_date = "start_date" if draft.itop_class.name in _STARTED_ON_CREATE else "creation_date"
            for code in ("last_update", own_date):
                values[code] = values.get(code) or session.now
        elif draft.itop_class.name == "Attachment":
            values["creation_date"] = values.get("creation_date") or session.now
            values["user_id"] = values.get("user_id") or session.account.user_id
            values["contact_id"] = values.get("contact_id") or session.account.contact_id

    def _compute(self, draft: Draft) -> None:
        values = draft.values
        if draft.itop_class.name in _STARTED_ON_CREATE:
            row = self._session.schema.priorities.get(php_string(values.get("impact")), {})
            default = draft.itop_class.attributes["priority"].default
            values["priority"] = row.get(php_string(values.get("urgency")), default)

    def _save(self, draft: Draft) -> Row:
        """Write back what has changed; when nothing has, nothing moves."""
        self._compute(draft)
        changes = draft.changes
        if not changes:
            self._write_links(draft)
            return draft.values
        if draft.itop_class.root == "Ticket":
            draft.values["last_update"] = changes["last_update"] = self._session.now
            self._copy_entries_to_children(draft, changes)
        attributes = draft.itop_class.attributes
        issues = [issue_with(attributes[code], changes[code]) for code in changes if code in attributes]
        found = [issue for issue in issues if issue is not None]
        if found:
            raise cannot_save(found, draft.itop_class.name, draft.id)
        self._check_database(draft, changes, inserting=False)
        self._between(draft.itop_class.name, draft.id)
        self._commit(draft.itop_class.name, draft.id, None, changes)
        self._write_links(draft)
        return draft.values

    def _check_database(self, draft: Draft, columns: Mapping[str, Any], inserting: bool) -> None:
        for code, content in columns.items():
            attribute = draft.itop_class.attributes.get(code)
            problem = database_issue(attribute, content) if attribute is not None else None
            if problem is None:
                continue
            listed = {name: self._sql(item) for name, item in columns.items() if name not in ("id", "finalclass")}
            if inserting:
                names = ",".join(f"`{name}`" for name in listed)
                statement = " ".join(("INSERT INTO `ticket`", f"({names})", "VALUES", f"({', '.join(listed.values())})"))
            else:
                sets = ", ".join(f"`{name}` = {item}" for name, item in listed.items())
                statement = " ".join(("UPDATE `ticket` SET", sets, f"WHERE (`id` = '{draft.id}')"))
            raise failed_sql(statement, *problem, draft.itop_class.name, None if inserting else draft.id)

    def _sql(self, content: Any) -> str:
        if content is None:
            return "NULL"
        if isinstance(content, CaseLog):
            index = "x" * content.index_bytes  # the serialised index stands in the statement as well
            return _quoted(content.text(self._session.timezone)) + f", '{index}'"
        return str(content) if isinstance(content, int) else _quoted(php_string(content))

    def _write_links(self, draft: Draft) -> None:
        """A link set given with a write replaces the links that are there."""
        store = self._store
        for code, items in draft.links.items():
            attribute = draft.itop_class.attributes[code]
            if attribute.linked not in self._session.schema or not attribute.mine:
                continue
            for old in [row for row in store.rows(attribute.linked) if row.get(attribute.mine) == draft.id]:
                self._commit(old["finalclass"], old["id"], None, None)
            for item in items:
                if isinstance(item, dict):
                    self._create(attribute.linked, {**item, attribute.mine: draft.id})

    # -- lifecycle ---------------------------------------------------------------------------------------------

    def _check_transition(self, draft: Draft, stimulus: str) -> None:
        itop_class, status = draft.itop_class, draft.values.get("status")
        state = itop_class.lifecycle.get(status or "")
        if state is None or stimulus not in state.transitions:
            name = friendly_name(draft.values, self._store)
            raise BareRefusal(f"Invalid stimulus: '{stimulus}' on the object {name} in state '{status}'")
        target = itop_class.lifecycle[state.transitions[stimulus].target]
        # PHP 8 compares 0 and '' as different, so that a key of 0 does not count as missing.
        missing = [code for code in target.mandatory if draft.values.get(code) in (None, "")]
        if missing:
            listed = ", ".join(missing)
            raise BareRefusal(f"Missing mandatory attribute(s) for applying the stimulus: {listed}.")

    def _transit(self, draft: Draft, stimulus: str) -> bool:
        """Change the state and run the transition's actions. False where the stimulus has no effect."""
        state = draft.itop_class.lifecycle.get(draft.values.get("status") or "")
        transition = state.transitions.get(stimulus) if state is not None else None
        if transition is None:
            return False
        draft.values["status"] = transition.target
        for verb, *parameters in transition.actions:
            self._act(draft, verb, parameters)
        return True

    def _act(self, draft: Draft, verb: str, parameters: list[str]) -> None:
        values, now = draft.values, self._session.now
        if verb == "SetCurrentDate":
            values[parameters[0]] = now
        elif verb == "SetCurrentDateIfNull":
            values[parameters[0]] = values.get(parameters[0]) or now
        elif verb == "Reset":
            values[parameters[0]] = self._default(draft.itop_class.attributes[parameters[0]])
        elif verb == "SetElapsedTime":
            values[parameters[0]] = self._session.seconds_since(values.get(parameters[1]))
        elif verb == "ResolveChildTickets":
            self._resolve_children(draft)
        else:
            # SetAssignedDate: the model names a method that does not exist, and PHP 8 stops at that.
            raise Crash

    def _resolve_children(self, parent: Draft) -> None:
        for child_class, key in PARENTS.get(parent.itop_class.name, ()):
            for child in self._store.find(child_class, (key,), (parent.id,)):
                if child["id"] in self._resolved or child.get("status") in ("resolved", "closed"):
                    continue
                self._resolved.add(child["id"])
                self._resolve_from(self._draft_of(child), parent)

    def _resolve_from(self, child: Draft, parent: Draft) -> None:
        values = child.values
        for code in child.itop_class.lifecycle["resolved"].mandatory:
            if code not in ("team_id", "agent_id") and not values.get(code):
                values[code] = parent.values.get(code)
        if not values.get("team_id") or not values.get("agent_id"):
            values["team_id"], values["agent_id"] = parent.values["team_id"], parent.values["agent_id"]
        link = f"[[{parent.itop_class.name}:{parent.id}|{parent.values['ref']}]]"
        solution = f"Automatically resolved from {link}"
        values["solution"] = html.sanitize(solution, self._session.app_root)
        moved = self._transit(child, "ev_autoresolve")
        row = self._save(child)
        stimulus = "ev_autoresolve" if moved else ""
        written = {"solution": solution}
        self.record("apply_stimulus", row["finalclass"], row["id"], written, stimulus=stimulus, by="cascade")

    def _copy_entries_to_children(self, parent: Draft, changes: Mapping[str, Any]) -> None:
        """iTop copies a parent's new entry into its children, under the writer's name and with the present date."""
        session = self._session
        for child_class, key in PARENTS.get(parent.itop_class.name, ()):
            for log in ("public_log", "private_log"):
                written = changes.get(log)
                if not isinstance(written, CaseLog) or not written.entries:
                    continue
                latest = written.entries[-1]
                shown = latest.show(session.app_root, session.timezone)["message_html"]
                for child in self._store.find(child_class, (key,), (parent.id,)):
                    draft = self._draft_of(child)
                    self._assign(draft, log, shown)
                    self._save(draft)
                    self.record("update", child["finalclass"], child["id"], {log: shown}, by="cascade")

    # -- deletion ----------------------------------------------------------------------------------------------

    def _delete_files(self, row: Row) -> None:
        for kind in ("Attachment", "InlineImage"):
            for file in self._store.find(kind, ("item_class", "item_id"), (row["finalclass"], row["id"])):
                self._commit(kind, file["id"], None, None)

    def _references_to(self, row: Row) -> tuple[list[Row], list[tuple[Row, Attribute]]]:
        """What goes with the row (its links), and what keeps a key to it that must be reset."""
        schema, store = self._session.schema, self._store
        lineage = schema[row["finalclass"]].lineage
        dependents: list[Row] = []
        references: list[tuple[Row, Attribute]] = []
        for name in schema:
            itop_class = schema[name]
            if itop_class.abstract:
                continue
            for code, attribute in itop_class.attributes.items():
                if attribute.type != "extkey" or attribute.target not in lineage:
                    continue
                for other in store.rows(name):
                    if other["finalclass"] != name or other.get(code) != row["id"]:
                        continue
                    if name.startswith("lnk"):
                        dependents.append(other)
                    else:
                        references.append((other, attribute))
        return dependents, references


def _told(refusal: Exception) -> str:
    return refusal.message if isinstance(refusal, (Refusal, BareRefusal)) else "crash"


def _id_of(draft: Draft | None, key: Any) -> int:
    if draft is not None:
        return draft.id
    return key if isinstance(key, int) else 0


def _missing_contents(draft: Draft, fields: Mapping[str, Any]) -> str | None:
    """Contents may be left out, but not be given as null."""
    attribute = draft.itop_class.attributes.get("contents")
    if attribute is None or "contents" not in fields or draft.values.get("contents") is not None:
        return None
    return f"Unexpected value for attribute '{attribute.label}' (contents) : Null not allowed"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"').replace("\n", "\\n")
    return f"'{escaped}'"


def _entries_of(code: str, given: Any, class_name: str, session: Session) -> list[tuple[str, str]]:
    attribute = session.schema[class_name].attributes.get(code)
    if attribute is None or attribute.type != "caselog":
        return []
    if isinstance(given, str):
        return [(code, given)] if given else []
    if not isinstance(given, dict):
        return []
    items = [given["add_item"]] if isinstance(given.get("add_item"), dict) else given.get("items") or []
    return [(code, php_string(item.get("message"))) for item in items if isinstance(item, dict)]
