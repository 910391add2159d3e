"""The schema of ``sync.toml``. Tables that other packages use directly are defined beside their code; the rest is here.

A missing table counts as empty (``Field(default={}, validate_default=True)``). Pydantic therefore builds all tables as parts of
the whole, once, when a file is read, and not at every start of the program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, StrictBool, StringConstraints, Tag

from itopsync.engine.settings import ActivitySection, Schedule
from itopsync.itop.settings import ServerSection
from itopsync.model import Side
from itopsync.reconcile.gate import shows_something
from itopsync.reconcile.rules import Deletion, Direction, Headers, Kind, Limits
from itopsync.settings.conditions import Condition
from itopsync.settings.quantities import Duration, Moment, write_duration
from itopsync.settings.secrets import PasswordSource
from itopsync.settings.section import Name, Names, Required, Section, Text, Values, Written, Wrong
from itopsync.watch.settings import HooksSettings, MetricsSettings

SHORTEST_LEASE = timedelta(seconds=10)
_SINCE = "Write since = {today} or an earlier date: external tickets that began before it are not copied"


def _read_pair(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[a-z0-9]{1,20}", value):
        raise ValueError("it must be 1 to 20 lower-case letters and digits")
    return value


def _check_lease(lease: timedelta) -> timedelta:
    if lease < SHORTEST_LEASE:
        raise Wrong("it could run out before it is renewed", f"Write at least {write_duration(SHORTEST_LEASE)}")
    return lease


def _check_new_tickets(direction: Direction) -> Direction:
    if direction.allows(Side.INTERNAL):
        remedy = f'Write "{Direction.TO_INTERNAL}" or "{Direction.NEVER}"'
        raise Wrong("an internal ticket is never copied to external", remedy)
    return direction


def _check_mark(mark: str) -> str:
    if not shows_something(mark):
        raise Wrong("it has no letter or sign that is seen, so it would keep every note in", "Write the prefix anew, by hand")
    return mark


Pair = Annotated[str, BeforeValidator(_read_pair), Written("text", {"type": "string", "pattern": "^[a-z0-9]{1,20}$"})]
Mark = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_check_mark)]
Row = Annotated[
    Annotated[Direction, Tag("one for all")] | Annotated[dict[Name, Direction], Tag("by name")],
    Discriminator(lambda value: "by name" if isinstance(value, Mapping) else "one for all"),
]
"""One direction, or a direction for each named part."""


class StoreSection(PasswordSource):
    """The database. It never contains the text of a ticket."""

    url: Text = "sqlite:////var/lib/itopsync/itopsync.db"
    """`sqlite:///` and a file (four slashes for an absolute path; a relative path starts at the folder of `sync.toml`), or
    `postgresql://user@host/database`. PostgreSQL's password comes from one of the other keys."""
    lease: Annotated[Duration, AfterValidator(_check_lease)] = timedelta(minutes=1)
    """How long the right to be the one writer lasts without being renewed. After a crash, the next process waits this long; if
    the database is unreachable for three quarters of it, the process stops."""


class ScopeSection(Section):
    """Which external tickets are copied. Once linked, a ticket stays linked."""

    since: Annotated[Moment | None, Required(_SINCE)] = Field(default=None, examples=["2026-01-01"])
    """External tickets that began before this are not copied, so that a first run does not flood the other side. A date, or a
    date and time; without an offset, it is local time of the external server."""
    condition: Condition = Field(default="", examples=["this.org_id = 3"])
    """OQL condition on external tickets of every class; the ticket is called `this`. Empty: every ticket."""


class ClassRulesSection(Section):
    """Directions of one class, where they differ from those of all classes."""

    form: Row | None = Field(default=None, examples=[{"urgency": "both"}])
    """Like `rules.form`."""
    notes: Row | None = Field(default=None, examples=["to_internal"])
    """Like `rules.notes`."""
    state: Direction | None = Field(default=None, examples=["to_external"])
    """Like `rules.state`."""


