"""What every stage works with: a pair's two servers, its store, its rules and the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from itopsync.engine.host_clock import Boot
from itopsync.engine.lookups import Lookups
from itopsync.engine.settings import EngineSettings
from itopsync.engine.store_guard import with_what_was
from itopsync.engine.threads import Threads
from itopsync.errors import AccessRefused, BadQuery, Stopped
from itopsync.itop.server import Server
from itopsync.model import Side
from itopsync.reconcile.rules import Rules
from itopsync.store.records import SideState
from itopsync.store.store import Store

T = TypeVar("T")

CHECK_INTERVAL = 0.2
"""How often, in seconds, a wait checks whether we are to stop."""


@dataclass
class Pair:
    """Two servers, and what is needed to keep them in step. As a context, it ends its threads on exit."""

    rules: Rules
    """With our accounts, as far as the servers have named them."""
    servers: Mapping[Side, Server]
    store: Store
    settings: EngineSettings
    clock: Callable[[], datetime]
    stopping: Callable[[], bool] = lambda: False
    """Whether we were told to stop: no further answer is waited for."""
    progress: Callable[[int, int], None] | None = None
    """Called with the number of links done and the total."""
    boot: Callable[[], Boot | None] = lambda: None
    """The current boot, which shows whether the clock was set; None if that cannot be known."""
    threads: Threads = field(init=False)
    lookups: Lookups = field(init=False)

    def __post_init__(self) -> None:
        self.store = self.store.keeping(self.rules.kept)
        self.rules = with_what_was(self.rules, self.store, self.clock())
        self.threads = Threads.start(self.settings)
        self.lookups = Lookups(self.servers, self.rules, self.clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; a read whose answer nobody awaits ends by itself."""
        self.threads.close()

    def answer_of(self, reading: Future[T]) -> T:
        """Wait for *reading*, and return or raise its result.

        :raises Stopped: we were told to stop before an answer came; the read goes on, but does no harm
        """
        while True:
            wait((reading,), CHECK_INTERVAL)  # instead of a TimeoutError, which the read itself may raise
            if reading.done():
                return reading.result()
            if self.stopping():
                raise Stopped

    def fitting_rules(self) -> Rules:
        """The rules, with each side's request size limited to half the smallest size that it has refused."""
        rules = self.rules
        for side in Side:
            known, refused = rules.of(side), self.servers[side].refused_bytes
            if refused is not None and refused // 2 < known.request_bytes:
                rules = rules.with_(side, replace(known, request_bytes=refused // 2))
        return rules

    # our accounts, which distinguish our entries from what people pasted

    def learn_accounts(self) -> None:
        """Ask both servers for our accounts."""
        for side in Side:
            self.know_account(self.ask_account(side))

    def ask_account(self, side: Side) -> SideState:
        """Ask one server for our account; return the side's state with the answer, not stored yet.

        If the server does not say, the first entry that bears a marker counts as ours.
        """
        state = self.store.polls.side(side)
        try:
            account = self.servers[side].account(state.account) or None
        except (BadQuery, AccessRefused):
            account = None
        return state.as_account(account)

    def know_account(self, state: SideState) -> None:
        """Treat the accounts in a side's state as ours."""
        known = replace(self.rules.of(state.side), accounts=state.accounts)
        self.rules = self.rules.with_(state.side, known)
