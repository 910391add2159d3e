"""One link on its way through a cycle, from its plan to the store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from itopsync.engine.plan import Planned
from itopsync.engine.report import Counts, Written
from itopsync.errors import Missing, SideUnavailable
from itopsync.model import Heading, Link, Observation, Side, Ticket
from itopsync.reconcile.plan import LostMarker, Plan
from itopsync.reconcile.rules import ClassRules
from itopsync.reconcile.unmarked import remembered, restored


@dataclass
class Job:
    """What is known of one link while it is worked on, and how that ended."""

    loaded: Link
    """As the store had it."""
    link: Link
    """As it is by now."""
    seen: Observation
    """What both sides show by now."""
    plan: Plan
    """What is left to do, as far as it is known."""
    cls: ClassRules

    begun: bool = False
    """A write has been announced in the store: until the link is saved nobody else changes it."""
    heading: Heading | None = None
    """The states that were announced with it."""
    rounds: int = 0
    """How often it was planned anew."""
    among_files: bool = False
    """It has come to its files, which are carried by threads of their own: large ones hold up no other link."""
    waits_for_files: bool = False
    """It is to go on in one of those threads."""
    one_by_one: bool = False
    """Each item goes by itself: several went together and were refused."""
    narrowed: bool = False
    """A request was too large, and what it carries is cut to what is known of the server by now."""
    replan: bool = False
    """What is left of the plan no longer holds."""
    stop: bool = False
    """Nothing more is done on it in this cycle."""

    untouched: bool = False
    """Nothing was done about it: it stays as it was loaded, and due."""
    interrupted: bool = False
    """We were told to stop: what is left of it is due at once."""
    unavailable: SideUnavailable | None = None
    """The side that stopped the work, if one did: no ticket's retries are used up for that."""
    lost: tuple[LostMarker, ...] = ()
    """What a server stored without its marker: nothing more is written to it."""
    counts: Counts = field(default_factory=Counter)
    writes: list[Written] = field(default_factory=list)
    """What was sent, in its order, and how it ended."""

    @classmethod
    def of(cls, planned: Planned, rules: ClassRules) -> Job:
        """The work that a plan asks for."""
        return cls(planned.loaded, planned.plan.link, planned.seen, planned.plan, rules)

    def ticket(self, side: Side) -> Ticket:
        """The ticket on *side*.

        :raises Missing: it is gone
        """
        ticket = self.seen.of(side)
        if ticket is None:
            raise Missing(side, f"the ticket of link {self.link.id} is gone")
        return ticket

    def see(self, ticket: Ticket) -> None:
        """Take note of what a side shows now."""
        self.seen = self.seen.with_(ticket.ref.side, restored(ticket, self.link))

    def lose(self, lost: tuple[LostMarker, ...]) -> None:
        """Take note of what a server stored without its marker; nothing more is done on this link."""
        if lost:
            self.link = remembered(self.link, lost)
            self.lost, self.stop = (*self.lost, *lost), True

    def interrupt(self) -> None:
        """Do nothing more: we are told to stop."""
        self.interrupted = self.stop = True

    def break_off(self, error: SideUnavailable) -> None:
        """Do nothing more: a side is unavailable."""
        self.unavailable, self.stop = error, True
