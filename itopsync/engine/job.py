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
    """What is known of a link while it is worked on, and how that ended."""

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
    """A write has been recorded in the store: nobody else changes the link until it is saved."""
    heading: Heading | None = None
    """The states recorded with it."""
    rounds: int = 0
    """How often it was replanned."""
    among_files: bool = False
    """It has come to its files, which separate threads carry, so that large ones hold up no other link."""
    waits_for_files: bool = False
    """It is to go on in one of those threads."""
    one_by_one: bool = False
    """Each item goes by itself: several were refused together."""
    narrowed: bool = False
    """A request was too large; its content is now cut to the limit known by now."""
    replan: bool = False
    """The rest of the plan no longer holds."""
    stop: bool = False
    """Nothing more is done on it in this cycle."""

    untouched: bool = False
    """Nothing was done: the link stays as loaded, and due."""
    interrupted: bool = False
    """We were told to stop: the rest is due at once."""
    unavailable: SideUnavailable | None = None
    """The side that stopped the work, if any: that uses up no ticket's retries."""
    lost: tuple[LostMarker, ...] = ()
    """What a server stored without its marker: nothing more is written to that server."""
    counts: Counts = field(default_factory=Counter)
    writes: list[Written] = field(default_factory=list)
    """What was sent, in order, and how it ended."""

    @classmethod
    def of(cls, planned: Planned, rules: ClassRules) -> Job:
        """The job for a plan."""
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
        """Record what a side shows now."""
        self.seen = self.seen.with_(ticket.ref.side, restored(ticket, self.link))

    def lose(self, lost: tuple[LostMarker, ...]) -> None:
        """Record what a server stored without its marker; nothing more is done on this link."""
        if lost:
            self.link = remembered(self.link, lost)
            self.lost, self.stop = (*self.lost, *lost), True

    def interrupt(self) -> None:
        """Do nothing more: we were told to stop."""
        self.interrupted = self.stop = True

    def break_off(self, error: SideUnavailable) -> None:
        """Do nothing more: a side is unavailable."""
        self.unavailable, self.stop = error, True
