"""What both sides show of a batch of links, in as few calls as there are classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace

from itopsync.engine.waiting import answer_of
from itopsync.errors import Refused
from itopsync.itop import Attributes, Server
from itopsync.model import Attachment, Link, Observation, Ref, Side, Ticket
from itopsync.reconcile.identity import ticket_marker
from itopsync.reconcile.marks import is_copy
from itopsync.reconcile.rules import ClassRules, Kind, Rules

VERSION_TIME = "last_update"
"""Read as a date too, to tell whether a ticket changed only a moment ago."""


def attributes(cls: ClassRules, side: Side) -> Attributes:
    """What is read of a ticket of *cls* on *side*."""
    fields = {**cls.attributes(side), VERSION_TIME: Kind.DATE}
    return Attributes(fields=fields, logs=tuple(log.name(side) for log in cls.logs))


@dataclass(frozen=True)
class Observed:
    """What both sides show of a batch of links."""

    shown: Mapping[int, Observation]
    """By link; absent tickets are None."""
    unread: Mapping[int, Refused]
    """Links with a ticket that is there, or may be, but that its server fails to show; nothing can be told of these."""


def observe(
    links: Sequence[Link], servers: Mapping[Side, Server], rules: Rules, pool: Executor, stopping: Callable[[], bool]
) -> Observed:
    """Read both tickets of each link, with their attachments, all at once.

    :raises Stopped: *stopping* says so, and a server has not answered yet
    """
    found: dict[Ref, Ticket] = {}
    failed: dict[Ref, Refused] = {}
    asked = [ask for side in Side for ask in _ask(links, side, servers[side], rules, pool)]
    for side, cls, tickets, attachments in asked:
        on_ticket = answer_of(attachments, stopping)
        read, unreadable = answer_of(tickets, stopping)
        for number, ticket in read.items():
            found[ticket.ref] = replace(ticket, attachments=on_ticket.get(number, ()))
        failed |= {Ref(side, cls, number): failure for number, failure in unreadable.items()}
    shown = {
        link.id: Observation(found.get(link.external), found.get(link.internal) if link.internal else None) for link in links
    }
    unread = {link.id: failed[ref] for link in links for side in Side if (ref := link.ref(side)) in failed}
    return Observed(shown, unread)


_Asked = tuple[Side, str, Future[tuple[dict[int, Ticket], dict[int, Refused]]], Future[dict[int, tuple[Attachment, ...]]]]


def _ask(links: Sequence[Link], side: Side, server: Server, rules: Rules, pool: Executor) -> Iterator[_Asked]:
    """Ask for the tickets of each class, and for their attachments."""
    wanted: dict[tuple[str, str], list[int]] = {}
    for link in links:
        ref = link.ref(side)
        if ref is not None:
            wanted.setdefault((link.external.cls, ref.cls), []).append(ref.id)
    for (external, name), ids in wanted.items():
        yield (
            side,
            name,
            pool.submit(server.readable_tickets, name, ids, attributes(rules.for_external(external), side)),
            pool.submit(server.attachments_of, name, ids),
        )


@dataclass
class Copies:
    """The copies of links that wait for one."""

    found: dict[int, Ref] = field(default_factory=dict)
    """By link."""
    unread: dict[int, Refused] = field(default_factory=dict)
    """Links that may have one, on a ticket that the server fails to show."""


def find_copies(links: Sequence[Link], server: Server, rules: Rules) -> Copies:
    """Look on internal for the copies of *links* by their markers.

    A create whose answer was lost may have been carried out; it is never sent again before this was asked.
    """
    copies = Copies()
    by_class: dict[str, list[Link]] = {}
    for link in links:
        by_class.setdefault(link.external.cls, []).append(link)
    for name, group in by_class.items():
        for start in range(0, len(group), _LOOK_FOR):
            _find_among(group[start : start + _LOOK_FOR], rules.for_external(name), server, rules, copies)
    return copies


def _find_among(links: Sequence[Link], cls: ClassRules, server: Server, rules: Rules, copies: Copies) -> None:
    log = cls.logs[0].internal
    condition = " OR ".join(f"{log} LIKE '%{ticket_marker(rules.pair, link.external)}%'" for link in links)
    sightings = server.sightings(cls.internal, condition, None)
    numbers = [one.ref.id for one in sightings]
    tickets, unreadable = server.readable_tickets(cls.internal, numbers, attributes(cls, Side.INTERNAL))
    if unreadable and len(links) > 1:  # whose it may be
        for link in links:
            _find_among([link], cls, server, rules, copies)
        return
    for number in sorted(tickets):
        for link in links:
            if is_copy(tickets[number], log, rules.pair, link.external, rules.internal.account):
                copies.found.setdefault(link.id, tickets[number].ref)
    for failure in unreadable.values():
        copies.unread |= {link.id: failure for link in links if link.id not in copies.found}


_LOOK_FOR = 25
"""How many markers are looked for in one query: each is a scan of all logs (90 ms for 100,000 tickets)."""
