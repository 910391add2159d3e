"""Two servers and a configuration between them: simulated ones, or real ones where a ``sync.toml`` of theirs is named."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from itopsync import config, logs
from itopsync.cli.session import writing_engine
from itopsync.config import Configuration
from itopsync.engine.engine import Engine
from itopsync.itop.settings import ServerSettings
from itopsync.model import Side
from tests.bench import bare, hosts

REAL = "ITOPSYNC_BENCH_CONFIG"
"""Names a ``sync.toml`` of two real servers for tests. Its pair, its store and its scope are replaced."""
FIELDS = "ITOPSYNC_BENCH_FIELDS"
"""JSON: what a ticket needs on the real external server besides title and description."""
AT_ONCE = 8
"""Calls at once on each server. More than the default of 4: the more calls overlap, the more our own work shows."""

TOML = """\
pair = "bench"
[external]
url = "{external}"
username = "sync"
password_env = "PASSWORD"
timezone = "Asia/Jakarta"
connections = {at_once}
[internal]
url = "{internal}"
username = "sync"
password_env = "PASSWORD"
timezone = "Europe/Paris"
connections = {at_once}
[internal.defaults]
org_id = {{ name = "IT Department" }}
caller_id = 40
team_id = 39
agent_id = 9
service_id = 1
[external.defaults]
team_id = 39
agent_id = 9
service_id = 1
[store]
url = "sqlite:///{folder}/store.sqlite"
[scope]
since = {since}
[limits]
creations = 1000000
{more}
[schedule]
poll = "{poll}"
[classes.UserRequest]
"""


@dataclass
class Stage:
    """What a measurement plays on."""

    folder: Path
    external: hosts.Host | None
    internal: hosts.Host | None
    configuration: Configuration

    @property
    def simulated(self) -> tuple[hosts.Host, hosts.Host]:
        """Both servers, where they are simulated ones."""
        assert self.external is not None
        assert self.internal is not None
        return self.external, self.internal

    def slow(self, *, on: bool = True) -> None:
        """Let simulated servers be as slow as iTop, or as quick as can be."""
        for host in (self.external, self.internal):
            if host is not None:
                host.do(hosts.slow, on=on)

    def anew(self, place: int) -> Configuration:
        """The configuration with another store; on real servers, which keep all, of another pair that begins now."""
        fresh = replace(self.configuration, store_url=f"sqlite:///{self.folder}/store{place}.sqlite")
        if self.internal is not None:
            return fresh
        rules = replace(fresh.rules, pair=f"{fresh.rules.pair}x{place}", since=datetime.now(UTC).isoformat())
        return replace(fresh, rules=rules)

    def calls(self) -> dict[str, int]:
        """How often each verb was asked for on both simulated servers."""
        found: dict[str, int] = {}
        for host in self.simulated:
            for verb, count in host.do(hosts.counts).items():
                found[verb] = found.get(verb, 0) + count
        return found

    def seed(self, count: int, notes: int, file: bytes) -> list[int]:
        """Let customers open tickets; return their ids."""
        if self.external is not None:
            return self.external.do(hosts.open_tickets, count, notes, file)
        settings = self.configuration.external
        chains = bare.new_tickets(count, notes, file, json.loads(os.environ.get(FIELDS, "{}")))
        return bare.send(settings, chains, AT_ONCE)[1]


@contextmanager
def stage(folder: Path, *, more: str = "", poll: str = "60s", ages: timedelta = timedelta(days=3)) -> Iterator[Stage]:
    """Two servers, new ones where they are simulated."""
    folder.mkdir(parents=True, exist_ok=True)
    logs.configure("error")
    real = os.environ.get(REAL)
    with ExitStack() as stack:
        since = f"{datetime.now(UTC) - ages:%Y-%m-%dT%H:%M:%SZ}"
        if real:
            loaded = _real(Path(real), folder)
            yield Stage(folder, None, None, loaded)
            return
        external, internal = (
            stack.enter_context(hosts.Host(zone, seed)) for seed, zone in enumerate(("Asia/Jakarta", "Europe/Paris"))
        )
        path = folder / "sync.toml"
        path.write_text(
            TOML.format(
                external=external.url,
                internal=internal.url,
                folder=folder,
                since=since,
                at_once=AT_ONCE,
                more=more,
                poll=poll,
            )
        )
        yield Stage(folder, external, internal, config.load(path, {"PASSWORD": hosts.PASSWORD}))


def _real(path: Path, folder: Path) -> Configuration:
    loaded = config.load(path, os.environ)
    limits = loaded.rules.limits.model_copy(update={"creations": 1_000_000})
    classes = tuple(replace(cls, scope="") for cls in loaded.rules.classes)
    since = datetime.now(UTC).isoformat()
    rules = replace(loaded.rules, pair=f"bench{os.getpid()}", since=since, classes=classes, limits=limits)
    return replace(loaded, rules=rules, store_url=f"sqlite:///{folder / 'store.sqlite'}")


@contextmanager
def engine(configuration: Configuration) -> Iterator[Engine]:
    """The engine as ``itopsync run-once`` has it: with the lease held."""
    with writing_engine(configuration) as (opened, *_):
        yield opened


def side(configuration: Configuration, which: Side) -> ServerSettings:
    """The settings of one server."""
    return configuration.external if which is Side.EXTERNAL else configuration.internal


def toml_of(path: Path) -> dict[str, Any]:
    """A configuration as it is written."""
    return tomllib.loads(path.read_text())
