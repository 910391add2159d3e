"""The safety stop that a person must decide on, and the things that were accepted: exactly these, and none added since."""

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
    """Value of :class:`~itopsync.reconcile.safety.Excess`."""
    reason: str
    at: datetime
    """When a cycle first stopped in this way."""
    things: frozenset[str]
    """The affected items, as named by :meth:`~itopsync.reconcile.safety.Tally.things`."""

    @property
    def fingerprint(self) -> str:
        """Distinguishes this stop from one that has grown since."""
        return digest(self.kind, *sorted(self.things))[:12]

    def concerns(self, link: Link) -> bool:
        """Whether *link* is among those affected."""
        names = {str(link.id), str(link.external), str(link.internal)}
        return any(not names.isdisjoint(each.split()) for each in self.things)


def note(store: Store, stop: Stop) -> None:
    """Store what stopped a cycle; a stop that is already stored keeps its time."""
    known = current(store)
    if known is None or (known.kind, known.reason, known.things) != (stop.kind, stop.reason, stop.things):
        told = {"kind": stop.kind, "reason": stop.reason, "at": stop.at.isoformat(), "things": sorted(stop.things)}
        store.facts.put(_STOP, json.dumps(told))


def current(store: Store) -> Stop | None:
    """What stops the cycles now, if anything does."""
    text = store.facts.get(_STOP)
    if text is None:
        return None
    told = json.loads(text)
    return Stop(told["kind"], told["reason"], datetime.fromisoformat(told["at"]), frozenset(told["things"]))


def accept(store: Store, stop: Stop) -> None:
    """Let the things of a stop pass until a cycle has completed."""
    store.facts.put(_ACCEPTED, json.dumps(sorted(accepted(store) | stop.things)))
    store.facts.put(_STOP, None)


def accepted(store: Store) -> frozenset[str]:
    """The things that a person has let pass."""
    return frozenset(json.loads(store.facts.get(_ACCEPTED) or "[]"))


def forget(store: Store) -> None:
    """Forget the stop and what was accepted, because a cycle has completed."""
    for name in store.facts.several((_STOP, _ACCEPTED)):
        store.facts.put(name, None)
