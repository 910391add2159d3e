"""``python -m tests.bench``: measure everything, or the parts that are named; ``make bench`` runs it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import backfill, idle, process, scale
from tests.bench.measure import Row, Sizes, load

PARTS: dict[str, Callable[[Path, Sizes], Iterator[Row]]] = {
    "idle": idle.idle,
    "changes": idle.changes,
    "deletions": scale.deletions,
    "sweep": scale.sweep,
    "memory": process.memory,
    "freshness": process.freshness,
    "startup": process.startup,
    "backfill": backfill.backfill,
    "mixture": backfill.mixture,
}


def main() -> None:
    """Measure, tell, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    for name, value in vars(Sizes()).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    sizes = Sizes(**{name: getattr(given, name) for name in vars(Sizes())})
    with tempfile.TemporaryDirectory(prefix="itopsync-bench-") as folder:
        for name in given.parts or PARTS:
            started = time.perf_counter()
            print(f"{name} (load {load()})", flush=True)
            for row in PARTS[name](Path(folder), sizes):
                print(
                    f"  {'      ' if row.met is None else 'met   ' if row.met else 'MISSED'} {row.what}: {row.measured} ({row.bar})",
                    flush=True,
                )
            print(f"  took {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
