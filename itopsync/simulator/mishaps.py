"""Carries out planned faults: around a request, in the middle of a write, and later."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

from itopsync.simulator.agents import Agent
from itopsync.simulator.caselog import EMPTY, CaseLog, Entry
from itopsync.simulator.faults import WRITE_ONLY, Fault, FaultKind
from itopsync.simulator.incoming import Incoming
from itopsync.simulator.instance import Instance
from itopsync.simulator.messages import MAINTENANCE, PHP_ERROR, SimResponse, html_response, json_response, never
from itopsync.simulator.refusals import failed_sql
from itopsync.simulator.rest import WRITES
from itopsync.simulator.rights import AccessMode, Account, Action
from itopsync.simulator.store import Row

_WAITING_PAGE = "<!DOCTYPE html>\n<html><head><title>iTop</title></head><body><p>Please wait</p></body></html>\n"
#: The keys of entries, unlike the names of attributes.
_DATES = re.compile(rb'"date":"[^"]*"')
#: A nonexistent organisation: an account limited to it sees nothing.
_NOWHERE = -1
#: Half the length of an observed huge error text: on an update, it contains the statement twice.
_HUGE = 120_000
_ALL_RIGHTS: tuple[Action, ...] = ("read", "bulk read", "write", "bulk write", "delete")


class Mishaps:
    """Carries out the faults planned in an instance's ``faults``."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    # -- around a request --------------------------------------------------------------------------------------

    def serve(self, incoming: Incoming) -> SimResponse:
        """Serve a request while faults are planned."""
        instead = self._break_connection(incoming) or self._answer_otherwise(incoming)
        if instead is not None:
            return instead
        response = self._execute(incoming)
        if fault := self._strike(FaultKind.SLOW, incoming):
            response.delay += fault.seconds
        if self._strike(FaultKind.ODD_ROW, incoming):
            response.body = self._without_fields(response.body)
        if self._strike(FaultKind.UNDATED, incoming):
            response.body = _DATES.sub(b'"date":""', response.body)
        if self._strike(FaultKind.REFUSED_AFTER, incoming):
            return json_response({"code": 100, "message": "Error: the mail server does not answer"})
        if self._strike(FaultKind.LOST_AFTER, incoming):
            response.fate = "broken"
        return response

    def _strike(self, kind: FaultKind, incoming: Incoming) -> Fault | None:
        if kind in WRITE_ONLY and incoming.verb not in WRITES:
            return None
        return self._instance.faults.strike(kind, incoming.verb, incoming.class_name, incoming.account.login)

    def _break_connection(self, incoming: Incoming) -> SimResponse | None:
        if self._strike(FaultKind.VANISHING_ATTACHMENT, incoming):
            self._lose_an_attachment()
        if fault := self._strike(FaultKind.LANDS_LATE, incoming):
            self._instance.later(fault, lambda: self._land(incoming))
            return never("timed out")
        if self._strike(FaultKind.LOST_BEFORE, incoming):
            return never("broken")
        if self._strike(FaultKind.MAINTENANCE, incoming):
            return json_response(MAINTENANCE, 503)
        for kind, status, page in ((FaultKind.HTML_500, 500, PHP_ERROR), (FaultKind.HTML_200, 200, _WAITING_PAGE)):
            if fault := self._strike(kind, incoming):
                if fault.applied:
                    self._execute(incoming)
                return html_response(page, status)
        return None

    def _answer_otherwise(self, incoming: Incoming) -> SimResponse | None:
        """A JSON response other than the real one, if such a fault strikes."""
        account = incoming.account
        if self._strike(FaultKind.INVALID_LOGIN, incoming) or self._strike(FaultKind.TOO_LARGE, incoming):
            return json_response({"code": 1, "message": "Error: Invalid login"})
        if self._strike(FaultKind.READ_ONLY, incoming):
            return self._execute(incoming, AccessMode.READ_ONLY)
        if self._strike(FaultKind.MISSING_RIGHT, incoming):
            account = account.without(incoming.class_name, *_ALL_RIGHTS)
            return self._execute(Incoming(account, incoming.version, incoming.parameters))
        if self._strike(FaultKind.BLIND, incoming):
            account = account.limited_to(_NOWHERE)
            return self._execute(Incoming(account, incoming.version, incoming.parameters))
        if self._strike(FaultKind.HUGE_ERROR, incoming):
            return self._huge_error(incoming)
        return None

    def _without_fields(self, body: bytes) -> bytes:
        """A response in which one object lacks its fields."""
        document = json.loads(body)
        rows = list((document.get("objects") or {}).values())
        if rows:
            rows[self._instance.faults.choose(len(rows))]["fields"] = "odd"
        return json.dumps(document, separators=(",", ":")).encode()

    def _land(self, incoming: Incoming) -> None:
        self._execute(incoming)

    def _execute(self, incoming: Incoming, mode: AccessMode | None = None) -> SimResponse:
        return self._instance.execute(incoming, mode, self._between)

    def _huge_error(self, incoming: Incoming) -> SimResponse:
        """A refusal by the database that quotes the ticket, and what was to be written."""
        key, class_name = incoming.fields.get("key"), incoming.class_name
        store, timezone = self._instance.store, ZoneInfo(self._instance.timezone)
        row = store.get(class_name, key) if isinstance(key, int) and class_name in store.schema else None
        quoted = [json.dumps(incoming.fields.get("fields"), ensure_ascii=False)]
        for content in (row or {}).values():
            quoted.append(content.text(timezone) if isinstance(content, CaseLog) else str(content))
        statement = " ".join(("UPDATE `ticket` SET", *quoted)).ljust(_HUGE, " ")
        error = "Data too long for column 'private_log_index' at row 1"
        refusal = failed_sql(statement, 1406, error, class_name, key if isinstance(key, int) else None)
        return json_response({"code": refusal.code, "message": f"Error: {refusal.message}"})

    def _lose_an_attachment(self) -> None:
        instance = self._instance
        rows = [row for row in instance.store.rows("Attachment") if row.get("item_id")]
        if rows:
            gone = rows[instance.faults.choose(len(rows))]
            Agent(instance, self._somebody(), by="fault").delete_attachment(gone["id"])

    # -- in the middle of a write ------------------------------------------------------------------------------

    def _between(self, incoming: Incoming, class_name: str, key: int) -> Iterator[Callable[[], None]]:
        """Strike between reading and writing back, where updates get lost; yield what to do after the write."""
        row = self._instance.store.get(class_name, key)
        if row is None or not incoming.logs:
            return
        if self._strike(FaultKind.OVERWRITES, incoming):
            self._note_on(class_name, key, row, incoming.logs)
        if self._strike(FaultKind.OVERWRITTEN, incoming):
            yield lambda: self._note_on(class_name, key, row, incoming.logs)

    def _note_on(self, class_name: str, key: int, row: Row, logs: tuple[str, ...]) -> None:
        """Save a person's note on the row as it was read, ignoring what was written since."""
        session = self._instance.session(self._somebody(), "fault")
        login, user_id = session.author
        changes: Row = {"last_update": session.now}
        for log in logs:
            note = Entry(login, user_id, session.timestamp, f"<p>Meanwhile, no. {self._instance.served}</p>")
            changes[log] = (row.get(log) or EMPTY).append(note)
            self._instance.writer(session).record("update", class_name, key, {log: note.text})
        self._instance.apply(class_name, key, None, changes)

    def _somebody(self) -> Account:
        """An account to which unplanned acts in the web interface are attributed."""
        accounts = self._instance.accounts
        return accounts.get("agent") or next(account for account in accounts.values() if account.is_administrator)
