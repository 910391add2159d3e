"""Which copy is of which file: a server gives the id of a file that is gone to another one, after a restore or a restart.

So an original is known by its id and by when it was made, and its copy's marker says both. The markers of older copies say only
the id: such a copy belongs to the file that bore the id when both sides last agreed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from itopsync.model import Attachment, FilePair, FileStatus, Link, Observation, Side
from itopsync.reconcile.markers import attachment_marker, attachment_of, born_together


@dataclass(frozen=True)
class Copies:
    """The copies of one link's files on both sides."""

    link: Link
    observation: Observation
    pair: str
    """The pair's name."""
    kept: frozenset[str]
    """The markers of what stays where it is, which say no more than the id."""

    def known(self, origin: Side, original: Attachment) -> FilePair:
        """What is known of a file of *origin*: nothing yet if another one bore its id when both sides last agreed."""
        pair = self._pairs.get((origin, original.id))
        if pair is None or not born_together(pair.born, original.born):
            fresh = FilePair(origin, original.id, None, FileStatus.WAITING, born=original.born)
            stays = pair is None and attachment_marker(self.pair, origin, original.id) in self.kept
            return replace(fresh, status=FileStatus.KEPT) if stays else fresh
        return replace(pair, born=original.born or pair.born)

    def of(self, origin: Side, original: Attachment) -> tuple[Attachment, ...]:
        """The copies of a file of *origin*, the oldest first; several only if a write landed late."""
        named = ((copy, attachment_of(copy.temp_id, self.pair)) for copy in self.under(origin, original.id))
        told = [(copy, of.born) for copy, of in named if of is not None]
        if exact := tuple(copy for copy, born in told if born and born_together(born, original.born)):
            return exact
        pair = self._pairs.get((origin, original.id))
        if pair is None or not pair.born:
            return tuple(copy for copy, born in told if not born)
        same = born_together(pair.born, original.born)
        return tuple(copy for copy, born in told if not born and same and copy.id == pair.copy_id)

    def of_known(self, pair: FilePair) -> tuple[Attachment, ...]:
        """The copies of the file that a pair names, whatever bears its id now: none that may be another file's."""
        named = ((copy, attachment_of(copy.temp_id, self.pair)) for copy in self.under(pair.origin, pair.original_id))
        told = ((copy, of.born) for copy, of in named if of is not None)
        return tuple(copy for copy, born in told if (born_together(born, pair.born) if born else copy.id == pair.copy_id))

    def under(self, origin: Side, number: int) -> tuple[Attachment, ...]:
        """The copies of whatever bore an id on *origin*."""
        return self._by_id[origin].get(number, ())

    def ids(self, origin: Side) -> frozenset[int]:
        """The ids on *origin* that copies name."""
        return frozenset(self._by_id[origin])

    @cached_property
    def _pairs(self) -> Mapping[tuple[Side, int], FilePair]:
        return {(pair.origin, pair.original_id): pair for pair in self.link.files}

    @cached_property
    def _by_id(self) -> Mapping[Side, Mapping[int, tuple[Attachment, ...]]]:
        found: dict[Side, dict[int, tuple[Attachment, ...]]] = {side: {} for side in Side}
        for side in Side:
            ticket = self.observation.of(side)
            for attachment in sorted(ticket.attachments if ticket else (), key=lambda attachment: attachment.id):
                original = attachment_of(attachment.temp_id, self.pair)
                if original is not None and original.side is side.other:
                    known = found[side.other]
                    known[original.id] = (*known.get(original.id, ()), attachment)
        return found


def without_former(link: Link, observation: Observation) -> Link:
    """The link without the obstacles of files whose ids other files bear now."""
    there = {side: {file.id: file for file in ticket.attachments} for side in Side if (ticket := observation.of(side))}
    gone = set()
    for pair in link.files:
        now = there.get(pair.origin, {}).get(pair.original_id)
        if now is not None and not born_together(pair.born, now.born):
            gone.add(pair.key)
    return replace(link, obstacles=tuple(each for each in link.obstacles if each.key not in gone)) if gone else link
