"""A side that shows less than before: what our account can no longer see must not pass for deleted."""

from __future__ import annotations

from collections.abc import Collection

from itopsync.errors import AccessRefused, BadQuery, SafetyStop
from itopsync.itop.server import Server
from itopsync.model import Attachment, FilePair, LinkStatus
from itopsync.reconcile.markers import attachment_of, born_together
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


def last_left(server: Server, store: Store, pair: str, gone: Collection[FilePair]) -> int:
    """The highest id of an attachment that a side has kept, of those that it had when it had what is *gone*; 0 if none is known.

    A restored backup takes the last ids that the server gave, all of them: what is gone from below this one was deleted. Looked
    at are the attachments that we know, and those that we do not know shortly before the last one that is gone. What is younger
    than that, or bears the id of another one that we knew, came after the restore: ids are given again.

    :raises RemoteError: the side cannot be asked
    """
    numbers, born = {file.original_id for file in gone}, max(file.born for file in gone)
    known, below = store.attachments.youngest(server.side, _AT_ONCE), max(numbers)
    kept = 0
    while known and not kept:
        listed = server.attachments_where(f"id IN ({','.join(map(str, sorted(known)))})")
        kept = max((each.id for each in listed if _is_that(each, known[each.id], pair)), default=0)
        known = {} if kept else store.attachments.youngest(server.side, _AT_ONCE, below=min(known))
    near = server.attachments_where(f"id > {max(kept, below - _NEAR)} AND id < {below}")
    return max((each.id for each in near if each.id not in numbers and born and each.born and each.born <= born), default=kept)


def _is_that(attachment: Attachment, known: FilePair, pair: str) -> bool:
    """Whether an attachment is the original, or the copy, that bore its id when it was last seen."""
    named = attachment_of(attachment.temp_id, pair)
    if named is None:
        return attachment.id == known.original_id and born_together(attachment.born, known.born)
    return (named.side, named.id) == (known.origin, known.original_id) and born_together(named.born, known.born)


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
