"""The simulator: one iTop server in memory.

:meth:`Simulator.handle` is the whole server as a function of a request; the two skins in ``skins.py`` only carry
requests to it. A lock makes requests take turns, except between the reading and the writing back of a write when
``think_time`` says so: there others come in, as with the real one.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx

from itopsync.simulator import forms, rest, skins
from itopsync.simulator.agents import Agent
from itopsync.simulator.audit import Audit
from itopsync.simulator.caselog import EMPTY, CaseLog, Entry
from itopsync.simulator.dates import DEFAULT_FORMAT, http_date
from itopsync.simulator.faults import WRITE_ONLY, Fault, FaultKind, FaultPlan
from itopsync.simulator.messages import SimRequest, SimResponse
from itopsync.simulator.reading import Surroundings, snapshot_of
from itopsync.simulator.refusals import Crash, Refusal, failed_sql
from itopsync.simulator.rights import ADMINISTRATOR, REST_PROFILE, SYNC_PROFILES, AccessMode, Account, is_allowed
from itopsync.simulator.schema import ChangeManagement, schema
from itopsync.simulator.session import Session
from itopsync.simulator.store import Document, Row, Store
from itopsync.simulator.writing import Writer

#: The accounts of a new simulator, with the ids of the recorded ones.
ACCOUNTS = (
    Account("admin", "admin-password", 1, 1, (ADMINISTRATOR, REST_PROFILE)),
    Account("sync", "sync-password", 2, 40, SYNC_PROFILES),
    Account("agent", "agent-password", 4, 42, (ADMINISTRATOR, REST_PROFILE)),
    Account("norest", "norest-password", 5, 43, ("Support Agent",)),
)
_MAINTENANCE = {"data": [{"code": 100, "message": "This application is currently under maintenance."}], "scripts": []}
_PHP_ERROR = b"<p>iTop: An error occurred, check server error log for more information.</p>\n"
_HTML_PAGE = b"<!DOCTYPE html>\n<html><head><title>iTop</title></head><body><p>Please wait</p></body></html>\n"
_HTML = "text/html; charset=UTF-8"
#: An organisation that does not exist: an account limited to it sees nothing.
_NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds that a request takes; the measured costs of iTop 3.2.0 on two cores."""

    boot: float = 0.065
    write: float = 0.03
    row: float = 0.000_04

    def of(self, verb: str, rows: int) -> float:
        return self.boot + (self.write if verb in rest.WRITES else 0.0) + self.row * rows


@dataclass(slots=True)
class _Pending:
    """Something that happens later: at a moment, or after a number of requests."""

    act: Callable[[], None]
    at: datetime | None = None
    after_request: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A backup: the data and the accounts. What is still on its way is not in it."""

    store: Store
    accounts: dict[str, Account]


@dataclass(slots=True)
class Requests:
    """Counters of what was asked."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.counts.total()

    def of(self, verb: str | None = None, class_name: str | None = None) -> int:
        """How many requests with this verb (``core/get`` …) and for this class."""
        return sum(
            count
            for (known_verb, known_class), count in self.counts.items()
            if verb in (None, known_verb) and class_name in (None, known_class)
        )

    def clear(self) -> None:
        self.counts.clear()


