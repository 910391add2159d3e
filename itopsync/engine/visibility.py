"""A side that shows less than before: what our account can no longer see must not pass for deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from itopsync.errors import AccessRefused, BadQuery, SafetyStop
from itopsync.itop.server import Server
from itopsync.model import FilePair, LinkStatus
from itopsync.reconcile.copies import is_of
from itopsync.reconcile.safety import Excess
from itopsync.store.store import Store

_NEAR = 1_000
"""How many ids before one that is gone are looked at."""
_AT_ONCE = 200
"""How many known attachments are looked for by one call."""


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


def perhaps_restored(
    server: Server, store: Store, pair: str, gone: Collection[FilePair], others: Collection[int]
) -> Callable[[int], bool]:
    """Return what tells of the id of a file that is gone from a side whether a restored backup may have taken it.

    A restore takes the last ids that the server gave, all of them, and the server gives them again. So what is gone from below an
    attachment that is left was deleted, unless its id is another one's by now. Looked at are the attachments that we know, and
    those that we do not know shortly before the last one of what is *gone*, if they are older than that one. *others*: ids of
    files that are gone besides.

    :raises RemoteError: the side cannot be asked
    """
    numbers, born = {file.original_id for file in gone}, max(file.born for file in gone)
    given_again = {each.id for each in server.attachments_where(_among(numbers.union(others)))}
    known, last = store.attachments.youngest(server.side, _AT_ONCE), 0
    while known and not last:
        listed = server.attachments_where(_among(known))
        last = max((each.id for each in listed if is_of(each, known[each.id], pair)), default=0)
        known = {} if last else store.attachments.youngest(server.side, _AT_ONCE, below=min(known))
    near = server.attachments_where(f"id > {max(last, max(numbers) - _NEAR)} AND id < {max(numbers)}")
    last = max((each.id for each in near if each.id not in numbers and born and each.born and each.born <= born), default=last)
    return lambda number: number > last or number in given_again


def _among(ids: Iterable[int]) -> str:
    return f"id IN ({','.join(map(str, sorted(ids)))})"


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
