"""How long things take beside what iTop itself takes: each figure is a ratio to a floor that is measured beside it.

The simulated servers answer over loopback HTTP with the measured latencies of iTop 3.2.0. They run in this process, so that
their own work takes part in each figure, the floor's included.
"""

from __future__ import annotations

import base64
import json
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from itopsync import config
from itopsync.engine.cycle import Engine
from itopsync.itop import Server
from itopsync.simulator import Latency, Simulator
from itopsync.store import Store
from tests.engine.rig import CONFIGURATION

pytestmark = pytest.mark.bench

TICKETS = 150
FILE = bytes(range(256)) * 195
"""50 kB."""
PAIRS = 3


class Bench:
    """Two servers with latency, and an engine between them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.external, self.internal = Simulator(timezone="Asia/Jakarta", seed=1), Simulator(timezone="Europe/Paris", seed=2)
        text = CONFIGURATION.format(store=folder / "store.sqlite", more="[limits]\ncreations = 100000\n")
        for fixed, simulator in (("8081", self.external), ("8082", self.internal)):
            address = stack.enter_context(simulator.serve())
            text = text.replace(f"http://127.0.0.1:{fixed}", address)
        since = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        (folder / "sync.toml").write_text(text.replace("2026-11-20", since))
        loaded = config.load(folder / "sync.toml", {"PASSWORD": "sync-password"})
        servers = {one.side: stack.enter_context(Server(one)) for one in (loaded.external, loaded.internal)}
        store = Store.open(loaded.store_url)
        stack.callback(store.close)
        self.connections = loaded.internal.connections
        self.engine = Engine(loaded.rules, servers, store, loaded.engine, clock=lambda: datetime.now(UTC))
        stack.callback(self.engine.close)

    def slow_down(self) -> None:
        """From here on both servers are as slow as iTop."""
        self.external.latency = self.internal.latency = Latency()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(tmp_path, stack)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _bare(url: str, requests: list[list[dict[str, object]]], workers: int) -> float:
    """Send the same writes, each ticket's one after the other, with nothing else done."""
    with httpx.Client(limits=httpx.Limits(max_connections=workers)) as client:

        def send(chain: list[dict[str, object]]) -> None:
            key = 0
            for request in chain:
                whole = json.dumps(request).replace('"KEY"', str(key))
                form = {"auth_user": "sync", "auth_pwd": "sync-password", "json_data": whole}
                answer = client.post(f"{url}/webservices/rest.php?version=1.3", data=form, timeout=60).json()
                assert answer["code"] == 0, answer
                key = int(next(iter(answer["objects"].values()))["key"])

        with ThreadPoolExecutor(workers) as pool:
            return _seconds(lambda: list(pool.map(send, requests)))


def _writes() -> list[list[dict[str, object]]]:
    entries = [{"message": f"<p>Entry {n}</p>", "format": "html", "date": "2026-11-24 10:00:00"} for n in range(4)]
    fields = {"org_id": 2, "caller_id": 40, "title": "Printer", "description": "<p>It blinks</p>"}
    create = {"operation": "core/create", "class": "UserRequest", "comment": "", "output_fields": "id,private_log"}
    attach = {"operation": "core/create", "class": "Attachment", "comment": "", "output_fields": "id"}
    contents = {"data": base64.b64encode(FILE).decode(), "mimetype": "text/plain", "filename": "a.txt"}
    attachment = {"item_class": "UserRequest", "item_id": "KEY", "item_org_id": 2, "contents": contents}
    return [
        [{**create, "fields": {**fields, "private_log": {"items": entries}}}, {**attach, "fields": attachment}]
        for _ in range(TICKETS)
    ]


def test_a_backfill_takes_little_longer_than_its_bare_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ratios = []
    for n in range(PAIRS):
        with ExitStack() as stack:
            folder = tmp_path / str(n)
            folder.mkdir()
            bench = Bench(folder, stack)
            customer = bench.external.agent("agent")
            for k in range(TICKETS):
                number = customer.create("UserRequest", title=f"Printer {k}")
                for entry in range(3):
                    customer.note("UserRequest", number, f"<p>Entry {entry}</p>")
                customer.attach("UserRequest", number, "a.txt", "text/plain", FILE)
            floor_server = Simulator(seed=3)
            floor_url = stack.enter_context(floor_server.serve())
            floor_server.latency = Latency()
            bench.slow_down()
            floor = _bare(floor_url, _writes(), bench.connections)
            ours = _seconds(bench.engine.cycle)
            assert len(bench.internal.tickets()) == TICKETS
            ratios.append(ours / floor)
            with capsys.disabled():
                print(f"\nbackfill of {TICKETS}: {ours:.2f} s, bare writes {floor:.2f} s, ratio {ours / floor:.2f}")
    with capsys.disabled():
        print(f"backfill: median ratio {statistics.median(ratios):.2f}; the bar is 1.10")


def test_an_idle_cycle_takes_little_longer_than_its_bare_calls(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    customer = bench.external.agent("agent")
    for k in range(50):
        customer.create("UserRequest", title=f"Printer {k}")
    bench.engine.cycle()
    bench.slow_down()
    bench.engine.cycle()
    idle = min(_seconds(bench.engine.cycle) for _ in range(5))
    calls = bench.external.requests.total + bench.internal.requests.total
    bench.engine.cycle()
    calls = bench.external.requests.total + bench.internal.requests.total - calls
    one = Latency().boot
    with capsys.disabled():
        print(f"\nidle cycle: {idle * 1000:.0f} ms in {calls} calls; one call takes {one * 1000:.0f} ms")
