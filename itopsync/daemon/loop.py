"""The main loop: wait for the lease, then run cycles until told to stop.

Cycles, APScheduler's jobs and all requests but verification run in the main thread, so that no failure goes unnoticed: one that
a cycle cannot recover from ends the process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from time import monotonic

import structlog

from itopsync.config import Configuration
from itopsync.daemon.asked import EVERY, Asked, Verification, carry_out
from itopsync.daemon.asked import tell as tell_request
from itopsync.daemon.cycles import Cycles
from itopsync.daemon.listeners import Ended, Listener, tell
from itopsync.daemon.reloading import reread
from itopsync.daemon.signals import Signals
from itopsync.daemon.systemd import Systemd
from itopsync.engine import in_use
from itopsync.engine.engine import Engine
from itopsync.engine.inspect import Inspector
from itopsync.engine.lease import Lease
from itopsync.engine.report import Count, Report
from itopsync.engine.steering import Outcome, Steering
from itopsync.errors import AnotherInstance, ItopsyncError, SafetyStop, Stopped, StoreError, StoreUnavailable
from itopsync.itop.caller import Guard
from itopsync.store.records import CycleKind, RequestKind, RequestRecord, RequestState, WriteOutcome
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

Working = Callable[[Configuration, Store, Guard, Callable[[], bool]], AbstractContextManager[Engine]]
"""Creates an engine that calls the guard before each exchange with a server, and waits for no response once the last argument
returns true; the context closes it."""

Verifying = Callable[[Configuration, Store, Callable[[], bool], bool], str]
"""Compares every linked ticket on both servers, deep or not, until the third argument returns true; returns the result."""

LAST_SWEEP = "sweep.began"
"""The fact that holds the start of the last complete sweep, so that restarts do not delay the next."""
ASK_AGAIN = 10
"""How many times a standby asks for the lease within its duration."""
STORE_PAUSE = timedelta(seconds=5)
"""The wait before retrying a store that did not answer."""
_STILL = frozenset(Count) - {Count.NEW, Count.CHANGED, Count.UNFINISHED}
"""A cycle's counts that do not mean that something moved."""


def run(
    configuration: Configuration,
    store: Store,
    *,
    load: Callable[[], Configuration],
    working: Working,
    verify: Verifying,
    listeners: Iterable[Listener] = (),
) -> None:
    """Run cycles until SIGTERM or SIGINT, and notify *listeners* of each end. On SIGHUP, *load* the configuration again.

    Requests by people are carried out between two calls; *verify*, which takes long, runs beside the cycles.

    While another process holds the lease on a PostgreSQL store, stand by, and take over when it ends.

    :raises AnotherInstance: the lease was lost, or another process holds it and the store is a file
    :raises StoreError: the store is no longer usable
    """
    with Signals(reload=True) as signals:
        _Loop(configuration, store, signals, load=load, working=working, verify=verify, listeners=tuple(listeners)).run()


