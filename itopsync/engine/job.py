"""One link on its way through a cycle, from its plan to the store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto

from itopsync.engine.plan import Planned
from itopsync.engine.report import Counts, Written
from itopsync.errors import Missing, SideUnavailable
from itopsync.model import FilePair, Heading, Link, Observation, Side, Ticket
from itopsync.reconcile.defaults import NOTHING_LOOKED_UP, LookedUp
from itopsync.reconcile.plan import LostMarker, Plan
from itopsync.reconcile.rules import ClassRules
from itopsync.reconcile.unmarked import remembered, with_markers_back


class Phase(Enum):
    """How far the work on a link has got."""

    BEFORE_FILES = auto()
    """It is in a thread for links and has carried no file yet."""
    AT_FILES = auto()
    """It has reached its first file, and continues in a thread for files, so that large files hold up no note."""
    WITH_FILES = auto()
    """It is in a thread for files, which carries these and whatever comes after them, such as texts that refer to them."""


class Ending(Enum):
    """Why nothing more is done on a link in this cycle."""

    FAILED = auto()
    """Something failed, and both tickets must be looked at again."""
    POSTPONED = auto()
    """Its files are left to a later cycle."""
    UNMARKED = auto()
    """A server stored something without its marker."""
    SIDE_UNAVAILABLE = auto()
    INTERRUPTED = auto()
    """We were told to stop, or another link's write lost its marker; the rest is due at once."""
    OVERTAKEN = auto()
    """An operator has changed the link since it was loaded, or the link that held its copy is being written."""


@dataclass
class Job:
    """What is known of a link during the work on it, and how that ended.

    Unlike the frozen values of the earlier stages, it is changed in place: by ``apply``, ``execute``, ``failures``, ``settle``
    and the cycle.
    """

    loaded: Link
    """As the store had it."""
    link: Link
    """As it is now."""
    seen: Observation
    """What both sides show now."""
    plan: Plan
    """What is left to do, as far as known."""
    cls: ClassRules
    looked_up: LookedUp = NOTHING_LOOKED_UP
    """What decides on its tickets' defaults; looked up before the first round, and kept for all rounds."""

    phase: Phase = Phase.BEFORE_FILES
    begun: bool = False
    """The store has recorded a write as under way: nobody else changes the link until it is saved."""
    heading: Heading | None = None
    """The states recorded with it."""
    files: frozenset[FilePair | None] = frozenset({None})
    """The files recorded with it; an upload without one is part of a text."""
    rounds: int = 0
    """How often it was replanned."""
    singly: bool = False
    """Each item is sent in a call of its own, because several were refused together."""
    narrowed: bool = False
    """A request was too large; content is now cut to the limit known since."""

    ended: Ending | None = None
    """Why nothing more is done on it in this cycle; None while work goes on, or if its plan was carried out."""
    unavailable: SideUnavailable | None = None
    """The side that stopped the work, if any; that counts as no failed try."""
    lost: tuple[LostMarker, ...] = ()
    """What a server stored without its marker; nothing more is written then."""
    counts: Counts = field(default_factory=Counter)
    writes: list[Written] = field(default_factory=list)
    """What was sent or had to wait, in order, and how it ended."""

    @classmethod
    def of(cls, planned: Planned, of_class: ClassRules) -> Job:
        """The job for a plan."""
        return cls(planned.loaded, planned.plan.link, planned.seen, planned.plan, of_class, planned.looked_up)

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
        self.seen = self.seen.with_(ticket.ref.side, with_markers_back(ticket, self.link))

    @property
    def as_loaded(self) -> Link | None:
        """What the store must still have for the link to be saved; None once a write has begun: nobody else changes it then."""
        return None if self.begun else self.loaded

    @property
    def untouched(self) -> bool:
        """Whether nothing was done: the link stays as loaded, and due."""
        before = (Ending.SIDE_UNAVAILABLE, Ending.INTERRUPTED)
        return self.ended is Ending.OVERTAKEN or (self.ended in before and not self.begun)

    def lose(self, lost: tuple[LostMarker, ...]) -> None:
        """Record what a server stored without its marker, and end the work on this link if it did."""
        if lost:
            self.link = remembered(self.link, lost)
            self.lost = (*self.lost, *lost)
            self.end(Ending.UNMARKED)

    def break_off(self, error: SideUnavailable) -> None:
        """End the work, because a side is unavailable."""
        self.unavailable = error
        self.end(Ending.SIDE_UNAVAILABLE)

    def end(self, why: Ending) -> None:
        """End the work in this cycle. The first reason counts."""
        self.ended = self.ended or why
