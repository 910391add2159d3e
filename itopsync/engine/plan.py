"""Stage 3: plan what each observed link needs. The planner itself is pure (:mod:`itopsync.reconcile.planner`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import structlog

from itopsync.engine.observe import Observed, observe
from itopsync.engine.pair import Pair
from itopsync.engine.retry import report_fault, wait_after
from itopsync.errors import ItopsyncError
from itopsync.model import Link, Observation
from itopsync.reconcile.defaults import NOTHING_LOOKED_UP, LookedUp
from itopsync.reconcile.plan import UNREAD, Plan
from itopsync.reconcile.planner import plan_link, plan_unread

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Planned:
    """A link and its plan."""

    loaded: Link
    """As the store has it."""
    seen: Observation
    plan: Plan
    looked_up: LookedUp = NOTHING_LOOKED_UP


def plan(pair: Pair, observed: Sequence[Observed]) -> list[Planned]:
    """Plan what was observed, link by link; write nothing. A fault that a ticket triggers affects only its own link."""
    return [Planned(each.loaded, each.seen, _plan_one(pair, each), each.looked_up) for each in observed]


def _plan_one(pair: Pair, observed: Observed) -> Plan:
    link, seen, failure, now = observed.link, observed.seen, observed.unread, pair.clock()
    emptied = False
    if failure is None:
        try:
            singly = any(obstacle.tries for obstacle in link.obstacles)
            made = plan_link(link, seen, pair.fitting_rules(), now, singly=singly, looked_up=observed.looked_up)
            if made.unread is None:
                return _with_lost(made, observed)
            failure, emptied = made.unread, made.emptied
        except Exception as error:
            failure = report_fault(error, link)
    elif _is_untold(failure):
        log.error("ticket failed", link=link.id, ticket=str(link.external), reason=str(failure), exc_info=failure)
    wait = wait_after(failure, link, UNREAD, pair.settings, pair.rules.limits)
    return _with_lost(replace(plan_unread(link, failure, now, wait), emptied=emptied), observed)


def _is_untold(failure: ItopsyncError) -> bool:
    """Whether our code failed on what a server showed and this is not logged yet: a reported fault has no ``__cause__``."""
    return failure.__cause__ is not None


def _with_lost(made: Plan, observed: Observed) -> Plan:
    return replace(made, lost=(*observed.lost, *made.lost)) if observed.lost else made


def plan_in_batches(pair: Pair, links: Sequence[Link]) -> Iterator[list[Planned]]:
    """Observe and plan *links*, a batch at a time; write nothing."""
    chunk = pair.settings.chunk
    for start in range(0, len(links), chunk):
        yield plan(pair, observe(pair, links[start : start + chunk]))
