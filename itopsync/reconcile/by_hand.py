"""What an operator may do to a link: retry, park, resume, link by hand, unlink."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from itopsync.errors import clip
from itopsync.model import (
    TICKET,
    WORKED_ON,
    End,
    FilePair,
    FileStatus,
    ItemKind,
    Link,
    LinkStatus,
    NoteRecord,
    Observation,
    Obstacle,
    Side,
)
from itopsync.reconcile.copied import UNSEEN, Bridge, Line, Looks, Standing, recognise, recognise_files
from itopsync.reconcile.ends import ended
from itopsync.reconcile.entries import arrived
from itopsync.reconcile.files import MANY_DELETIONS, pair_files
from itopsync.reconcile.form import alike
from itopsync.reconcile.gate import begins_with_tag
from itopsync.reconcile.identity import is_parked_as_another
from itopsync.reconcile.markers import ticket_marker
from itopsync.reconcile.notes import log_room, read_log
from itopsync.reconcile.part import Part
from itopsync.reconcile.plan import ANOTHER
from itopsync.reconcile.rebuilding import FILE_WITHOUT_COPY, TICKET_WITHOUT_COPY, base_of_now
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.state import correspond


def retried(link: Link, now: datetime, *, alone: bool = True) -> Link:
    """The link with its obstacles cleared, due *now*; a write in doubt gets time to land first.

    If the request is for this link *alone*, its many deletions may pass from now on: their obstacle is kept, as a permit, until
    there are fewer. An entry that vanished too often is written again.
    """
    if link.status not in WORKED_ON:
        return _judged_anew(link, now)
    gone = tuple(obstacle for obstacle in link.obstacles if obstacle.key.kind is ItemKind.GONE)
    many = (obstacle for obstacle in link.obstacles if obstacle.key == MANY_DELETIONS.key)
    passing = tuple(replace(each, tries=0, parked=False, not_before=None) if alone else each for each in many)
    restored = (each for each in link.obstacles if each.key.kind is ItemKind.RESTORED)
    passing += tuple(replace(each, tries=0, parked=False) for each in restored)
    notes = {marker: replace(record, writes=min(record.writes, 1)) for marker, record in link.base.notes.items()}
    base = replace(link.base, notes=notes) if notes != link.base.notes else link.base
    another = filter(ANOTHER.names, link.obstacles)
    return replace(link, base=base, obstacles=(*another, *gone, *passing), due_at=link.due_at if link.may_land(now) else now)


def _judged_anew(link: Link, now: datetime) -> Link:
    """A link parked because one of its tickets was another one, to be looked at again; any other link as it is.

    If that ticket is still another one, the link is parked again. Nothing of it is forgotten until then. A link of which nothing
    was agreed stays parked: its tickets cannot be told from others.
    """
    another = next(filter(ANOTHER.names, link.obstacles), None)
    if link.status is not LinkStatus.PARKED or not (link.internal and link.base.last_change) or another is None:
        return link
    return replace(link, status=LinkStatus.LINKED, obstacles=(replace(another, tries=0, parked=False),), due_at=now)


def parked(link: Link, actor: str, reason: str = "") -> Link:
    """The link, parked as a whole by *actor*; a link that is already parked keeps its reason."""
    if link.status in (LinkStatus.TOMBSTONE, LinkStatus.UNLINKING, LinkStatus.PARKED):
        return link
    if another := next(filter(ANOTHER.names, link.obstacles), None):
        return replace(link, status=LinkStatus.PARKED, obstacles=(replace(another, tries=1, parked=True),))
    why = f": {clip(reason)}" if reason else ""
    told = f"parked by {actor}{why}; `itopsync resume` takes it up again"
    obstacle = Obstacle(TICKET, "", told, tries=0, parked=True, not_before=None)
    restored = (each for each in link.obstacles if each.key.kind is ItemKind.RESTORED)
    return replace(link, status=LinkStatus.PARKED, obstacles=(obstacle, *restored))


def resumed(link: Link, now: datetime) -> Link:
    """A parked link taken up again.

    A link that a person parked goes on with whatever was known of its tickets. If it was parked for a person to decide, the
    present external ticket counts as the one that was linked from now on. A link parked because its ticket was replaced is only
    looked at again: the new ticket's content would go into the old one's copy.
    """
    if is_parked_as_another(link):
        return _judged_anew(link, now)
    if link.status is not LinkStatus.PARKED:
        return link
    status = LinkStatus.LINKED if link.internal else LinkStatus.WAITING
    if any(obstacle.key == TICKET and obstacle.tries for obstacle in link.obstacles):  # its number may have changed, too
        link = replace(link, external_number="", base=replace(link.base, last_change=""))
    return retried(replace(link, status=status), now)


def to_be_copied(link: Link, now: datetime) -> Link:
    """The link with everything released for copying that `rebuild` parked because it found no copy."""
    reasons = {obstacle.reason for obstacle in link.obstacles}
    if TICKET_WITHOUT_COPY.reason in reasons:
        return resumed(link, now)
    if FILE_WITHOUT_COPY.reason not in reasons:
        return link
    others = tuple(obstacle for obstacle in link.obstacles if obstacle.reason != FILE_WITHOUT_COPY.reason)
    return replace(retried(link, now), obstacles=others)


def unlinked(link: Link, now: datetime, *, notice: bool) -> Link:
    """The link ended, so that nothing more is carried. With *notice*, the next cycle first reports it on the internal ticket."""
    if link.status is LinkStatus.TOMBSTONE or must_wait(link, now, notice=notice):
        return link
    if notice and link.internal is not None:
        return retried(replace(link, status=LinkStatus.UNLINKING), now)
    return ended(link, End.UNLINKED)


def must_wait(link: Link, now: datetime, *, notice: bool) -> bool:
    """Whether the link cannot end yet because a write may still land: if the two were linked again, it would be sent twice.

    If there may be an unknown copy, that must be settled first. With *notice*, the link ends only after a look anyway.
    """
    if link.internal is None:
        return link.in_doubt
    return link.may_land(now) and not notice


@dataclass(frozen=True)
class Joined:
    """Two existing tickets as a link, and what an operator should know first."""

    link: Link
    differs: tuple[str, ...]
    """``state`` and attributes (external names) that differ; they stay as they are until somebody changes them."""
    with_states: frozenset[str]
    """Those of them that go with a state; they stay when that moves."""
    notes: Mapping[tuple[Side, Standing], int]
    """How many entries of each side the other side lacks or may lack, by standing. Without history, all count as new."""
    files: Mapping[tuple[Side, Standing], int]
    """The same for attachments."""
    writers: Mapping[tuple[Side, str, str], int]
    """(Side, account, name) → how many doubtful entries, or entries of the older bridge, that account wrote."""
    full: bool
    """Whether the internal log for the link's marker is full or nearly so; without the marker, nothing is carried."""


