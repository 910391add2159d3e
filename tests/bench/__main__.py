"""``python -m tests.bench``: measure everything, or the parts that are named; ``make bench`` runs it.

Figures go to ``docs/performance/results.json``, and from there into the table and the charts of ``docs/performance.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from itopsync import __version__
from tests.bench import backfill, console, idle, page, pairs, process, scale, year
from tests.bench.measure import Row, Sizes, load
from tests.bench.stage import REAL

PARTS: dict[str, Callable[[Path, Sizes], Iterator[Row]]] = {
    "idle": idle.idle,
    "changes": idle.changes,
    "backfill": backfill.backfill,
    "mixture": backfill.mixture,
    "deletions": scale.deletions,
    "sweep": scale.sweep,
    "memory": process.memory,
    "freshness": process.freshness,
    "startup": process.startup,
    "console": console.console,
    "pairs": pairs.pairs,
    "year": year.year,
}
ON_REAL_SERVERS = ("backfill",)


def main() -> None:
    """Measure, tell, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without any")
    parser.add_argument("--keep", action="store_true", help="write the results and the page; else they are only told")
    for name, value in vars(Sizes()).items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    given = parser.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    sizes = Sizes(**{name: getattr(given, name) for name in vars(Sizes())})
    with tempfile.TemporaryDirectory(prefix="itopsync-bench-") as folder:
        for name in given.parts or (ON_REAL_SERVERS if REAL in os.environ else PARTS):
            _measure(name, Path(folder), sizes, keep=given.keep)
    if given.keep:
        page.write(list(PARTS))


def _measure(name: str, folder: Path, sizes: Sizes, *, keep: bool) -> None:
    started, run = time.perf_counter(), _run()
    print(f"{name} (load {run['load']})", flush=True)
    rows = []
    for row in PARTS[name](folder, sizes):
        rows.append(row.as_json())
        verdict = "      " if row.met is None else "met   " if row.met else "MISSED"
        print(f"  {verdict} {row.what}: {row.measured} ({row.bar})", flush=True)
    print(f"  took {time.perf_counter() - started:.0f} s", flush=True)
    if keep:
        page.keep(name, rows, run)


def _run() -> dict[str, str]:
    """What is measured on, and when."""
    servers = "two real servers" if REAL in os.environ else "simulated servers with iTop's measured latencies"
    on = f"{os.cpu_count()} cores, Python {platform.python_version()}, itopsync {__version__}, {servers}"
    return {"on": on, "date": f"{datetime.now(UTC):%Y-%m-%d}", "load": load()}


if __name__ == "__main__":
    main()
