"""The due links in processing order: first those that people have just touched, then those that have waited longest."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from itopsync.model import Link
from itopsync.reconcile.plan import UNREAD
from itopsync.store.store import Store

_BLOCKERS = "blockers"
"""The fact that names the blockers."""


class Blockers:
    """The links whose writes ended the previous cycle; they go last so that they cannot block the others again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.known = [int(number) for number in (store.facts.get(_BLOCKERS) or "").split(",") if number]
        self._went: set[int] = set()
        self._blocked: list[int] = []

    def went(self, link: int) -> None:
        """Record that no side stopped the work on *link*."""
        self._went.add(link)

    def blocked(self, link: int) -> None:
        """Record that a write for *link* ended the work because a side seemed unavailable."""
        self._blocked.append(link)

    def save(self) -> None:
        """Store the blockers for the next cycle; known ones that were not worked on stay."""
        if self._blocked or self.known:
            left = [number for number in self.known if number not in self._went]
            self._store.facts.put(_BLOCKERS, ",".join(map(str, dict.fromkeys((*self._blocked, *left)))) or None)


class Backlog:
    """The due links; each is handed out once, and again only if it becomes due again."""

    def __init__(self, store: Store, polled_at: datetime, last: Collection[int], only: Collection[int] | None) -> None:
        """*last*: links to hand out when nothing else is left, because they ended the previous cycle.

        *only*: hand out no other links.
        """
        self._store, self._only = store, only
        self._last = frozenset(last)
        self._alone: set[int] = set()
        """Links with a ticket that its server failed to show; each is handed out alone at the end, and delays no other."""
        self._polled_at = polled_at
        self._given: dict[int, datetime] = {}
        """The links handed out, each with the time of the preceding poll."""

    def polled(self, at: datetime) -> None:
        """Put first what a new poll found."""
        self._polled_at = at

    def take(self, limit: int, *, touched_only: bool = False) -> tuple[Link, ...]:
        """Return at most *limit* links, or none if nothing is left. *touched_only*: only links due since the last poll."""
        taken: list[Link] = []
        while not taken and (ids := self._pick_all(limit, self._last | self._alone, touched_only=touched_only)):
            links = {link.id: link for link in self._store.links.get(ids)}
            self._given |= dict.fromkeys(set(ids) - links.keys(), self._polled_at)
            self._alone |= {link.id for link in links.values() if self._may_fail_again(link)}
            taken = [links[number] for number in ids if number in links.keys() - self._alone]
        if not taken and self._last and not touched_only:
            self._last = frozenset()
            return self.take(limit)
        if not taken and self._alone and not touched_only:
            taken = list(self._store.links.get(self._pick_all(1, ())))
        self._given |= dict.fromkeys((link.id for link in taken), self._polled_at)
        return tuple(taken)

    def _may_fail_again(self, link: Link) -> bool:
        """Whether it is time to read a ticket again that its server failed to show."""
        return any(UNREAD.names(each) and (each.not_before or self._polled_at) <= self._polled_at for each in link.obstacles)

    def done(self, link: Link) -> None:
        """Record that a link was worked on and stored; it may be handed out again if it is due later."""
        if link.due_at is None or link.due_at > self._given.get(link.id, self._polled_at):
            self._given.pop(link.id, None)

    def _pick_all(self, limit: int, but: Collection[int], *, touched_only: bool = False) -> list[int]:
        if self._only is not None:
            due = (link.id for link in self._store.links.get(self._only) if link.due_at and link.due_at <= self._polled_at)
            return [number for number in due if number not in self._given and number not in but][:limit]
        touched = self._pick(limit, but, since=self._polled_at)
        return touched if touched_only else touched + self._pick(limit - len(touched), but, before=self._polled_at)

    def _pick(
        self, limit: int, but: Collection[int], *, since: datetime | None = None, before: datetime | None = None
    ) -> list[int]:
        found: list[int] = []
        after: tuple[datetime, int] | None = None
        while len(found) < limit:
            page = self._store.links.due_ids(self._polled_at, limit, since=since, before=before, after=after)
            found += [number for number, at in page if number not in self._given and number not in but]
            if len(page) < limit:
                break
            after = (page[-1][1], page[-1][0])
        return found[:limit]
