"""Stage 2: read both tickets of a batch of links, with two calls for each class and side.

For a link that waits for its copy, internal is searched for one: by its marker, or by its first line if the server dropped the
marker. There may be a copy if a create got no answer, or if the store was restored from a time before the create. No create is
sent again before this search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

import structlog

from itopsync.engine.lookups import Need
from itopsync.engine.pair import Pair
from itopsync.engine.retry import report_fault
from itopsync.engine.store_guard import classes_of_copies
from itopsync.errors import BadQuery, ItopsyncError, Refused, TicketFault
from itopsync.itop import oql
from itopsync.itop.attributes import Attributes
from itopsync.itop.piecewise import NO_ID
from itopsync.model import VERSION_TIME, Attachment, Link, LinkStatus, Observation, Ref, Side, Ticket
from itopsync.reconcile import agree
from itopsync.reconcile.defaults import NOTHING_LOOKED_UP, LookedUp
from itopsync.reconcile.markers import like_tickets, ticket_marker
from itopsync.reconcile.plan import UNREAD, LostMarker
from itopsync.reconcile.rules import ClassRules, Kind
from itopsync.reconcile.ticket_markers import is_copy
from itopsync.reconcile.unmarked import remembered, unmarked_opening, with_markers_back

log = structlog.get_logger(__name__)

COPIES_AT_ONCE = 25
"""How many copies one query looks for. If they share no pattern, each takes a scan of all logs (90 ms for 100,000 short ones)."""


@dataclass(frozen=True)
class Observed:
    """A link, and what both sides show of it."""

    loaded: Link
    """As the store has it."""
    link: Link
    """``loaded``, with any copy that was found, and no longer in doubt if both tickets could be read."""
    seen: Observation
    unread: ItopsyncError | None = None
    """Why one of its tickets, or a possible copy, cannot be read; nothing can be decided about the link then."""
    lost: tuple[LostMarker, ...] = ()
    """The marker of its copy, if the copy was found without one."""
    looked_up: LookedUp = NOTHING_LOOKED_UP
    """What decides on its tickets' defaults besides the tickets themselves."""


def observe(pair: Pair, links: Sequence[Link]) -> list[Observed]:
    """Read both tickets of each link, with their attachments, and look for the copies of links that wait for one.

    For links that may get defaults, also look up what decides on them.

    :raises SideUnavailable: a server does not answer
    :raises Stopped: we were told to stop before a server answered
    """
    resting = {link.external: why for link in links if (why := _why_at_rest(link, pair)) is not None}
    read = [link for link in links if link.external not in resting]
    searches = _search_copies(pair, [link for link in read if link.status is LinkStatus.WAITING])
    shown = _read(pair, read)
    copies = _merge(pair.answer_of(search) for search in searches)
    adopted = {link.external: _adopt(pair, link, copies) for link in links if link.external in copies.found}
    shown = shown.updated(_read(pair, tuple(adopted.values()))) if adopted else shown
    copies = replace(copies, unread={**copies.unread, **resting})
    return _with_lookups(pair, [_observed(link, adopted.get(link.external, link), shown, copies) for link in links])


def _with_lookups(pair: Pair, observed: list[Observed]) -> list[Observed]:
    if not pair.lookups:
        return observed
    needs = (Need.of(each.link, each.seen, pair.rules) for each in observed if each.unread is None)
    looked_up = pair.lookups.ask_for([need for need in needs if need is not None])
    return [replace(each, looked_up=looked_up.get(each.link.external, NOTHING_LOOKED_UP)) for each in observed]


def _why_at_rest(link: Link, pair: Pair) -> ItopsyncError | None:
    """Why a link is not read now, even if somebody has touched it: its server just failed on it, which may take minutes."""
    for obstacle in link.obstacles:
        if UNREAD.names(obstacle) and obstacle.waits(pair.clock()):
            return TicketFault(obstacle.reason)
    return None


def _observed(loaded: Link, link: Link, shown: _Shown, copies: _Copies) -> Observed:
    failures = (shown.failed.get(ref) for ref in (link.external, link.internal) if ref is not None)
    unread = next(filter(None, (*failures, copies.unread.get(link.external))), None)
    if unread is None:
        link = replace(link, in_doubt=False)  # whatever was sent has landed by now, or never will
    internal = shown.tickets.get(link.internal) if link.internal else None
    seen = Observation(shown.tickets.get(link.external), internal).map(lambda ticket: with_markers_back(ticket, link))
    lost = copies.unmarked.get(link.external)
    return Observed(loaded, link, seen, unread, () if lost is None else (lost,))


