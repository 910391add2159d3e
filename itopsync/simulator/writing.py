"""Create, update, stimulus and delete, including what iTop itself does on the way.

As in iTop, an update reads the object, changes its copy and writes the changed columns back without locking. A log is written
back whole, so whatever somebody else appended in between is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from itopsync.simulator.audit import Audit, Written
from itopsync.simulator.caselog import CaseLog
from itopsync.simulator.drafts import Draft
from itopsync.simulator.reading import friendly_name
from itopsync.simulator.refusals import BareRefusal, Crash, Refusal
from itopsync.simulator.schema import Attribute
from itopsync.simulator.session import Session
from itopsync.simulator.store import Row
from itopsync.simulator.values import find_one, php_string

#: Classes that copy their new log entries to their children: class -> (child class, key).
PARENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "UserRequest": (("UserRequest", "parent_request_id"),),
    "Incident": (("UserRequest", "parent_incident_id"), ("Incident", "parent_incident_id")),
}


@dataclass(frozen=True, slots=True)
class Deleted:
    """One line of a deletion's response: 0 requested, 2 deleted along with it, 5 a key (``reset``) that is set to 0."""

    row: Row
    code: int
    message: str
    reset: str = ""


class Writer:
    """The writes of one session. ``commit`` makes a row visible (None removes it); ``between`` runs between reading and writing
    back, where others may write."""

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
            self.record("create", class_name, 0, fields, outcome=_text_of(refusal))
            raise
        self.record("create", class_name, row["id"], fields)
        return row

    def update(self, class_name: str, key: Any, fields: Mapping[str, Any]) -> Row:
        draft: Draft | None = None
        try:
            draft = self._open(class_name, key, fields)
            row = self._save(draft, fields)
        except (Refusal, Crash) as refusal:
            self.record("update", class_name, _id_of(draft, key), fields, outcome=_text_of(refusal))
            raise
        self.record("update", row["finalclass"], row["id"], fields)
        return row

    def update_row(self, row: Row, fields: Mapping[str, Any]) -> Row:
        """Like :meth:`update`, on a row read before, ignoring what others have done since."""
        draft = self._draft_of(row)
        draft.assign(fields)
        saved = self._save(draft, fields)
        self.record("update", row["finalclass"], row["id"], fields)
        return saved

    def apply_stimulus(self, class_name: str, key: Any, stimulus: str, fields: Mapping[str, Any]) -> Row:
        """The row after the transition. Raises :class:`BareRefusal` if the state or a missing attribute forbids it."""
        draft: Draft | None = None
        try:
            draft = self._open(class_name, key, fields)
            self._check_transition(draft, stimulus)
            self._transit(draft, stimulus)
            row = self._save(draft, fields)
        except (Refusal, Crash, BareRefusal) as refusal:
            outcome = _text_of(refusal)
            self.record("apply_stimulus", class_name, _id_of(draft, key), fields, stimulus=stimulus, outcome=outcome)
            raise
        self.record("apply_stimulus", row["finalclass"], row["id"], fields, stimulus=stimulus)
        return row

    def plan_deletion(self, rows: list[Row]) -> list[Deleted]:
        """The rows, their dependents that are deleted too, and rows whose keys to them are reset."""
        references = [self._references_to(row) for row in rows]
        along = [Deleted(other, 2, "Deleted automatically") for dependents, _ in references for other in dependents]
        resets = [
            Deleted(other, 5, f"Reset external keys: {attribute.label}", attribute.code)
            for _, keys in references
            for other, attribute in keys
        ]
        return [*(Deleted(row, 0, "") for row in rows), *along, *resets]

    def delete(self, rows: list[Row]) -> list[Deleted]:
        """Carry out the plan; files are deleted without being listed."""
        plan = self.plan_deletion(rows)
        for line in plan:
            if line.reset:
                draft = self._draft_of(line.row)
                draft.values[line.reset] = 0
                self._save(draft, {})
                continue
            if line.code == 0:
                self._delete_files(line.row)
                self.record("delete", line.row["finalclass"], line.row["id"], {})
            self._commit(line.row["finalclass"], line.row["id"], None, None)
        return plan

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

    # -- saving ------------------------------------------------------------------------------------------------

    def _open(self, class_name: str, key: Any, fields: Mapping[str, Any]) -> Draft:
        draft = self._draft_of(find_one(class_name, key, self._session))
        draft.assign(fields)
        return draft

    def _draft_of(self, row: Row) -> Draft:
        return Draft(row["finalclass"], row, self._session)

    def _create(self, class_name: str, fields: Mapping[str, Any]) -> Row:
        if self._session.schema[class_name].abstract:
            raise Crash
        draft = Draft(class_name, None, self._session)
        draft.assign(fields)
        draft.compute()
        draft.complete()
        draft.lose_marks()
        draft.check(fields)
        draft.check_database(draft.values)
        draft.values["id"] = self._store.allocate(class_name)
        self._commit(class_name, draft.id, draft.values, None)
        self._write_links(draft)
        return draft.values

    def _save(self, draft: Draft, fields: Mapping[str, Any]) -> Row:
        """Write back what has changed; without changes, do nothing."""
        draft.compute()
        draft.lose_marks()
        class_name = draft.itop_class.name
        if draft.changes:
            if draft.itop_class.root == "Ticket":
                draft.values["last_update"] = self._session.now
                self._copy_entries_to_children(draft)
            draft.check(fields)
            changes = draft.changes
            draft.check_database(changes)
            self._between(class_name, draft.id)
            self._commit(class_name, draft.id, None, changes)
        self._write_links(draft)
        return draft.values

    def _write_links(self, draft: Draft) -> None:
        """Replace the existing links by the given link sets."""
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
        # PHP 8 considers 0 and '' different, so a key of 0 does not count as missing.
        nothing = (None, "") if self._session.schema.traits.zero_is_a_key else (None, "", 0)
        missing = [code for code in target.mandatory if draft.values.get(code) in nothing]
        if missing:
            listed = ", ".join(missing)
            raise BareRefusal(f"Missing mandatory attribute(s) for applying the stimulus: {listed}.")

    def _transit(self, draft: Draft, stimulus: str) -> bool:
        """Change the state and run the transition's actions. False if the stimulus has no effect."""
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
            draft.reset(parameters[0])
        elif verb == "SetElapsedTime":
            values[parameters[0]] = self._session.seconds_since(values.get(parameters[1]))
        elif verb == "ResolveChildTickets":
            self._resolve_children(draft)
        else:
            # SetAssignedDate: the model names a method that does not exist, on which PHP 8 crashes.
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
        reference = f"{parent.id}|{parent.values['ref']}" if self._session.schema.traits.parent_by_id else parent.values["ref"]
        solution = f"Automatically resolved from [[{parent.itop_class.name}:{reference}]]"
        child.assign({"solution": solution})
        moved = self._transit(child, "ev_autoresolve")
        row = self._save(child, {})
        stimulus = "ev_autoresolve" if moved else ""
        written = {"solution": solution}
        self.record("apply_stimulus", row["finalclass"], row["id"], written, stimulus=stimulus, by="cascade")

    def _copy_entries_to_children(self, parent: Draft) -> None:
        """Copy a parent's new entry to its children, with the writer's name and the current date, as iTop does."""
        session, changes = self._session, parent.changes
        for child_class, key in PARENTS.get(parent.itop_class.name, ()):
            for log in ("public_log", "private_log"):
                written = changes.get(log)
                if not isinstance(written, CaseLog) or not written.entries:
                    continue
                latest = written.entries[-1]
                shown = self._copied(
                    parent, latest.show(session.app_root, session.timezone, session.schema.traits)["message_html"]
                )
                for child in self._store.find(child_class, (key,), (parent.id,)):
                    draft = self._draft_of(child)
                    draft.assign({log: shown})
                    self._save(draft, {})
                    self.record("update", child["finalclass"], child["id"], {log: shown}, by="cascade")

    def _copied(self, parent: Draft, entry: str) -> str:
        """A parent's entry as copied to its children; from 3.3 on, with a prefix."""
        about = {"class_name": parent.itop_class.name, "id": parent.id, "ref": parent.values["ref"]}
        return self._session.schema.traits.copied.format(**about) + entry

    # -- deletion ----------------------------------------------------------------------------------------------

    def _delete_files(self, row: Row) -> None:
        for kind in ("Attachment", "InlineImage"):
            for file in self._store.find(kind, ("item_class", "item_id"), (row["finalclass"], row["id"])):
                self._commit(kind, file["id"], None, None)

    def _references_to(self, row: Row) -> tuple[list[Row], list[tuple[Row, Attribute]]]:
        """The rows deleted with this row (its links), and those whose keys to it must be reset."""
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


def _text_of(refusal: Exception) -> str:
    return refusal.message if isinstance(refusal, (Refusal, BareRefusal)) else "crash"


def _id_of(draft: Draft | None, key: Any) -> int:
    if draft is not None:
        return draft.id
    return key if isinstance(key, int) else 0


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
