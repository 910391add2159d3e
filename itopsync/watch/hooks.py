"""Notifies people when they are needed: once for each thing, not too often, and without delaying a cycle.

Each hook records in the store what it has delivered, so that a restart notifies nobody again. What it could not deliver is sent
later, together with what has come up meanwhile.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

import structlog

from itopsync.errors import ItopsyncError
from itopsync.store.store import Store
from itopsync.watch.delivery import NotDelivered, Way
from itopsync.watch.needs import BREAKING, Call
from itopsync.watch.settings import Need

log = structlog.get_logger(__name__)

LISTED = 20
"""How many things a notification lists; the others are counted."""
VERSION = 1
"""The version of a notification's format."""


class Errand:
    """Runs one job at a time in a separate thread, so that the caller never waits."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a job is running."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, job: Callable[[], None]) -> None:
        """Start *job*, unless the previous one is still running."""
        if not self.busy:
            self._thread = threading.Thread(target=job, name=self._name, daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the running job; return whether it has ended."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.busy


class Hook:
    """One way of delivery, and what it has delivered so far."""

    def __init__(
        self,
        way: Way,
        pair: str,
        store: Store,
        every: timedelta,
        *,
        clock: Callable[[], datetime],
        called: Callable[[str, bool], None],
    ) -> None:
        """*called* is called for each delivery with the hook's name and whether it succeeded."""
        self._way, self._pair, self._store, self._every = way, pair, store, every
        self._clock, self._called = clock, called
        self._fact = f"hook:{way.name}"
        self._lock = threading.Lock()
        self._delivered, self._last = _read(store.facts.get(self._fact))
        self._errand = Errand(f"hook-{way.name}")
        self._closed = False

    def tell(self, calls: Iterable[Call], *, good: bool) -> None:
        """Deliver those of *calls*, all current needs, that have not been delivered yet; returns immediately.

        *good*: the last cycle was good, so whatever stopped earlier ones is over.
        """
        if self._errand.busy:
            return
        by_key = {call.key: call for call in calls}
        with self._lock:
            over = {key for key in self._delivered - by_key.keys() if good or not key.startswith(BREAKING)}
            self._delivered -= over
            new = [call for key, call in by_key.items() if key not in self._delivered]
        if over:
            self._keep()
        now = self._clock()
        groups = {need: [call for call in new if call.need is need] for need in Need}
        ready = [group for need, group in groups.items() if group and self._may(need, now)]
        if ready:
            self._errand.start(lambda: self._deliver(ready, now))

    def close(self, seconds: float) -> None:
        """Wait up to *seconds* for a running delivery, then abort it."""
        if not self._errand.wait(seconds):
            self._closed = True
            self._way.kill()

    def _may(self, need: Need, now: datetime) -> bool:
        last = self._last.get(need)
        return last is None or not last <= now < last + self._every  # a clock that was set back must not silence the hook

    def _deliver(self, groups: list[list[Call]], now: datetime) -> None:
        for group in groups:
            need = group[0].need
            self._last[need] = now
            try:
                self._way.send(notification(self._pair, group, now))
            except NotDelivered as error:
                self._called(self._way.name, False)
                log.warning("hook failed", hook=self._way.name, need=need, reason=str(error), retry=str(self._every))
            else:
                self._called(self._way.name, True)
                log.info("person called", hook=self._way.name, need=need, count=len(group))
                with self._lock:
                    self._delivered |= {call.key for call in group}
            if self._closed:
                return
            self._keep()

    def _keep(self) -> None:
        with self._lock:
            text = json.dumps(
                {"told": sorted(self._delivered), "last": {need: at.isoformat() for need, at in self._last.items()}}
            )
        try:
            self._store.facts.put(self._fact, text)
        except ItopsyncError as error:
            log.warning("hook not remembered", hook=self._way.name, reason=str(error))


def notification(pair: str, calls: list[Call], now: datetime) -> dict[str, object]:
    """The notification about *calls*, all of one kind, as plain values for JSON."""
    first = calls[0]
    listed = [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(call).items()}
        for call in calls[:LISTED]
    ]
    given = [{name: value for name, value in call.items() if value is not None and name != "need"} for call in listed]
    return _document(pair, now, first.need, summary=summary(pair, calls), count=len(calls), calls=given)


def trial(pair: str, now: datetime) -> dict[str, object]:
    """The notification that tests a hook."""
    text = f"itopsync {pair}: a test by `itopsync hooks test`. It arrived; nobody needs to do anything."
    return _document(pair, now, "test", summary=text, count=0, calls=[])


def _document(pair: str, now: datetime, event: str, **content: object) -> dict[str, object]:
    about = {"version": VERSION, "event": str(event), "pair": pair, "host": socket.gethostname(), "at": now.isoformat()}
    return {**about, **content}


def summary(pair: str, calls: list[Call]) -> str:
    """One line that says what is wrong and what to do."""
    first = calls[0]
    about = f"{first.external_number or first.external}: {first.item}: " if first.need is Need.PARKED else ""
    more = f" And {len(calls) - 1} more: see `itopsync status`." if len(calls) > 1 else ""
    return f"itopsync {pair}: {about}{first.reason.rstrip('.')}. {first.do}{more}"


def _read(text: str | None) -> tuple[set[str], dict[Need, datetime]]:
    try:
        kept = json.loads(text or "{}")
        last = {Need(need): datetime.fromisoformat(at) for need, at in kept.get("last", {}).items()}
        return set(kept.get("told", ())), last
    except (ValueError, TypeError, AttributeError):  # written by another version: at worst, somebody is notified twice
        return set(), {}
