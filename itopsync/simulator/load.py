"""The cost and the number of requests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from itopsync.simulator.rest import WRITES


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds that a request takes; the defaults are the measured costs of iTop 3.2.0 on two cores."""

    boot: float = 0.065
    write: float = 0.03
    row: float = 0.000_04

    def of(self, verb: str, rows: int) -> float:
        return self.boot + (self.write if verb in WRITES else 0.0) + self.row * rows


@dataclass(slots=True)
class Requests:
    """Counts requests by verb and class."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.counts.total()

    def of(self, verb: str | None = None, class_name: str | None = None) -> int:
        """How many requests with this verb (``core/get`` …) and for this class."""
        return sum(
            count
            for (known_verb, known_class), count in self.counts.items()
            if verb in (None, known_verb) and class_name in (None, known_class)
        )

    def clear(self) -> None:
        self.counts.clear()
