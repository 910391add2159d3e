"""Tells where everything on a link came from and what is still to come, or why a ticket has no link. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from itopsync.engine import stops
from itopsync.engine.observe import logs_of
from itopsync.engine.pair import Pair
from itopsync.engine.plan import Planned
from itopsync.engine.scope import left_behind, why_not
from itopsync.engine.store_guard import classes_of_copies, refuse_wrong
from itopsync.itop import oql
from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import End, FilePair, Link, LinkStatus, Observation, Ref, Side, Sighting
from itopsync.reconcile.ends import seen_again, why
from itopsync.reconcile.entries import read
from itopsync.reconcile.markers import prefix
from itopsync.reconcile.plan import Kept, Plan
from itopsync.reconcile.richtext import any_markers
from itopsync.reconcile.rules import LogRule, Rules
from itopsync.reconcile.ticket_markers import read_ticket_markers

SWEEP_NOW = "run `itopsync sweep`, or `itopsync run-once --sweep` if no service is running"
"""Names both commands, because ``run-once`` is refused while a service is running."""


@dataclass(frozen=True)
class EntryStory:
    """One entry of a log."""

    side: Side
    log: str
    at: datetime
    author: str
    what: str
    """``written here``, ``written here, stays here`` (from before a link by hand), ``written here, kept in internal``,
    ``mirror of the other side's``, ``the mark of the link``, ``the mark of its end``, ``our own notice``, ``another pair's
    notice: carried nowhere`` or ``ours, without a mark: carried nowhere``."""
    carried_at: datetime | None = None
    """When an entry written here was carried to the other side."""
    why: str = ""
    """Why it stays in internal."""


@dataclass(frozen=True)
class Story:
    """Everything about one link."""

    link: Link
    states: dict[Side, str]
    entries: tuple[EntryStory, ...]
    files: tuple[FilePair, ...]
    plan: Plan
    ended: str = ""
    """For a tombstone: why nothing is carried any more."""
    unscoped: str = ""
    """For a ticket that waits for its copy: why it gets none since the scope was changed."""
    stopped: str = ""
    """Why all cycles stop, if this link is affected."""


def explain(pair: Pair, planned: Planned) -> Story:
    """Tell the story of one link, without any text of its tickets.

    :raises RemoteError: external cannot be asked whether a ticket that waits for its copy is in scope
    """
    link, seen, plan, rules = planned.loaded, planned.seen, planned.plan, pair.rules
    cls = rules.for_external(link.external.cls)
    tickets = {side: ticket for side in Side if (ticket := seen.of(side)) is not None}
    entries = tuple(entry for side in tickets for log in cls.logs for entry in _entries(planned, side, log, rules))
    states = {side: ticket.state for side, ticket in tickets.items()}
    unscoped = why_not(pair.servers[Side.EXTERNAL], rules, link.external) or "" if link.id in left_behind(pair) else ""
    plan = Plan(link) if unscoped else plan
    stop = stops.current(pair.store)
    stopped = stop.reason if stop is not None and stop.concerns(link) else ""
    return Story(link, states, entries, plan.link.files, plan, _ended(link, seen, rules), unscoped, stopped)


def _ended(link: Link, seen: Observation, rules: Rules) -> str:
    if link.status is not LinkStatus.TOMBSTONE:
        return ""
    cls = rules.for_external(link.external.cls)
    if any(seen_again(link, ticket, cls, rules) for side in Side if (ticket := seen.of(side)) is not None):
        return f"{why(link)}, and is back: the next sweep parks it for you to decide; to sweep now, {SWEEP_NOW}"
    if link.base.ended is End.UNLINKED:
        return f"{why(link)}; `itopsync link` takes the two up again, from then on; with `--history` also what one side lacks"
    return why(link)


def _entries(planned: Planned, side: Side, log: LogRule, rules: Rules) -> list[EntryStory]:
    link, name, ticket = planned.loaded, log.of(side), planned.seen.of(side)
    reading = read(link, planned.seen, side, log, rules)
    people = {id(person.entry): person for person in reading.people}
    kept = {remark.key: remark.reason for remark in planned.plan.remarks if remark.kept is Kept.INTERNAL_NOTE}
    told = []
    for entry in ticket.logs.get(name, ()) if ticket is not None else ():
        person = people.get(id(entry))
        if person is None:
            told.append(EntryStory(side, name, entry.at, entry.author, _ours(entry.html, rules.pair)))
            continue
        record, why = link.base.notes.get(person.marker), kept.get(person.item.key, "")
        stays = record is not None and record.carried_at is None
        what = "written here, stays here" if stays else "written here, kept in internal" if why else "written here"
        told.append(EntryStory(side, name, entry.at, entry.author, what, record.carried_at if record else None, why))
    return told


def _ours(html: str, pair: str) -> str:
    kinds = {"t": "the mark of the link", "u": "the mark of its end", "w": "our own notice"}
    ours = [marker.removeprefix(prefix(pair)) for marker in any_markers(html) if marker.startswith(prefix(pair))]
    if not ours:
        return "another pair's notice: carried nowhere" if any_markers(html) else "ours, without a mark: carried nowhere"
    return kinds.get(ours[0][0], "mirror of the other side's")


# tickets without a link


@dataclass(frozen=True)
class Unlinked:
    """A ticket without a link."""

    ref: Ref
    number: str
    why: str


def unlinked(pair: Pair, text: str) -> tuple[Unlinked, ...]:
    """The existing tickets of any class that match *text* and have no link, each with the reason.

    *text* is a number (``R-000017``) or a ref (``external:UserRequest:17``, or without the side).

    :raises StoreError: the store is not the one that the pair had, so its answer would be wrong
    """
    found = tuple(
        Unlinked(seen.ref, seen.number, _why(pair, server, seen))
        for side, server in pair.servers.items()
        for seen in _seen(side, server, text.strip())
        if pair.store.links.of(seen.ref) is None
    )
    if found:
        refuse_wrong(pair.store, pair.servers, pair.rules)
    return found


def _seen(side: Side, server: Server, typed: str) -> Iterator[Sighting]:
    if typed.isdigit():  # a link's number
        return
    found = Ref.parse(typed, side)
    if found is None:
        yield from server.sightings("Ticket", f"this.ref = {oql.literal(typed.upper())}")
    elif found.side is side:
        yield from (sighting for sighting in server.sightings("Ticket", "", [found.id]) if sighting.ref == found)


def _why(pair: Pair, server: Server, seen: Sighting) -> str:
    if seen.ref.side is Side.INTERNAL:
        if (external := _marked_for(pair, server, seen.ref)) is not None:
            link = pair.store.links.of(external)
            is_second = link is not None and link.internal is not None
            what = (
                f"second copy of {external}, or a clone of that" if is_second else f"copy of {external}, but no link leads to it"
            )
            return f"it is a {what}: what people write on it goes nowhere"
        return "it is internal's own, no copy: such tickets are never carried"
    return why_not(server, pair.rules, seen.ref) or (
        "it is in scope, and the next cycle takes it up; if it came into scope only later, the next sweep does; "
        f"to sweep now, {SWEEP_NOW}"
    )


def _marked_for(pair: Pair, server: Server, ref: Ref) -> Ref | None:
    """The external ticket whose copy an internal one is by the marks that we wrote on it; None: it is nobody's."""
    for cls in pair.rules.classes:
        logs = logs_of(pair, ref.cls, cls) if ref.cls in classes_of_copies(pair.store, cls) else ()
        tickets, _ = server.readable_tickets(ref.cls, [ref.id] if logs else [], Attributes(logs=tuple(logs)))
        for ticket in tickets.values():
            marks = read_ticket_markers(ticket, logs, pair.rules.pair, pair.rules.internal.accounts)
            for external in sorted(marks.standing):
                if external.cls == cls.external:
                    return external
    return None