class RulesSection(Section):
    """What is carried, and which way: `to_internal`, `to_external`, `both` or `never`."""

    new_tickets: Annotated[Direction, AfterValidator(_check_new_tickets)] = Direction.TO_INTERNAL
    """New tickets: `to_internal`, or `never`."""
    form: Row = Direction.TO_INTERNAL
    """The form: title, description, impact, urgency, and what a class adds. A table gives single attributes their own direction,
    by external name: `{ urgency = "both" }`; those that it does not name keep the default."""
    notes: Row = Direction.BOTH
    """Entries of the case logs. A table gives single logs their own direction: `{ public_log = "to_internal" }`."""
    attachments: Direction = Direction.BOTH
    """Attachments."""
    state: Direction = Direction.BOTH
    """The state, and what travels with it. If both sides changed it, internal wins."""
    deletion: Deletion = Deletion.ORIGIN
    """What is deleted with an attachment: `origin` (deleting the original deletes its copy), `both` (and the other way round),
    or `never`."""
    images: StrictBool = True
    """Whether pictures in texts are carried as attachments."""
    keep_internal: tuple[Mark, ...] = ("#internal",)
    """A note never leaves internal if one of its first five lines begins with one of these prefixes (iTop 3.3 puts a line before
    an entry that it copies from a parent, at each step down). In doubt it stays, as `# Internal Error` does, and `plan`, `show`
    and `verify` name it. This list replaces the default. A prefix that is removed here still keeps in what was written before, or
    within 26 hours after: a server's dates may be that far off if its timezone is wrong here."""
    tell_parked: StrictBool = True
    """Whether a note on the internal ticket says, once, what could not be carried."""


class LogSection(Section):
    """A pair of case logs."""

    external: Name = "private_log"
    """The log's name in external."""
    internal: Name = "private_log"
    """The log's name in internal."""


class AttributeSection(Section):
    """How one attribute is carried."""

    internal: Name | None = Field(default=None, examples=["urgency"])
    """Its name in internal. Default: the same."""
    kind: Kind | None = Field(default=None, examples=["code"])
    """`text`, `html`, `code` (an enumeration, a number) or `date`. Needed only for attributes that iTop's own classes do not
    have."""
    template: str | None = Field(default=None, examples=["[{number}] {value}"])
    """How it is written in internal: `{value}` and `{number}` (the external ticket's) are filled in."""
    to_internal: Values = Field(default={}, examples=[{"1": "1", "2": "2", "3": "3", "4": "3"}])
    """Value map, external → internal. A value that is not named is carried unchanged."""
    to_external: Values = Field(default={}, examples=[{"3": "3"}])
    """The map back. Needed only if several values map to one; otherwise the inverse map is used."""


class StatesSection(Section):
    """How the states of the two classes correspond."""

    to_internal: Values = Field(default={}, examples=[{"escalated_tto": "new"}])
    """State map, external → internal. A state that is not named corresponds to the state of the same name."""
    to_external: Values = Field(default={}, examples=[{"new": "new"}])
    """The map back. Needed only if several states map to one; otherwise the inverse map is used."""
    left_out: Values | None = Field(default=None, examples=[{"escalated_ttr": "assigned"}])
    """States that are not carried, each with the earlier state that it counts as. Default: `escalated_tto = "new"` for
    Incident, since iTop 3.2.0 cannot move an incident out of that state."""


class LifecycleSection(Section):
    """How a server's lifecycle differs from iTop's own."""

    transitions: dict[Name, dict[Name, str]] = Field(default={}, examples=[{"new": {"ev_resolve": "resolved"}}])
    """State → stimulus → the state it leads to; added to iTop's own. `""` removes a transition. The one on which iTop 3.2.0
    crashes (`ev_assign` of an Incident in `escalated_tto`) is sent only if it is named here."""
    mandatory: dict[Name, Names] = Field(default={}, examples=[{"pending": ["pending_reason"]}])
    """State → the attributes that it demands; replaces iTop's own list for that state. What the initial state demands in internal
    is taken from `internal.defaults`, including attributes that iTop's own classes do not have."""
    decisions: Names | None = Field(default=None, examples=[["approved", "rejected"]])
    """States that only a person may decide on; replaces the default list."""


