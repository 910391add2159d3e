"""What a command needs to work with: the configuration, both servers, the store and the engine, opened and closed together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from itopsync import config, logs
from itopsync.config import Configuration
from itopsync.model import Side

if TYPE_CHECKING:
    from itopsync.engine.cycle import Engine
    from itopsync.itop import Server
    from itopsync.store import Store


@dataclass(frozen=True)
class Options:
    """What stands before the command's name."""

    config: Path | None
    log_level: str | None

    def configuration(self) -> Configuration:
        """Find and load the configuration, and begin to log as it says."""
        loaded = config.load(config.find(self.config), os.environ)
        logs.configure(self.log_level or loaded.log_level)
        return loaded


def utc_now() -> datetime:
    """The time by this host's clock."""
    return datetime.now(UTC)


@contextmanager
def servers(configuration: Configuration) -> Iterator[dict[Side, Server]]:
    """Both servers, closed in the end."""
    from itopsync.itop import Server  # noqa: PLC0415 - a command that needs none starts sooner

    with ExitStack() as stack:
        yield {
            Side.EXTERNAL: stack.enter_context(Server(configuration.external)),
            Side.INTERNAL: stack.enter_context(Server(configuration.internal)),
        }


@contextmanager
def open_store(configuration: Configuration) -> Iterator[Store]:
    """The store, closed in the end."""
    from itopsync.store import Store  # noqa: PLC0415 - the other commands start sooner

    store = Store.open(configuration.store_url)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def writing_engine(configuration: Configuration, progress: Callable[[int, int], None] | None = None) -> Iterator[Engine]:
    """The engine with the lease held: we are the one writer.

    :raises AnotherInstance: somebody else is
    """
    from itopsync.engine.lease import Lease  # noqa: PLC0415 - likewise

    with (
        servers(configuration) as both,
        open_store(configuration) as store,
        Lease(store, utc_now, configuration.lease) as lease,
        closing_engine(configuration, both, store, guard=lease.check, progress=progress) as engine,
    ):
        engine.recover()
        yield engine


@contextmanager
def rebuilding_engine(configuration: Configuration) -> Iterator[tuple[Engine, Server, Store]]:
    """An engine that is to make the store anew, with the internal server and the store; the lease is held."""
    from itopsync.engine.lease import Lease  # noqa: PLC0415 - likewise

    with (
        servers(configuration) as both,
        open_store(configuration) as store,
        Lease(store, utc_now, configuration.lease),
        closing_engine(configuration, both, store) as engine,
    ):
        yield engine, both[Side.INTERNAL], store


@contextmanager
def closing_engine(
    configuration: Configuration,
    both: dict[Side, Server],
    store: Store,
    *,
    guard: Callable[[], None] = lambda: None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Engine]:
    """An engine whose threads end with the context."""
    from itopsync.engine.cycle import Engine  # noqa: PLC0415 - likewise

    engine = Engine(configuration.rules, both, store, configuration.engine, clock=utc_now, guard=guard, progress=progress)
    try:
        yield engine
    finally:
        engine.close()
