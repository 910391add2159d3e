"""Many pairs on one host, each a process of its own with its database on one PostgreSQL: what they hold, and what they ask."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from tests.bench import hosts
from tests.bench.measure import Row, Sizes, proportional, resident, row
from tests.bench.process import ITOPSYNC, environment
from tests.bench.stage import stage
from tests.store.cluster import started

STEPS = (1, 2, 10, 30)
"""A PostgreSQL as it is installed has connections for no more than some thirty pairs."""
GROWN = 240
"""Seconds until nothing has moved for so long that a poll comes once a minute."""
COUNTED = 120
"""For so many seconds calls are counted."""
MOST = 60


def pairs(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Idle pairs, more and more of them: memory, connections, and the calls to an internal server that all of them share."""
    del sizes
    held: dict[int, float] = {}
    with stage(folder / "pairs", poll="15s") as on, started() as cluster, ExitStack() as running:
        pids: list[int] = []
        for count in STEPS:
            while len(pids) < count:
                own = _configured(on.folder, len(pids), cluster.new_store().replace(":@", "@"))
                daemon = running.enter_context(
                    subprocess.Popen([ITOPSYNC, "--log-level", "error", "run"], cwd=own, env=environment())
                )
                running.callback(daemon.send_signal, signal.SIGTERM)
                pids.append(daemon.pid)
            time.sleep(20 + count)
            held[count] = sum(map(proportional, pids))
            each = sum(map(resident, pids)) / count
            with psycopg.connect(cluster.new_database()) as asking:
                connections = _connections(asking)
            figures = {"held": held[count], "each": each}
            yield Row("pairs", f"{count} idle pairs: memory", "named", f"{held[count]:.0f} MB", None, figures)
            yield Row("pairs", f"{count} idle pairs: connections to PostgreSQL", "named", str(connections), None)
        first, last = STEPS[0], STEPS[-1]
        more = (held[last] - held[first]) / (last - first)
        yield row("pairs", f"memory of each idle pair beyond the first, of {last}", f"≤ {MOST} MB", more, MOST, unit=" MB")
        time.sleep(GROWN)
        before = sum(on.simulated[1].do(hosts.counts).values())
        time.sleep(COUNTED)
        asked = sum(on.simulated[1].do(hosts.counts).values()) - before
    what = f"calls to an internal server that {last} idle pairs share"
    yield Row("pairs", what, "named", f"{asked / COUNTED:.3g} a second", None, {"asked": asked})


def _configured(folder: Path, place: int, store: str) -> Path:
    own = folder / f"pair{place}"
    own.mkdir()
    text = (folder / "sync.toml").read_text()
    for key, value in (("pair", f"pair{place}"), ("since", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")):
        text = re.sub(rf"(?m)^{key} = .*$", f'{key} = "{value}"' if key == "pair" else f"{key} = {value}", text)
    (own / "sync.toml").write_text(re.sub(r'(?m)^url = "sqlite:.*$', f'url = "{store}"', text))
    return own


def _connections(asking: psycopg.Connection) -> int:
    (found,) = asking.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    ).fetchone() or (0,)
    return int(found)
