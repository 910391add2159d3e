"""Where everything on a link came from, and what is still to come: told from the store and from both servers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from itopsync.model import FilePair, Link, LinkStatus, Observation, Side, Ticket
from itopsync.reconcile.identity import prefix
from itopsync.reconcile.notes import read
from itopsync.reconcile.plan import Plan
from itopsync.reconcile.richtext import head_markers
from itopsync.reconcile.rules import LogRule, Rules


@dataclass(frozen=True)
class EntryStory:
    """One entry of a log."""

    side: Side
    log: str
    at: datetime
    author: str
    what: str
    """``written here``, ``written here, stays here`` (before two were linked by hand), ``mirror of the other side's``,
    ``the mark of the link``, ``the mark of its end`` or ``our own word``."""
    carried_at: datetime | None = None
    """When it was carried to the other side, of one that was written here."""


@dataclass(frozen=True)
class Story:
    """Everything about one link."""

    link: Link
    states: dict[Side, str]
    entries: tuple[EntryStory, ...]
    files: tuple[FilePair, ...]
    plan: Plan
    ended: str = ""
    """Why nothing is carried any more, of a tombstone."""


def explain(link: Link, observation: Observation, rules: Rules, plan: Plan) -> Story:
    """Tell the story of one link. No text of a ticket is in it."""
    cls = rules.for_external(link.external.cls)
    tickets = {side: ticket for side in Side if (ticket := observation.of(side)) is not None}
    entries = tuple(
        entry for side, ticket in tickets.items() for log in cls.logs for entry in _entries(link, side, ticket, log, rules)
    )
    states = {side: ticket.state for side, ticket in tickets.items()}
    return Story(link, states, entries, plan.link.files, plan, _ended(link, observation))


def _ended(link: Link, seen: Observation) -> str:
    if link.status is not LinkStatus.TOMBSTONE:
        return ""
    gone = [str(ref) for side in Side if (ref := link.ref(side)) is not None and seen.of(side) is None]
    return f"{' and '.join(gone)} is gone" if gone else "unlinked by hand; `itopsync link` takes the two up again"


def _entries(link: Link, side: Side, ticket: Ticket, log: LogRule, rules: Rules) -> list[EntryStory]:
    name = log.name(side)
    people = {id(person.entry): person.marker for person in read(ticket, name, rules.pair, rules.side(side).accounts).people}
    told = []
    for entry in ticket.logs.get(name, ()):
        marker = people.get(id(entry))
        if marker is None:
            what, carried = _ours(head_markers(entry.html, rules.pair)[0], rules.pair), None
        else:
            record = link.base.notes.get(marker)
            stays = record is not None and record.carried_at is None
            what, carried = "written here, stays here" if stays else "written here", record.carried_at if record else None
        told.append(EntryStory(side, name, entry.at, entry.author, what, carried))
    return told


def _ours(marker: str, pair: str) -> str:
    kinds = {"t-": "the mark of the link", "u-": "the mark of its end", "w-": "our own word"}
    return kinds.get(marker.removeprefix(prefix(pair))[:2], "mirror of the other side's")
