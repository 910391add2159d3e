"""Rows of the table, and what they are measured with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One row: a bar and what was measured."""

    part: str
    what: str
    bar: str
    measured: str
    met: bool | None
    """None: there is no bar, the figure is only named."""
    figures: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    pairs: int = 5
    tickets: int = 2_000
    mixture: int = 300
    links: int = 1_000_000
    swept: int = 100_000
    shown: int = 100_000
    saves: int = 1_000
    year: int = 200_000


def row(part: str, what: str, bar: str, value: float, most: float, *, unit: str = "", **figures: Any) -> Row:
    """A row that is met by at most so much."""
    return Row(part, what, bar, f"{value:.4g}{unit}", value <= most, {"value": value, "most": most, **figures})


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def processor(work: Callable[[], object]) -> float:
    """How many seconds of processor time this process takes for it."""
    started = time.process_time()
    work()
    return time.process_time() - started


def resident(pid: int, *, peak: bool = False) -> float:
    """How many MB a process holds, or held at most."""
    name = "VmHWM" if peak else "VmRSS"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)


def proportional(pid: int) -> float:
    """How many MB a process holds, with its share of what it has in common with others."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)


def load() -> str:
    """How busy the machine is."""
    return " ".join(f"{average:.2f}" for average in os.getloadavg())