class Simulator:
    """One simulated iTop 3.2.0 server with sample data and no tickets.

    ``url`` is the server's own address, without a slash at its end. ``clock`` gives the true time as an aware
    datetime. ``database_timezone`` is what OQL's ``NOW()`` reads. ``seed`` decides every chance. The other
    parameters are iTop's settings of that name; they may be changed at any time, as may ``accounts``.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8081",
        timezone: str = "Europe/Paris",
        clock: Callable[[], datetime] | None = None,
        seed: int = 0,
        date_format: str = DEFAULT_FORMAT,
        *,
        accounts: Iterable[Account] = ACCOUNTS,
        change_management: ChangeManagement = "itil",
        problem_management: bool = True,
        post_max_size: int = 64 * 1024 * 1024,
        database_timezone: str = "UTC",
    ) -> None:
        self.url = url.rstrip("/")
        self.timezone = timezone
        self.date_format = date_format
        self.post_max_size = post_max_size
        self.database_timezone = database_timezone
        self.access_mode = AccessMode.FULL
        self.maintenance = False
        #: How far the server's clock is off.
        self.clock_offset = timedelta()
        self.latency: Latency | None = None
        #: Seconds between reading and writing back during which other threads may come in.
        self.think_time = 0.0
        #: Called as (class, id) at that point, for a test that wants something to happen just there.
        self.interleave: Callable[[str, int], None] | None = None
        self.audit = Audit()
        self.faults = FaultPlan(seed)
        self.requests = Requests()
        self.accounts: dict[str, Account] = {account.login: account for account in accounts}
        self._clock = clock or (lambda: datetime.now(UTC))
        self._secrets = FaultPlan(seed + 1)
        self._lock = threading.RLock()
        self._depth = 0
        self._served = 0
        self._pending: list[_Pending] = []
        self._late: Fault | None = None
        self._stale: tuple[str, int, Row] | None = None
        self._entries_coming: tuple[str, ...] = ()
        self.store = Store(schema(change_management, problem_management))
        self._load_sample()

    # -- time --------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """What the server's clock reads, in UTC."""
        return self._clock().astimezone(UTC) + self.clock_offset

    def _database_now(self) -> datetime:
        return self.now().astimezone(ZoneInfo(self.database_timezone))

    # -- serving -----------------------------------------------------------------------------------------------

    def handle(self, request: SimRequest) -> SimResponse:
        """Serve one request. Thread-safe; does no I/O and never sleeps unless ``think_time`` is set."""
        with self._exclusively():
            self._served += 1
            self._land_what_is_due()
            response = self._serve(request)
            response.headers.setdefault("date", http_date(self.now()))
            return response

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    def _serve(self, request: SimRequest) -> SimResponse:
        if self.maintenance:
            return _json(_MAINTENANCE, 503)
        if request.path.endswith("/webservices/rest.php"):
            return self._serve_rest(request)
        if request.path.endswith("/pages/ajax.document.php"):
            return self._serve_document(request)
        return SimResponse(404, {"content-type": _HTML}, b"<html><body><h1>404 Not Found</h1></body></html>\n")

    def _serve_rest(self, request: SimRequest) -> SimResponse:
        given = forms.parameters(request, self.post_max_size)
        account = self._login(request, given)
        try:
            if account is None:
                raise Refusal("Invalid login", 1)
            if not account.may_use_rest:
                profile = f"The profile {REST_PROFILE} is required to access the REST web services"
                raise Refusal(f"This user is not authorized to use the web services. ({profile})", 1)
            if not given.get("version"):
                raise Refusal("Missing parameter 'version' (e.g. '1.0')", 2)
            if not given.get("json_data"):
                raise Refusal("Missing parameter 'json_data'", 3)
            parameters = rest.decode(given["json_data"])
            if given["version"] not in rest.VERSIONS:
                raise Refusal(f"There is no service available for version '{given['version']}'", 10)
        except Refusal as refusal:
            self.requests.counts["refused", ""] += 1
            return _json({"code": refusal.code, "message": f"Error: {refusal.message}"})
        return self._serve_call(account, given["version"], parameters)

    def _serve_call(self, account: Account, version: str, parameters: Any) -> SimResponse:
        known = parameters if isinstance(parameters, dict) else {}
        verb, class_name = str(known.get("operation", "")), str(known.get("class", ""))
        self.requests.counts[verb, class_name] += 1
        if self.faults:
            struck = self._fault_before(account, verb, class_name, known, version)
            if struck is not None:
                return struck
        response = self._execute(account, version, parameters)
        if self.latency is not None:
            response.delay += self.latency.of(verb, response.body.count(b'"key"'))
        return self._fault_after(response, verb, class_name, account) if self.faults else response

    def _execute(self, account: Account, version: str, parameters: Any, mode: AccessMode | None = None) -> SimResponse:
        session = self._session(account, "rest")
        call = rest.Call(session, self._writer(session), mode or self.access_mode, version, self._check)
        fields = parameters.get("fields") if isinstance(parameters, dict) else None
        logs = ("private_log", "public_log")
        self._entries_coming = tuple(log for log in logs if isinstance(fields, dict) and fields.get(log))
        try:
            answer = rest.answer(call, parameters)
        except Crash:
            return SimResponse(500, {"content-type": _HTML}, _PHP_ERROR)
        finally:
            self._entries_coming = ()
        self._overwrite_stale()
        return _json(answer)

    def _login(self, request: SimRequest, given: Mapping[str, str]) -> Account | None:
        token = request.headers.get("auth-token")
        if token:
            return next((account for account in self.accounts.values() if account.token == token), None)
        if given.get("login_mode") == "basic":
            basic = forms.basic_login(request)
            return self._check(*basic) if basic is not None else None
        return self._check(given.get("auth_user", ""), given.get("auth_pwd", ""))

    def _check(self, login: str, password: str) -> Account | None:
        account = self.accounts.get(login)
        return account if account is not None and password and account.password == password else None

    def _serve_document(self, request: SimRequest) -> SimResponse:
        given = forms.parameters(request, self.post_max_size)
        key = int(given["id"]) if given.get("id", "").isdigit() else 0
        if given.get("operation") == "download_inlineimage":
            row = self.store.get("InlineImage", key)
            if row is None or row.get("secret") != given.get("s"):
                issue = "Invalid secret for class 'InlineImage'" if row else f"Invalid id ({key}) for class 'InlineImage'"
                text = f"<p>{issue} - the object does not exist or you are not allowed to view it</p>\n"
                return SimResponse(200, {"content-type": "text/html;charset=UTF-8"}, text.encode())
            return _download(row, "inline")
        account = self._login(request, given)
        if account is None:
            return SimResponse(200, {"content-type": _HTML}, b"<html><body><form id='login'></form></body></html>\n")
        row = self._session(account, "web").see("Attachment", key)
        if row is None:
            text = f"<p>Invalid id ({key}) for class 'Attachment'</p>\n"
            return SimResponse(200, {"content-type": "text/html;charset=UTF-8"}, text.encode())
        return _download(row, "attachment")

    # -- faults ------------------------------------------------------------------------------------------------

    def _fault_before(
        self, account: Account, verb: str, class_name: str, parameters: Mapping[str, Any], version: str
    ) -> SimResponse | None:
        """The answer in place of the regular one, when a fault strikes before anything is applied."""

        def strikes(kind: FaultKind) -> Fault | None:
            if kind in WRITE_ONLY and verb not in rest.WRITES:
                return None
            return self.faults.strike(kind, verb, class_name, account.login)

        if strikes(FaultKind.VANISHING_ATTACHMENT):
            self._vanish()
        if fault := strikes(FaultKind.LANDS_LATE):
            self._later(fault, lambda: self._execute_late(account, version, parameters))
            return SimResponse(200, {}, b"", "timed out")
        if strikes(FaultKind.LOST_BEFORE):
            return SimResponse(200, {}, b"", "broken")
        if strikes(FaultKind.MAINTENANCE):
            return _json(_MAINTENANCE, 503)
        if strikes(FaultKind.INVALID_LOGIN) or strikes(FaultKind.TOO_LARGE):
            return _json({"code": 1, "message": "Error: Invalid login"})
        for kind, status, body in ((FaultKind.HTML_500, 500, _PHP_ERROR), (FaultKind.HTML_200, 200, _HTML_PAGE)):
            if fault := strikes(kind):
                if fault.applied:
                    self._execute(account, version, parameters)
                return SimResponse(status, {"content-type": _HTML}, body)
        if strikes(FaultKind.READ_ONLY):
            return self._execute(account, version, parameters, AccessMode.READ_ONLY)
        if strikes(FaultKind.MISSING_RIGHT):
            limited = account.without(class_name, "read", "bulk read", "write", "bulk write", "delete")
            return self._execute(limited, version, parameters)
        if strikes(FaultKind.BLIND):
            return self._execute(account.limited_to(_NOWHERE), version, parameters)
        if strikes(FaultKind.HUGE_ERROR):
            return self._huge_error(parameters, class_name)
        return None

    def _fault_after(self, response: SimResponse, verb: str, class_name: str, account: Account) -> SimResponse:
        if fault := self.faults.strike(FaultKind.SLOW, verb, class_name, account.login):
            response.delay += fault.seconds
        if self.faults.strike(FaultKind.LOST_AFTER, verb, class_name, account.login):
            response.fate = "broken"
        return response

    def _huge_error(self, parameters: Mapping[str, Any], class_name: str) -> SimResponse:
        """A refusal of the database that quotes the ticket as it is, and what was to be written."""
        key = parameters.get("key")
        row = self.store.get(class_name, key) if isinstance(key, int) and class_name in self.store.schema else None
        quoted = [json.dumps(parameters.get("fields"), ensure_ascii=False)]
        for content in (row or {}).values():
            quoted.append(content.text(ZoneInfo(self.timezone)) if isinstance(content, CaseLog) else str(content))
        statement = f"UPDATE `ticket` SET {', '.join(quoted)}".ljust(120_000, " ")
        error = "Data too long for column 'private_log_index' at row 1"
        refusal = failed_sql(statement, 1406, error, class_name, key if isinstance(key, int) else None)
        return _json({"code": refusal.code, "message": f"Error: {refusal.message}"})

    def _vanish(self) -> None:
        rows = [row for row in self.store.rows("Attachment") if row.get("item_id")]
        if rows:
            agent = self.agent(self._person().login, by="fault")
            agent.delete_attachment(rows[self.faults.choose(len(rows))]["id"])

    def _person(self) -> Account:
        """Some person who works in the web interface, for what happens by itself."""
        return self.accounts.get("agent") or next(a for a in self.accounts.values() if a.is_administrator)

    # -- what arrives later ------------------------------------------------------------------------------------

    def _later(self, fault: Fault, act: Callable[[], None]) -> None:
        at = self.now() + timedelta(seconds=fault.seconds) if fault.seconds else None
        after = self._served + fault.requests if fault.requests else None
        self._pending.append(_Pending(act, at, after))

    def _execute_late(self, account: Account, version: str, parameters: Any) -> None:
        self._execute(account, version, parameters)

    def _land_what_is_due(self) -> None:
        if self._pending:
            now = self.now()
            self.land(lambda one: (one.at is not None and one.at <= now) or self._is_counted_down(one))

    def _is_counted_down(self, one: _Pending) -> bool:
        return one.after_request is not None and self._served > one.after_request

    def land(self, due: Callable[[_Pending], bool] = lambda one: True) -> int:
        """Let everything that is on its way arrive now; the number of things that did."""
        with self._exclusively():
            arriving = [one for one in self._pending if due(one)]
            self._pending = [one for one in self._pending if one not in arriving]
            for one in arriving:
                one.act()
            return len(arriving)

    @property
    def on_its_way(self) -> int:
        """How many late writes, commits and bindings have not arrived yet."""
        return len(self._pending)

    # -- writing -----------------------------------------------------------------------------------------------

    def _surroundings(self) -> Surroundings:
        return Surroundings(self.store, self.url + "/", ZoneInfo(self.timezone), self.date_format)

    def _session(self, account: Account, by: str) -> Session:
        return Session(account, self.store, self._surroundings(), self.now(), self._database_now, by)

    def _writer(self, session: Session, hooks: bool = True) -> Writer:
        between = self._between if hooks else (lambda class_name, key: None)
        return Writer(session, self.audit, self._commit, between)

    def _commit(self, class_name: str, key: int, row: Row | None, changes: Mapping[str, Any] | None) -> None:
        if self._late is not None:
            self._later(self._late, lambda: self._apply(class_name, key, row, changes))
        else:
            self._apply(class_name, key, row, changes)

    def _apply(self, class_name: str, key: int, row: Row | None, changes: Mapping[str, Any] | None) -> None:
        if row is not None:
            self.store.put(row)
        elif changes is not None:
            current = self.store.get(class_name, key)
            if current is not None:  # gone meanwhile: an UPDATE of no row is no error
                self.store.put({**current, **changes})
        else:
            self.store.remove(class_name, key)

    def _between(self, class_name: str, key: int) -> None:
        """Between reading and writing back: the place where updates get lost."""
        row = self.store.get(class_name, key)
        if self._entries_coming and self.faults and row is not None:
            if self.faults.strike(FaultKind.OVERWRITES, "core/update", class_name, "") is not None:
                self._person_notes(class_name, key, row)
            if self.faults.strike(FaultKind.OVERWRITTEN, "core/update", class_name, "") is not None:
                self._stale = (class_name, key, row)
        if self.interleave is not None:
            hook, self.interleave = self.interleave, None
            try:
                hook(class_name, key)
            finally:
                self.interleave = self.interleave or hook
        if self.think_time > 0 and self._depth == 1:
            self._depth = 0
            self._lock.release()
            try:
                time.sleep(self.think_time)
            finally:
                self._lock.acquire()
                self._depth = 1

    def _person_notes(self, class_name: str, key: int, row: Row) -> None:
        """A person appends to the row as it was read, whatever has been written since."""
        session = self._session(self._person(), "fault")
        login, user_id = session.author
        changes: Row = {"last_update": session.now}
        for log in self._entries_coming or ("private_log",):
            note = Entry(login, user_id, session.timestamp, f"<p>Meanwhile, no. {self._served}</p>")
            changes[log] = (row.get(log) or EMPTY).append(note)
            self._writer(session).record("update", class_name, key, {log: note.text})
        self._apply(class_name, key, None, changes)

    def _overwrite_stale(self) -> None:
        if self._stale is not None:
            (class_name, key, row), self._stale = self._stale, None
            self._person_notes(class_name, key, row)

    # -- people, and looking in --------------------------------------------------------------------------------

    def agent(self, login: str = "agent", *, by: str = "web") -> Agent:
        """A person at the web interface."""
        return Agent(self, self.accounts[login], by)

    def ticket(self, class_name: str, key: int) -> dict[str, Any]:
        """The object as stored, with ``attachments`` as a list of the same kind; logs are tuples of entries.

        Raises KeyError when there is none.
        """
        with self._exclusively():
            row = self.store.get(class_name, key)
            if row is None:
                raise KeyError(f"{class_name}::{key}")
            files = self.store.find("Attachment", ("item_class", "item_id"), (row["finalclass"], key))
            attachments = [snapshot_of(file, self.store.schema) for file in files]
            return {**snapshot_of(row, self.store.schema), "attachments": attachments}

    def tickets(self, class_name: str = "Ticket") -> list[dict[str, Any]]:
        """Every object of the class and those below it, in order of id, as :meth:`ticket` gives them."""
        with self._exclusively():
            keys = sorted((row["id"], row["finalclass"]) for row in self.store.rows(class_name))
            return [self.ticket(final_class, key) for key, final_class in keys]

    def snapshot(self) -> Snapshot:
        """A backup of the data; cheap, since rows are shared."""
        with self._exclusively():
            return Snapshot(self.store.copy(), dict(self.accounts))

    def restore(self, backup: Snapshot) -> None:
        """Put a backup back: ids and references that were given since will be given again. Late things are dropped."""
        with self._exclusively():
            self.store = backup.store.copy()
            self.accounts = dict(backup.accounts)
            self._pending.clear()

    def clean_up_drafts(self) -> int:
        """What iTop's background task does: delete drafts past their date. The number that went."""
        with self._exclusively():
            now = self._session(self._person(), "web").now
            expired = [
                (row["finalclass"], row["id"])
                for kind in ("Attachment", "InlineImage")
                for row in self.store.rows(kind)
                if not row.get("item_id") and (row.get("expire") or now) < now
            ]
            for class_name, key in expired:
                self.store.remove(class_name, key)
            return len(expired)

    def allows(self, login: str, class_name: str, action: Any) -> bool:
        """Whether the account may do this at present; see :func:`~itopsync.simulator.rights.is_allowed`."""
        return is_allowed(self.accounts[login], class_name, action, self.access_mode, self.store.schema)

    # -- skins -------------------------------------------------------------------------------------------------

    def transport(self, sleep: Callable[[float], None] | None = None) -> httpx.BaseTransport:
        """A transport for ``httpx.Client``; ``sleep`` is called with delays in seconds (None: they only count
        against the client's read timeout)."""
        return skins.SimulatorTransport(self, sleep)

    def serve(self, port: int = 0) -> AbstractContextManager[str]:
        """A threaded HTTP server on 127.0.0.1 while the context lasts; gives its address, which becomes ``url``."""
        return skins.serve(self, port)

    # -- sample data -------------------------------------------------------------------------------------------

    def _load_sample(self) -> None:
        text = resources.files(__package__).joinpath("data/sample.json").read_text("utf-8")
        known = self.store.schema
        for class_name, rows in json.loads(text).items():
            if class_name == "UserLocal":
                continue
            for given in rows:
                row: Row = {"finalclass": class_name}
                for code, attribute in known[class_name].attributes.items():
                    if attribute.stored:
                        row[code] = attribute.default or (0 if attribute.integral else "")
                for code, content in given.items():
                    integral = code == "id" or known[class_name].attributes[code].integral
                    row[code] = int(content) if integral else content
                self.store.put(row)
        for account in self.accounts.values():
            user = {"login": account.login, "contactid": account.contact_id, "language": "EN US", "status": "enabled"}
            self.store.put({"finalclass": "UserLocal", "id": account.user_id, **user})


def host_of(url: str) -> str:
    return urlsplit(url).netloc


def _json(answer: Mapping[str, Any], status: int = 200) -> SimResponse:
    return SimResponse(status, {"content-type": "application/json"}, json.dumps(answer, separators=(",", ":")).encode())


def _download(row: Row, disposition: str) -> SimResponse:
    document: Document = row["contents"] or Document(b"", "", "")
    name = document.filename.replace('"', "")
    headers = {
        "content-type": document.mimetype or "application/octet-stream",
        "content-disposition": f'{disposition}; filename="{name}"'.encode("ascii", "replace").decode(),
    }
    return SimResponse(200, headers, document.data)
