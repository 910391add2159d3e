"""What operators may look at without any write: what a cycle would do, whether both sides agree, one link's story.

Follows the stages of a cycle up to the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from itopsync.engine import marker_loss, stops
from itopsync.engine.pair import Pair
from itopsync.engine.plan import Planned, plan_in_batches
from itopsync.engine.poll import poll
from itopsync.engine.safeguard import (
    PREVIEWED,
    hold_if_several,
    hold_orphaned_if_several,
    refuse_lost_copies,
    refuse_out_of_sight,
)
from itopsync.engine.scope import left_behind
from itopsync.engine.store_guard import refuse_wrong
from itopsync.model import TICKET, UNSAVED, Link, LinkStatus, Observation, Side
from itopsync.reconcile.plan import Kept, Plan, Remark
from itopsync.reconcile.safety import Accepted, Excess, Tally, check, exceeds
from itopsync.store.records import CycleKind


class Inspector:
    """Inspects a pair: plans without carrying anything out. It serves one command or request."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self._prepared = False

    def preview(self) -> tuple[list[Planned], Tally]:
        """What a cycle would do now, link by link, and the tally.

        Includes links that wait briefly for a side to accept writes again; the tally leaves them out, as they are not due.

        :raises RemoteError: a server cannot be asked
        :raises StoreError: the store is not this pair's own
        """
        pair, links = self.pair, self.pair.store.links
        self.refuse_wrong_store()
        now = pair.clock()
        due: set[int] = {link.id for link in links.due(now, PREVIEWED)}
        new: list[Link] = []
        replaced: frozenset[str] = frozenset()
        for side in Side:
            found = poll(pair, side, kind=CycleKind.POLL, now=now)
            pair.know_account(found.state)
            due |= found.changed.keys() | found.also_due | found.deletions.links
            new += [Link(UNSAVED, each.ref, None, LinkStatus.WAITING, each.number) for each in found.new]
            replaced |= found.renumbered
        later = {link.id for link in links.due(now + pair.settings.first_back_off, PREVIEWED) if not link.in_doubt} - due
        left = links.get(left_behind(pair))
        behind = {link.id for link in left}
        kept = (link for link in links.get((due | later) - behind) if link.external.cls in pair.rules.kept)
        observed = (each for batch in plan_in_batches(pair, (*kept, *new)) for each in batch)
        planned = [*observed, *(Planned(link, Observation(None, None), _left(link)) for link in left)]
        waiting = {str(number) for number in links.waiting_ids(now) if number not in behind}
        tally = Tally(creations=frozenset(waiting | {str(each.external) for each in new}), replaced=replaced)
        for each in planned:
            tally = tally if each.loaded.id in later else tally.add(each.plan)
        let_through, accepted = hold_if_several(pair.store, planned), Accepted(things=stops.accepted(pair.store))
        if exceeds(Excess.DELETIONS, tally, pair.rules.limits, accepted):
            return let_through, tally  # accepting these deletions accepts every one of them
        return hold_orphaned_if_several(pair, let_through, accepted), tally

    def refuse(self, planned: Sequence[Planned], tally: Tally) -> None:
        """Check that a cycle would carry out what :meth:`preview` showed.

        :raises SafetyStop: it would stop instead
        """
        pair, accepted = self.pair, Accepted(things=stops.accepted(self.pair.store))
        marker_loss.refuse_lossy(marker_loss.losses(pair.store))
        refuse_out_of_sight(pair, planned, accepted, remember=False)
        check(tally, pair.rules.limits, accepted)

    def verify(self) -> Iterator[Planned]:
        """What every linked pair of tickets still needs in order to agree, link by link.

        :raises RemoteError: a server cannot be asked
        :raises StoreError: the store is not this pair's own
        """
        pair = self.pair
        self._prepare()
        total, done, after = pair.store.links.counts()[LinkStatus.LINKED], 0, 0
        while ids := pair.store.links.linked_after(after, pair.settings.chunk):
            after = ids[-1]
            yield from self.plan(pair.store.links.get(ids))
            done += len(ids)
            if pair.progress is not None:
                pair.progress(done, total)

    def inspect(self, links: Sequence[Link]) -> list[Planned]:
        """What *links* still need in order to agree, whatever their status.

        :raises RemoteError: a server cannot be asked
        :raises StoreError: the store is not this pair's own
        """
        self._prepare()
        return self.plan(links)

    def plan(self, links: Sequence[Link]) -> list[Planned]:
        """Observe and plan *links*.

        :raises RemoteError: a server cannot be asked
        :raises SafetyStop: a copy that may exist is not found on a side that shows nothing at all
        """
        every: list[Planned] = []
        for planned in plan_in_batches(self.pair, links):
            refuse_lost_copies(self.pair, planned)
            every += planned
        return every

    def _prepare(self) -> None:
        """Check the store and ask both servers for our accounts; only once, since with a new store that takes a dozen calls."""
        if not self._prepared:
            self.refuse_wrong_store()
            self.pair.learn_accounts()
            self._prepared = True

    def refuse_wrong_store(self) -> None:
        """Check that the store is this pair's own, and complete.

        :raises StoreError: it is not
        """
        refuse_wrong(self.pair.store, self.pair.servers, self.pair.rules)


def _left(link: Link) -> Plan:
    """The plan for a link that is dropped because the scope was changed."""
    return Plan(link, remarks=(Remark(Kept.OUT_OF_SCOPE, TICKET),))
