"""The planner's input: one link, what both sides show of it, the look-ups, the rules and the time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from itopsync.model import Link, Observation, Obstacle, Ref, Side, Ticket
from itopsync.reconcile.copies import Copies
from itopsync.reconcile.defaults import NOTHING_LOOKED_UP, Asked, Chosen, LookedUp, Unasked, choose, no_answer_yet
from itopsync.reconcile.markers import attachment_marker, attachment_of, born_together, picture_marker, prefix
from itopsync.reconcile.plan import Item, Kept, Remark
from itopsync.reconcile.richtext import Origin, attachment_address
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.reconcile.ticket_markers import TicketMarkers, read_ticket_markers

SAME_SERVER = "there."
"""The beginning of a placeholder that names an attachment by its id on the target's server, such as ``there.17``."""


def addresses_of(public_url: str, ticket: Ticket) -> Callable[[str], str | None]:
    """A function from a placeholder to its address on *ticket*'s server, or None if *ticket* lacks the attachment."""
    known = {attachment.temp_id: attachment.id for attachment in ticket.attachments}

    def address_of(name: str) -> str | None:
        number = int(name.removeprefix(SAME_SERVER)) if name.startswith(SAME_SERVER) else known.get(name)
        return None if number is None else attachment_address(public_url, number)

    return address_of


@dataclass(frozen=True)
class Situation:
    """One link, what both sides show of it, and the rules by which it is planned."""

    link: Link
    observation: Observation
    rules: Rules
    cls: ClassRules
    now: datetime
    looked_up: LookedUp = NOTHING_LOOKED_UP

    def ticket(self, side: Side) -> Ticket:
        """The ticket that *side* shows.

        :raises ValueError: it shows none
        """
        ticket = self.observation.of(side)
        if ticket is None:
            raise ValueError(f"no ticket on {side} in link {self.link.id}")
        return ticket

    def defaults(self, side: Side, names: Collection[str]) -> Chosen | str | None:
        """The values of *names* for a ticket on *side*; None if a look-up is missing.

        If a server fails to answer one for now, a text with the reason.
        """
        rules = self.rules.of(side)
        try:
            return choose(side, rules.routing, rules.defaults, names, Asked(self.ticket(Side.EXTERNAL), self.looked_up))
        except Unasked as unasked:
            why = self.looked_up.silent.get(unasked.what)
            return None if why is None else no_answer_yet(unasked, why)

    @cached_property
    def ticket_markers(self) -> TicketMarkers:
        """What the markers that our accounts wrote on the internal ticket say."""
        internal = self.observation.internal
        if internal is None:
            return TicketMarkers()
        return read_ticket_markers(internal, self.cls.internal_logs, self.rules.pair, self.rules.internal.accounts)

    @cached_property
    def copies(self) -> Copies:
        """Which copy is of which file."""
        return Copies(self.link, self.observation, self.rules.pair, self.ticket_markers.kept)

    def obstacle(self, item: Item) -> Obstacle | None:
        """The obstacle that stands in the way of *item* now; None if it may be tried."""
        for obstacle in self.link.obstacles:
            if item.names(obstacle) and self.blocks(obstacle):
                return obstacle
        return None

    def remarks_on(self, obstacles: Iterable[Obstacle]) -> Iterator[Remark]:
        """The obstacles in force, as remarks."""
        for obstacle in obstacles:
            if obstacle.gathers and obstacle.not_before is not None:
                yield Remark(Kept.GATHERED, obstacle.key, f"until {obstacle.not_before:%H:%M} UTC: {obstacle.reason}")
            elif self.blocks(obstacle):
                yield Remark(Kept.PARKED if obstacle.parked else Kept.WAITING, obstacle.key, obstacle.reason)

    def blocks(self, obstacle: Obstacle) -> bool:
        """Whether *obstacle* stands in the way now."""
        return obstacle.parked or obstacle.waits(self.now)

    def has_attachment(self, side: Side, marker: str) -> bool:
        """Whether the ticket on *side* has the attachment that a placeholder stands for."""
        ticket = self.observation.of(side)
        if ticket is None or marker.startswith(SAME_SERVER):
            return ticket is not None
        return any(attachment.temp_id == marker for attachment in ticket.attachments)

    def origin(self, side: Side) -> Origin:
        """The context for converting *side*'s texts."""
        ticket = self.observation.of(side)
        settings = self.rules.of(side)
        ref = self.link.ref(side) or Ref(side, self.cls.of(side), 0)
        attached = {}
        for attachment in ticket.attachments if ticket else ():
            there = self._stands_for(attachment.temp_id, side.other)
            if there is not None:
                attached[attachment.id] = f"{SAME_SERVER}{there}"
            elif not attachment.temp_id.startswith(prefix(self.rules.pair)):
                there_already = self.copies.of(side, attachment)[:1]
                marker = attachment_marker(self.rules.pair, side, attachment.id, attachment.born)
                attached[attachment.id] = next((copy.temp_id for copy in there_already), marker)
            else:  # a picture or text that we uploaded, quoted here
                attached[attachment.id] = picture_marker(self.rules.pair, ref, f"attachment:{attachment.id}")
        return Origin(ref, self.rules.pair, settings.addresses, attached, self.rules.images)

    def _stands_for(self, marker: str, side: Side) -> int | None:
        """The attachment of *side*'s ticket from which the one with *marker* was made, as a copy or as a quoted picture."""
        ticket = self.observation.of(side)
        original = attachment_of(marker, self.rules.pair)
        if original is not None:
            files = ticket.attachments if ticket else ()
            another = any(file.id == original.id and not born_together(file.born, original.born) for file in files)
            return original.id if original.side is side and not another else None
        if ticket is None or not marker.startswith(prefix(self.rules.pair)):
            return None
        shown = (attachment.id for attachment in ticket.attachments)
        return next((each for each in shown if marker == picture_marker(self.rules.pair, ticket.ref, f"attachment:{each}")), None)
