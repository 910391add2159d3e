"""A safety stop that a person is asked about, and what was accepted of it: those very things, and none that came since."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from itopsync.reconcile.markers import digest

if TYPE_CHECKING:
    from itopsync.model import Link
    from itopsync.store.store import Store  # not at run time: `itopsync --help` and the like load no database

_STOP, _ACCEPTED = "stop", "accepted"


@dataclass(frozen=True)
class Stop:
    """What stopped the latest cycle."""

    kind: str
    """:class:`~itopsync.reconcile.safety.Excess`."""
    reason: str
    at: datetime
    """When it came to this."""
    things: frozenset[str]
    """What the plan would create, delete or take for gone, in the words of :meth:`~itopsync.reconcile.safety.Tally.things`."""

    @property
    def fingerprint(self) -> str:
        """What tells this plan from one that has grown since."""
        return digest(self.kind, *sorted(self.things))[:12]

    def concerns(self, link: Link) -> bool:
        """Whether it is about *link*, among others."""
        names = {str(link.id), str(link.external), str(link.internal)}
        return any(not names.isdisjoint(each.split()) for each in self.things)


def note(store: Store, stop: Stop) -> None:
    """Remember what stopped a cycle; one that is known keeps its time."""
    known = current(store)
    if known is None or (known.kind, known.reason, known.things) != (stop.kind, stop.reason, stop.things):
        told = {"kind": stop.kind, "reason": stop.reason, "at": stop.at.isoformat(), "things": sorted(stop.things)}
        store.facts.put(_STOP, json.dumps(told))


def current(store: Store) -> Stop | None:
    """What stops the cycles now."""
    text = store.facts.get(_STOP)
    if text is None:
        return None
    told = json.loads(text)
    return Stop(told["kind"], told["reason"], datetime.fromisoformat(told["at"]), frozenset(told["things"]))


def accept(store: Store, stop: Stop) -> None:
    """Let the things of a stop pass, until a cycle has come to its end."""
    store.facts.put(_ACCEPTED, json.dumps(sorted(accepted(store) | stop.things)))
    store.facts.put(_STOP, None)


def accepted(store: Store) -> frozenset[str]:
    """The things that a person has let pass."""
    return frozenset(json.loads(store.facts.get(_ACCEPTED) or "[]"))


def forget(store: Store) -> None:
    """Note that a cycle came to its end: nothing stops it, and what was accepted is done."""
    for name in store.facts.several((_STOP, _ACCEPTED)):
        store.facts.put(name, None)
