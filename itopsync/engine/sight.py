"""A side that shows nothing: what our account cannot see any more must not pass for what is gone."""

from __future__ import annotations

from itopsync.errors import AccessRefused, SafetyStop
from itopsync.itop.server import Server
from itopsync.model import LinkStatus
from itopsync.reconcile.safety import Excess
from itopsync.store.store import Store


def refuse_blindness(server: Server, store: Store) -> None:
    """See that a side on which something is missing shows any ticket at all, or any organisation where only one is linked.

    :raises SafetyStop: it shows none
    """
    linked = store.counts()[LinkStatus.LINKED]
    cls = "Ticket" if linked > 1 else "Organization"
    try:
        count = server.count(cls, f"SELECT {cls}")
    except AccessRefused:
        return
    if not count:
        what = f"no ticket at all, though {linked} are linked" if linked > 1 else "no organisation at all"
        raise SafetyStop(
            Excess.MISSING,
            f"{server.side} shows our account {what}; does it see less than before? Look at its allowed organisations there. If "
            f"they are really gone, run `itopsync run-once --accept {Excess.MISSING}`.",
        )
