"""How planned faults are carried out: around a request, in the middle of a write, and later."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from itopsync.simulator.caselog import EMPTY, CaseLog, Entry
from itopsync.simulator.faults import WRITE_ONLY, Fault, FaultKind
from itopsync.simulator.messages import SimResponse, html_response, json_response, never
from itopsync.simulator.refusals import failed_sql
from itopsync.simulator.rest import WRITES
from itopsync.simulator.rights import AccessMode, Account, Action
from itopsync.simulator.store import Row

if TYPE_CHECKING:
    from itopsync.simulator.simulator import Simulator

MAINTENANCE = {"data": [{"code": 100, "message": "This application is currently under maintenance."}], "scripts": []}
PHP_ERROR = "<p>iTop: An error occurred, check server error log for more information.</p>\n"
_WAITING_PAGE = "<!DOCTYPE html>\n<html><head><title>iTop</title></head><body><p>Please wait</p></body></html>\n"
#: Of entries: attributes have names of their own.
_DATES = re.compile(rb'"date":"[^"]*"')
#: An organisation that does not exist: an account limited to it sees nothing.
_NOWHERE = -1
#: Half the length of the huge error text that was measured: on an update the statement stands in it twice.
_HUGE = 120_000
_ALL_RIGHTS: tuple[Action, ...] = ("read", "bulk read", "write", "bulk write", "delete")


@dataclass(slots=True)
class Pending:
    """Something that happens later: at a moment, or after a number of requests; with neither, when told to."""

    act: Callable[[], None]
    at: datetime | None = None
    after_request: int | None = None

    def is_due(self, now: datetime, served: int) -> bool:
        return (self.at is not None and self.at <= now) or (self.after_request is not None and served > self.after_request)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request that got past the login, with what faults choose by."""

    account: Account
    version: str
    parameters: Any

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.parameters if isinstance(self.parameters, dict) else {}

    @property
    def verb(self) -> str:
        return str(self.fields.get("operation", ""))

    @property
    def class_name(self) -> str:
        return str(self.fields.get("class", ""))

    @property
    def logs(self) -> tuple[str, ...]:
        """The logs that the request writes to."""
        fields = self.fields.get("fields")
        return tuple(log for log in ("private_log", "public_log") if isinstance(fields, dict) and fields.get(log))


