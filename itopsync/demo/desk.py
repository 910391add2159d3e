"""The two simulated servers, the people on them, and itopsync between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from itopsync import config
from itopsync.engine.engine import Engine
from itopsync.engine.lease import Lease
from itopsync.engine.pair import Pair
from itopsync.engine.report import Report
from itopsync.itop.server import Server
from itopsync.simulator import Agent, Simulator, Version
from itopsync.store.store import Store

CONFIGURATION = """\
pair = "demo"

[external]
url = "{external}"
username = "sync"
password_file = "{secrets}/external"
timezone = "Asia/Jakarta"
label = "Customer desk"

[internal]
url = "{internal}"
username = "sync"
password_file = "{secrets}/internal"
timezone = "Europe/Paris"
label = "Operations"

[internal.defaults]
org_id = {{ name = "IT Department" }}
caller_id = "SELECT Person WHERE email = 'victor.hugo@it.com'"
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
since = "{since}"

[schedule]
poll = "1s"

[classes.UserRequest]
[classes.Incident]
[classes.NormalChange]
"""


Versions = tuple[Version, Version]
"""The iTop versions of external and internal."""
SAME: Versions = ("3.2", "3.2")


@dataclass
class DeskClock:
    """The story's time, which advances with each step."""

    now: datetime

    def pass_minutes(self, count: int) -> None:
        self.now += timedelta(minutes=count)


@dataclass(frozen=True)
class Desk:
    """Everything that a story needs."""

    external: Simulator
    internal: Simulator
    customer: Agent
    """One of the customer's people, on external."""
    operator: Agent
    """One of the company's own people, on internal."""
    engine: Engine
    configuration: Path
    clock: DeskClock

    def sync(self) -> Report:
        """Run one cycle, some minutes after the last step."""
        self.clock.pass_minutes(3)
        report = self.engine.cycle()
        self.clock.pass_minutes(2)
        return report


@contextmanager
def open_desk(versions: Versions) -> Iterator[Desk]:
    """Two servers on loopback HTTP and an engine between them; all of them end with the context."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="itopsync-demo-")))
        clock = DeskClock(datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0))
        external = Simulator(timezone="Asia/Jakarta", clock=lambda: clock.now, version=versions[0])
        internal = Simulator(timezone="Europe/Paris", clock=lambda: clock.now, version=versions[1])
        addresses = stack.enter_context(external.serve()), stack.enter_context(internal.serve())
        configuration = configure(folder, clock.now, *addresses)
        loaded = config.load(configuration, {})
        servers = {settings.side: stack.enter_context(Server(settings)) for settings in (loaded.external, loaded.internal)}
        store = Store.open(loaded.store_url)
        stack.callback(store.close)
        stack.enter_context(Lease(store, loaded.lease))
        pair = stack.enter_context(Pair(loaded.rules, servers, store, loaded.engine, lambda: clock.now))
        yield Desk(external, internal, external.agent("agent"), internal.agent("agent"), Engine(pair), configuration, clock)


def configure(folder: Path, now: datetime, external: str, internal: str) -> Path:
    """Write passwords and a ``sync.toml`` for two servers at these addresses to *folder*; return the path of ``sync.toml``."""
    for side in ("external", "internal"):
        secret = folder / side
        secret.touch(mode=0o600)
        secret.write_text("sync-password")
    path = folder / "sync.toml"
    since = now - timedelta(days=1)
    path.write_text(
        CONFIGURATION.format(
            external=external,
            internal=internal,
            secrets=folder,
            store=folder / "store.sqlite",
            since=since.isoformat(timespec="seconds"),
        )
    )
    return path
