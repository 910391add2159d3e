"""The simulator: one iTop server in memory.

:meth:`Simulator.handle` is the whole server as a function of a request; the two skins in ``skins.py`` only carry
requests to it. A lock makes requests take turns, except between the reading and the writing back of a write when
``think_time`` says so: there others come in, as with the real one.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from itopsync.simulator import rest, skins
from itopsync.simulator.agents import Agent
from itopsync.simulator.audit import Audit
from itopsync.simulator.dates import DEFAULT_FORMAT, http_date
from itopsync.simulator.faults import Fault, FaultPlan
from itopsync.simulator.front import Front
from itopsync.simulator.load import Latency, Requests
from itopsync.simulator.losing import LosesMarks, Losses
from itopsync.simulator.messages import SimRequest, SimResponse, html_response, json_response
from itopsync.simulator.mishaps import PHP_ERROR, Incoming, Mishaps
from itopsync.simulator.oql_functions import fold
from itopsync.simulator.reading import Surroundings, snapshot_of
from itopsync.simulator.refusals import Crash
from itopsync.simulator.rights import AccessMode, Account, Action, is_allowed
from itopsync.simulator.sample import ACCOUNTS, load_sample
from itopsync.simulator.schema import ChangeManagement, schema
from itopsync.simulator.session import Session
from itopsync.simulator.store import Row, Store
from itopsync.simulator.versions import DEFAULT, Version
from itopsync.simulator.writing import Writer


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A backup: the data and the accounts. What is still on its way is not in it."""

    store: Store
    accounts: dict[str, Account]