class _Loop:
    """One run of the daemon."""

    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        signals: Signals,
        *,
        load: Callable[[], Configuration],
        working: Working,
        verify: Verifying,
        listeners: tuple[Listener, ...],
    ) -> None:
        self._configuration, self._store, self._signals = configuration, store, signals
        self._load, self._working, self._verify, self._listeners = load, working, verify, listeners
        self._systemd = Systemd(os.environ, os.getpid())
        self._lease = Lease(store, configuration.lease)
        self._engines = ExitStack()
        self._cycles = Cycles(self._cycle)
        self._asked, self._verification = Asked(store), Verification()
        self._broken_off: CycleKind | None = None
        """The kind of the cycle that was interrupted by a request."""
        self._outcome: Report | ItopsyncError | None = None
        """The outcome of the last cycle, until systemd is notified."""
        self._refused = False
        """Whether the changed configuration was refused; a restart would fail with it."""
        self._in_doubt = True
        """Whether writes or requests that nobody is carrying out may still be recorded as under way."""

    def run(self) -> None:
        """Stand by if necessary, then work."""
        log.info("started", pair=self._configuration.rules.pair, store=self._store.address.name)
        _warn_of_watchdog(self._systemd, self._configuration)
        try:
            with ExitStack() as held:
                if not self._become_writer():
                    return
                held.push(self._lease)
                held.push(self._engines)
                self._store.check_revision()
                self._work()
        finally:
            self._systemd.stopping()
            self._verification.stop()
        log.info("stopped", signal=self._signals.stop.name if self._signals.stop else None)

    # the right to write

    def _become_writer(self) -> bool:
        """Wait for the lease; False if told to stop meanwhile.

        :raises AnotherInstance: another process holds it and the store is a file, for which there is no standby
        """
        waiting = False
        while not self._acquired(waiting):
            if self._store.address.is_sqlite:
                raise AnotherInstance(
                    f"another itopsync works on this store: {self._lease.held_by()}. Wait for it to end, or stop it."
                )
            if not waiting:
                log.info("standing by", holder=self._lease.held_by())
                self._systemd.ready(f"standing by: {self._lease.held_by()} works on this store")
            waiting = True
            self._pause(self._configuration.lease.total_seconds() / ASK_AGAIN)
            if self._signals.stop is not None:
                return False
            if self._reload_if_told():
                self._systemd.status("standing by, with the new configuration")
        if waiting:
            log.warning("taking over: the lease is ours now")
        return True

    def _acquired(self, waiting: bool) -> bool:
        try:
            return self._lease.acquire()
        except StoreUnavailable as error:
            if not waiting:
                raise
            log.warning("the store does not answer", reason=str(error))
            return False

    def _guard(self, writes: bool) -> None:
        """Called before each exchange with a server, by any thread."""
        self._systemd.alive()
        if self._signals.told or self._asked.waits:
            raise Stopped
        if writes:
            self._lease.check()

    # cycles

    def _work(self) -> None:
        self._start_engine()
        self._systemd.ready("at work")
        while self._signals.stop is None:
            if self._reload_if_told():
                self._start_engine()
            self._lease.check_time()
            self._take_up()
            seconds = self._cycles.run_due()
            self._say_how_it_is(seconds)
            self._pause(min(seconds, self._lease.remaining), lambda: self._asked.look() or self._lease.remaining <= 0)

    def _take_up(self) -> None:
        """Carry out the requests that are waiting."""
        try:
            self._recover()
            for request in self._asked.take():
                self._carry_out(request)
                if self._signals.told or self._in_doubt:
                    break
        except StoreUnavailable as error:
            if self._lease.remaining <= 0:
                raise
            log.error("store unavailable", reason=str(error))
            self._in_doubt = True
        if self._broken_off is not None:
            self._cycles.hasten(self._broken_off)
            self._broken_off = None

    def _carry_out(self, request: RequestRecord) -> None:
        pair = self._engine.pair
        steering = Steering(pair.store, pair.rules, _now, Inspector(pair))
        if request.kind is RequestKind.VERIFY:
            verify, configuration, store = self._verify, self._configuration, self._store
            self._verification.start(request, steering, lambda stopping, deep: verify(configuration, store, stopping, deep))
            return
        if request.kind is RequestKind.SWEEP:
            self._cycles.hasten(CycleKind.SWEEP)
            outcome = steering.finish(request, RequestState.DONE, "a sweep begins now.")
        else:
            outcome = carry_out(request, steering, self._sync)
            if request.kind is RequestKind.UNPAUSE:
                self._plan()
            self._cycles.hasten(CycleKind.POLL)
        tell_request(request, outcome)

    def _sync(self, link: int) -> Outcome:
        """Run a cycle on a single link."""
        self._outcome = None
        self._cycle(CycleKind.POLL, only=(link,))
        outcome = self._outcome
        if outcome is None:
            return Outcome(RequestState.REFUSED, "the store does not answer; the next cycle will sync the ticket.")
        if isinstance(outcome, ItopsyncError) or not outcome.outcome.is_good:
            return Outcome(RequestState.REFUSED, _words(outcome))
        done = sum(written.outcome is WriteOutcome.DONE for written in outcome.writes)
        failed = f" {len(outcome.writes) - done} failed: see `itopsync show {link}`." if done < len(outcome.writes) else ""
        return Outcome(RequestState.DONE, f"synced, writes: {done}.{failed}")

    def _cycle(self, kind: CycleKind, only: tuple[int, ...] | None = None) -> None:
        began = datetime.now(UTC)
        outcome: Report | ItopsyncError
        try:
            outcome = self._run(kind, began, only)
        except SafetyStop as error:
            log.error("safety stop", kind=error.kind, reason=str(error))
            outcome = error
        except (AnotherInstance, StoreError) as error:
            self._notify(kind, error)
            # A database that restarts is back before the lease expires; anything else ends the process.
            if not isinstance(error, StoreUnavailable) or self._lease.remaining <= 0:
                raise
            log.error("store unavailable", reason=str(error))
            self._in_doubt = True
            self._cycles.ended(kind, began, moved=False, again=STORE_PAUSE)
            return
        except ItopsyncError as error:
            log.error("cycle failed", reason=str(error))
            outcome = error
        interrupted = isinstance(outcome, Report) and outcome.interrupted
        self._broken_off = kind if interrupted and only is None else self._broken_off
        self._cycles.ended(kind, began, moved=_moved(outcome), again=timedelta() if interrupted else None)
        self._notify(kind, outcome)
        self._outcome = outcome

    def _say_how_it_is(self, seconds: float) -> None:
        """Report to systemd how a cycle ended, if one did, and that the next is due in *seconds*."""
        if self._outcome is None:
            return
        words = f"{_words(self._outcome)}; next cycle in {seconds:.0f} s"
        self._systemd.status(f"{words}; the changed configuration was refused, see the log" if self._refused else words)
        self._outcome = None

    def _run(self, kind: CycleKind, began: datetime, only: tuple[int, ...] | None) -> Report:
        self._recover()
        report = self._engine.cycle(kind, only=only)
        if kind is CycleKind.SWEEP and not (report.interrupted or report.unavailable or report.paused):
            self._store.facts.put(LAST_SWEEP, began.isoformat())
        return report

    def _recover(self) -> None:
        """Record what nobody is carrying out any more, before a request is taken or a cycle runs."""
        if self._in_doubt:
            self._engine.recover(self._verification.running)
            self._in_doubt = False

    def _notify(self, kind: CycleKind, outcome: Report | ItopsyncError) -> None:
        tell(self._listeners, Ended(kind, outcome))

    def _pause(self, seconds: float, asked: Callable[[], bool] | None = None) -> None:
        """Wait until time is up, a signal arrives or *asked* returns true, and keep the watchdog quiet."""
        end, most = monotonic() + seconds, self._systemd.interval if asked is None else min(EVERY, self._systemd.interval)
        while not self._signals.told and (left := end - monotonic()) > 0:
            self._systemd.alive()
            if asked is not None and asked():
                return
            self._signals.wait(min(left, most))

    # the configuration

    def _reload_if_told(self) -> bool:
        """Reload the configuration if told to; return whether there is a new one."""
        if not self._signals.reload:
            return False
        self._signals.reload = False
        self._systemd.reloading()
        fresh = reread(self._configuration, self._load)
        self._refused = fresh is None
        self._systemd.ready("the changed configuration was refused, see the log" if self._refused else "configuration reloaded")
        self._configuration = fresh or self._configuration
        return fresh is not None

    def _start_engine(self) -> None:
        """Start an engine with the current configuration, and close the old one, if any."""
        self._engines.close()
        in_use.note(self._store, self._configuration.fingerprint)
        self._engine = self._engines.enter_context(
            self._working(self._configuration, self._store, self._guard, lambda: self._signals.told or self._asked.look())
        )
        self._plan()

    def _plan(self) -> None:
        """Schedule the cycles, with a poll due now."""
        last_sweep = self._store.facts.get(LAST_SWEEP)
        self._cycles.plan(self._configuration.schedule, datetime.fromisoformat(last_sweep) if last_sweep else None)


def _now() -> datetime:
    return datetime.now(UTC)


def _moved(outcome: Report | ItopsyncError) -> bool:
    return isinstance(outcome, Report) and any(count for name, count in outcome.counts.items() if name not in _STILL)


def _words(outcome: Report | ItopsyncError) -> str:
    if isinstance(outcome, ItopsyncError):
        return str(outcome)
    if outcome.paused:
        return "; ".join(outcome.paused)
    if outcome.problems:
        return "; ".join(outcome.problems.values())
    did = ", ".join(f"{count} {name}" for name, count in outcome.counts.items() if count)
    return f"the last cycle ended {outcome.outcome}: {did or 'nothing to do'}"


def _warn_of_watchdog(systemd: Systemd, configuration: Configuration) -> None:
    """Warn if the watchdog could take one long call for a hung process."""
    sides = (configuration.external, configuration.internal)
    longest = max(side.longest_call for side in sides)
    if 0 < systemd.watchdog <= longest:
        log.warning("WatchdogSec is shorter than one call may take", watchdog=systemd.watchdog, longest_call=longest)
