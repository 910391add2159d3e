"""The daemon with a day's polls in minutes: as the command ``run`` has it, but with a tenth of a second from one to the next."""

from __future__ import annotations

import os
from concurrent.futures import Executor, wait
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from unittest.mock import patch

from itopsync import config, daemon, logs
from itopsync.cli.session import WatchedEngines, open_store
from itopsync.cli.verifying import found
from itopsync.config import Configuration, Schedule
from itopsync.engine.threads import Threads
from itopsync.store.store import Store

POLL = timedelta(seconds=0.02)
MORE_THAN_ANY = 100
"""More threads than any pool has."""
POOLED = 5
"""SQLAlchemy keeps as many connections open."""


class Steady(Schedule):
    """Never slower, in quiet hours neither."""

    @property
    def slowest(self) -> timedelta:
        return POLL


def run(file: Path) -> None:
    """Run until SIGTERM. No configuration may ask for so short a time, so it is put in here.

    All pools are full from the start: they grow when chance has many threads work at once, which looks like a leak.
    """
    logs.configure("error")
    plain = Threads.start

    def load() -> Configuration:
        configuration = config.load(file, os.environ)
        return replace(configuration, schedule=Steady(poll=POLL))

    engines, configuration = WatchedEngines(), load()
    with open_store(configuration) as store, patch.object(Threads, "start", lambda settings: _busy(plain(settings))):
        _connect(store)
        daemon.run(configuration, store, load=load, working=engines.working, verify=found, listeners=[engines.hear])


def _busy(threads: Threads) -> Threads:
    """The same, with each thread started."""
    pools: tuple[Executor, ...] = (threads.waiters, threads.readers, threads.links, threads.files)
    for pool in pools:
        done = Event()
        waiting = [
            pool.submit(done.wait) for _ in range(MORE_THAN_ANY)
        ]  # a pool starts a thread for each while all others are busy
        done.set()
        wait(waiting)
    return threads


def _connect(store: Store) -> None:
    """Open as many connections to the store as are kept."""
    with ExitStack() as stack:
        for _ in range(POOLED):
            stack.enter_context(store.database.engine.connect())