def joined(
    link: Link, observation: Observation, rules: Rules, now: datetime, *, history: Bridge | None = None, looks: Looks = UNSEEN
) -> Joined:
    """Make *link* of two tickets as they are now: both sides count as agreed.

    With *history*, existing entries and files are carried, unless the other side has or may have them, by that older bridge for
    instance; without it, they stay where they are. *looks* describe the files that :func:`to_compare` names.
    """
    situation = Situation(link, observation, rules, rules.for_external(link.external.cls), now)
    lines = _apart(situation, history or Bridge())
    notes = _judged(situation, lines, history) if history is not None else dict.fromkeys(lines, Standing.NEW)
    alone = _files_apart(situation)
    known = recognise_files(looks)
    files = {pair: known.get((pair.origin, pair.original_id), Standing.NEW) for pair in alone}
    if history is not None:
        files = {pair: _as_allowed(standing, rules.attachments.allows(pair.origin)) for pair, standing in files.items()}
    staying = [line for line in lines if line.marker and _stays(notes[line], history)]
    stays = {line.marker: NoteRecord(line.side, None, born=line.born) for line in staying}
    kept = (pair for pair, standing in files.items() if _stays(standing, history))
    differs = _differing(situation)
    began = situation.ticket(Side.INTERNAL).fields.get(situation.cls.copy_since, "")
    base = replace(base_of_now(observation, situation.cls, differs), began=began)
    mark = {ticket_marker(rules.pair, link.external): NoteRecord(Side.EXTERNAL, None, writes=0)}
    made = replace(
        link,
        status=LinkStatus.LINKED,
        external_number=situation.ticket(Side.EXTERNAL).number,
        internal_number=situation.ticket(Side.INTERNAL).number,
        base=replace(
            base,
            notes={**mark, **stays},
            joined_logs=frozenset(log.names for log in situation.cls.logs),
            with_history=history is not None,
        ),
        files=tuple(FilePair(pair.origin, pair.original_id, None, FileStatus.KEPT, born=pair.born) for pair in kept),
        obstacles=(),
        due_at=now,
    )
    return Joined(
        made,
        differs,
        frozenset(differs) & situation.cls.state.every_companion.keys(),
        Counter((line.side, standing) for line, standing in notes.items() if line.marker),
        Counter((pair.origin, standing) for pair, standing in files.items()),
        Counter((line.side, line.entry.author_id, line.entry.author) for line in lines if _tells_who(line, notes[line])),
        _is_full(situation),
    )


