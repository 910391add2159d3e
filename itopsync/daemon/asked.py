"""Requests by people: noticed within a second and, like signals, acted on between two calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from time import monotonic

import structlog

from itopsync.engine.pauses import Pause, pauses
from itopsync.engine.steering import Outcome, Steering
from itopsync.errors import ItopsyncError, Stopped, StoreError
from itopsync.store.records import RequestKind, RequestRecord, RequestState
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between two checks for requests."""
PATIENCE = 5.0
"""Seconds to wait for a verification to stop when the process ends."""
_STOPPED = "the service was told to stop: ask again."


class Asked:
    """Notices requests. Safe to use from several threads."""

    def __init__(self, store: Store, is_waiting: Callable[[], bool] | None = None) -> None:
        """*is_waiting* tells whether a request of interest is waiting; by default, any."""
        self._store, self._is_waiting = store, is_waiting or store.requests.any_waiting
        self._next_look = 0.0
        self._heard = self._deaf = False

    @property
    def waits(self) -> bool:
        """Whether a request was waiting at the last check."""
        return self._heard and not self._deaf

    def look(self) -> bool:
        """Check whether a request is waiting, at most once a second."""
        now = monotonic()
        if not self._deaf and now >= self._next_look:
            self._next_look = now + EVERY
            try:
                self._heard = self._is_waiting()
            except StoreError:
                self._heard = False  # the next use of the store reports it
        return self.waits

    def take(self) -> Iterator[RequestRecord]:
        """Take the waiting requests one by one, oldest first.

        No further request is noticed until the last one is done, so that none interrupts another.
        """
        if not self.look():
            return
        self._deaf = True
        try:
            for request in self._store.requests.waiting():
                if (taken := self._store.requests.take(request.id, datetime.now(UTC))) is not None:
                    yield taken
        finally:
            self._heard = self._deaf = False


class PauseWatch:
    """Notices a pause that begins, or is asked for, while a single cycle runs. Safe to use from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked = Asked(store, self._is_wanted)
        self._known: tuple[Pause, ...] | None = None

    @property
    def noticed(self) -> bool:
        """Whether there was one at the last check."""
        return self._asked.waits

    def begin(self) -> None:
        """From now on, notice pauses that are added to the current ones."""
        self._known = pauses(self._store, datetime.now(UTC))

    def look(self) -> bool:
        """Check whether there is one, at most once a second."""
        return self._known is not None and (self.noticed or self._asked.look())

    def _is_wanted(self) -> bool:
        asked = any(request.kind is RequestKind.PAUSE for request in self._store.requests.waiting())
        return asked or not set(pauses(self._store, datetime.now(UTC))) <= set(self._known or ())


class Verification:
    """A verification in its own thread: it reads both servers for as long as it takes without delaying cycles."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._request: int | None = None

    @property
    def running(self) -> Collection[int]:
        """The request that is being carried out, if any."""
        alive = self._thread is not None and self._thread.is_alive()
        return () if self._request is None or not alive else (self._request,)

    def start(self, request: RequestRecord, steering: Steering, verify: Callable[[Callable[[], bool], bool], str]) -> None:
        """Start a verification, unless one is running. *verify* gets a function that says whether to stop, and *deep*."""
        if self.running:
            tell(request, steering.finish(request, RequestState.REFUSED, "a verification is running: wait for it to end."))
            return

        def run() -> None:
            try:
                outcome = _verified(verify, self._stop.is_set, deep=request.arguments.get("deep") == "yes")
                tell(request, steering.finish(request, outcome.state, outcome.result))
            except (KeyError, ItopsyncError) as error:
                log.warning("verification lost", reason=str(error))

        self._request = request.id
        self._thread = threading.Thread(target=run, name="verification", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the verification, if one is running."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(PATIENCE)


def _verified(verify: Callable[[Callable[[], bool], bool], str], stopping: Callable[[], bool], *, deep: bool) -> Outcome:
    try:
        return Outcome(RequestState.DONE, verify(stopping, deep))
    except Stopped:
        return Outcome(RequestState.INTERRUPTED, _STOPPED)
    except ItopsyncError as error:
        return Outcome(RequestState.REFUSED, str(error))


def carry_out(request: RequestRecord, steering: Steering, cycle: Callable[[int], Outcome]) -> Outcome:
    """Carry out a request: a ``sync`` by running *cycle* on its link, any other in the store.

    :raises StoreError: the store does not answer
    """
    try:
        return steering.look_at(request, cycle) if request.kind is RequestKind.SYNC else steering.carry_out(request)
    except Stopped:
        return steering.finish(request, RequestState.INTERRUPTED, _STOPPED)


def tell(request: RequestRecord, outcome: Outcome) -> None:
    """Log a request's outcome."""
    more = {"link": request.link} if request.link is not None else {}
    log.info("request", kind=request.kind.value, actor=request.actor, outcome=outcome.state.value, **more)
