"""What one cycle did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from itopsync.model import Side

if TYPE_CHECKING:
    from itopsync.engine.written import Written


@dataclass
class Report:
    """What one cycle did."""

    kind: str
    started: datetime
    finished: datetime | None = None
    counts: Counter[str] = field(default_factory=Counter)
    problems: dict[Side, str] = field(default_factory=dict)
    """Sides that could not be worked with, and why."""
    interrupted: bool = False
    writes: list[Written] = field(default_factory=list)
    """What was sent, link by link."""

    @property
    def outcome(self) -> str:
        """``well``, ``troubled`` (some tickets failed or wait), ``unavailable`` (a side) or ``interrupted`` (told to stop)."""
        if self.interrupted:
            return "interrupted"
        if self.problems:
            return "unavailable"
        return "troubled" if any(self.counts[name] for name in ("refused", "unknown", "no right", "unfinished")) else "well"
