"""Attachments that went leave no trace: they are found by counting, then by halving, so nothing is listed when nothing went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from itopsync.itop import Server
from itopsync.model import Attachment, Ref, Side
from itopsync.reconcile.identity import prefix
from itopsync.reconcile.rules import Rules
from itopsync.store import Store

AT_ONCE = 5_000
"""On so many tickets attachments are counted with one call. Their ids stand in the query: 5,000 of them take iTop 0.8 s to read
the first time and 0.14 s each further time, 20,000 take 6.5 s."""
_LIST_FROM = 400
"""On so few tickets attachments are listed rather than the tickets halved again."""


@dataclass(frozen=True)
class Searched:
    """What a search for other attachments than are known has found."""

    links: frozenset[int] = frozenset()
    """Links whose tickets have other ones."""
    last: int | None = None
    """The link after which the next part begins; None: this was the last."""


def search(side: Side, server: Server, store: Store, rules: Rules, *, live: bool, after: int = 0) -> Searched:
    """Search one part of the linked tickets with attachments, beginning behind a link: one call where all are as they were.

    *live* asks about the tickets that can still change, or else about the others, which are a sweep's.
    """
    part = store.files_by_ticket(side, AT_ONCE, live=live, after=after)
    owners = [_Owner(cls, ticket, count) for cls, counts in part.tickets.items() for ticket, count in counts.items()]
    if not owners:
        return Searched(last=part.last)
    looking = _Search(side, server, store, prefix(rules.pair), part.highest)
    other = looking.tickets(sorted(owners, key=lambda owner: (owner.cls, owner.id)))
    links = (store.link_of(ref) for ref in sorted(other))
    return Searched(frozenset(link.id for link in links if link is not None), part.last)


def search_all(side: Side, server: Server, store: Store, rules: Rules, *, live: bool) -> frozenset[int]:
    """Search all parts; return the links whose tickets have other attachments than are known."""
    found: frozenset[int] = frozenset()
    after: int | None = 0
    while after is not None:
        part = search(side, server, store, rules, live=live, after=after)
        found |= part.links
        after = part.last
    return found


@dataclass(frozen=True)
class _Owner:
    """A ticket, and how many attachments should be on it."""

    cls: str
    id: int
    count: int


@dataclass(frozen=True)
class _Search:
    """A search among attachments up to the highest known id: what came since is the poll's."""

    side: Side
    server: Server
    store: Store
    ours: str
    """How the marks of our own begin."""
    highest: int

    def tickets(self, owners: Sequence[_Owner]) -> set[Ref]:
        """The tickets that have other attachments than are known."""
        found: set[Ref] = set()
        for part in self._parts(owners, self._missing(owners)):
            there: dict[tuple[str, int], set[int]] = {}
            for one in self._listed(part):
                there.setdefault((one.cls, one.item_id), set()).add(one.id)
            for owner in part:
                ids = there.get((owner.cls, owner.id), set())
                if len(ids) != owner.count or ids != self.store.attachments_of(self.side, owner.cls, [owner.id]):
                    found.add(Ref(self.side, owner.cls, owner.id))
        return found

    def _parts(self, owners: Sequence[_Owner], missing: int) -> Iterator[Sequence[_Owner]]:
        """Cut *owners*, of whose attachments *missing* are gone (fewer than none: there are others), to the parts at fault."""
        if missing == 0:
            return
        if len(owners) <= _LIST_FROM:
            yield owners
            return
        left, right = owners[: len(owners) // 2], owners[len(owners) // 2 :]
        in_left = self._missing(left)
        yield from self._parts(left, in_left)
        yield from self._parts(right, missing - in_left)

    def _missing(self, owners: Sequence[_Owner]) -> int:
        return sum(owner.count for owner in owners) - self.server.count_attachments(self._condition(owners))

    def _listed(self, owners: Sequence[_Owner]) -> tuple[Attachment, ...]:
        return self.server.attachments_where(self._condition(owners))

    def _condition(self, owners: Sequence[_Owner]) -> str:
        """What finds the attachments that we know of on *owners*, and no pictures or texts of ours."""
        by_class: dict[str, list[int]] = {}
        for owner in owners:
            by_class.setdefault(owner.cls, []).append(owner.id)
        on = " OR ".join(
            f"(item_class = '{cls}' AND item_id IN ({','.join(map(str, ids))}))" for cls, ids in sorted(by_class.items())
        )
        ours = self.ours
        known = f"(ISNULL(temp_id) OR temp_id NOT LIKE '{ours}%' OR temp_id LIKE '{ours}a-%')"
        return f"({on}) AND {known} AND id <= {self.highest}"
