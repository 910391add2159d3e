"""One iTop: its data, accounts and settings, and the execution of requests.

A lock serialises requests, except that ``think_time`` lets others in between the reading and the writing back of a write, as on
a real server.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from itopsync.simulator import rest
from itopsync.simulator.audit import Audit
from itopsync.simulator.dates import DEFAULT_FORMAT
from itopsync.simulator.faults import Fault, FaultPlan
from itopsync.simulator.incoming import Incoming
from itopsync.simulator.load import Latency, Requests
from itopsync.simulator.losing import LosesMarks, Losses
from itopsync.simulator.messages import PHP_ERROR, SimRequest, SimResponse, html_response, json_response
from itopsync.simulator.oql_functions import fold
from itopsync.simulator.reading import Surroundings
from itopsync.simulator.refusals import Crash
from itopsync.simulator.rights import AccessMode, Account
from itopsync.simulator.sample import ACCOUNTS, load_sample
from itopsync.simulator.schema import ChangeManagement, schema
from itopsync.simulator.session import Session
from itopsync.simulator.store import Row, Store
from itopsync.simulator.versions import DEFAULT, Version
from itopsync.simulator.writing import Writer

Meddle = Callable[[Incoming, str, int], Iterable[Callable[[], None]]]
"""Called as (request, class, id) in the middle of a write; returns what to do after it."""


@dataclass(slots=True)
class Pending:
    """Something that happens later: at a time, after a number of requests or, with neither, on demand."""

    act: Callable[[], None]
    at: datetime | None = None
    after_request: int | None = None

    def is_due(self, now: datetime, served: int) -> bool:
        return (self.at is not None and self.at <= now) or (self.after_request is not None and served > self.after_request)


class Instance:
    """An iTop with sample data and no tickets.

    ``url`` is the server's own address, without a trailing slash. ``clock`` returns the true time as an aware datetime.
    ``database_timezone`` is the timezone of OQL's ``NOW()``. ``chance`` draws all that is random; the default never repeats.
    ``version`` is the simulated iTop version. The other parameters are iTop's settings of the same name; like ``accounts``,
    they may be changed at any time.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8081",
        timezone: str = "Europe/Paris",
        clock: Callable[[], datetime] | None = None,
        chance: random.Random | None = None,
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
        #: The error of the server's clock.
        self.clock_offset = timedelta()
        self.latency: Latency | None = None
        #: What removes markers from input or output; may be changed at any time.
        self.loses_marks: tuple[LosesMarks, ...] = ()
        #: Seconds between reading and writing back, in which other threads may run.
        self.think_time = 0.0
        #: Called as (class, id) at that point, for tests that need something to happen there.
        self.interleave: Callable[[str, int], None] | None = None
        #: Called with each request and its response, for tests that record them.
        self.listeners: list[Callable[[SimRequest, SimResponse], None]] = []
        self.audit = Audit()
        self._random = chance or random.SystemRandom()
        self.faults = FaultPlan(self._random)
        self.requests = Requests()
        #: Requests served so far, of any kind.
        self.served = 0
        #: By login; ``accounts["sync"] = accounts["sync"].limited_to(3)`` changes one.
        self.accounts: dict[str, Account] = {account.login: account for account in accounts}
        self.store = Store(schema(change_management, problem_management, version))
        self._clock = clock or (lambda: datetime.now(UTC))
        self._lock = threading.RLock()
        self._depth = 0
        self._late: Fault | None = None
        self._pending: list[Pending] = []
        load_sample(self.store, self.accounts.values())

    # -- time --------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The time by the server's clock, in UTC."""
        return self._clock().astimezone(UTC) + self.clock_offset

    def _database_now(self) -> datetime:
        return self.now().astimezone(ZoneInfo(self.database_timezone))

    # -- executing requests -----------------------------------------------------------------------------------

    def execute(self, incoming: Incoming, mode: AccessMode | None = None, meddle: Meddle | None = None) -> SimResponse:
        """Execute an admitted request; *meddle* is called between reading and writing back."""
        session = self.session(incoming.account, "rest")
        afterwards: list[Callable[[], None]] = []

        def between(class_name: str, key: int) -> None:
            if meddle is not None:
                afterwards.extend(meddle(incoming, class_name, key))
            self._let_others_in(class_name, key)

        writer = Writer(session, self.audit, self.commit, between)
        allowed = self.access_mode if mode is None else mode
        call = rest.Call(session, writer, allowed, incoming.version, self.account_of)
        try:
            response = json_response(rest.answer(call, incoming.parameters), drop_blanks=self.store.schema.traits.drops_blanks)
        except Crash:
            response = html_response(PHP_ERROR, 500)
        for act in afterwards:
            act()
        return response

    def account_of(self, login: str, password: str) -> Account | None:
        """The account with these credentials; the database ignores the case of a login."""
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
        """A session of the account at this moment."""
        now = self.now()
        losses = Losses(self.loses_marks, now)
        around = Surroundings(self.store, self.url + "/", ZoneInfo(self.timezone), self.date_format, losses)
        return Session(account, self.store, around, now, self._database_now, by)

    def writer(self, session: Session) -> Writer:
        """A writer for a person: unlike in a request, nobody can interfere."""
        return Writer(session, self.audit, self.commit, lambda _class_name, _key: None)

    @contextmanager
    def committing(self, late: Fault | None) -> Iterator[None]:
        """Make what is written inside visible only when the fault says."""
        self._late = late
        try:
            yield
        finally:
            self._late = None

    def commit(self, class_name: str, key: int, row: Row | None, changes: Mapping[str, Any] | None) -> None:
        """Make a new row, changes to one, or (with neither) its removal visible."""
        if self._late is not None:
            self.later(self._late, lambda: self.apply(class_name, key, row, changes))
        else:
            self.apply(class_name, key, row, changes)

    def apply(self, class_name: str, key: int, row: Row | None, changes: Mapping[str, Any] | None) -> None:
        """Like :meth:`commit`, but immediately."""
        if row is not None:
            self.store.put(row)
        elif changes is not None:
            current = self.store.get(class_name, key)
            if current is not None:  # deleted meanwhile: an UPDATE of no row is not an error
                self.store.put({**current, **changes})
        else:
            self.store.remove(class_name, key)

    def later(self, fault: Fault, act: Callable[[], None]) -> None:
        """Call ``act`` when the fault says."""
        at = self.now() + timedelta(seconds=fault.seconds) if fault.seconds else None
        after = self.served + fault.requests if fault.requests else None
        self._pending.append(Pending(act, at, after))

    def land(self, *, due_only: bool = False) -> int:
        """Make everything that is late, or only what is due, arrive now; return how many things did."""
        with self.exclusively():
            now = self.now()
            arriving = [pending for pending in self._pending if not due_only or pending.is_due(now, self.served)]
            self._pending = [pending for pending in self._pending if pending not in arriving]
            for pending in arriving:
                pending.act()
            return len(arriving)

    @property
    def on_its_way(self) -> int:
        """How many late writes, commits and bindings have not arrived yet."""
        return len(self._pending)

    def token(self) -> str:
        """A secret of 32 hexadecimal digits."""
        return f"{self._random.getrandbits(128):032x}"

    def _let_others_in(self, class_name: str, key: int) -> None:
        if self.interleave is not None:
            hook, self.interleave = self.interleave, None  # the hook's own writes are not interrupted
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
