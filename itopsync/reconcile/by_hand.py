"""What an operator may do to a link: try again, let it rest, take it up again, make one of two tickets, part them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from itopsync.model import TICKET, FilePair, FileStatus, Link, LinkStatus, NoteRecord, Observation, Obstacle, Side
from itopsync.reconcile.entries import arrived
from itopsync.reconcile.files import MANY_DELETIONS, pair_files
from itopsync.reconcile.form import alike, plan_values
from itopsync.reconcile.markers import ticket_marker
from itopsync.reconcile.notes import read_log
from itopsync.reconcile.part import Part
from itopsync.reconcile.rebuilding import FILE_WITHOUT_COPY, TICKET_WITHOUT_COPY, base_of_now
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.state import correspond

_WORKED_ON = (LinkStatus.WAITING, LinkStatus.LINKED, LinkStatus.UNLINKING)


def retried(link: Link, now: datetime) -> Link:
    """The link with all that stood in its way forgotten, to be looked at *now*; a write that settles goes on settling.

    Deletions that were too many pass from now on: what lets them is remembered until they are fewer.
    """
    if link.status not in _WORKED_ON:
        return link
    many = (one for one in link.obstacles if one.key == MANY_DELETIONS.key)
    passing = tuple(replace(one, tries=0, parked=False, not_before=None) for one in many)
    return replace(link, obstacles=passing, due_at=link.due_at if link.in_doubt else now)


def parked(link: Link) -> Link:
    """The link as a whole at rest."""
    if link.status in (LinkStatus.TOMBSTONE, LinkStatus.UNLINKING):
        return link
    obstacle = Obstacle(TICKET, "", "parked by hand; `itopsync resume` takes it up again", tries=0, parked=True, not_before=None)
    return replace(link, status=LinkStatus.PARKED, obstacles=(obstacle,))


def resumed(link: Link, now: datetime) -> Link:
    """A parked link taken up again, with the external ticket as it is now taken for the one that was linked."""
    if link.status is not LinkStatus.PARKED:
        return link
    status = LinkStatus.LINKED if link.internal else LinkStatus.WAITING
    number = "" if any(one.tries for one in link.obstacles) else link.external_number  # it may bear another one now
    return retried(replace(link, status=status, external_number=number, base=replace(link.base, born="")), now)


def to_be_copied(link: Link, now: datetime) -> Link:
    """The link with what `rebuild` found no copy of to be copied after all."""
    reasons = {one.reason for one in link.obstacles}
    if TICKET_WITHOUT_COPY.reason in reasons:
        return resumed(link, now)
    if FILE_WITHOUT_COPY.reason not in reasons:
        return link
    others = tuple(one for one in link.obstacles if one.reason != FILE_WITHOUT_COPY.reason)
    return replace(retried(link, now), obstacles=others)


def unlinked(link: Link, now: datetime, *, notice: bool) -> Link:
    """The link at its end. With *notice*, that is told in internal by the next cycle; nothing else is carried from now on."""
    if link.status is LinkStatus.TOMBSTONE or may_have_a_copy(link):
        return link
    if notice and link.internal is not None:
        return retried(replace(link, status=LinkStatus.UNLINKING), now)
    return replace(link, status=LinkStatus.TOMBSTONE, obstacles=(), due_at=None, in_doubt=False)


def may_have_a_copy(link: Link) -> bool:
    """Whether a copy may have been made of which nothing is known yet: that must have settled before two are unlinked."""
    return link.internal is None and link.in_doubt


@dataclass(frozen=True)
class Joined:
    """Two existing tickets as a link, and what an operator should know before."""

    link: Link
    differs: tuple[str, ...]
    """``state`` and attributes (external names) in which the sides differ: left as they are until they are changed."""
    notes: Mapping[Side, int]
    """How many entries of people stand on each side that the other one does not have."""
    files: Mapping[Side, int]
    """Likewise attachments."""


def joined(link: Link, observation: Observation, rules: Rules, now: datetime, *, history: bool = False) -> Joined:
    """Make *link* of two tickets as they are: both sides are taken for agreed.

    With *history*, the entries and files that stand there are carried; without it, they stay where they are.
    """
    situation = Situation(link, observation, rules, rules.for_external(link.external.cls), now)
    stay: dict[str, NoteRecord] = {}
    for side in Side:
        stay |= {marker: NoteRecord(side, None) for marker in _apart(situation, side)}
    apart = [pair for pair in pair_files(_fresh(situation), Part()) if pair.copy_id is None]
    files = tuple(FilePair(pair.origin, pair.original_id, None, FileStatus.KEPT) for pair in apart)
    differs = _differing(situation)
    base = base_of_now(observation, situation.cls, differs)
    mark = {ticket_marker(rules.pair, link.external): NoteRecord(Side.EXTERNAL, None, writes=0)}
    made = replace(
        link,
        status=LinkStatus.LINKED,
        external_number=situation.ticket(Side.EXTERNAL).number,
        internal_number=situation.ticket(Side.INTERNAL).number,
        base=replace(base, notes=mark if history else {**mark, **stay}),
        files=() if history else files,
        obstacles=(),
        due_at=now,
    )
    notes = Counter(record.origin for record in stay.values())
    return Joined(made, differs, notes, Counter(pair.origin for pair in apart))


def _fresh(situation: Situation) -> Situation:
    """The same two tickets, with nothing known of their files."""
    bare = replace(situation.link, files=(), obstacles=())
    return Situation(bare, situation.observation, situation.rules, situation.cls, situation.now)


def _apart(situation: Situation, side: Side) -> list[str]:
    """The markers of people's entries on *side* that the other side does not have."""
    found: list[str] = []
    for log in situation.cls.logs:
        here, there = (read_log(situation, one, log) for one in (side, side.other))
        present = arrived(situation.ticket(side.other), there) - situation.ticket_markers.kept
        found += [person.marker for person in here.people if person.marker not in present]
    return found


def _differing(situation: Situation) -> tuple[str, ...]:
    rules = situation.cls
    part = Part()
    for side in Side:
        plan_values(_fresh(situation), part, side, rules.fields, {})
    values = (value for side in Side for value in part.content[side].values)
    differs = {value.rule.external for value in values if not alike(_fresh(situation), value.rule)}
    external, internal = (situation.ticket(side).state for side in Side)
    return tuple(sorted(differs | (set() if correspond(rules.state, external, internal) else {"state"})))