class LifecyclesSection(Section):
    """Lifecycles by side."""

    external: LifecycleSection = Field(default={}, validate_default=True)
    """How the external class's lifecycle differs from iTop's own."""
    internal: LifecycleSection = Field(default={}, validate_default=True)
    """How the internal class's lifecycle differs from iTop's own."""


class ClassSection(Section):
    """One external ticket class. An empty table uses every default."""

    internal: Name | None = Field(default=None, examples=["UserRequest"])
    """The class of its copies in internal. Default: the same. Several external classes may share one."""
    like: Name | None = Field(default=None, examples=["UserRequest"])
    """For a class that iTop does not ship: the iTop class whose lifecycle and attributes it has."""
    scope: Condition = Field(default="", examples=["this.impact = 1"])
    """OQL condition on this class, in addition to `scope.condition`."""
    form: Names | None = Field(default=None, examples=[["title", "description", "impact", "urgency"]])
    """The attributes of the form. Default: title, description, impact, urgency; for changes title, description."""
    companions: dict[Name, Names] = Field(default={}, examples=[{"pending": ["pending_reason"]}])
    """State (external) → the attributes that travel with it; replaces the default list for that state. They have the state's
    direction."""
    rules: ClassRulesSection = Field(default={}, validate_default=True)
    """Directions of this class, where they differ from `rules`."""
    logs: tuple[LogSection, ...] | None = None
    """The case logs that are paired, instead of `logs`."""
    attributes: dict[Name, AttributeSection] = Field(default={})
    """How single attributes are carried, by external name."""
    states: StatesSection = Field(default={}, validate_default=True)
    """How states correspond."""
    lifecycle: LifecyclesSection = Field(default={}, validate_default=True)
    """How a server's lifecycle differs from iTop's own."""


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LoggingSection(Section):
    """The program's own log."""

    level: Level = Level.INFO
    """The lowest level that is logged: `debug`, `info`, `warning` or `error`. `--log-level` overrides it."""


class SyncFile(Section):
    """The whole of `sync.toml`."""

    pair: Annotated[Pair, Required("Name this pair of servers, in lower-case letters and digits; the name must never change")] = (
        Field(default="", examples=["acme"])
    )
    """The fixed name of this pair of servers: up to 20 lower-case letters and digits. It is part of every marker in iTop, so it
    must never change."""
    external: ServerSection = Field(default={}, validate_default=True)
    """The server that customers use."""
    internal: ServerSection = Field(default={}, validate_default=True)
    """The company's own server."""
    store: StoreSection = Field(default={}, validate_default=True)
    """The database."""
    scope: ScopeSection = Field(default={}, validate_default=True)
    """Which external tickets are copied."""
    schedule: Schedule = Field(default={}, validate_default=True)
    """When cycles run."""
    rules: RulesSection = Field(default={}, validate_default=True)
    """What is carried, and which way."""
    logs: tuple[LogSection, ...] = Field(default=({},), validate_default=True)
    """Which case logs are paired."""
    headers: Headers = Field(default={}, validate_default=True)
    """The first line of a carried note."""
    limits: Limits = Field(default={}, validate_default=True)
    """Limits beyond which a cycle stops, or an item waits for a person."""
    activity: ActivitySection = Field(default={}, validate_default=True)
    """The record of writes."""
    logging: LoggingSection = Field(default={}, validate_default=True)
    """The program's log."""
    metrics: MetricsSettings = Field(default={}, validate_default=True)
    """Metrics for monitoring."""
    hooks: HooksSettings = Field(default={}, validate_default=True)
    """How people are notified when they are needed."""
    classes: dict[Name, ClassSection] = Field(default={})
    """The ticket classes to sync, by external name. At least one."""
