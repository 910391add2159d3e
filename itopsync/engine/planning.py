"""What links need: the copies of those that wait for one are looked for, both tickets are read, and a plan is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog

from itopsync.engine import copies as copying
from itopsync.engine.back_off import wait_after
from itopsync.engine.copies import Copies
from itopsync.engine.fault import fault_of
from itopsync.engine.fitting import fitting
from itopsync.engine.observe import observe
from itopsync.engine.settings import EngineSettings
from itopsync.engine.sight import note_organisations, refuse_blindness, refuse_narrowness
from itopsync.engine.threads import Threads
from itopsync.errors import ItopsyncError
from itopsync.itop.server import Server
from itopsync.model import Link, LinkStatus, Observation, Side
from itopsync.reconcile import agree
from itopsync.reconcile.identity import ticket_marker
from itopsync.reconcile.plan import Plan, Remove
from itopsync.reconcile.planner import UNREAD, parted, unread
from itopsync.reconcile.planner import plan as plan_link
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.safety import Excess
from itopsync.reconcile.strangers import stranger
from itopsync.reconcile.unmarked import remembered, restored, unmarked_opening
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

Planned = list[tuple[Plan, Observation]]


class Planning:
    """Observes and plans links. It writes nothing."""

    def __init__(
        self,
        servers: Mapping[Side, Server],
        store: Store,
        settings: EngineSettings,
        threads: Threads,
        *,
        clock: Callable[[], datetime],
        stopping: Callable[[], bool],
    ) -> None:
        """*stopping* says whether to wait for an answer no longer."""
        self._servers, self._store, self._settings, self._threads = servers, store, settings, threads
        self._clock, self._stopping = clock, stopping

    def plan(self, links: tuple[Link, ...], rules: Rules, accept: Collection[str] = ()) -> Planned:
        """Observe and plan *links*, after looking for copies of those that wait for one.

        There is one where a create had no answer, and where this store was restored from a time before it was made.

        :raises SafetyStop: a copy is not found on a side that shows nothing at all
        """
        waiting = [link for link in links if link.status is LinkStatus.WAITING]
        searches = copying.search(waiting, self._servers[Side.INTERNAL], rules, self._threads.readers)
        observed = observe(links, self._servers, rules, self._threads.readers, self._stopping)
        copies = copying.found(searches, self._stopping)
        if Excess.MISSING not in accept and any(link.unsettled and link.id not in copies.found for link in waiting):
            refuse_blindness(self._servers[Side.INTERNAL], self._store)
        unseen: dict[int, ItopsyncError] = {**observed.unread, **copies.unread}
        links = tuple(link if link.id in unseen else _adopted(link, copies, rules) for link in links)
        if copies.found:
            adopted = [link for link in links if link.id in copies.found]
            observed = observed.with_(observe(adopted, self._servers, rules, self._threads.readers, self._stopping))
        unseen = {**observed.unread, **copies.unread}
        shown = {link.id: observed.shown[link.id].map(partial(restored, link=link)) for link in links}
        plans = [self._plan_one(link, shown[link.id], unseen.get(link.id), rules) for link in links]
        return [(_with_lost(plan, copies), shown[plan.link.id]) for plan in plans]

    def _plan_one(self, link: Link, seen: Observation, failure: ItopsyncError | None, rules: Rules) -> Plan:
        """Plan one link. Whatever its tickets bring out is that link's trouble; what was unsettled stays so."""
        now = self._clock()
        if failure is None:
            try:
                if reason := stranger(link, seen, rules, now):
                    return _parted(link, reason, seen, rules)
                apart = any(obstacle.tries for obstacle in link.obstacles)
                return plan_link(link, seen, fitting(rules, self._servers), now, apart=apart)
            except Exception as error:
                failure = fault_of(error, link)
        elif failure.__cause__ is not None:  # what is not shown as it should be, and how our code came to grief on it
            log.error("ticket failed", link=link.id, ticket=str(link.external), reason=str(failure), exc_info=failure)
        return unread(link, failure, now, wait_after(failure, link, UNREAD, self._settings, rules.limits))

    def plan_work(self, links: tuple[Link, ...], rules: Rules, accept: Collection[str]) -> Planned:
        """Observe and plan *links* that are to be worked on.

        :raises SafetyStop: a copy, or a linked ticket, is not found on a side that shows nothing at all; or files are not on one
            that shows fewer organisations than it did
        """
        planned = self.plan(links, rules, accept)
        self._refuse_unseen(planned, accept)
        for side in {action.side.other for plan, _ in planned for action in plan.actions if isinstance(action, Remove)}:
            if Excess.DELETIONS in accept:
                note_organisations(self._servers[side], self._store, fewer=True)
            else:
                refuse_narrowness(self._servers[side], self._store)
        return planned

    def _refuse_unseen(self, planned: Planned, accept: Collection[str]) -> None:
        """See that what is missing is not merely out of sight: a ticket is gone only where others are to be seen."""
        gone = [(plan.link, seen) for plan, seen in planned if plan.link.status is LinkStatus.TOMBSTONE]
        for side in Side:
            if Excess.MISSING not in accept and any(link.ref(side) and not seen.of(side) for link, seen in gone):
                refuse_blindness(self._servers[side], self._store)


def _with_lost(plan: Plan, copies: Copies) -> Plan:
    """*plan* with the marker of its copy told as lost, if the copy was found without it."""
    lost = copies.unmarked.get(plan.link.id)
    return plan if lost is None else replace(plan, lost=(lost, *plan.lost))


def _parted(link: Link, reason: str, seen: Observation, rules: Rules) -> Plan:
    """The plan for a link one of whose tickets seems to be another one; or whose marker the server hides."""
    plan, log = parted(link, reason), rules.for_external(link.external.cls).logs[0].internal
    if seen.internal is None or not link.external_number:
        return plan
    marker = ticket_marker(rules.pair, link.external)
    lost = unmarked_opening(seen.internal, log, rules.internal.accounts, link.external_number, marker)
    return plan if lost is None else Plan(link, lost=(lost,))


def _adopted(link: Link, copies: Copies, rules: Rules) -> Link:
    link = replace(link, unsettled=False)
    copy = copies.found.get(link.id)
    if copy is None:
        return link
    log.info("copy found", link=link.id, copy=str(copy))
    link = agree.adopted(link, copy, rules.for_external(link.external.cls))
    return remembered(link, [copies.unmarked[link.id]]) if link.id in copies.unmarked else link
