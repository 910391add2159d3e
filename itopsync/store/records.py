"""Frozen values: what the store keeps besides links, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from itopsync.model import ItemKey, Obstacle, Ref, Side, Sighting


@dataclass(frozen=True)
class SideState:
    """How far one side has been polled, and its health."""

    side: Side
    cursor: datetime | None = None
    """How far it has been polled, by its own clock."""
    high_water_marks: tuple[tuple[datetime, int], ...] = ()
    """The highest attachment id at each of several times, oldest first."""
    drafts: frozenset[int] = frozenset()
    """Attachments that do not belong to a ticket yet."""
    account: str | None = None
    """The id of our account there; None if unknown."""
    former_accounts: frozenset[str] = frozenset()
    """The ids of accounts that we used there before, or that another user of this store uses."""
    ok_at: datetime | None = None
    """When the last successful poll was, by our clock."""
    problem: str | None = None
    problem_since: datetime | None = None
    """Kept after a good poll until a cycle ends without a problem: a side may answer polls and fail when tickets are read."""

    @property
    def accounts(self) -> frozenset[str]:
        """All accounts whose entries are ours; empty if our present account is unknown."""
        return frozenset() if self.account is None else self.former_accounts | {self.account}

    def as_account(self, account: str | None) -> SideState:
        """The same with *account* as our account; the previous ones are kept as former accounts."""
        before = {*self.former_accounts, *((self.account,) if self.account else ())}
        return replace(self, account=account, former_accounts=frozenset(before - {account}))


@dataclass(frozen=True)
class Ended:
    """A ticket of a link that has ended."""

    sighting: Sighting
    was_gone: bool
    """Whether it was gone when the link ended."""


@dataclass(frozen=True)
class Compared:
    """A poll's sightings, compared with what the store knows."""

    changed: Mapping[int, str]
    """Link → its ticket's new version, for links that are worked on."""
    unknown: tuple[Sighting, ...]
    """Tickets without a link that were not out of scope at this version."""
    renumbered: frozenset[Ref] = frozenset()
    """Tickets that are known by another number."""
    ended: Mapping[int, Ended] = field(default_factory=lambda: MappingProxyType({}))
    """Link that has ended → its ticket on this side, if it is external and has changed since, or was gone and is there."""


@dataclass(frozen=True)
class DueCounts:
    """How many links are due."""

    waiting: int = 0
    """Links without a copy yet."""
    total: int = 0
    """All due links, including those."""


@dataclass(frozen=True)
class ObstacleCounts:
    """How many items cannot be carried now."""

    parked: int = 0
    """Items that need a person."""
    waiting: int = 0
    """Items that wait for a retry."""
    in_doubt: int = 0
    """Links with a write of unknown outcome."""

    @property
    def any(self) -> bool:
        """Whether there is anything of the kind."""
        return bool(self.parked or self.waiting or self.in_doubt)


@dataclass(frozen=True)
class Troubles:
    """The obstacles of all links, and how many links are in trouble."""

    obstacles: tuple[tuple[int, Obstacle], ...] = ()
    """As (link, obstacle)."""
    troubled: int = 0
    """Links that are parked, in doubt or have obstacles, except those with nothing but a full log."""
    in_doubt: int = 0
    """Links with a write of unknown outcome."""
    gathering: int = 0
    """Links that are not in trouble, but gather what a full log does not take."""

    @property
    def lasting(self) -> list[tuple[int, Obstacle]]:
        """The obstacles that last until a person acts, as (link, obstacle), except those that concern only us."""
        return [(link, each) for link, each in self.obstacles if (each.parked or each.no_right) and not each.key.concerns_us]

    @property
    def items(self) -> ObstacleCounts:
        """Count the items that cannot be carried now, and the links in doubt."""
        parked = sum(each.needs_person for _, each in self.obstacles)
        waiting = sum(not (each.parked or each.is_no_trouble) for _, each in self.obstacles)
        return ObstacleCounts(parked, waiting, self.in_doubt)


@dataclass(frozen=True)
class FilesPart:
    """The attachments expected on some tickets of one side."""

    tickets: Mapping[str, Mapping[int, int]]
    """Class → ticket → number of attachments."""
    highest: int
    """The attachments' highest id; 0 if there are none."""
    last: int | None
    """The link after which the next part begins; None if this is the last part."""


@dataclass(frozen=True)
class TicketsPart:
    """Some linked tickets of one side."""

    tickets: Mapping[str, list[int]]
    """Class → ids."""
    last: int | None
    """The link after which the next part begins; None if this is the last part."""


class CycleKind(StrEnum):
    """What a cycle looks at."""

    POLL = "poll"
    """What changed since the last poll."""
    SWEEP = "sweep"
    """Everything."""


