"""Stage 3: what each observed link needs. The planner itself is pure (:mod:`itopsync.reconcile.planner`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import structlog

from itopsync.engine.observe import Observed, observe
from itopsync.engine.pair import Pair
from itopsync.engine.retry import fault_of, wait_after
from itopsync.engine.visibility import note_organisations, refuse_blindness, refuse_narrowness
from itopsync.model import Link, LinkStatus, Observation, Side
from itopsync.reconcile.defaults import NOT_ASKED, Answers
from itopsync.reconcile.files import COPIES_GONE, hold_vanished
from itopsync.reconcile.identity import mismatch
from itopsync.reconcile.markers import ticket_marker
from itopsync.reconcile.plan import Plan, Remove
from itopsync.reconcile.planner import UNREAD, another_ticket, unread
from itopsync.reconcile.planner import plan as plan_link
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.safety import Accepted, Excess, removed_thing
from itopsync.reconcile.unmarked import unmarked_opening
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

PREVIEWED = 1_000
"""How many links that are due are planned to tell what would be done, without doing it."""


@dataclass(frozen=True)
class Planned:
    """A link, and what is to be done about it."""

    loaded: Link
    """As the store has it."""
    seen: Observation
    plan: Plan
    answers: Answers = NOT_ASKED


def plan(pair: Pair, observed: Sequence[Observed]) -> list[Planned]:
    """Plan what was observed, link by link; write nothing. A fault triggered by a ticket affects its own link only."""
    return [Planned(each.loaded, each.seen, _plan_one(pair, each), each.answers) for each in observed]


def plan_in_batches(pair: Pair, links: Sequence[Link]) -> Iterator[list[Planned]]:
    """Observe and plan *links*, a batch at a time; write nothing."""
    chunk = pair.settings.chunk
    for start in range(0, len(links), chunk):
        yield plan(pair, observe(pair, links[start : start + chunk]))


def bereft(planned: Sequence[Planned]) -> frozenset[int]:
    """The links whose tickets lost copies of files."""
    return frozenset(each.loaded.id for each in planned if each.plan.vanished)


def held(store: Store, planned: Sequence[Planned], before: AbstractSet[int] = frozenset()) -> list[Planned]:
    """Leave copies of files that are gone from several tickets for a person, as after a restore.

    On a single ticket, somebody has deleted them, unless others are left for a person already. *before*: the links that lost some
    earlier in the same cycle; what was planned then stands.
    """
    lost = bereft(planned) | before
    several = len(lost) > 1 or (lost and _held_some(store))
    return [replace(each, plan=hold_vanished(each.plan)) for each in planned] if several else list(planned)


def _held_some(store: Store) -> bool:
    return any(obstacle.reason == COPIES_GONE for link in store.links.troubled(PREVIEWED) for obstacle in link.obstacles)


def refuse_out_of_sight(pair: Pair, planned: Sequence[Planned], accepted: Accepted, *, remember: bool = True) -> None:
    """See that what is missing is not merely out of our sight: it is gone only where others are to be seen.

    *remember*: store that a side shows fewer organisations, where a person has accepted that.

    :raises SafetyStop: a copy or a linked ticket is not found on a side that shows nothing at all; or files are missing on a side
        that shows fewer organisations than before
    """
    _refuse_blindness(pair, [each for each in planned if not accepted.allows(Excess.MISSING, str(each.loaded.id))])
    removals = [(each, action) for each in planned for action in each.plan.actions if isinstance(action, Remove)]
    for side in {action.side.other for _, action in removals}:
        things = [removed_thing(each.plan.link.id, action) for each, action in removals if action.side.other is side]
        if all(accepted.allows(Excess.DELETIONS, which) for which in things):
            if remember:
                note_organisations(pair.servers[side], pair.store, fewer=True)
        else:
            refuse_narrowness(pair.servers[side], pair.store)


def refuse_lost_copies(pair: Pair, planned: Sequence[Planned]) -> None:
    """Check that a copy that may exist but is not found is not merely out of sight.

    :raises SafetyStop: internal shows nothing at all
    """
    if any(_has_lost_copy(each) for each in planned):
        refuse_blindness(pair.servers[Side.INTERNAL], pair.store)


def missing_in(planned: Sequence[Planned]) -> frozenset[str]:
    """The links one of whose tickets is not found, or whose copy is not that may have been made, as a tally has them."""
    gone = (each for each in planned if _has_lost_copy(each) or each.plan.link.status is LinkStatus.TOMBSTONE)
    return frozenset(str(each.loaded.id) for each in gone)


def _has_lost_copy(planned: Planned) -> bool:
    waits = planned.loaded.status is LinkStatus.WAITING and planned.loaded.in_doubt
    return waits and planned.plan.link.internal is None


def _refuse_blindness(pair: Pair, planned: Sequence[Planned]) -> None:
    refuse_lost_copies(pair, planned)
    gone = [each for each in planned if each.plan.link.status is LinkStatus.TOMBSTONE]
    for side in Side:
        if any(each.plan.link.ref(side) and not each.seen.of(side) for each in gone):
            refuse_blindness(pair.servers[side], pair.store)


def _plan_one(pair: Pair, observed: Observed) -> Plan:
    link, seen, failure, now = observed.link, observed.seen, observed.unread, pair.clock()
    if failure is None:
        try:
            if reason := mismatch(link, seen, pair.rules, now):
                return _with_lost(_another_ticket(link, reason, seen, pair.rules), observed)
            apart = any(obstacle.tries for obstacle in link.obstacles)
            made = plan_link(link, seen, pair.fitting_rules(), now, apart=apart, answers=observed.answers)
            return _with_lost(made, observed)
        except Exception as error:
            failure = fault_of(error, link)
    elif failure.__cause__ is not None:  # what is shown malformed, and where our code failed on it
        log.error("ticket failed", link=link.id, ticket=str(link.external), reason=str(failure), exc_info=failure)
    wait = wait_after(failure, link, UNREAD, pair.settings, pair.rules.limits)
    return _with_lost(unread(link, failure, now, wait), observed)


def _with_lost(made: Plan, observed: Observed) -> Plan:
    return replace(made, lost=(*observed.lost, *made.lost)) if observed.lost else made


def _another_ticket(link: Link, reason: str, seen: Observation, rules: Rules) -> Plan:
    """The plan for a link one of whose tickets seems to be another one, or whose marker the server hides."""
    made, name = another_ticket(link, reason), rules.for_external(link.external.cls).logs[0].internal
    if seen.internal is None or not link.external_number:
        return made
    marker = ticket_marker(rules.pair, link.external)
    lost = unmarked_opening(seen.internal, name, rules.internal.accounts, link.external_number, marker)
    return made if lost is None else Plan(link, lost=(lost,))