# tickets


@dataclass(frozen=True)
class _Shown:
    """The tickets that both servers show, and those that they fail to show."""

    tickets: Mapping[Ref, Ticket]
    failed: Mapping[Ref, Refused]

    def updated(self, later: _Shown) -> _Shown:
        """The same, overridden by what was shown *later*."""
        failed = {ref: failure for ref, failure in self.failed.items() if ref not in later.tickets}
        return _Shown({**self.tickets, **later.tickets}, {**failed, **later.failed})


@dataclass(frozen=True)
class _Reading:
    """The tickets requested of one class, and their attachments."""

    side: Side
    cls: str
    tickets: Future[tuple[dict[int, Ticket], dict[int, Refused]]]
    attachments: Future[tuple[dict[int, tuple[Attachment, ...]], dict[int, Refused]]]


def _read(pair: Pair, links: Sequence[Link]) -> _Shown:
    """Read both tickets of every link, all at once."""
    tickets: dict[Ref, Ticket] = {}
    failed: dict[Ref, Refused] = {}
    for reading in [reading for side in Side for reading in _ask(pair, links, side)]:
        attached, unlisted = pair.answer_of(reading.attachments)
        read, unreadable = pair.answer_of(reading.tickets)
        for number, ticket in read.items():
            tickets[ticket.ref] = replace(ticket, attachments=attached.get(number, ()))
        failed |= {Ref(reading.side, reading.cls, number): why for number, why in (unlisted | unreadable).items()}
    return _Shown(tickets, failed)


def _ask(pair: Pair, links: Sequence[Link], side: Side) -> Iterator[_Reading]:
    """Request the tickets of each class, and their attachments."""
    wanted: dict[tuple[str, str], list[int]] = {}
    for link in links:
        ref = link.ref(side)
        if ref is not None:
            wanted.setdefault((link.external.cls, ref.cls), []).append(ref.id)
    server, pool = pair.servers[side], pair.threads.readers
    for (external, name), ids in wanted.items():
        named = Attributes.of(pair.rules.for_external(external), side)
        yield _Reading(
            side, name, pool.submit(server.readable_tickets, name, ids, named), pool.submit(server.attachments_of, name, ids)
        )


# copies


@dataclass(frozen=True)
class _Copies:
    """The copies found for external tickets whose links have none yet."""

    found: Mapping[Ref, Ref]
    unmarked: Mapping[Ref, LostMarker]
    """External ticket → the lost marker, if its copy was found by the first line because the server had dropped the marker."""
    unread: Mapping[Ref, ItopsyncError]
    """External ticket → the failure, if its copy may be a ticket that the server fails to show."""


def _adopt(pair: Pair, link: Link, copies: _Copies) -> Link:
    copy = copies.found[link.external]
    log.info("copy found", link=link.id, copy=str(copy))
    adopted = agree.adopted(link, copy, pair.rules.for_external(link.external.cls))
    return remembered(adopted, [copies.unmarked[link.external]]) if link.external in copies.unmarked else adopted


def _search_copies(pair: Pair, links: Sequence[Link]) -> list[Future[_Copies]]:
    """Start searching internal for the copies of *links* by their markers."""
    by_class: dict[str, list[Link]] = {}
    for link in links:
        by_class.setdefault(link.external.cls, []).append(link)
    for group in by_class.values():
        group.sort(key=lambda link: link.external.id)  # neighbouring ids share a pattern
    return [
        pair.threads.readers.submit(_find_copies, pair, group[start : start + COPIES_AT_ONCE], pair.rules.for_external(name))
        for name, group in by_class.items()
        for start in range(0, len(group), COPIES_AT_ONCE)
    ]


def _find_copies(pair: Pair, links: Sequence[Link], cls: ClassRules) -> _Copies:
    """Look for the copies of a few links of one class, in every class that may hold them."""
    names = classes_of_copies(pair.store, cls)
    places = {name: logs_of(pair, name, cls) for name in names}
    several = _merge(_find_copies_in(pair, links, cls, name, places[name]) for name in reversed(names) if places[name])
    return replace(several, unread={ref: why for ref, why in several.unread.items() if ref not in several.found})


