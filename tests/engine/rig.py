"""Two simulated servers in process, a store in a file, and an engine between them, on a clock that the test moves."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from itopsync import config
from itopsync.config import Configuration
from itopsync.engine.engine import Engine
from itopsync.engine.host_clock import Boot
from itopsync.engine.inspect import Inspector
from itopsync.engine.pair import Pair
from itopsync.engine.report import Report
from itopsync.itop.server import Server
from itopsync.model import Side
from itopsync.reconcile.rules import Limits
from itopsync.simulator import Agent, Simulator
from itopsync.store.store import Store
from tests.engine.pair import Pair as TwoServers
from tests.engine.pair import Versions, usual_versions
from tests.store.template import fresh
from tests.transport import SimulatorTransport

BEGIN = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(60)
TEAM = {"team_id": 39, "agent_id": 9}
RESOLVED = {"solution": "<p>Done.</p>", "resolution_code": "assistance", "service_id": 1}
CONFIGURATION = """\
pair = "demo"

[external]
url = "http://127.0.0.1:8081"
username = "sync"
password_env = "PASSWORD"
timezone = "Asia/Jakarta"
label = "Customer desk"

[internal]
url = "http://127.0.0.1:8082"
username = "sync"
password_env = "PASSWORD"
timezone = "Europe/Paris"
label = "Operations"

[internal.defaults]
org_id = {{ name = "IT Department" }}
caller_id = 40
team_id = 39
agent_id = 9
service_id = 1
manager_group_id = 39
manager_id = 9
supervisor_group_id = 39
supervisor_id = 9

[external.defaults]
team_id = 39
agent_id = 9
service_id = 1
manager_group_id = 39
manager_id = 9
supervisor_group_id = 39
supervisor_id = 9

[store]
url = "sqlite:///{store}"

[scope]
since = "2026-11-20"

[classes.UserRequest]
[classes.Incident]
[classes.Problem]
[classes.NormalChange]

{more}
"""


def _load(path: Path) -> Configuration:
    return config.load(path, {"PASSWORD": "sync-password"}, now=BEGIN)


@cache
def _usual() -> Configuration:
    """The configuration with nothing more: to compile it takes as long as all else that makes a rig."""
    with TemporaryDirectory(prefix="itopsync-") as folder:
        path = Path(folder) / "sync.toml"
        path.write_text(CONFIGURATION.format(store=path, more=""))
        return _load(path)


class Crash(BaseException):
    """The process ends here and now."""


@dataclass
class Rig(TwoServers):
    """Everything a test needs; ``restart`` is what happens when the process dies.

    ``more`` stands at the end of its configuration; ``limits`` go before those of the configuration, which cannot say all.
    ``ahead`` is by how much our host's clock is ahead of the servers', and ``boot`` its boot.
    ``versions`` are those of iTop that external and internal play.
    """

    folder: Path
    more: str = ""
    limits: Limits | None = None
    now: datetime = BEGIN
    ahead: timedelta = timedelta()
    boot: str = "first"
    probe: Callable[[str], None] | None = None
    versions: Versions = field(default_factory=usual_versions)
    external: Simulator = field(init=False)
    internal: Simulator = field(init=False)
    store: Store = field(init=False)
    pair: Pair = field(init=False)
    engine: Engine = field(init=False)
    inspector: Inspector = field(init=False)
    configuration: Configuration = field(init=False)
    customer: Agent = field(init=False)
    operator: Agent = field(init=False)
    _servers: dict[Side, Server] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        external, internal = self.versions
        self.external = Simulator(
            "http://127.0.0.1:8081", "Asia/Jakarta", lambda: self.now, chance=random.Random(1), version=external
        )
        self.internal = Simulator(
            "http://127.0.0.1:8082", "Europe/Paris", lambda: self.now, chance=random.Random(2), version=internal
        )
        self.customer, self.operator = self.external.agent("agent"), self.internal.agent("agent")
        path, store = self.folder / "sync.toml", self.folder / "store.sqlite"
        path.write_text(CONFIGURATION.format(store=store, more=self.more))
        usual = None if self.more else replace(_usual(), path=path, store_url=f"sqlite:///{store}")
        self.configuration = usual or _load(path)
        if self.limits is not None:
            self.configuration = replace(self.configuration, rules=replace(self.configuration.rules, limits=self.limits))
        self.start()

    # the process

    def start(self) -> None:
        """Start as the daemon does."""
        loaded = self.configuration
        for settings, simulator in ((loaded.external, self.external), (loaded.internal, self.internal)):
            self._servers[settings.side] = Server(
                settings,
                self.make_transport(simulator),
                sleep=lambda _: None,
                probe=lambda where: self.probe(where) if self.probe else None,
            )
        self.store = self.make_store(loaded.store_url)
        self.pair = Pair(loaded.rules, self._servers, self.store, loaded.engine, lambda: self.now + self.ahead)
        self.pair.boot = lambda: Boot(self.boot, BEGIN + self.ahead)
        self.store = self.pair.store
        self.engine, self.inspector = Engine(self.pair), Inspector(self.pair)
        self.engine.recover()

    def make_transport(self, simulator: Simulator) -> httpx.BaseTransport:
        """How our client reaches a server."""
        return SimulatorTransport(simulator)

    def make_store(self, url: str) -> Store:
        """Open the store; a new one is a copy of one that was made before."""
        return Store.open(fresh(url))

    def stop(self) -> None:
        """End without a word."""
        self.pair.close()
        self.store.close()
        for server in self._servers.values():
            server.close()

    def restart(self) -> None:
        self.stop()
        self.probe = None
        self.start()

    def restrict(self, scope: str) -> None:
        """Give every class an OQL condition as its scope, and start anew."""
        rules = self.configuration.rules
        scoped = replace(rules, classes=tuple(replace(cls, scope=scope) for cls in rules.classes))
        self.configuration = replace(self.configuration, rules=scoped)
        self.restart()

    @property
    def servers(self) -> dict[Side, Server]:
        """Our clients of both."""
        return self._servers

    def server(self, side: Side) -> Server:
        """Our client of one side."""
        return self._servers[side]

    # time and cycles

    def wait(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def sync(self) -> Report:
        """One cycle runs, a minute after what was done before it and a minute before what comes next."""
        self.wait(minutes=1)
        report = self.engine.cycle()
        self.wait(minutes=1)
        return report

    def settle(self, cycles: int | None = None) -> None:
        """Time enough for every wait that ends by itself within the hour; or so many *cycles*, one every ten minutes.

        The last cycle of the hour is left out where it would find nothing to do, as most do: a third of all tests' time.
        """
        for minutes in (10, 20, 30) if cycles is None else [10] * cycles:
            self.wait(minutes=minutes)
            if minutes == 30 and not self.store.links.due_ids(self.now + self.ahead, 1):
                return
            self.engine.cycle()
