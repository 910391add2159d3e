"""What stops a whole cycle before it writes: a plan that is larger than anybody would expect."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from itopsync.errors import SafetyStop
from itopsync.model import LinkStatus
from itopsync.reconcile.plan import Plan, Remove
from itopsync.reconcile.rules import Limits


@dataclass(frozen=True)
class Tally:
    """What the plans of one cycle come to."""

    creations: int = 0
    deletions: int = 0
    deleting: int = 0
    """Tickets from which attachments are to be deleted."""
    missing: int = 0
    """Linked tickets that are gone."""
    rewritten: int = 0
    """Tickets whose known entries all look different."""
    replaced: int = 0
    """Linked ids that are other tickets now."""
    markers: int = 0
    """Things of ours that stand there without their markers."""

    def add(self, plan: Plan) -> Tally:
        """This tally with *plan* counted in; creations are counted from the store, before anything is read."""
        deletions = sum(isinstance(action, Remove) for action in plan.actions)
        return Tally(
            self.creations,
            self.deletions + deletions,
            self.deleting + (deletions > 0),
            self.missing + (plan.link.status is LinkStatus.TOMBSTONE and plan.link.internal is not None and not plan.unlinked),
            self.rewritten + plan.rewritten,
            self.replaced + plan.replaced,
            self.markers + len(plan.lost),
        )


class Excess(StrEnum):
    """What a safety stop may be about: what ``run-once --accept`` takes."""

    CREATIONS = "creations"
    DELETIONS = "deletions"
    MISSING = "missing"
    REWRITTEN = "rewritten"
    REPLACED = "replaced"
    MARKERS = "markers"


_REASONS = {
    "creations": "{count} new tickets are to be created in internal, more than the limit of {limit}",
    "deletions": "{count} attachments of many tickets are to be deleted, more than the limit of {limit}",
    "missing": "{count} linked tickets are gone, more than the limit of {limit}; does an account see less than before?",
    "rewritten": "on {count} tickets all known log entries look different, more than the limit of {limit}; an upgraded server?",
    "replaced": "{count} linked ids are other tickets than before; was a server restored from a backup, or cloned?",
    "markers": "{count} entries of ours stand there without their markers; does a server lose them?",
}


def check(tally: Tally, limits: Limits, accepted: Collection[str] = ()) -> None:
    """Let a cycle's plan pass or not.

    :raises SafetyStop: a limit is exceeded and its kind is not among *accepted*
    """
    for kind, limit in {
        "markers": 0,
        "replaced": 0,
        "missing": limits.missing,
        "rewritten": limits.rewritten,
        "deletions": limits.deletions,
        "creations": limits.creations,
    }.items():
        count = getattr(tally, kind)
        if kind == "deletions" and tally.deleting <= min(limit, limits.deleting):
            continue  # the deed of a person on a few tickets; of those that lose very many each waits by itself
        if count > limit and kind not in accepted:
            reason = _REASONS[kind].format(count=count, limit=limit)
            do = f"stop the service, run `itopsync run-once --accept {kind}`, and start it again"
            raise SafetyStop(kind, f"{reason}. Look at `itopsync plan`; if it is right, {do}.")