def logs_of(pair: Pair, name: str, cls: ClassRules) -> tuple[str, ...]:
    """The logs of *cls* that the internal class *name* has; it need not be the configured class."""
    if name == cls.internal:
        return cls.internal_logs

    def has(log: str) -> bool:
        try:
            pair.servers[Side.INTERNAL].count(name, f"SELECT {name} WHERE id = 0 AND {log} LIKE '%'")
        except BadQuery:
            return False
        return True

    return tuple(filter(has, cls.internal_logs))


def _find_copies_in(pair: Pair, links: Sequence[Link], cls: ClassRules, name: str, logs: Sequence[str]) -> _Copies:
    """Look for the copies of a few links in one internal class."""
    server, rules, asked = pair.servers[Side.INTERNAL], pair.rules, Attributes(fields={VERSION_TIME: Kind.DATE}, logs=tuple(logs))
    patterns = list(like_tickets(rules.pair, [link.external for link in links]))
    condition = " OR ".join(f"{log} LIKE {oql.literal(pattern)}" for log in logs for pattern in patterns)
    sightings, hidden = server.readable_sightings(name, condition)
    numbers = [*(sighting.ref.id for sighting in sightings), *hidden]
    tickets, failures = server.readable_tickets(name, numbers, asked)
    unnamed = {number: why for number, why in hidden.items() if number == NO_ID}
    unreadable: dict[int, ItopsyncError] = {**unnamed, **failures}
    found: dict[Ref, Ref] = {}
    for number in sorted(tickets):
        for link in links:
            try:
                if is_copy(tickets[number], logs, rules.pair, link.external, rules.internal.accounts):
                    found.setdefault(link.external, tickets[number].ref)
            except Exception as error:
                unreadable[number] = report_fault(error, link)
    if unreadable and len(links) > 1:  # it may be the copy of any of the links
        return _merge(_find_copies_in(pair, [link], cls, name, logs) for link in links)
    unread = {link.external: failure for failure in unreadable.values() for link in links if link.external not in found}
    doubtful = [link for link in links if link.in_doubt and link.external not in found | unread]
    unmarked, unseen = _find_unmarked(pair, doubtful, name, logs[0]) if cls.logs[0].internal == logs[0] else ({}, None)
    if unseen is not None:
        unread |= {link.external: unseen for link in doubtful if link.external not in unmarked}
    return _Copies(found | {external: lost.ref for external, lost in unmarked.items()}, unmarked, unread)


def _find_unmarked(pair: Pair, links: Sequence[Link], name: str, log: str) -> tuple[dict[Ref, LostMarker], ItopsyncError | None]:
    """Look for copies that an unanswered create may have made on a server that drops markers.

    The first entry of such a copy is ours, bears no marker, and names the external ticket. Also return why a copy may have been
    missed, if so.
    """
    numbered = {link.external_number: link for link in links if link.external_number}
    if not numbered:
        return {}, None
    server, rules = pair.servers[Side.INTERNAL], pair.rules
    condition = " OR ".join(f"{log} LIKE {oql.literal(f'%{number}%')}" for number in numbered)
    sightings, hidden = server.readable_sightings(name, condition)
    numbers = [*(sighting.ref.id for sighting in sightings), *hidden]
    tickets, failures = server.readable_tickets(name, numbers, Attributes(fields={VERSION_TIME: Kind.DATE}, logs=(log,)))
    found: dict[Ref, LostMarker] = {}
    for _, ticket in sorted(tickets.items()):
        for number, link in numbered.items():
            marker = ticket_marker(rules.pair, link.external)
            lost = unmarked_opening(ticket, log, rules.internal.accounts, number, marker)
            if lost is not None:
                found.setdefault(link.external, lost)
    return found, next(iter(failures.values()), hidden.get(NO_ID))


def _merge(several: Iterable[_Copies]) -> _Copies:
    """Merge the results of several searches."""
    merged = list(several)
    return _Copies(
        {external: ref for copies in merged for external, ref in copies.found.items()},
        {external: lost for copies in merged for external, lost in copies.unmarked.items()},
        {external: failure for copies in merged for external, failure in copies.unread.items()},
    )
