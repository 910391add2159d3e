"""What the store keeps beside links, and what it answers: plain frozen values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from itopsync.model import ItemKey, Ref, Side, Sighting


@dataclass(frozen=True)
class SideState:
    """How far one side has been polled, and how it is."""

    side: Side
    cursor: datetime | None = None
    """How far it has been polled, by its own clock."""
    high_water_marks: tuple[tuple[datetime, int], ...] = ()
    """When which attachment id was the highest, oldest first."""
    drafts: frozenset[int] = frozenset()
    """Attachments that were not bound to a ticket yet."""
    account: str | None = None
    """The id of our own account there; None where it is not known."""
    former_accounts: frozenset[str] = frozenset()
    """The ids of those that we had there before, or that another one who works on this store has."""
    ok_at: datetime | None = None
    """When it was last polled well, by our clock."""
    problem: str | None = None
    problem_since: datetime | None = None

    @property
    def accounts(self) -> frozenset[str]:
        """All whose entries are ours; none where it is not known who we are."""
        return frozenset() if self.account is None else self.former_accounts | {self.account}

    def as_account(self, account: str | None, former: Collection[str] = ()) -> SideState:
        """The same, now that our account is *account*; those that we knew, and *former*, are remembered."""
        before = {*self.former_accounts, *former, *((self.account,) if self.account else ())}
        return replace(self, account=account, former_accounts=frozenset(before - {account}))


@dataclass(frozen=True)
class Compared:
    """What a poll's sightings are to us."""

    changed: Mapping[int, str]
    """Link → its ticket's version, where that is another than the one we know. Only of links that are worked on."""
    unknown: tuple[Sighting, ...]
    """Tickets that no link knows, and that were not out of scope at this version."""
    known_as: Mapping[Ref, str] = field(default_factory=lambda: MappingProxyType({}))
    """Known tickets that bear another number than before, with the number that we know."""


@dataclass(frozen=True)
class DueCounts:
    """How many links are due."""

    waiting: int = 0
    """Those whose copy is not made yet."""
    linked: int = 0


@dataclass(frozen=True)
class ObstacleCounts:
    """How many single things do not get across."""

    parked: int = 0
    """Those that need a person."""
    waiting: int = 0
    """Those that wait for another try."""
    in_doubt: int = 0
    """Links with a write whose outcome is not known yet."""

    @property
    def any(self) -> bool:
        """Whether anything does not get across."""
        return bool(self.parked or self.waiting or self.in_doubt)


@dataclass(frozen=True)
class FilesPart:
    """The attachments that should be on some tickets of one side."""

    tickets: Mapping[str, Mapping[int, int]]
    """Class → ticket → how many."""
    highest: int
    """The highest of their ids; 0 where there are none."""
    last: int | None
    """The link after which the next part begins; None: this was the last."""


@dataclass(frozen=True)
class TicketsPart:
    """Some linked tickets of one side."""

    tickets: Mapping[str, list[int]]
    """Class → ids."""
    last: int | None
    """The link after which the next part begins; None: this was the last."""


@dataclass(frozen=True)
class CycleRecord:
    """One cycle, as the history keeps it."""

    id: int | None
    """None: not recorded yet."""
    kind: str
    started: datetime
    finished: datetime | None
    outcome: str
    counts: Mapping[str, int]
    error: str | None = None


@dataclass(frozen=True)
class ActivityRecord:
    """One write, and how it ended: what it was about, and nothing that stood in it."""

    at: datetime
    """When it ended."""
    link: int
    side: Side
    """Where to."""
    action: str
    """:class:`~itopsync.engine.report.WriteKind`."""
    outcome: str
    """:class:`~itopsync.engine.report.WriteOutcome`."""
    items: tuple[ItemKey, ...]
    """All that it carried."""
    age: timedelta | None
    """From the person's save, by that server's clock, to the arrival; None where nothing arrived, or that time is unknown."""
    cycle: datetime
    """When the cycle began: it is the one with this start in the history."""
    id: int | None = None
    """None: not recorded yet."""

    @property
    def direction(self) -> str:
        """``to_internal`` or ``to_external``, as the rules call it."""
        return f"to_{self.side}"


class RequestKind(StrEnum):
    """What a person may ask the process at work for."""

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
    """How far a request has come."""

    WAITING = "waiting"
    TAKEN = "taken"
    """Being carried out."""
    DONE = "done"
    REFUSED = "refused"
    """Nothing was done; the result says why."""
    INTERRUPTED = "interrupted"
    """Whoever carried it out ended meanwhile."""


@dataclass(frozen=True)
class RequestRecord:
    """What a person asked for, and what became of it."""

    id: int
    kind: RequestKind
    actor: str
    """Who asked."""
    at: datetime
    reason: str = ""
    link: int | None = None
    fingerprint: str = ""
    """Of the stopped plan that is meant."""
    arguments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What else the kind takes: :mod:`itopsync.engine.steering` has the names."""
    state: RequestState = RequestState.WAITING
    taken_at: datetime | None = None
    finished_at: datetime | None = None
    result: str = ""
    """What became of it, in words."""


@dataclass(frozen=True)
class Holder:
    """A process that holds the lease or asks for it."""

    host: str
    boot_id: str
    """Which start of the host it runs in; empty where there is no way to tell."""
    pid: int
    started: str
    """When the process started, as its host says it; empty where there is no way to tell."""
    token: str
    """Its own, drawn at random."""


@dataclass(frozen=True)
class LeaseRecord:
    """Who holds the lease, and until when."""

    holder: Holder
    until: datetime