def to_compare(link: Link, observation: Observation, rules: Rules, now: datetime) -> tuple[tuple[Side, int], ...]:
    """The files to be compared to find those that both sides already have, as (side, id); none if only one side has files."""
    situation = Situation(link, observation, rules, rules.for_external(link.external.cls), now)
    files = tuple((pair.origin, pair.original_id) for pair in _files_apart(situation))
    return files if {side for side, _ in files} == set(Side) else ()


def _stays(standing: Standing, history: Bridge | None) -> bool:
    return history is None or standing in (Standing.COPIED, Standing.DOUBTFUL, Standing.ALONE)


def _is_full(situation: Situation) -> bool:
    log = situation.cls.logs[0]
    return log_room(situation, Part(), Side.INTERNAL, log, read_log(situation, Side.INTERNAL, log)) <= 0


def _tells_who(line: Line, standing: Standing) -> bool:
    return line.by_bridge or standing is Standing.DOUBTFUL


def _judged(situation: Situation, lines: Sequence[Line], history: Bridge) -> dict[Line, Standing]:
    """The standing of each entry, according to its content and to what the rules allow."""
    return {line: _as_allowed(standing, _may_be_carried(situation, line)) for line, standing in recognise(lines, history).items()}


def _as_allowed(standing: Standing, allowed: bool) -> Standing:
    return Standing.WITHHELD if standing is Standing.NEW and not allowed else standing


def _may_be_carried(situation: Situation, line: Line) -> bool:
    if line.side is Side.INTERNAL and begins_with_tag(line.entry.html, situation.rules.kept_in_at(line.entry.earliest)):
        return False
    return any(log.direction.allows(line.side) for log in situation.cls.logs if log.of(line.side) == line.log)


def _files_apart(situation: Situation) -> list[FilePair]:
    return [pair for pair in pair_files(_fresh(situation), Part()) if pair.copy_id is None]


def _fresh(situation: Situation) -> Situation:
    """The same situation with nothing known about files or obstacles."""
    bare = replace(situation.link, files=(), obstacles=())
    return Situation(bare, situation.observation, situation.rules, situation.cls, situation.now)


def _apart(situation: Situation, history: Bridge) -> list[Line]:
    """The entries of both sides that the other side lacks according to our markers, and unmarked ones by our own accounts."""
    found: dict[object, Line] = {}
    for side in Side:
        bridge = history.accounts.get(side, frozenset())
        borne = (marker for log in situation.cls.logs for marker in read_log(situation, side.other, log).borne)
        present = arrived(situation.ticket(side.other), borne) - situation.ticket_markers.kept
        for log in situation.cls.logs:
            here, name = read_log(situation, side, log), log.of(side)
            for person in here.people:
                if person.marker not in present:
                    entry, by_bridge = person.entry, person.entry.author_id in bridge
                    found.setdefault(person.marker, Line(side, name, entry, person.marker, person.born, by_bridge))
            for place, entry in enumerate(here.unmarked):
                found.setdefault((side, name, place), Line(side, name, entry, "", "", by_bridge=True))
    return list(found.values())


def _differing(situation: Situation) -> tuple[str, ...]:
    rules, fresh = situation.cls, _fresh(situation)
    differs = {rule.external for rule in rules.every_rule if not alike(fresh, rule)}
    external, internal = (situation.ticket(side).state for side in Side)
    return tuple(sorted(differs | (set() if correspond(rules.state, external, internal) else {"state"})))
