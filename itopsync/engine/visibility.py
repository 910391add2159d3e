"""A side that shows less than before: what our account can no longer see must not pass for deleted."""

from __future__ import annotations

from collections.abc import Collection

from itopsync.errors import AccessRefused, BadQuery, SafetyStop
from itopsync.itop.server import Server
from itopsync.model import FilePair, LinkStatus
from itopsync.reconcile.safety import Excess
from itopsync.store.store import Store

_NEAR = 1_000
"""How many ids near one that is gone are looked at."""


def refuse_narrowness(server: Server, store: Store) -> None:
    """Check that a side where files are missing shows as many organisations as before; else the files may be out of sight.

    A file without an organisation is shown only to accounts whose organisations are not limited.

    :raises SafetyStop: it shows fewer
    """
    known, count = int(store.facts.get(_fact(server)) or 0), count_organisations(server)
    if count is not None and count < known:
        raise SafetyStop(
            Excess.DELETIONS,
            f"attachments are gone from {server.side}, which shows our account {count} organisations instead of {known}; does it "
            "see less than before? Look at its allowed organisations there. If the attachments are really gone, run "
            f"`itopsync accept {Excess.DELETIONS}`.",
        )


def note_organisations(server: Server, store: Store, *, fewer: bool = False) -> None:
    """Remember how many organisations a side shows; *fewer* than before only if a person has confirmed it."""
    count = count_organisations(server)
    if count is not None and (fewer or count > int(store.facts.get(_fact(server)) or 0)):
        store.facts.put(_fact(server), str(count))


def count_organisations(server: Server) -> int | None:
    """How many organisations our account sees; None if it may not know."""
    try:
        return server.count("Organization", "SELECT Organization")
    except (AccessRefused, BadQuery):
        return None


def _fact(server: Server) -> str:
    return f"organisations.{server.side}"


def went_together(server: Server, gone: Collection[FilePair], others: Collection[int]) -> bool:
    """Whether next to nothing is left of what a side got between the first and the last of what is *gone* from there.

    Then a restored backup may have taken it all. What people delete, they choose from among what stays. An attachment that is
    younger than the last one came after the restore, under an id that is given again. *others*: ids that are gone besides. Looked
    at is what was attached soon after the first one, and shortly before the last.

    :raises RemoteError: the side cannot be asked
    """
    numbers = {file.original_id for file in gone}.union(others)
    first, last, born = min(numbers), max(numbers), max(file.born for file in gone)
    windows = ((first, min(last, first + _NEAR)), (max(first, last - _NEAR), last))
    near = (each for low, high in windows for each in server.attachments_where(f"id > {low} AND id < {high}"))
    return all(each.id in numbers or (born and each.born > born) for each in near)


def refuse_blindness(server: Server, store: Store) -> None:
    """Check that a side where something is missing shows any ticket at all, or any organisation if only one ticket is linked.

    :raises SafetyStop: it shows none
    """
    linked = store.links.counts()[LinkStatus.LINKED]
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
            f"they are really gone, run `itopsync accept {Excess.MISSING}`.",
        )
