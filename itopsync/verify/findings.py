"""What is found when two tickets are compared: what differs, what differs for a known reason, and how much was looked at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from itopsync.model import Link, Obstacle


@dataclass(frozen=True)
class Difference:
    """One thing in which the two sides differ. No text of a ticket is in it."""

    item: str
    """``entry:internal:private_log:3``, ``field:title``, ``file:external:17``, ``state``, ``ticket`` …"""
    what: str
    """In words."""


@dataclass
class Findings:
    """What is found of one link."""

    link: Link
    differences: list[Difference] = field(default_factory=list)
    excused: list[Difference] = field(default_factory=list)
    """What differs for a reason that the store or the rules give."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many things of each kind were compared."""

    def differs(self, item: str, what: str) -> None:
        """Take note of a difference."""
        self.differences.append(Difference(item, what))

    def excuse(self, item: str, why: str) -> None:
        """Take note of what differs for a reason."""
        self.excused.append(Difference(item, why))

    def obstacle(self, key: str) -> Obstacle | None:
        """What the store knows to stand in the way of an item."""
        return next((one for one in self.link.obstacles if one.key == key), None)

    @property
    def waits(self) -> bool:
        """Whether the store says that what follows may wait: something is tried again later, or the link's mark is not there."""
        return self.link.in_doubt or any(not one.parked or one.key == "link-notice" for one in self.link.obstacles)