class CycleOutcome(StrEnum):
    """How a cycle ended."""

    WELL = "well"
    TROUBLED = "troubled"
    """Some tickets failed, or something is parked or waits, from this cycle or an earlier one."""
    UNAVAILABLE = "unavailable"
    """A side cannot be worked with."""
    INTERRUPTED = "interrupted"
    """We were told to stop."""
    PAUSED = "paused"
    """A person wants a side left alone."""
    STOPPED = "stopped"
    """A safety limit or something else ended it."""

    @property
    def is_good(self) -> bool:
        """Whether the cycle got through to both sides."""
        return self in (CycleOutcome.WELL, CycleOutcome.TROUBLED)


class WriteKind(StrEnum):
    """What a write does."""

    CREATE = "create"
    WRITE = "write"
    STATE = "state"
    UPLOAD = "upload"
    REMOVE = "remove"


class WriteOutcome(StrEnum):
    """How a write ended."""

    DONE = "done"
    WAITS = "waits"
    """Not sent, because a picture that it shows is not uploaded yet, or because the ticket must be looked at again."""
    UNKNOWN = "unknown"
    """No answer: it may have been carried out."""
    REFUSED = "refused"
    READ_ONLY = "read-only"
    NO_RIGHT = "no right"
    SIDE_UNAVAILABLE = "side unavailable"
    UNMARKED = "unmarked"
    """Carried out, but stored without its marker."""


@dataclass(frozen=True)
class CycleRecord:
    """One cycle in the history."""

    id: int | None
    """None until it is recorded."""
    kind: str
    """:class:`CycleKind`."""
    started: datetime
    finished: datetime | None
    outcome: str
    """:class:`CycleOutcome`."""
    counts: Mapping[str, int]
    error: str | None = None


@dataclass(frozen=True)
class ActivityRecord:
    """One write and its outcome: what it carried, without the content."""

    at: datetime
    """When it ended."""
    link: int
    side: Side
    """The side written to."""
    action: str
    """:class:`WriteKind`."""
    outcome: str
    """:class:`WriteOutcome`."""
    items: tuple[ItemKey, ...]
    """The items that it carried."""
    age: timedelta | None
    """The time from the person's save, by that server's clock, to the arrival; None if nothing arrived or it is unknown."""
    cycle: datetime
    """The start of its cycle, which identifies that cycle in the history."""
    id: int | None = None
    """None until it is recorded."""

    @property
    def direction(self) -> str:
        """``to_internal`` or ``to_external``, as in the rules."""
        return f"to_{self.side}"


class Cause(StrEnum):
    """What can last, and delay tickets."""

    DOWN = "down"
    """A side cannot be polled."""
    NO_WRITES = "no writes"
    """A side answers polls but accepts no writes, for instance while it is read-only."""
    PAUSED = "paused"
    """A person wants a side left alone."""
    STOPPED = "stopped"
    """A safety limit or something else ended the cycles."""
    PARKED = "parked"
    """An item of a ticket is not carried until a person acts: it is parked, or our account lacks a right."""


@dataclass(frozen=True)
class Lasting:
    """Something that lasts."""

    cause: Cause
    side: Side | None = None
    link: int | None = None
    item: str = ""
    """The key of the ticket's item."""


@dataclass(frozen=True)
class SpellRecord:
    """How long something lasted."""

    what: Lasting
    since: datetime
    until: datetime
    """When it ended, or was last seen to last."""
    over: bool
    external_number: str = ""
    internal_number: str = ""


class RequestKind(StrEnum):
    """What a person may ask the running process to do."""

    PAUSE = "pause"
    UNPAUSE = "unpause"
    ACCEPT = "accept"
    SYNC = "sync"
    SWEEP = "sweep"
    VERIFY = "verify"
    RETRY = "retry"
    PARK = "park"
    RESUME = "resume"
    LINK = "link"
    UNLINK = "unlink"


class RequestState(StrEnum):
    """The progress of a request."""

    WAITING = "waiting"
    TAKEN = "taken"
    """Being carried out."""
    DONE = "done"
    REFUSED = "refused"
    """Nothing was done; the result says why."""
    INTERRUPTED = "interrupted"
    """The process that was carrying it out ended."""


@dataclass(frozen=True)
class RequestRecord:
    """A person's request, and its outcome."""

    id: int
    kind: RequestKind
    actor: str
    """Who asked."""
    at: datetime
    reason: str = ""
    link: int | None = None
    fingerprint: str = ""
    """The fingerprint of the stop that is meant."""
    arguments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Further arguments; :mod:`itopsync.engine.steering` lists them."""
    state: RequestState = RequestState.WAITING
    taken_at: datetime | None = None
    finished_at: datetime | None = None
    result: str = ""
    """The outcome, in words."""


@dataclass(frozen=True)
class Holder:
    """A process that holds the lease or asks for it."""

    host: str
    boot_id: str
    """The id of its host's boot; empty if unknown."""
    pid: int
    started: str
    """When the process started, as its host reports it; empty if unknown."""
    token: str
    """Random, and unique to the process."""


@dataclass(frozen=True)
class LeaseRecord:
    """Who holds the lease, and until when."""

    holder: Holder
    until: datetime
