"""What one kind of content contributes to a plan.

For each of notes, form, files and state there is a function from a :class:`Situation` to a :class:`Part`. The planner folds all
parts in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from itopsync.model import FilePair, ItemKey, Link, Obstacle, Side
from itopsync.reconcile.defaults import Chosen
from itopsync.reconcile.lifecycle import Step
from itopsync.reconcile.plan import Action, Item, Kept, LostMarker, Note, Plan, Remark, Upload
from itopsync.reconcile.rules import FieldRule
from itopsync.reconcile.situation import Situation


@dataclass(frozen=True)
class Value:
    """A value to be written."""

    rule: FieldRule
    value: str = field(repr=False)
    item: Item
    fingerprint: str
    """The fingerprint of the value that it was made from."""
    uploads: tuple[Upload, ...] = ()
    """The pictures that must be uploaded first."""
    whole: Upload | None = None
    """The upload of the whole text as a file, if the text does not fit and the file is not there yet."""


@dataclass(frozen=True)
class StateWrite:
    """A stimulus, with the values that are written along with it."""

    step: Step
    item: Item
    companions: tuple[Value, ...]
    defaults: Chosen


@dataclass(frozen=True)
class Gathering:
    """Notes that a full log does not take, and that are carried as files."""

    side: Side
    item: Item
    notice: tuple[Note, ...]
    """The entry that says so, if it is not there yet. It is written before the files; if it is refused, their names say so."""
    uploads: tuple[Upload, ...]
    until: datetime | None
    """When to send them, unless a state that moves takes them along earlier; None for now."""


@dataclass
class Content:
    """What is to be written on one side's ticket, before it is put into requests."""

    logs: list[tuple[Note, ...]] = field(default_factory=list)
    """The notes of each log, in order."""
    values: list[Value] = field(default_factory=list)
    state_writes: tuple[StateWrite, ...] = ()

    @property
    def all_values(self) -> tuple[Value, ...]:
        """All values, including those written along with a stimulus."""
        return (*self.values, *(value for each in self.state_writes for value in each.companions))

    def add(self, other: Content) -> None:
        """Add *other*'s content."""
        self.logs += other.logs
        self.values += other.values
        self.state_writes = (*self.state_writes, *other.state_writes)


@dataclass
class Part:
    """What one kind of content asks for on one link, and what it found."""

    content: Mapping[Side, Content] = field(default_factory=lambda: {side: Content() for side in Side})
    uploads: list[Upload] = field(default_factory=list)
    """Uploads that the content needs beforehand."""
    files: list[Upload] = field(default_factory=list)
    """The copies of attachments."""
    gathered: list[Gathering] = field(default_factory=list)
    """Notes for files, which may wait for more notes."""
    removals: list[Action] = field(default_factory=list)
    """Actions that come last."""
    record: Callable[[Link], Link] = lambda link: link
    """Records in a link what was found to agree."""
    remarks: list[Remark] = field(default_factory=list)
    lost: list[LostMarker] = field(default_factory=list)
    """What was found stored without its marker."""
    rewritten: bool = False
    """Whether every carried entry looks different now."""
    vanished: set[ItemKey] = field(default_factory=set)
    """Copies of files, and notes carried as files, that existed at the last look and are now missing."""
    orphaned: set[FilePair] = field(default_factory=set)
    """Deleted originals whose copies will be deleted, unconfirmed by a person."""
    wanted: set[Item] = field(default_factory=set)
    """Every item to be carried, even if it may not be tried now; the obstacles of all other items are void."""
    held: dict[ItemKey, Obstacle] = field(default_factory=dict)
    """Key → the obstacle of an item that was found to need a person or to wait for its time."""

    def want(self, *items: Item) -> None:
        """Record that *items* are to be carried."""
        self.wanted.update(items)

    def park(self, item: Item, reason: str) -> None:
        """Park *item* until a person has looked, or until it changes."""
        self.held[item.key] = item.parked(reason)

    def put_off(self, item: Item, reason: str, until: datetime) -> None:
        """Let *item* wait until a given time, without counting a failure."""
        self.held[item.key] = Obstacle(item.key, item.fingerprint, reason, tries=0, parked=False, not_before=until)

    def remark(self, kept: Kept, key: ItemKey, reason: str = "") -> None:
        """Record that something is left as it is."""
        self.remarks.append(Remark(kept, key, reason))

    def obstacles(self, link: Link) -> tuple[Obstacle, ...]:
        """The new obstacles: those of items still wanted and unchanged, with their tries, and those of items newly held."""
        still = (each for each in link.obstacles if Item(each.key, each.fingerprint) in self.wanted and each.key not in self.held)
        return (*still, *self.held.values())


def fold(parts: Iterable[Part]) -> Part:
    """Combine *parts* into one."""
    whole = Part()
    records: list[Callable[[Link], Link]] = []
    for part in parts:
        for side in Side:
            whole.content[side].add(part.content[side])
        whole.uploads += part.uploads
        whole.files += part.files
        whole.gathered += part.gathered
        whole.removals += part.removals
        whole.remarks += part.remarks
        whole.lost += part.lost
        whole.rewritten = whole.rewritten or part.rewritten
        whole.vanished |= part.vanished
        whole.orphaned |= part.orphaned
        whole.wanted |= part.wanted
        whole.held |= part.held
        records.append(part.record)

    def record(link: Link) -> Link:
        for each in records:
            link = each(link)
        return link

    whole.record = record
    return whole


def plan_of(situation: Situation, part: Part, link: Link, actions: Sequence[Action]) -> Plan:
    """The plan for *link* with these actions, and with the obstacles and remarks of *part*."""
    obstacles = part.obstacles(situation.link)
    return Plan(
        replace(link, obstacles=obstacles),
        tuple(actions),
        (*part.remarks, *situation.remarks_on(obstacles)),
        rewritten=part.rewritten,
        vanished=frozenset(part.vanished),
        orphaned=frozenset(part.orphaned),
        lost=tuple(part.lost),
    )
