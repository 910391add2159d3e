"""What people have asked for: heard within a second, and carried out between two calls, as what a signal says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import monotonic

import structlog

from itopsync.engine.steering import Outcome, Steering
from itopsync.errors import ItopsyncError, Stopped, StoreError
from itopsync.store.records import RequestKind, RequestRecord, RequestState
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between two looks at what is asked for."""
PATIENCE = 5.0
"""Seconds that the end of the process waits for a verification to be broken off."""
_STOPPED = "the service was told to stop: ask again."


class Asked:
    """Hears whether anything is asked for. Threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next_look = 0.0
        self._heard = self._deaf = False

    @property
    def waits(self) -> bool:
        """Whether something was asked for when that was looked at last."""
        return self._heard and not self._deaf

    def look(self) -> bool:
        """Say whether anything is asked for; the store is asked once a second at most."""
        now = monotonic()
        if not self._deaf and now >= self._next_look:
            self._next_look = now + EVERY
            try:
                self._heard = self._store.requests.any_waiting()
            except StoreError:
                self._heard = False  # whatever comes next finds that out
        return self.waits

    def take(self) -> Iterator[RequestRecord]:
        """Take what is asked for, one after the other, the oldest first; nothing where it is known that there is nothing.

        Nothing more is heard until the end, so that one request is not broken off by the next.
        """
        if not self.look():
            return
        self._deaf = True
        try:
            for each in self._store.requests.waiting():
                if (taken := self._store.requests.take(each.id, datetime.now(UTC))) is not None:
                    yield taken
        finally:
            self._heard = self._deaf = False


class Verification:
    """A verification in a thread of its own: it reads both servers for as long as it takes, and holds up no cycle."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def start(self, request: RequestRecord, steering: Steering, verify: Callable[[Callable[[], bool], bool], str]) -> None:
        """Begin one, unless one is under way. *verify* gets what says whether to stop, and whether to look deep."""
        if self._thread is not None and self._thread.is_alive():
            tell(request, steering.finish(request, RequestState.REFUSED, "a verification is under way: wait for its end."))
            return

        def run() -> None:
            try:
                outcome = _verified(verify, self._stop.is_set, deep=request.arguments.get("deep") == "yes")
                tell(request, steering.finish(request, outcome.state, outcome.result))
            except (KeyError, ItopsyncError) as error:
                log.warning("verification lost", reason=str(error))

        self._thread = threading.Thread(target=run, name="verification", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Break it off, if one is under way."""
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
    """Carry out a request that the store alone can, or a ``sync`` by a *cycle* on its link.

    :raises StoreError: the store does not answer
    """
    try:
        return steering.look_at(request, cycle) if request.kind is RequestKind.SYNC else steering.carry_out(request)
    except Stopped:
        return steering.finish(request, RequestState.INTERRUPTED, _STOPPED)


def tell(request: RequestRecord, outcome: Outcome) -> None:
    """Log what became of a request."""
    more = {"link": request.link} if request.link is not None else {}
    log.info("request", kind=request.kind.value, actor=request.actor, outcome=outcome.state.value, **more)
