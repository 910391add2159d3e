"""The findings of a comparison: what differs, what differs for a known reason, and how much was compared."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from itopsync.model import Link, Obstacle


@dataclass(frozen=True)
class Difference:
    """One difference between the two sides, without any text of a ticket."""

    item: str
    """``entry:internal:private_log:3``, ``field:title``, ``file:external:17``, ``state``, ``ticket`` …"""
    what: str
    """In words."""


@dataclass
class Findings:
    """The findings for one link."""

    link: Link
    differences: list[Difference] = field(default_factory=list)
    leaked: list[Difference] = field(default_factory=list)
    """What left internal though it must not; also among the differences."""
    excused: list[Difference] = field(default_factory=list)
    """What differs for a reason given by the store or the rules."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many items of each kind were compared."""

    def differs(self, item: str, what: str) -> None:
        """Record a difference."""
        self.differences.append(Difference(item, what))

    def leaks(self, item: str, what: str) -> None:
        """Record something that must not have left internal."""
        self.leaked.append(Difference(item, what))
        self.differs(item, what)

    def excuse(self, item: str, why: str) -> None:
        """Record what differs for a known reason."""
        self.excused.append(Difference(item, why))

    def obstacle(self, key: str) -> Obstacle | None:
        """The obstacle that the store has for an item."""
        return next((obstacle for obstacle in self.link.obstacles if obstacle.key == key), None)

    @property
    def waits(self) -> bool:
        """Whether writes on the link may be waiting: something will be retried, or the link's marker is missing."""
        return self.link.in_doubt or any(
            not (obstacle.parked or obstacle.is_no_trouble) or obstacle.key == "link-notice" for obstacle in self.link.obstacles
        )
