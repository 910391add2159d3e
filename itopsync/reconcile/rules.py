"""The rules of one pair, compiled from the configuration into plain values."""

from __future__ import annotations

import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StrictInt

from itopsync.errors import clip
from itopsync.model import NOTHING, BySide, Ref, Side
from itopsync.reconcile.defaults import NO_ROUTES, Routing
from itopsync.settings.hints import listed, meant_or
from itopsync.settings.quantities import Duration, Size
from itopsync.settings.section import Section, Text, Wrong


class Direction(StrEnum):
    """The direction in which something is carried."""

    TO_INTERNAL = "to_internal"
    TO_EXTERNAL = "to_external"
    BOTH = "both"
    NEVER = "never"

    def allows(self, origin: Side) -> bool:
        """Whether something from *origin* may be carried to the other side."""
        if self is Direction.BOTH:
            return True
        return self is origin.pick(Direction.TO_INTERNAL, Direction.TO_EXTERNAL)


class Deletion(StrEnum):
    """What happens when one of a file's two attachments is deleted."""

    ORIGIN = "origin"
    """A copy is deleted with its original; the original stays when only the copy is deleted."""
    BOTH = "both"
    NEVER = "never"


class Kind(StrEnum):
    """How an attribute's values are written."""

    TEXT = "text"
    HTML = "html"
    CODE = "code"
    """An enumeration or a number: compared and mapped as it is."""
    DATE = "date"
    """ISO 8601 in UTC; converted only at the edges."""


@dataclass(frozen=True)
class FieldRule(BySide[str]):
    """One attribute of the form, or one companion of a state: its name on each side, and how it is carried."""

    kind: Kind = Kind.TEXT
    direction: Direction = Direction.TO_INTERNAL
    template: str | None = None
    """For internal only; ``{value}`` and ``{number}`` (the external ticket's) are filled in."""
    to_internal: Mapping[str, str] = field(default=NOTHING)
    """Value map, external → internal; unlisted values are carried as they are."""
    to_external: Mapping[str, str] = field(default=NOTHING)
    limit: int | None = None
    """The most characters that iTop accepts (bytes, if the attribute is long)."""

    @property
    def is_html(self) -> bool:
        return self.kind is Kind.HTML

    def values(self, origin: Side) -> Mapping[str, str]:
        return origin.pick(self.to_internal, self.to_external)


@dataclass(frozen=True)
class LogRule(BySide[str]):
    """One case log: its name on each side, and how it is carried."""

    external: str = "private_log"
    internal: str = "private_log"
    direction: Direction = Direction.BOTH

    @property
    def names(self) -> str:
        """Its names on both sides in one string, as in :attr:`Base.joined_logs`."""
        return self.external if self.external == self.internal else f"{self.external}:{self.internal}"

    def renamed(self, side: Side) -> str:
        """Its name on *side* if its name on the other side differs, else empty, as in :attr:`NoteRecord.log`."""
        return self.of(side) if self.external != self.internal else ""


@dataclass(frozen=True)
class Lifecycle:
    """The states of a ticket class, from iTop's data model."""

    initial: str
    transitions: Mapping[str, Mapping[str, str]]
    """State → stimulus → the state it leads to."""
    mandatory: Mapping[str, frozenset[str]]
    """State → the attributes that iTop demands on entering it."""
    decisions: frozenset[str] = frozenset()
    """States reached only by a person's decision: approved, rejected, validated …"""
    timers: frozenset[str] = frozenset()
    """States reached by the server's own timers."""
    settled: frozenset[str] = frozenset({"resolved"})
    """States passed through only on the way to an end."""
    last_resort: frozenset[str] = frozenset()
    """Stimuli used only if nothing else leads there."""
    broken: frozenset[tuple[str, str]] = frozenset()
    """Pairs (state, stimulus) that crash the server, and so are never sent."""


