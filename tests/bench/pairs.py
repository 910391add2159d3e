"""Many pairs on one host, each with its database on one PostgreSQL, as services of their own and below ``run-all``."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from tests.bench import hosts
from tests.bench.measure import Row, Sizes, proportional, row
from tests.bench.process import ITOPSYNC, environment
from tests.bench.stage import Stage, stage
from tests.store.cluster import started

ALONE = (1, 2, 10)
TOGETHER = (2, 10, 50)
CONNECTIONS = 250
"""A PostgreSQL as it is installed has connections for no more than some thirty pairs."""
GROWN = 240
"""Seconds until nothing has moved for so long that a poll comes once a minute."""
COUNTED = 120
"""For so many seconds calls are counted."""
MOST = 60


def pairs(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Idle pairs, more and more of them: what they hold, and what they ask of an internal server that all of them share."""
    del sizes
    with stage(folder / "pairs", poll="15s") as on, started() as cluster:
        cluster.allow(CONNECTIONS)
        every = [_configured(on.folder, place, cluster.new_store().replace(":@", "@")) for place in range(TOGETHER[-1])]
        for count in ALONE:
            with _running(every[:count], ["run"]) as pids:
                yield _memory(f"{count} idle pairs, a service each: memory", pids, count)
        held: dict[int, float] = {}
        for count in TOGETHER:
            some = on.folder / f"first{count}"
            some.mkdir()
            for own in every[:count]:
                (some / own.name).symlink_to(own)
            with _running([some], ["run-all", str(some)], count) as (above,):
                found = _memory(f"{count} idle pairs below run-all: memory", [above, *_children(above)], count)
                held[count] = found.figures["held"]
                yield found
                with psycopg.connect(cluster.new_database()) as asking:
                    yield Row("pairs", f"{count} idle pairs: connections to PostgreSQL", "named", str(_connections(asking)), None)
                if count == TOGETHER[-1]:
                    yield _calls(on, count)
        first, last = TOGETHER[0], TOGETHER[-1]
        more = (held[last] - held[first]) / (last - first)
        yield row("pairs", f"memory of each idle pair more below run-all, up to {last}", f"≤ {MOST} MB", more, MOST, unit=" MB")


@contextmanager
def _running(folders: list[Path], words: list[str], pairs: int = 0) -> Iterator[list[int]]:
    """The command in each of the folders, when all has become quiet: the processes' ids. It has ended with the context."""
    began = [subprocess.Popen([ITOPSYNC, "--log-level", "error", *words], cwd=own, env=environment()) for own in folders]
    try:
        time.sleep(20 + (pairs or len(folders)))
        yield [process.pid for process in began]
    finally:
        for process in began:
            process.send_signal(signal.SIGTERM)
        for process in began:
            process.wait()


def _memory(what: str, pids: list[int], count: int) -> Row:
    held = sum(map(proportional, pids))
    return Row("pairs", what, "named", f"{held:.0f} MB", None, {"held": held, "each": held / count})


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _calls(on: Stage, count: int) -> Row:
    time.sleep(GROWN)
    before = sum(on.simulated[1].do(hosts.counts).values())
    time.sleep(COUNTED)
    asked = sum(on.simulated[1].do(hosts.counts).values()) - before
    what = f"calls to an internal server that {count} idle pairs share"
    return Row("pairs", what, "named", f"{asked / COUNTED:.3g} a second", None, {"asked": asked})


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