class Simulator:
    """One simulated iTop server with sample data and no tickets.

    ``url`` is the server's own address, without a slash at its end. ``clock`` gives the true time as an aware
    datetime. ``database_timezone`` is what OQL's ``NOW()`` reads. ``seed`` decides every chance. ``version`` is the
    iTop that it plays. The other parameters are iTop's settings of that name; they may be changed at any time, as may
    ``accounts``.
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
        version: Version = DEFAULT,
    ) -> None:
        self.version = version
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
        #: What takes our markers away on their way in or out; may change at any time.
        self.loses_marks: tuple[LosesMarks, ...] = ()
        #: Seconds between reading and writing back during which other threads may come in.
        self.think_time = 0.0
        #: Called as (class, id) at that point, for a test that wants something to happen just there.
        self.interleave: Callable[[str, int], None] | None = None
        self.audit = Audit()
        self.faults = FaultPlan(seed)
        self.requests = Requests()
        #: Requests served so far, of any kind.
        self.served = 0
        #: By login; ``accounts["sync"] = accounts["sync"].limited_to(3)`` changes one.
        self.accounts: dict[str, Account] = {account.login: account for account in accounts}
        self.store = Store(schema(change_management, problem_management, version))
        self._clock = clock or (lambda: datetime.now(UTC))
        self._random = random.Random(seed)  # noqa: S311 - secrets of pretended pictures
        self._lock = threading.RLock()
        self._depth = 0
        self.mishaps = Mishaps(self)
        self._front = Front(self)
        self._late: Fault | None = None
        load_sample(self.store, self.accounts.values())

    # -- time --------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """What the server's clock reads, in UTC."""
        return self._clock().astimezone(UTC) + self.clock_offset

    def _database_now(self) -> datetime:
        return self.now().astimezone(ZoneInfo(self.database_timezone))

    # -- serving -----------------------------------------------------------------------------------------------

    def handle(self, request: SimRequest) -> SimResponse:
        """Serve one request. Thread-safe; does no I/O and never sleeps unless ``think_time`` is set."""
        with self.exclusively():
            self.served += 1
            if self.mishaps.pending:
                self.mishaps.land(due_only=True)
            response = self._front.serve(request)
            response.headers.setdefault("date", http_date(self.now()))
            return response

    def execute(self, incoming: Incoming, mode: AccessMode | None = None) -> SimResponse:
        """Carry out an admitted request."""
        session = self.session(incoming.account, "rest")
        afterwards: list[Callable[[], None]] = []

        def between(class_name: str, key: int) -> None:
            if self.faults:
                afterwards.extend(self.mishaps.between(incoming, class_name, key))
            self._let_others_in(class_name, key)

        writer = Writer(session, self.audit, self.commit, between)
        allowed = self.access_mode if mode is None else mode
        call = rest.Call(session, writer, allowed, incoming.version, self.account_of)
        try:
            response = json_response(rest.answer(call, incoming.parameters))
        except Crash:
            response = html_response(PHP_ERROR, 500)
        for act in afterwards:
            act()
        return response

    def account_of(self, login: str, password: str) -> Account | None:
        """The account with these credentials; the database finds a login without regard to case."""
        found = (account for account in self.accounts.values() if fold(account.login) == fold(login))
        return next((account for account in found if password and account.password == password), None)

    # -- for the parts of the simulator ------------------------------------------------------------------------

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the lock."""
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    def session(self, account: Account, by: str) -> Session:
        """The account at this moment."""
        now = self.now()
        losses = Losses(self.loses_marks, now)
        around = Surroundings(self.store, self.url + "/", ZoneInfo(self.timezone), self.date_format, losses)
        return Session(account, self.store, around, now, self._database_now, by)

    def writer(self, session: Session) -> Writer:
        """What writes for a person: nobody comes in between, unlike in a request."""
        return Writer(session, self.audit, self.commit, lambda _class_name, _key: None)

    @contextmanager
    def committing(self, late: Fault | None) -> Iterator[None]:
        """Let what is written inside become visible only when the fault says."""
        self._late = late
        try:
            yield
        finally:
            self._late = None

    def commit(self, class_name: str, key: int, row: Row | None, changes: Mapping[str, Any] | None) -> None:
        """Make a new row, changes to one, or (with neither) its removal visible."""
        if self._late is not None:
            self.mishaps.later(self._late, lambda: self.apply(class_name, key, row, changes))
        else:
            self.apply(class_name, key, row, changes)

    def apply(self, class_name: str, key: int, row: Row | None, changes: Mapping[str, Any] | None) -> None:
        """As :meth:`commit`, at once."""
        if row is not None:
            self.store.put(row)
        elif changes is not None:
            current = self.store.get(class_name, key)
            if current is not None:  # gone meanwhile: an UPDATE of no row is no error
                self.store.put({**current, **changes})
        else:
            self.store.remove(class_name, key)

    def later(self, fault: Fault, act: Callable[[], None]) -> None:
        """Let ``act`` happen when the fault says."""
        self.mishaps.later(fault, act)

    def token(self) -> str:
        """A secret of 32 hexadecimal digits, decided by the seed."""
        return f"{self._random.getrandbits(128):032x}"

    def _let_others_in(self, class_name: str, key: int) -> None:
        if self.interleave is not None:
            hook, self.interleave = self.interleave, None  # what the hook writes is not interrupted in its turn
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

    # -- people, and looking in --------------------------------------------------------------------------------

    def agent(self, login: str = "agent", *, by: str = "web") -> Agent:
        """A person at the web interface."""
        return Agent(self, self.accounts[login], by)

    def ticket(self, class_name: str, key: int) -> dict[str, Any]:
        """The object as stored, with ``attachments`` as a list of the same kind; logs are tuples of entries.

        Raises KeyError when there is none.
        """
        with self.exclusively():
            row = self.store.get(class_name, key)
            if row is None:
                raise KeyError(f"{class_name}::{key}")
            files = self.store.find("Attachment", ("item_class", "item_id"), (row["finalclass"], key))
            attachments = [snapshot_of(file, self.store.schema) for file in files]
            return {**snapshot_of(row, self.store.schema), "attachments": attachments}

    def tickets(self, class_name: str = "Ticket") -> list[dict[str, Any]]:
        """Every object of the class and those below it, in order of id, as :meth:`ticket` gives them."""
        with self.exclusively():
            keys = sorted((row["id"], row["finalclass"]) for row in self.store.rows(class_name))
            return [self.ticket(final_class, key) for key, final_class in keys]

    def allows(self, login: str, class_name: str, action: Action) -> bool:
        """Whether the account may do this to the class at present."""
        return is_allowed(self.accounts[login], class_name, action, self.access_mode, self.store.schema)

    def snapshot(self) -> Snapshot:
        """A backup of the data; cheap, since rows are shared."""
        with self.exclusively():
            return Snapshot(self.store.copy(), dict(self.accounts))

    def restore(self, backup: Snapshot) -> None:
        """Put a backup back: ids and references given since will be given again. What is on its way is dropped."""
        with self.exclusively():
            self.store = backup.store.copy()
            self.accounts = dict(backup.accounts)
            self.mishaps.pending.clear()

    def land(self) -> int:
        """Let everything that is on its way arrive now; the number of things that did."""
        with self.exclusively():
            return self.mishaps.land(due_only=False)

    @property
    def on_its_way(self) -> int:
        """How many late writes, commits and bindings have not arrived yet."""
        return len(self.mishaps.pending)

    def clean_up_drafts(self) -> int:
        """What iTop's background task does: delete drafts past their date. The number that went."""
        with self.exclusively():
            now = self.session(next(iter(self.accounts.values())), "web").now
            expired = [
                (row["finalclass"], row["id"])
                for kind in ("Attachment", "InlineImage")
                for row in self.store.rows(kind)
                if not row.get("item_id") and (row.get("expire") or now) < now
            ]
            for class_name, key in expired:
                self.store.remove(class_name, key)
            return len(expired)

    # -- skins -------------------------------------------------------------------------------------------------

    def transport(self, sleep: Callable[[float], None] | None = None) -> httpx.BaseTransport:
        """A transport for ``httpx.Client``; ``sleep`` is called with delays in seconds (None: they only count
        against the client's read timeout)."""
        return skins.SimulatorTransport(self, sleep)

    def serve(self, port: int = 0) -> AbstractContextManager[str]:
        """A threaded HTTP server on 127.0.0.1 while the context lasts; gives its address, which becomes ``url``."""
        return skins.serve(self, port)
