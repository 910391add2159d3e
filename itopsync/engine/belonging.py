"""Whether a store is this pair's, and the one that it had: with another one, tickets would be doubled or taken for others."""

from __future__ import annotations

from itopsync.errors import StoreError
from itopsync.itop.server import Server
from itopsync.model import LinkStatus, Side
from itopsync.reconcile.identity import prefix
from itopsync.reconcile.rules import Rules
from itopsync.store.store import Store

_PAIR = "pair"


def refuse_other_pair(store: Store, rules: Rules) -> str | None:
    """See that the store is not another pair's; return the pair that it is known to be of.

    :raises StoreError: it is; none of its links would be found again by their marks
    """
    known = store.fact(_PAIR)
    if known is not None and known != rules.pair:
        raise StoreError(
            f"{store.address.name}: this store is of pair '{known}', and the configuration's pair is '{rules.pair}'. Put "
            f"'{known}' back, or name another store.url."
        )
    return known


def claim(store: Store, rules: Rules) -> None:
    """Note that the store is this pair's, unless that stands there.

    :raises StoreError: it is another one's
    """
    if refuse_other_pair(store, rules) is None:
        store.put_fact(_PAIR, rules.pair)


def knows_nothing(store: Store) -> bool:
    """Whether the store has never seen a ticket."""
    if store.side(Side.EXTERNAL).cursor is not None:
        return False
    counts = store.counts()
    return not any(counts[status] for status in LinkStatus)


def refuse_lost_store(internal: Server, rules: Rules) -> None:
    """See that internal holds no copies of this pair: called before a store that knows nothing is used.

    :raises StoreError: it does; with this store, each ticket would get a second copy
    """
    for cls in rules.classes:
        log = cls.logs[0].name(Side.INTERNAL)
        count = internal.count(cls.internal, f"SELECT {cls.internal} WHERE {log} LIKE '%{prefix(rules.pair)}t-%'")
        if count:
            raise StoreError(
                f"internal holds {count} copies of pair {rules.pair} as {cls.internal}, and this store knows of none: was it "
                "lost? Run `itopsync rebuild`, or see store.url."
            )
