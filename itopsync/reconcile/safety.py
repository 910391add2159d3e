"""Stops a whole cycle before it exceeds a limit, if its plans are larger than anybody would expect."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from itopsync.errors import SafetyStop
from itopsync.reconcile.plan import UNREAD, Plan, Remove
from itopsync.reconcile.rules import Limits


@dataclass(frozen=True)
class Tally:
    """Everything the plans of a cycle would do, item by item, so that a person can accept exactly these items."""

    creations: frozenset[str] = frozenset()
    """The links that wait for a copy."""
    deletions: frozenset[str] = frozenset()
    """The attachments to be deleted, each preceded by its link."""
    missing: frozenset[str] = frozenset()
    """The links of tickets that are gone, or that lost copies of files or the copy's log."""
    rewritten: frozenset[str] = frozenset()
    """The links of tickets whose known entries all look different."""
    replaced: frozenset[str] = frozenset()
    """The tickets that are not the linked ones any more."""
    markers: frozenset[str] = frozenset()
    """The entries and files of ours that were found without their markers."""

    def add(self, plan: Plan) -> Tally:
        """This tally with *plan* added, except for creations, which are counted from the store before anything is read."""
        link = plan.link
        gone = link.internal is not None and link.base.ended is not None and bool(link.base.ended.gone)
        emptied = plan.emptied and not any(UNREAD.names(each) and each.tries > 1 for each in link.obstacles)  # count it once
        removed = (removed_thing(link.id, each) for each in plan.actions if isinstance(each, Remove))
        return Tally(
            self.creations,
            self.deletions.union(removed),
            self.missing.union([str(link.id)] if gone or plan.vanished or emptied else []),
            self.rewritten.union([str(link.id)] if plan.rewritten else []),
            self.replaced.union([str(link.external)] if plan.replaced else []),
            self.markers.union(lost_thing(each.ref, each.marker) for each in plan.lost),
        )

    def things(self, kind: str) -> frozenset[str]:
        """The things of one kind, each preceded by its kind."""
        return frozenset(thing(kind, each) for each in getattr(self, kind))


@dataclass(frozen=True)
class Accepted:
    """What a person has accepted although it exceeds a limit."""

    kinds: Collection[str] = ()
    """The kinds of which everything is accepted."""
    things: Collection[str] = ()
    """Single accepted things, each preceded by its kind."""

    def allows(self, kind: str, which: str) -> bool:
        """Whether this very thing may pass."""
        return kind in self.kinds or thing(kind, which) in self.things

    def left_of(self, tally: Tally, kind: str) -> list[str]:
        """The things of a kind that were not accepted."""
        return [which for which in getattr(tally, kind) if not self.allows(kind, which)]


def thing(kind: str, which: str) -> str:
    """The name of one thing that a stop is about: its kind, and *which*."""
    return f"{kind} {which}"


def removed_thing(link: int, removal: Remove) -> str:
    """The name of an attachment that is to be deleted."""
    return f"{link} {removal.side}:{removal.attachment_id}"


def lost_thing(ticket: object, marker: str) -> str:
    """The name of an entry or file of ours that was found without its marker."""
    return f"{ticket} {marker}"


class Excess(StrEnum):
    """What a safety stop may be about; the values are those that ``accept`` takes."""

    CREATIONS = "creations"
    DELETIONS = "deletions"
    MISSING = "missing"
    REWRITTEN = "rewritten"
    REPLACED = "replaced"
    MARKERS = "markers"


_REASONS = {
    Excess.CREATIONS: "{count} new tickets are to be created in internal, more than the limit of {limit}",
    Excess.DELETIONS: "{count} attachments of many tickets are to be deleted, more than the limit of {limit}; if a server was "
    "restored from a backup, these are the last copies",
    Excess.MISSING: "{count} linked tickets are gone, or copies of files or the log on them, more than the limit of {limit}; "
    "perhaps an account sees less than before, or a server was restored from a backup",
    Excess.REWRITTEN: "on {count} tickets all known entries look different, more than the limit of {limit}; perhaps by an "
    "upgrade",
    Excess.REPLACED: "{count} linked ids are other tickets than before; perhaps a url leads to another server, or a server was "
    "restored from a backup, or cloned",
    Excess.MARKERS: "{count} entries of ours stand there without their markers; perhaps a server loses them",
}


def check(tally: Tally, limits: Limits, accepted: Accepted) -> None:
    """Check a cycle's totals against the limits.

    :raises SafetyStop: what is not *accepted* exceeds a limit
    """
    for kind in _LIMITS:
        if exceeds(kind, tally, limits, accepted):
            reason = _REASONS[kind].format(count=len(accepted.left_of(tally, kind)), limit=_LIMITS[kind](limits))
            do = f"run `itopsync accept {kind}`"
            raise SafetyStop(kind, f"{reason}. Look at `itopsync plan`; if it is right, {do}.", counted=True)


_LIMITS: Mapping[Excess, Callable[[Limits], int]] = {
    Excess.MARKERS: lambda _: 0,
    Excess.REPLACED: lambda _: 0,
    Excess.MISSING: lambda limits: limits.missing,
    Excess.REWRITTEN: lambda limits: limits.rewritten,
    Excess.DELETIONS: lambda limits: limits.deletions,
    Excess.CREATIONS: lambda limits: limits.creations,
}


def exceeds(kind: Excess, tally: Tally, limits: Limits, accepted: Accepted) -> bool:
    """Whether the things of a kind that were not accepted exceed its limit.

    Deletions on only a few tickets are a person's doing; if one of these tickets loses very many files, it waits by itself.
    """
    left, limit = accepted.left_of(tally, kind), _LIMITS[kind](limits)
    if kind is Excess.DELETIONS and len({which.partition(" ")[0] for which in left}) <= min(limit, limits.deleting):
        return False
    return len(left) > limit
