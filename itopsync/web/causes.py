"""What is waiting for a person, grouped by cause: if one setting holds up a hundred tickets, there is one thing to fix."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from itopsync.model import Link, LinkStatus, Obstacle
from itopsync.reconcile.markers import digest

PARKED = "the whole ticket is parked"
_UNLIKE = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\b[A-Z]-\d+|\w+:\w+:\d+|\d[\d.,:]*")
"""The parts of a reason that differ between tickets with the same trouble: quotes, refs and numbers."""


@dataclass
class Cause:
    """Why items cannot be carried, and on which tickets."""

    kind: str
    """The kind of item: ``note``, ``file`` … or ``ticket``."""
    reason: str
    """As worded for the first of them."""
    tried: bool
    """Whether it may be tried again, because no person parked it."""
    found: list[tuple[Link, Obstacle | None]] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Identifies the cause on the page."""
        return digest(self.kind, likeness(self.reason))[:12]

    @property
    def links(self) -> list[Link]:
        """The links, each once."""
        return list({link.id: link for link, _ in self.found}.values())


def causes(links: Iterable[Link]) -> tuple[list[Cause], list[Cause]]:
    """Group obstacles into those that need a person and those that are retried automatically, most frequent first."""
    needed: dict[str, Cause] = {}
    waiting: dict[str, Cause] = {}
    for link in links:
        if link.status is LinkStatus.PARKED:
            by_hand = next((obstacle for obstacle in link.obstacles if not obstacle.tries), None)
            _add(needed, Cause("ticket", PARKED, tried=False), link, by_hand)
        for obstacle in link.obstacles:
            if link.status is LinkStatus.PARKED and not obstacle.tries:
                continue  # it only says who parked the link, and why
            if obstacle.is_no_trouble:
                continue
            group = needed if obstacle.parked and not obstacle.key.concerns_us else waiting
            _add(group, Cause(obstacle.key.kind, obstacle.reason, tried=True), link, obstacle)
        if link.in_doubt:
            reason = "a write was sent whose outcome is not known; it is looked for before anything else is sent"
            _add(waiting, Cause("ticket", reason, tried=False), link, None)
    return _most_first(needed), _most_first(waiting)


def likeness(reason: str) -> str:
    """A reason without the parts that differ between tickets."""
    return _UNLIKE.sub("…", reason)


def _add(group: dict[str, Cause], cause: Cause, link: Link, obstacle: Obstacle | None) -> None:
    group.setdefault(cause.key, cause).found.append((link, obstacle))


def _most_first(group: dict[str, Cause]) -> list[Cause]:
    return sorted(group.values(), key=lambda cause: -len(cause.found))
