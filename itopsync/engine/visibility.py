"""Detects that a side shows our account less than before, so that hidden objects are not taken for deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from itopsync.errors import AccessRefused, BadQuery, SafetyStop
from itopsync.itop.server import Server
from itopsync.model import FilePair, LinkStatus
from itopsync.reconcile.copies import is_of
from itopsync.reconcile.safety import Excess
from itopsync.store.store import Store

NEAR = 1_000
"""How many ids before a missing file's are looked at."""
_AT_ONCE = 200
"""How many known attachments one call looks for."""


def refuse_narrowness(server: Server, store: Store) -> None:
    """Check that a side where files are missing shows as many organisations as before; otherwise the files may merely be hidden.

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
    """Store how many organisations a side shows; a lower number than before only if *fewer*, as a person has accepted it."""
    count = count_organisations(server)
    if count is not None and (fewer or count > int(store.facts.get(_fact(server)) or 0)):
        store.facts.put(_fact(server), str(count))


def count_organisations(server: Server) -> int | None:
    """How many organisations our account sees; None if it may not read them."""
    try:
        return server.count("Organization", "SELECT Organization")
    except (AccessRefused, BadQuery):
        return None


def _fact(server: Server) -> str:
    return f"organisations.{server.side}"


def perhaps_restored(
    server: Server, store: Store, pair: str, gone: Collection[FilePair], others: Collection[int]
) -> Callable[[int], bool]:
    """Return a function that tells, by its id, whether a missing file may have been taken by the restore of a backup.

    A restore takes all of the last ids that the server gave, and the server then reuses them. So a missing file with a lower id
    than an attachment that is left was deleted, unless its id has been reused. The attachments that are looked at are those that
    we know, and unknown ones with ids shortly before the last of *gone* that are older than this. *others*: ids of further
    missing files.

    :raises RemoteError: the side cannot be asked
    """
    numbers, born = {file.original_id for file in gone}, max(file.born for file in gone)
    given_again = {each.id for each in server.attachments_where(_among(numbers.union(others)))}
    known, last = store.attachments.youngest(server.side, _AT_ONCE), 0
    while known and not last:
        listed = server.attachments_where(_among(known))
        last = max((each.id for each in listed if is_of(each, known[each.id], pair)), default=0)
        known = {} if last else store.attachments.youngest(server.side, _AT_ONCE, below=min(known))
    near = server.attachments_where(f"id > {max(last, max(numbers) - NEAR)} AND id < {max(numbers)}")
    last = max((each.id for each in near if each.id not in numbers and born and each.born and each.born <= born), default=last)
    return lambda number: number > last or number in given_again


def _among(ids: Iterable[int]) -> str:
    return f"id IN ({','.join(map(str, sorted(ids)))})"


def refuse_blindness(server: Server, store: Store) -> None:
    """Check that a side where a ticket is missing shows any ticket at all, or any organisation if at most one ticket is linked.

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