class Mishaps:
    """Carries out the faults that ``simulator.faults`` plans."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.pending: list[Pending] = []

    # -- around a request --------------------------------------------------------------------------------------

    def serve(self, incoming: Incoming) -> SimResponse:
        """Serve a request while faults are planned."""
        instead = self._break_connection(incoming) or self._answer_otherwise(incoming)
        if instead is not None:
            return instead
        response = self._simulator.execute(incoming)
        if fault := self._strike(FaultKind.SLOW, incoming):
            response.delay += fault.seconds
        if self._strike(FaultKind.ODD_ROW, incoming):
            response.body = self._without_fields(response.body)
        if self._strike(FaultKind.UNDATED, incoming):
            response.body = _DATES.sub(b'"date":""', response.body)
        if self._strike(FaultKind.LOST_AFTER, incoming):
            response.fate = "broken"
        return response

    def _strike(self, kind: FaultKind, incoming: Incoming) -> Fault | None:
        if kind in WRITE_ONLY and incoming.verb not in WRITES:
            return None
        return self._simulator.faults.strike(kind, incoming.verb, incoming.class_name, incoming.account.login)

    def _break_connection(self, incoming: Incoming) -> SimResponse | None:
        if self._strike(FaultKind.VANISHING_ATTACHMENT, incoming):
            self._lose_an_attachment()
        if fault := self._strike(FaultKind.LANDS_LATE, incoming):
            self.later(fault, lambda: self._land(incoming))
            return never("timed out")
        if self._strike(FaultKind.LOST_BEFORE, incoming):
            return never("broken")
        if self._strike(FaultKind.MAINTENANCE, incoming):
            return json_response(MAINTENANCE, 503)
        for kind, status, page in ((FaultKind.HTML_500, 500, PHP_ERROR), (FaultKind.HTML_200, 200, _WAITING_PAGE)):
            if fault := self._strike(kind, incoming):
                if fault.applied:
                    self._simulator.execute(incoming)
                return html_response(page, status)
        return None

    def _answer_otherwise(self, incoming: Incoming) -> SimResponse | None:
        """An answer in JSON, but not the one that was hoped for."""
        simulator, account = self._simulator, incoming.account
        if self._strike(FaultKind.INVALID_LOGIN, incoming) or self._strike(FaultKind.TOO_LARGE, incoming):
            return json_response({"code": 1, "message": "Error: Invalid login"})
        if self._strike(FaultKind.READ_ONLY, incoming):
            return simulator.execute(incoming, AccessMode.READ_ONLY)
        if self._strike(FaultKind.MISSING_RIGHT, incoming):
            account = account.without(incoming.class_name, *_ALL_RIGHTS)
            return simulator.execute(Incoming(account, incoming.version, incoming.parameters))
        if self._strike(FaultKind.BLIND, incoming):
            account = account.limited_to(_NOWHERE)
            return simulator.execute(Incoming(account, incoming.version, incoming.parameters))
        if self._strike(FaultKind.HUGE_ERROR, incoming):
            return self._huge_error(incoming)
        return None

    def _without_fields(self, body: bytes) -> bytes:
        """An answer one of whose objects does not show what it holds."""
        document = json.loads(body)
        rows = list((document.get("objects") or {}).values())
        if rows:
            rows[self._simulator.faults.choose(len(rows))]["fields"] = "odd"
        return json.dumps(document, separators=(",", ":")).encode()

    def _land(self, incoming: Incoming) -> None:
        self._simulator.execute(incoming)

    def _huge_error(self, incoming: Incoming) -> SimResponse:
        """A refusal of the database that quotes the ticket as it is, and what was to be written."""
        key, class_name = incoming.fields.get("key"), incoming.class_name
        store, timezone = self._simulator.store, ZoneInfo(self._simulator.timezone)
        row = store.get(class_name, key) if isinstance(key, int) and class_name in store.schema else None
        quoted = [json.dumps(incoming.fields.get("fields"), ensure_ascii=False)]
        for content in (row or {}).values():
            quoted.append(content.text(timezone) if isinstance(content, CaseLog) else str(content))
        statement = " ".join(("UPDATE `ticket` SET", *quoted)).ljust(_HUGE, " ")
        error = "Data too long for column 'private_log_index' at row 1"
        refusal = failed_sql(statement, 1406, error, class_name, key if isinstance(key, int) else None)
        return json_response({"code": refusal.code, "message": f"Error: {refusal.message}"})

    def _lose_an_attachment(self) -> None:
        simulator = self._simulator
        rows = [row for row in simulator.store.rows("Attachment") if row.get("item_id")]
        if rows:
            gone = rows[simulator.faults.choose(len(rows))]
            simulator.agent(self._somebody().login, by="fault").delete_attachment(gone["id"])

    # -- in the middle of a write ------------------------------------------------------------------------------

    def between(self, incoming: Incoming, class_name: str, key: int) -> Iterator[Callable[[], None]]:
        """Between reading and writing back, where updates get lost. Gives what happens when all is written."""
        row = self._simulator.store.get(class_name, key)
        if row is None or not incoming.logs:
            return
        if self._strike(FaultKind.OVERWRITES, incoming):
            self._note_on(class_name, key, row, incoming.logs)
        if self._strike(FaultKind.OVERWRITTEN, incoming):
            yield lambda: self._note_on(class_name, key, row, incoming.logs)

    def _note_on(self, class_name: str, key: int, row: Row, logs: tuple[str, ...]) -> None:
        """A person saves a note on top of the row as it was read, whatever has been written since."""
        session = self._simulator.session(self._somebody(), "fault")
        login, user_id = session.author
        changes: Row = {"last_update": session.now}
        for log in logs:
            note = Entry(login, user_id, session.timestamp, f"<p>Meanwhile, no. {self._simulator.served}</p>")
            changes[log] = (row.get(log) or EMPTY).append(note)
            self._simulator.writer(session).record("update", class_name, key, {log: note.text})
        self._simulator.apply(class_name, key, None, changes)

    def _somebody(self) -> Account:
        """A person who works in the web interface, for what happens by itself."""
        accounts = self._simulator.accounts
        return accounts.get("agent") or next(account for account in accounts.values() if account.is_administrator)

    # -- later -------------------------------------------------------------------------------------------------

    def later(self, fault: Fault, act: Callable[[], None]) -> None:
        """Let ``act`` happen when the fault says."""
        simulator = self._simulator
        at = simulator.now() + timedelta(seconds=fault.seconds) if fault.seconds else None
        after = simulator.served + fault.requests if fault.requests else None
        self.pending.append(Pending(act, at, after))

    def land(self, due_only: bool) -> int:
        """Let what is on its way arrive; the number of things that did."""
        now, served = self._simulator.now(), self._simulator.served
        arriving = [one for one in self.pending if not due_only or one.is_due(now, served)]
        self.pending = [one for one in self.pending if one not in arriving]
        for one in arriving:
            one.act()
        return len(arriving)