@dataclass(frozen=True)
class StateRules(BySide[Lifecycle]):
    """The lifecycles of two classes, how their states correspond, and what travels with them."""

    direction: Direction = Direction.BOTH
    to_internal: Mapping[str, str] = field(default=NOTHING)
    """State map, external → internal; an unlisted state corresponds to its namesake."""
    to_external: Mapping[str, str] = field(default=NOTHING)
    left_out: Mapping[str, str] = field(default=NOTHING)
    """State that is not carried → the earlier state that it counts as."""
    companions: Mapping[str, tuple[FieldRule, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """External state → the attributes that travel with it, in its direction."""

    @property
    def every_companion(self) -> dict[str, FieldRule]:
        """The companions of all states, by their external names."""
        return {rule.external: rule for rules in self.companions.values() for rule in rules}


@dataclass(frozen=True)
class ClassRules(BySide[str]):
    """All rules for one ticket class, with its name on each side."""

    state: StateRules
    fields: tuple[FieldRule, ...] = ()
    logs: tuple[LogRule, ...] = (LogRule(),)
    on_create: tuple[str, ...] = ("org_id", "caller_id", "team_id", "agent_id")
    """The attributes for which a new copy gets internal's defaults, as far as the internal class has them."""
    looked_at: tuple[str, ...] = ()
    """The external ticket's attributes that routes look at, besides those that are read anyway."""
    scope: str = ""
    """An OQL condition on the external class, with the alias ``this``; empty means every ticket."""
    since_attribute: str = "start_date"
    """The attribute with which ``since`` is compared. For changes it is ``creation_date``, as their ``start_date`` is planned."""
    copy_since: str = "start_date"
    """The attribute that says when a copy began: the same for the internal class."""

    @property
    def internal_logs(self) -> tuple[str, ...]:
        """The logs that may contain our markers on a copy. A new copy has them in the first, but the order may have changed."""
        return tuple(dict.fromkeys(log.internal for log in self.logs))

    @property
    def by_external(self) -> dict[str, FieldRule]:
        """The form and the companions of all states, by their external names."""
        return self.state.every_companion | {rule.external: rule for rule in self.fields}

    @property
    def every_rule(self) -> tuple[FieldRule, ...]:
        """The rules of the form and of all states' companions; a companion of several states appears several times."""
        return (*self.fields, *(rule for companions in self.state.companions.values() for rule in companions))

    def attributes(self, side: Side) -> Mapping[str, Kind]:
        """Attribute to be read on *side*, besides those that every ticket has → its kind."""
        wanted = {rule.of(side): rule.kind for rule in self.every_rule}
        for names in self.state.of(side).mandatory.values():
            wanted |= {name: Kind.CODE for name in names if name not in wanted}
        if side is Side.EXTERNAL:
            wanted |= {name: Kind.CODE for name in self.looked_at if name not in wanted}
        wanted[side.pick(self.since_attribute, self.copy_since)] = Kind.DATE
        return wanted


@dataclass(frozen=True)
class SideRules:
    """What the reconciler must know about one server."""

    label: str
    """The side's name in headers."""
    url: str
    """The API's base address, without a trailing slash."""
    public_url: str
    """The address that people use, without a trailing slash."""
    timezone: ZoneInfo
    date_format: str = ""
    """In which it shows dates, besides the timezone."""
    defaults: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """Attribute → an id, a criterion (``{"name": …}``) or an OQL query, as iTop's REST service accepts for a key."""
    routing: Routing = NO_ROUTES
    """The routes, which are tried before the defaults."""
    request_bytes: int = 8_000_000
    """The maximum size of a request with texts. PHP's default limit is 8 MiB."""
    accounts: frozenset[str] = frozenset()
    """The ids of our own accounts there, present and former; empty if unknown."""
    former_addresses: tuple[str, ...] = ()
    """Former values of ``url`` and ``public_url``; they still count as its own."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of its pages, present and former."""
        return tuple(dict.fromkeys((self.url, self.public_url, *self.former_addresses)))

    def page_of(self, ref: Ref) -> str:
        """The address of a ticket's page."""
        query = urlencode({"operation": "details", "class": ref.cls, "id": ref.id})
        return f"{self.public_url.rstrip('/')}/pages/UI.php?{query}"


def check_template(template: str, places: Collection[str]) -> str:
    """Return *template*. :raises Wrong: it has other placeholders than *places*, or formats"""
    told = f"There are {listed(f'{{{place}}}' for place in places)}; a brace itself is written twice"
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise Wrong("a brace stands alone", told) from None
    for _, place, form, conversion in parts:
        if place is None:
            continue
        if place not in places:
            raise Wrong(f"nothing is known that would fill {clip(f'{{{place}}}', 40)}", meant_or(place, places, told))
        if form or conversion:
            raise Wrong(f"{{{place}}} takes no format", f"Write {{{place}}} alone")
    return template


def _check_note(template: str) -> str:
    return check_template(template, ("side", "number", "author", "time"))


def _check_copied(template: str) -> str:
    return check_template(template, ("side", "number", "time"))


def _check_time_format(text: str) -> str:
    if not text.isprintable():
        raise Wrong("it is no format of a time", 'Write it like "%Y-%m-%d %H:%M"')
    return text


class Headers(Section):
    """The first line of what is carried. `{side}`, `{number}`, `{author}` and `{time}` are filled in."""

    to_internal: Annotated[Text, AfterValidator(_check_note)] = "{side} {number} · {author} · {time}"
    """Above a note that is carried to internal."""
    to_external: Annotated[Text, AfterValidator(_check_note)] = "{side} {number} · {time}"
    """Above a note that is carried to external; it names no person unless you add `{author}`."""
    copied: Annotated[Text, AfterValidator(_check_copied)] = "Copied from {side} {number} · opened {time}"
    """The first entry of a new copy; it has no author."""
    time_format: Annotated[Text, AfterValidator(_check_time_format)] = "%Y-%m-%d %H:%M"
    """How `{time}` is written, in the notation of `strftime`, in the target's local time."""


Threshold = Annotated[StrictInt, Field(ge=0, le=1_000_000)]


class Limits(Section):
    """How much one cycle may do before it stops, and what makes a single item wait for a person."""

    creations: Threshold = 200
    """A cycle stops if it would create more copies of tickets than this."""
    deletions: Threshold = 50
    """A cycle stops if it would delete more attachments than this, on more than ten tickets. If more than this would be deleted
    on a single ticket, these deletions wait for a person and hold up nothing else."""
    file_size: Size = 20_000_000
    """The largest file that is carried; larger ones are reported in a note."""
    landing: Duration = timedelta(minutes=5)
    """How long a write without an answer may still arrive, before it is looked for and sent again."""

    # constants that nobody needs to choose
    rewritten: ClassVar[int] = 10
    """A cycle stops if all known entries look different on more tickets than this."""
    deleting: ClassVar[int] = 10
    """Deletions on at most this many tickets stop no cycle."""
    missing: ClassVar[int] = 10
    """A cycle stops if more linked tickets than this are gone, or have lost copies of files, at once."""
    tries: ClassVar[int] = 8
    """How many failures park an item."""
    rewrites: ClassVar[int] = 3
    """How often an entry of ours that vanished under somebody's save is written again."""
    log_bytes: ClassVar[int] = 60_000
    """How many of its index's 65,535 bytes a log may use; an entry takes about 170."""
    gather_quiet: ClassVar[timedelta] = timedelta(minutes=10)
    """Notes that a full log does not take are sent as one file once nobody has written for this long."""
    gather_most: ClassVar[timedelta] = timedelta(hours=1)
    """They are sent after this time even if people keep writing."""


def not_kept(cls: str) -> str:
    """Why tickets of an external class that is not configured are left alone."""
    return f"its class is not kept in step: there is no [classes.{cls}] in sync.toml"


@dataclass(frozen=True)
class Rules(BySide[SideRules]):
    """The rules of one pair of servers."""

    pair: str
    """The fixed name in every marker: lower-case letters and digits."""
    classes: tuple[ClassRules, ...]
    since: str
    """ISO 8601 in UTC; an external ticket that began earlier is not copied."""
    attachments: Direction = Direction.BOTH
    deletion: Deletion = Deletion.ORIGIN
    images: bool = True
    """Whether pictures in texts become attachments."""
    new_tickets: bool = True
    keep_internal: tuple[str, ...] = ("#internal",)
    """A note never leaves internal if one of its first five lines begins with one of these."""
    kept_before: tuple[tuple[str, datetime], ...] = ()
    """Former prefixes of ``keep_internal``, each with the time (plus some hours) until which notes that begin with it stay in."""
    tell_parked: bool = True
    """Whether parked items are reported in a note on the internal ticket."""
    headers: Headers = field(default_factory=Headers)
    limits: Limits = field(default_factory=Limits)

    def kept_in_at(self, at: datetime) -> tuple[str, ...]:
        """The prefixes that keep a note written at this time in internal."""
        return (*self.keep_internal, *(tag for tag, until in self.kept_before if at <= until))

    def begin_after(self, now: datetime) -> bool:
        """Whether ``since`` is in the future: no ticket is copied until then, unless it is *now* that is wrong."""
        return datetime.fromisoformat(self.since) > now

    @property
    def kept(self) -> frozenset[str]:
        """The external classes that are kept in step."""
        return frozenset(cls.external for cls in self.classes)

    def for_external(self, cls: str) -> ClassRules:
        """Return the rules of an external class. :raises KeyError: it is not configured."""
        for rules in self.classes:
            if rules.external == cls:
                return rules
        raise KeyError(cls)
