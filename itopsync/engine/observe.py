"""What both sides show of a batch of links, in as few calls as there are classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace

from itopsync.engine.waiting import answer_of
from itopsync.errors import Refused
from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import Attachment, Link, Observation, Ref, Side, Ticket
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

    def with_(self, other: Observed) -> Observed:
        """The same, but of some links what was seen later."""
        before = {link: failure for link, failure in self.unread.items() if link not in other.shown}
        return Observed({**self.shown, **other.shown}, {**before, **other.unread})


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
        on_ticket, unlisted = answer_of(attachments, stopping)
        read, unreadable = answer_of(tickets, stopping)
        for number, ticket in read.items():
            found[ticket.ref] = replace(ticket, attachments=on_ticket.get(number, ()))
        failed |= {Ref(side, cls, number): failure for number, failure in (unlisted | unreadable).items()}
    shown = {
        link.id: Observation(found.get(link.external), found.get(link.internal) if link.internal else None) for link in links
    }
    unread = {link.id: failed[ref] for link in links for side in Side if (ref := link.ref(side)) in failed}
    return Observed(shown, unread)


_Asked = tuple[
    Side,
    str,
    Future[tuple[dict[int, Ticket], dict[int, Refused]]],
    Future[tuple[dict[int, tuple[Attachment, ...]], dict[int, Refused]]],
]


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
