"""The program as its own process: memory, freshness, start-up."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from itopsync.cli.session import open_store
from tests import tuned
from tests.bench import hosts
from tests.bench.fill import fill
from tests.bench.idle import FIRST, REAL, VERSION, linked, mark_attachments
from tests.bench.measure import Row, Sizes, resident, row, seconds
from tests.bench.stage import Stage, stage

ITOPSYNC = str(Path(sys.executable).with_name("itopsync"))
BUDGET, BIG, HOW_MANY = 40_000_000, 10_000_000, 24
MOST = 150
STARTS = 15
POLL = 5


def memory(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """What ``itopsync run`` holds with very many links, and what ``run-once`` holds at most with large files."""
    with stage(folder / "memory", poll="2s") as on:
        linked(on, REAL)
        live = 1_000
        for host in on.simulated:
            host.do(hosts.multiply_last, live - REAL, FIRST, VERSION)
        mark_attachments(on, FIRST + live)
        with open_store(on.configuration) as store:
            like = store.links.get([1])[0]
            fill(store, like, range(FIRST, FIRST + live - REAL), live=True, version=VERSION)
            fill(store, like, range(FIRST + live, FIRST + sizes.links), live=False, version=VERSION)
        on.slow()
        with subprocess.Popen([ITOPSYNC, "--log-level", "error", "run"], cwd=on.folder, env=environment()) as running:
            time.sleep(20)
            assert running.poll() is None
            held = resident(running.pid)
            running.send_signal(signal.SIGTERM)
    yield row("memory", f"memory at {sizes.links:,} links, idle", f"≤ {MOST} MB", held, MOST, unit=" MB")
    with stage(folder / "files") as on:
        for place in range(HOW_MANY):
            on.simulated[0].do(hosts.open_tickets, 1, 1, bytes([place]) * BIG)
        on.slow()
        peak = _peak(on)
        assert on.simulated[1].do(hosts.attachments) == HOW_MANY
    what = f"memory at most, with {HOW_MANY} files of 10 MB waiting and a budget of {BUDGET // 10**6} MB"
    most = MOST + 3 * BUDGET / 1e6
    yield row("memory", what, f"≤ 150 MB + 3 × {BUDGET // 10**6} MB", peak, most, unit=" MB")


def _peak(on: Stage) -> float:
    """Run one cycle; the most that it held."""
    peak = 0.0
    with subprocess.Popen(
        [*tuned.PROGRAM, tuned.told(file_budget=BUDGET), "--log-level", "error", "run-once"],
        cwd=on.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
    ) as running:
        while running.poll() is None:
            try:
                peak = max(peak, resident(running.pid, peak=True))
            except (ProcessLookupError, FileNotFoundError):
                break
            time.sleep(0.02)
    assert running.returncode == 0, running.returncode
    return peak


def freshness(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """How long an agent's save takes to the other side, with two a second."""
    with stage(folder / "fresh", poll=f"{POLL}s") as on:
        linked(on, REAL)
        external, internal = on.simulated
        internal.do(hosts.listen)
        on.slow()
        with subprocess.Popen([ITOPSYNC, "--log-level", "error", "run"], cwd=on.folder, env=environment()) as running:
            time.sleep(3)
            saved = external.do(hosts.change_some, list(range(1, REAL + 1)), 0.5, sizes.saves)
            time.sleep(12)
            arrived = internal.do(hosts.arrived)
            running.send_signal(signal.SIGTERM)
    waits = sorted(arrived[mark] - at for mark, at in saved.items())
    what = f"freshness: {len(waits):,} saves, two a second, poll every {POLL} s: the slowest is on the other side within"
    yield row("freshness", what, f"≤ {POLL} + 3 s", waits[-1], POLL + 3, unit=" s", waits=waits)
    parts = statistics.quantiles(waits, n=100)
    told = f"{parts[49]:.1f} s, {parts[94]:.1f} s, {parts[98]:.1f} s"
    yield Row("freshness", "freshness: 50, 95 and 99 of 100 are there within", "named", told, None)


def startup(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """How long commands take to start."""
    del sizes
    with stage(folder / "start") as on:
        linked(on, 2)
        floor, ours = [sys.executable, "-c", "import typer, sqlalchemy"], {"--help": ["--help"], "status": ["status"]}
        taken: dict[str, list[float]] = {"floor": [], **{name: [] for name in ours}}
        for _ in range(STARTS):
            taken["floor"].append(seconds(lambda: _run(floor, on.folder)))
            for name, arguments in ours.items():
                taken[name].append(seconds(partial(_run, [ITOPSYNC, *arguments], on.folder)))
    for name in ours:
        ratio = statistics.median(taken[name]) / statistics.median(taken["floor"])
        what = f"start-up: itopsync {name}"
        yield row("startup", what, "≤ 2.5 × python -c 'import typer, sqlalchemy'", ratio, 2.5, unit=" ×", taken=taken)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)


def environment() -> dict[str, str]:
    """The environment of a command of ours."""
    return {**os.environ, "PASSWORD": hosts.PASSWORD}
