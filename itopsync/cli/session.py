"""Opens and closes what commands need: the configuration, both servers, the store and the engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from itopsync import config, logs
from itopsync.config import Configuration
from itopsync.errors import ConfigurationError, Stopped
from itopsync.model import Side

if TYPE_CHECKING:
    from itopsync.daemon import Ended
    from itopsync.daemon.asked import PauseWatch
    from itopsync.engine.engine import Engine
    from itopsync.engine.inspect import Inspector
    from itopsync.engine.pair import Pair
    from itopsync.itop.caller import Guard
    from itopsync.itop.server import Server
    from itopsync.store.store import Store
    from itopsync.watch.watch import Watch


@dataclass(frozen=True)
class Options:
    """The options before the command's name."""

    config: Path | None
    log_level: str | None

    def configuration(self, *, servers: bool = True) -> Configuration:
        """Find and load the configuration, and set up logging. Unless *servers* are asked, their passwords may be missing."""
        loaded = config.load(config.find(self.config), os.environ, servers=servers)
        logs.configure(self.log_level or loaded.log_level)
        return loaded


def utc_now() -> datetime:
    """The time by this host's clock."""
    return datetime.now(UTC)


@contextmanager
def servers(configuration: Configuration, guard: Guard | None = None, watch: Watch | None = None) -> Iterator[dict[Side, Server]]:
    """Both servers, closed on exit.

    *guard* is called before each exchange, with whether it writes; *watch* after it.

    :raises ConfigurationError: the configuration was loaded without their passwords
    """
    from itopsync.itop.server import Server

    if configuration.unread:
        raise ConfigurationError(configuration.unread)
    on_call = watch.called if watch else None
    with ExitStack() as stack:
        yield {
            Side.EXTERNAL: stack.enter_context(Server(configuration.external, guard=guard, on_call=on_call)),
            Side.INTERNAL: stack.enter_context(Server(configuration.internal, guard=guard, on_call=on_call)),
        }


def watching(configuration: Configuration, store: Store, *, once: bool = False) -> Watch:
    """The monitoring of a run. *once*: of a single cycle, without the HTTP endpoint, and giving the hooks time at the end."""
    from itopsync.watch.watch import PATIENCE, Watch

    hooks = configuration.hooks
    patience = {"patience": hooks.timeout.total_seconds() + PATIENCE} if once else {}
    return Watch(configuration.rules.pair, configuration.metrics, hooks, store, utc_now, endpoint=not once, **patience)


def own(configuration: Configuration, store: Store) -> Store:
    """The store, with links of unsynced classes at rest. Every command that opens a store goes through here.

    :raises StoreError: it belongs to another pair
    """
    from itopsync.engine.store_guard import refuse_other_pair

    refuse_other_pair(store, configuration.rules)
    return store.keeping(configuration.rules.kept)


@contextmanager
def open_store(configuration: Configuration, url: str | None = None) -> Iterator[Store]:
    """The store, closed on exit; created if there is none yet. For commands that run cycles or link tickets.

    *url*: the store to open instead of the configured one.

    :raises StoreError: it belongs to another pair
    """
    from itopsync.store.store import Store

    store = Store.open(url or configuration.store_url)
    try:
        yield own(configuration, store)
    finally:
        store.close()


@contextmanager
def store_to_steer(configuration: Configuration) -> Iterator[Store]:
    """The store, closed on exit. None is created: a running process that uses another would never look into it.

    :raises StoreError: there is none, or it belongs to another pair
    """
    from itopsync.store.connection import Address
    from itopsync.store.store import Store

    if not Store.exists(configuration.store_url):
        raise Address.parse(configuration.store_url).missing()
    with open_store(configuration) as store:
        yield store


def store_to_read(configuration: Configuration) -> AbstractContextManager[Store]:
    """The store or, if there is none yet, an empty one in memory: a command that only reads creates no file."""
    from itopsync.store.store import Store

    return open_store(configuration, None if Store.exists(configuration.store_url) else "sqlite://")


def tell_other_configuration(configuration: Configuration, store: Store) -> None:
    """Warn on stderr if the running process uses another configuration."""
    from itopsync.engine import in_use

    if in_use.is_other(store, configuration.fingerprint, utc_now()):
        typer.echo(in_use.OTHER, err=True)


@contextmanager
def looking(
    configuration: Configuration, opening: Callable[[Configuration], AbstractContextManager[Store]]
) -> Iterator[Inspector]:
    """An inspector of the pair, which runs no cycle; another process may hold the lease."""
    from itopsync.engine.inspect import Inspector

    with servers(configuration) as both, opening(configuration) as store, open_pair(configuration, both, store) as pair:
        tell_other_configuration(configuration, store)
        yield Inspector(pair)


@contextmanager
def writing_engine(
    configuration: Configuration, progress: Callable[[int, int], None] | None = None
) -> Iterator[tuple[Engine, Watch, PauseWatch]]:
    """The engine, with the lease held, its monitoring, and the watch that ends its cycle for a pause.

    :raises AnotherInstance: another process holds the lease
    """
    from itopsync.daemon import Signals
    from itopsync.daemon.asked import PauseWatch
    from itopsync.engine import in_use
    from itopsync.engine.engine import Engine
    from itopsync.engine.lease import Lease

    with open_store(configuration) as store, Lease(store, configuration.lease) as lease, Signals() as signals:
        in_use.note(store, configuration.fingerprint)
        pausing = PauseWatch(store)

        def stopping() -> bool:
            return signals.stop is not None or pausing.look()

        def guard(writes: bool) -> None:
            if signals.stop or pausing.noticed:
                raise Stopped
            if writes:
                lease.check()

        with (
            watching(configuration, store, once=True) as watch,
            servers(configuration, guard, watch) as both,
            open_pair(configuration, both, store, stopping=stopping, progress=progress) as pair,
        ):
            engine = Engine(pair)
            engine.recover()
            yield engine, watch, pausing


class WatchedEngines:
    """Creates the daemon's engines, each with the monitoring that its configuration asks for."""

    def __init__(self) -> None:
        self._watch: Watch | None = None

    @contextmanager
    def working(self, configuration: Configuration, store: Store, guard: Guard, stopping: Callable[[], bool]) -> Iterator[Engine]:
        """An engine on *store* for the daemon, which itself holds the lease and closes the store."""
        from itopsync.engine.engine import Engine

        with (
            watching(configuration, own(configuration, store)) as watch,
            servers(configuration, guard, watch) as both,
            open_pair(configuration, both, store, stopping=stopping) as pair,
        ):
            self._watch = watch
            yield Engine(pair)

    def hear(self, ended: Ended) -> None:
        """Pass a cycle's end on to the monitoring."""
        if self._watch is not None:
            self._watch.cycle_ended(ended.kind, ended.outcome)


@contextmanager
def rebuilding(configuration: Configuration) -> Iterator[Inspector]:
    """An inspector that rebuilds the store, with the lease held."""
    from itopsync.engine.inspect import Inspector
    from itopsync.engine.lease import Lease

    with (
        servers(configuration) as both,
        open_store(configuration) as store,
        Lease(store, configuration.lease),
        open_pair(configuration, both, store) as pair,
    ):
        yield Inspector(pair)


def open_pair(
    configuration: Configuration,
    both: dict[Side, Server],
    store: Store,
    *,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] | None = None,
) -> Pair:
    """The pair, a context that ends its threads."""
    from itopsync.engine.host_clock import this_boot
    from itopsync.engine.pair import Pair

    return Pair(configuration.rules, both, store, configuration.engine, utc_now, stopping, progress, this_boot)
