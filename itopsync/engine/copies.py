"""The copies of links that wait for one: there is one where a create had no answer, or where the store knew more once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from itopsync.engine.fault import fault_of
from itopsync.engine.observe import attributes
from itopsync.engine.waiting import answer_of
from itopsync.errors import ItopsyncError
from itopsync.itop import oql
from itopsync.itop.server import Server
from itopsync.model import Link, Ref, Side
from itopsync.reconcile.identity import ticket_marker
from itopsync.reconcile.marks import is_copy
from itopsync.reconcile.plan import LostMarker
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.reconcile.unmarked import unmarked_opening

LOOK_FOR = 25
"""How many markers are looked for in one query: each is a scan of all logs (90 ms for 100,000 tickets)."""


@dataclass(frozen=True)
class Copies:
    """The copies of links that wait for one."""

    found: Mapping[int, Ref] = field(default_factory=dict)
    """By link."""
    unmarked: Mapping[int, LostMarker] = field(default_factory=dict)
    """Links whose copy was found by its first line, since the server had dropped its marker."""
    unread: Mapping[int, ItopsyncError] = field(default_factory=dict)
    """Links that may have one, on a ticket that the server fails to show."""


def search(links: Sequence[Link], server: Server, rules: Rules, pool: Executor) -> list[Future[Copies]]:
    """Begin to look on internal for the copies of *links* by their markers.

    A create whose answer was lost may have been carried out; it is never sent again before this was asked.
    """
    by_class: dict[str, list[Link]] = {}
    for link in links:
        by_class.setdefault(link.external.cls, []).append(link)
    return [
        pool.submit(find_copies, group[start : start + LOOK_FOR], rules.for_external(name), server, rules)
        for name, group in by_class.items()
        for start in range(0, len(group), LOOK_FOR)
    ]


def found(searches: Sequence[Future[Copies]], stopping: Callable[[], bool]) -> Copies:
    """Wait for what *searches* found.

    :raises Stopped: *stopping* says so, and the server has not answered yet
    """
    return _together([answer_of(one, stopping) for one in searches])


def find_copies(links: Sequence[Link], cls: ClassRules, server: Server, rules: Rules) -> Copies:
    """Look for the copies of a few links of one class."""
    log = cls.logs[0].internal
    condition = " OR ".join(f"{log} LIKE '%{ticket_marker(rules.pair, link.external)}%'" for link in links)
    sightings, hidden = server.readable_sightings(cls.internal, condition)
    numbers = [*(one.ref.id for one in sightings), *hidden]
    tickets, failures = server.readable_tickets(cls.internal, numbers, attributes(cls, Side.INTERNAL))
    unreadable: dict[int, ItopsyncError] = {**failures}
    copies: dict[int, Ref] = {}
    for number in sorted(tickets):
        for link in links:
            try:
                if is_copy(tickets[number], log, rules.pair, link.external, rules.internal.accounts):
                    copies.setdefault(link.id, tickets[number].ref)
            except Exception as error:
                unreadable[number] = fault_of(error, link)
    if unreadable and len(links) > 1:  # whose it may be
        return _together([find_copies([link], cls, server, rules) for link in links])
    unread = {link.id: failure for failure in unreadable.values() for link in links if link.id not in copies}
    lost = _find_unmarked([link for link in links if link.unsettled and link.id not in copies | unread], cls, server, rules)
    copies |= {link: one.ref for link, one in lost.items()}
    return Copies(copies, lost, unread)


def _find_unmarked(links: Sequence[Link], cls: ClassRules, server: Server, rules: Rules) -> dict[int, LostMarker]:
    """Look for copies that a create without an answer may have made on a server that drops markers.

    The first entry of such a one is ours, bears no marker, and names the external ticket.
    """
    numbered = {link.external_number: link for link in links if link.external_number}
    if not numbered:
        return {}
    log = cls.logs[0].internal
    condition = " OR ".join(f"{log} LIKE {oql.literal(f'%{number}%')}" for number in numbered)
    ids = [one.ref.id for one in server.sightings(cls.internal, condition, None)]
    tickets, _ = server.readable_tickets(cls.internal, ids, attributes(cls, Side.INTERNAL))
    found: dict[int, LostMarker] = {}
    for _, ticket in sorted(tickets.items()):
        for number, link in numbered.items():
            lost = unmarked_opening(ticket, log, rules.internal.accounts, number, ticket_marker(rules.pair, link.external))
            if lost is not None:
                found.setdefault(link.id, lost)
    return found


def _together(several: Sequence[Copies]) -> Copies:
    return Copies(
        {link: ref for one in several for link, ref in one.found.items()},
        {link: lost for one in several for link, lost in one.unmarked.items()},
        {link: failure for one in several for link, failure in one.unread.items()},
    )
