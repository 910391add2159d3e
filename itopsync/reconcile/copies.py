"""Matches copies with their files, although a server may reuse a deleted file's id after a restore or a restart.

So an original is identified by its id and its creation time; its copy's marker names both. The markers of older copies name only
the id: such a copy belongs to the file that had the id when both sides last agreed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from itopsync.model import Attachment, FilePair, FileStatus, ItemKey, Link, Observation, Side
from itopsync.reconcile.markers import attachment_marker, attachment_of, born_together, prefix


@dataclass(frozen=True)
class Copies:
    """The copies of one link's files on both sides."""

    link: Link
    observation: Observation
    pair: str
    """The pair's name."""
    kept: frozenset[str]
    """The markers of files that stay where they are; these name only the id."""

    def known(self, origin: Side, original: Attachment) -> FilePair:
        """What is known of a file of *origin*: nothing yet if its id belonged to another file when both sides last agreed."""
        pair = self._pair_of(origin, original)
        if pair is not None:
            return replace(pair, born=original.born or pair.born)
        stays = not self._under(origin, original.id) and attachment_marker(self.pair, origin, original.id) in self.kept
        return FilePair(origin, original.id, None, FileStatus.KEPT if stays else FileStatus.WAITING, born=original.born)

    def of(self, origin: Side, original: Attachment) -> tuple[Attachment, ...]:
        """The copies of a file of *origin*, oldest first; there are several only if a write landed late."""
        named = ((copy, attachment_of(copy.temp_id, self.pair)) for copy in self.under(origin, original.id))
        told = [(copy, of.born) for copy, of in named if of is not None]
        if exact := tuple(copy for copy, born in told if born and born_together(born, original.born)):
            return exact
        if not any(pair.born for pair in self._under(origin, original.id)):
            return tuple(copy for copy, born in told if not born)
        pair = self._pair_of(origin, original)
        return tuple(copy for copy, born in told if not born and pair is not None and copy.id == pair.copy_id)

    def without_original(
        self, origin: Side, number: int, original: Attachment | None
    ) -> Mapping[FilePair, tuple[Attachment, ...]]:
        """Missing file of *origin* that had the id *number* → its copies; *original* is the file that has the id now.

        If nothing is known of the missing file, its copy is to be left alone (``LEFT``).
        """
        there = self.of(origin, original) if original is not None else ()
        found: dict[FilePair, tuple[Attachment, ...]] = {}
        for copy in self.under(origin, number):
            named = attachment_of(copy.temp_id, self.pair)
            if copy in there or named is None:
                continue
            pair = self._pair_named(origin, number, copy.id, named.born)
            if pair is None or (original is not None and born_together(pair.born, original.born)):
                pair = FilePair(origin, number, copy.id, FileStatus.LEFT, born=named.born)
            found[pair] = (*found.get(pair, ()), copy)
        return found

    def _pair_named(self, origin: Side, number: int, copy: int, born: str) -> FilePair | None:
        """The known file that a copy's marker names."""
        pairs = self._under(origin, number)
        if not born:
            return next((pair for pair in pairs if pair.copy_id == copy or not pair.born), None)
        return next((pair for pair in pairs if born_together(pair.born, born)), None)

    def _pair_of(self, origin: Side, original: Attachment) -> FilePair | None:
        pairs = self._under(origin, original.id)
        return next((pair for pair in pairs if born_together(pair.born, original.born)), None)

    def _under(self, origin: Side, number: int) -> tuple[FilePair, ...]:
        """The known files that had an id; those with a known creation time come first."""
        return self._pairs.get((origin, number), ())

    def under(self, origin: Side, number: int) -> tuple[Attachment, ...]:
        """The copies of all files that ever had an id on *origin*."""
        return self._by_id[origin].get(number, ())

    def ids(self, origin: Side) -> frozenset[int]:
        """The ids on *origin* that copies name."""
        return frozenset(self._by_id[origin])

    @cached_property
    def _pairs(self) -> Mapping[tuple[Side, int], tuple[FilePair, ...]]:
        found: dict[tuple[Side, int], tuple[FilePair, ...]] = {}
        for pair in sorted(self.link.files, key=lambda pair: not pair.born):
            which = pair.origin, pair.original_id
            found[which] = (*found.get(which, ()), pair)
        return found

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


def is_of(attachment: Attachment, known: FilePair, pair: str) -> bool:
    """Whether an attachment with the id of *known*'s original or copy really is that one, and not another with a reused id."""
    named = attachment_of(attachment.temp_id, pair)
    if named is None:
        return attachment.id == known.original_id and born_together(attachment.born, known.born)
    return (named.side, named.id) == (known.origin, known.original_id) and born_together(named.born, known.born)


def without_former(link: Link, observation: Observation, pair_name: str) -> Link:
    """The link without the obstacles of files whose ids now belong to other files of people."""
    ours = prefix(pair_name)
    there = {
        side: {file.id: file for file in ticket.attachments if not file.temp_id.startswith(ours)}
        for side in Side
        if (ticket := observation.of(side))
    }
    gone: set[ItemKey] = set()
    known: set[ItemKey] = set()
    for pair in link.files:
        now = there.get(pair.origin, {}).get(pair.original_id)
        if now is not None:
            (known if born_together(pair.born, now.born) else gone).add(pair.key)
    gone -= known
    return replace(link, obstacles=tuple(each for each in link.obstacles if each.key not in gone)) if gone else link
