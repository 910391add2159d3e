"""The sides that lose our markers, remembered in the store so that no cycle writes anything until that is fixed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from itopsync.errors import SafetyStop
from itopsync.model import Side
from itopsync.reconcile.plan import LostMarker
from itopsync.reconcile.safety import Excess

if TYPE_CHECKING:
    from itopsync.store.store import Store  # not at run time: `itopsync --help` and the like load no database


@dataclass(frozen=True)
class Loss:
    """The evidence that a side loses markers."""

    side: Side
    at: datetime
    ticket: str
    sent: str
    kept: str
    """The tags that came back instead, without any text."""

    def __str__(self) -> str:
        return (
            f"{self.side} loses our markers: on {self.ticket} it was sent {self.sent} and gave back {self.kept or 'nothing'} "
            f"({self.at:%Y-%m-%d %H:%M} UTC)"
        )

    @property
    def remedy(self) -> str:
        """What an operator should do."""
        probe = "--probe" if self.side is Side.INTERNAL else "--probe-external"
        return (
            f"Nothing more is written until it keeps them: look for a changed sanitiser, an upgrade, an extension or a proxy "
            f"there, mend it, and run `itopsync check {probe}`, which writes one ticket to see, and lets the next cycle go on"
        )


def note(store: Store, lost: Sequence[LostMarker], now: datetime) -> None:
    """Record that sides lose markers, each with its first evidence."""
    for each in lost:
        if store.facts.get(_fact(each.ref.side)) is None:
            told = {"at": now.isoformat(), "ticket": str(each.ref), "sent": each.marker, "kept": each.kept}
            store.facts.put(_fact(each.ref.side), json.dumps(told))


def losses(store: Store) -> tuple[Loss, ...]:
    """The sides known to lose markers."""
    known = store.facts.several(map(_fact, Side))
    return tuple(_read(side, known[_fact(side)]) for side in Side if _fact(side) in known)


def forget(store: Store, side: Side) -> None:
    """Forget that a side lost markers, because it keeps them now or a person has accepted the loss."""
    store.facts.put(_fact(side), None)


def refuse_lossy(known: Sequence[Loss]) -> None:
    """Check that no side loses markers.

    :raises SafetyStop: one does
    """
    if known:
        raise SafetyStop(Excess.MARKERS, f"{known[0]}. {known[0].remedy}.")


def _read(side: Side, text: str) -> Loss:
    told = json.loads(text)
    return Loss(side, datetime.fromisoformat(told["at"]), told["ticket"], told["sent"], told["kept"])


def _fact(side: Side) -> str:
    return f"markers lost:{side}"
