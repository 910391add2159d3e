"""What is known of one link while it is worked on, and how that ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

from itopsync.engine.written import Written
from itopsync.errors import Missing, SideUnavailable
from itopsync.model import Link, Observation, Side, Ticket
from itopsync.reconcile.plan import LostMarker
from itopsync.reconcile.rules import ClassRules
from itopsync.reconcile.unmarked import remembered, restored


@dataclass
class Result:
    """How the work on one link ended."""

    link: Link
    counts: Counter[str] = field(default_factory=Counter)
    unavailable: SideUnavailable | None = None
    """The side that stopped the work, if one did: no ticket's retries are used up for that."""
    lost: tuple[LostMarker, ...] = ()
    """What a server stored without its marker: nothing more is written to it."""
    interrupted: bool = False
    """We were told to stop: what is left of it is due at once."""
    writes: list[Written] = field(default_factory=list)
    """What was sent, in its order, and how it ended."""


@dataclass
class Progress:
    """What is known while one link is worked on."""

    link: Link
    cls: ClassRules
    observation: Observation
    result: Result
    loaded: Link | None
    """The link as it was read, until a write on it has begun; from then on nobody else changes it."""
    due_when_read: datetime | None = None
    unread: bool = False
    """One of the tickets cannot be read: what was not known of a write stays unknown."""
    apart: bool = False
    """Each item goes by itself: several went together and were refused."""
    narrowed: bool = False
    """A request was too large, and what it carries is cut to what is known of the server by now."""
    stop: bool = False
    """Nothing more is done on it in this cycle."""
    replan: bool = False
    """What is left of the plan no longer holds."""
    among_files: bool = False
    """Files are carried by threads of their own, so that large ones hold up no other link."""

    def ticket(self, side: Side) -> Ticket:
        """The ticket on *side*.

        :raises Missing: it is gone
        """
        ticket = self.observation.of(side)
        if ticket is None:
            raise Missing(side, f"the ticket of link {self.link.id} is gone")
        return ticket

    def see(self, ticket: Ticket) -> None:
        """Take note of what a side shows now."""
        ticket = restored(ticket, self.link)
        seen, external = self.observation, ticket.ref.side is Side.EXTERNAL
        self.observation = replace(seen, external=ticket) if external else replace(seen, internal=ticket)

    def miss(self, lost: tuple[LostMarker, ...]) -> None:
        """Take note of what a server stored without its marker; nothing more is done on this link."""
        if lost:
            self.link = remembered(self.link, lost)
            self.result.lost, self.stop = (*self.result.lost, *lost), True

    def break_off(self, error: SideUnavailable) -> None:
        """Do nothing more: a side is unavailable."""
        self.result.unavailable, self.stop = error, True
