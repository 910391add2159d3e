"""Follows each cycle's end, and updates metrics, hooks and the dead man's switch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Self

import structlog

from itopsync.engine.report import Report
from itopsync.errors import ItopsyncError, StoreError
from itopsync.itop.caller import CallRecord
from itopsync.store.records import CycleKind
from itopsync.store.store import Store
from itopsync.watch.delivery import NotDelivered
from itopsync.watch.endpoint import Health, serve
from itopsync.watch.hooks import Errand, Hook
from itopsync.watch.metrics import Metrics
from itopsync.watch.needs import Call, Needs
from itopsync.watch.settings import HooksSettings, MetricsSettings, Need
from itopsync.watch.textfile import Textfile
from itopsync.watch.ways import dead_man, ways

log = structlog.get_logger(__name__)

PATIENCE = 2.0
"""Seconds to wait for a running hook when the process ends."""


class Watch:
    """Monitoring, as a context.

    Call :meth:`called` after each exchange with a server and :meth:`cycle_ended` after each cycle; neither waits for a hook.

    :raises StoreError: on construction, if the store does not answer
    """

    def __init__(
        self,
        pair: str,
        metrics: MetricsSettings,
        hooks: HooksSettings,
        store: Store,
        clock: Callable[[], datetime],
        *,
        endpoint: bool = True,
        patience: float = PATIENCE,
    ) -> None:
        """*store* must outlive this.

        *endpoint*: whether to serve metrics over HTTP; *patience*: seconds to wait for hooks when the context ends.
        """
        self._settings, self._hooks_settings, self._store, self._clock = metrics, hooks, store, clock
        self._patience = patience
        self._metrics = Metrics(pair, clock)
        self._health = Health(metrics.max_age)
        self._textfile = Textfile(metrics.textfile) if metrics.textfile else None
        self._listens = endpoint
        self._needs = Needs(hooks.side_down)
        self._dead_man = dead_man(hooks)
        self._pulse = Errand("dead-man")
        self._hooks = tuple(Hook(way, pair, store, hooks.every, clock=clock, called=self._notified) for way in ways(hooks))
        self._down: frozenset[str] = frozenset()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        host, port = self._settings.host, self._settings.port
        if self._listens and host is not None:
            try:
                self._stack.enter_context(serve(host, port, self._metrics.registry, self._health))
            except OSError as error:  # syncing matters more
                log.error("metrics not served", address=f"{host}:{port}", reason=error.strerror or str(error))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        end = monotonic() + self._patience
        for hook in self._hooks:
            hook.close(max(0.0, end - monotonic()))
        self._pulse.wait(max(0.0, end - monotonic()))
        self._write()
        self._stack.close()

    def called(self, record: CallRecord) -> None:
        """Count one exchange with a server."""
        self._metrics.called(record)

    def cycle_ended(self, kind: CycleKind, ended: Report | ItopsyncError) -> None:
        """Record how a cycle ended, whatever ended it."""
        self._metrics.cycle_ended(kind, ended)
        self._needs.cycle_ended(ended)
        good = isinstance(ended, Report) and ended.outcome.is_good
        if good or (isinstance(ended, Report) and ended.paused):  # a pause is what a person wants
            self._health.good()
            self._ping()
        if not isinstance(ended, StoreError):
            self._look(good=good)
        self._write()

    def _look(self, *, good: bool) -> None:
        try:
            self._metrics.look(self._store)
            calls = self._needs.now(self._store, self._clock())
        except ItopsyncError as error:
            log.warning("store not watched", reason=str(error))
            return
        self._tell_of_sides(calls)
        for hook in self._hooks:
            hook.tell((call for call in calls if call.need in self._hooks_settings.events), good=good)

    def _tell_of_sides(self, calls: tuple[Call, ...]) -> None:
        down = {call.key: call for call in calls if call.need is Need.SIDE_DOWN}
        for key in down.keys() - self._down:
            log.error("side down for long", side=down[key].side, since=str(down[key].since), reason=down[key].reason)
        self._down = frozenset(down)

    def _ping(self) -> None:
        way = self._dead_man
        if way is None:
            return

        def ping() -> None:
            try:
                way.ping()
            except NotDelivered as error:
                log.warning("hook failed", hook=way.name, reason=str(error))
                self._notified(way.name, False)
            else:
                self._notified(way.name, True)

        self._pulse.start(ping)

    def _write(self) -> None:
        if self._textfile is None:
            return
        try:
            self._textfile.write(self._metrics.registry)
        except OSError as error:
            log.warning("metrics not written", reason=f"{self._settings.textfile}: {error.strerror or error}")

    def _notified(self, name: str, well: bool) -> None:
        self._metrics.notified(name, well=well)
