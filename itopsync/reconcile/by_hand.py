"""What an operator may do to a link: retry, park, resume, link by hand, unlink."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from itopsync.model import TICKET, End, FilePair, FileStatus, Link, LinkStatus, NoteRecord, Observation, Obstacle, Side
from itopsync.reconcile.ends import ended
from itopsync.reconcile.entries import arrived
from itopsync.reconcile.files import MANY_DELETIONS, pair_files
from itopsync.reconcile.form import alike, plan_values
from itopsync.reconcile.identity import is_parked_as_another
from itopsync.reconcile.markers import ticket_marker
from itopsync.reconcile.notes import read_log
from itopsync.reconcile.part import Part
from itopsync.reconcile.rebuilding import FILE_WITHOUT_COPY, TICKET_WITHOUT_COPY, base_of_now
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.state import correspond

_WORKED_ON = (LinkStatus.WAITING, LinkStatus.LINKED, LinkStatus.UNLINKING)


def retried(link: Link, now: datetime) -> Link:
    """The link with its obstacles cleared, due *now*; a write in doubt has time to land first.

    A ticket's many deletions may pass from now on: their obstacle is kept, as a permit, until they are fewer.
    """
    if link.status not in _WORKED_ON:
        return link
    many = (obstacle for obstacle in link.obstacles if obstacle.key == MANY_DELETIONS.key)
    passing = tuple(replace(obstacle, tries=0, parked=False, not_before=None) for obstacle in many)
    return replace(link, obstacles=passing, due_at=link.due_at if link.in_doubt else now)


def parked(link: Link) -> Link:
    """The link, parked as a whole; one that is parked already keeps its reason."""
    if link.status in (LinkStatus.TOMBSTONE, LinkStatus.UNLINKING, LinkStatus.PARKED):
        return link
    obstacle = Obstacle(TICKET, "", "parked by hand; `itopsync resume` takes it up again", tries=0, parked=True, not_before=None)
    return replace(link, status=LinkStatus.PARKED, obstacles=(obstacle,))


def resumed(link: Link, now: datetime) -> Link:
    """A parked link taken up again; the external ticket as it is now counts as the one that was linked.

    Not one whose ticket is another one: what that says would go into the copy of the first.
    """
    if link.status is not LinkStatus.PARKED or is_parked_as_another(link):
        return link
    status = LinkStatus.LINKED if link.internal else LinkStatus.WAITING
    number = "" if any(obstacle.tries for obstacle in link.obstacles) else link.external_number  # it may bear another one now
    return retried(replace(link, status=status, external_number=number, base=replace(link.base, last_change="")), now)


def to_be_copied(link: Link, now: datetime) -> Link:
    """The link with what `rebuild` found no copy of released for copying after all."""
    reasons = {obstacle.reason for obstacle in link.obstacles}
    if TICKET_WITHOUT_COPY.reason in reasons:
        return resumed(link, now)
    if FILE_WITHOUT_COPY.reason not in reasons:
        return link
    others = tuple(obstacle for obstacle in link.obstacles if obstacle.reason != FILE_WITHOUT_COPY.reason)
    return replace(retried(link, now), obstacles=others)


def unlinked(link: Link, now: datetime, *, notice: bool) -> Link:
    """The link ended; nothing more is carried. With *notice*, the next cycle says so on the internal ticket first."""
    if link.status is LinkStatus.TOMBSTONE or may_have_a_copy(link):
        return link
    if notice and link.internal is not None:
        return retried(replace(link, status=LinkStatus.UNLINKING), now)
    return ended(link, End.UNLINKED)


def may_have_a_copy(link: Link) -> bool:
    """Whether a copy may exist that we do not know of yet: that must be known before the link is ended."""
    return link.internal is None and link.in_doubt


@dataclass(frozen=True)
class Joined:
    """Two existing tickets as a link, and what an operator should know first."""

    link: Link
    differs: tuple[str, ...]
    """``state`` and attributes (external names) that differ: left as they are until somebody changes them."""
    notes: Mapping[Side, int]
    """By side, how many entries of people the other side lacks."""
    files: Mapping[Side, int]
    """By side, how many attachments the other side lacks."""


def joined(link: Link, observation: Observation, rules: Rules, now: datetime, *, history: bool = False) -> Joined:
    """Make *link* of two tickets as they are: both sides count as agreed.

    With *history*, existing entries and files are carried; without it, they stay where they are.
    """
    situation = Situation(link, observation, rules, rules.for_external(link.external.cls), now)
    stay: dict[str, NoteRecord] = {}
    for side in Side:
        stay |= {marker: NoteRecord(side, None) for marker in _apart(situation, side)}
    apart = [pair for pair in pair_files(_fresh(situation), Part()) if pair.copy_id is None]
    files = tuple(FilePair(pair.origin, pair.original_id, None, FileStatus.KEPT, born=pair.born) for pair in apart)
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
    """The same two tickets, with nothing known about their files."""
    bare = replace(situation.link, files=(), obstacles=())
    return Situation(bare, situation.observation, situation.rules, situation.cls, situation.now)


def _apart(situation: Situation, side: Side) -> list[str]:
    """The markers of people's entries on *side* that the other side lacks."""
    found: list[str] = []
    for log in situation.cls.logs:
        here, there = (read_log(situation, each, log) for each in (side, side.other))
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
