"""The ticket classes: forms, value maps, states, and where a server's data model was changed."""

from __future__ import annotations

from pydantic import Field

from itopsync.config.shape.base import Count, Name, Names, Section, Text, Values
from itopsync.config.shape.carrying import LogSection
from itopsync.reconcile.rules import Direction, Kind


class AttributeSection(Section):
    """How one attribute is carried."""

    internal: Name | None = None
    """Its name in internal. Default: the same."""
    kind: Kind | None = None
    """`text`, `html`, `code` (an enumeration, a number) or `date`. Needed only for attributes that iTop's own classes do not
    have."""
    direction: Direction | None = None
    """Which way it goes as part of the form. Default: that of the form."""
    template: str | None = None
    """How it is written in internal: `{value}` and `{number}` (the external ticket's) are filled in."""
    to_internal: Values = Field(default={})
    """Value map, external → internal. A value that is not named goes as it is."""
    to_external: Values = Field(default={})
    """The way back. Needed only where several values become one; else the map is turned round."""
    limit: Count | None = None
    """The most characters that iTop takes. Default: what iTop's own classes take."""


class StatesSection(Section):
    """How the states of the two classes correspond."""

    to_internal: Values = Field(default={})
    """State map, external → internal. A state that is not named corresponds to its namesake."""
    to_external: Values = Field(default={})
    """The way back. Needed only where several states become one; else the map is turned round."""
    left_out: Values | None = None
    """States that are not carried, each with the state before it that it counts as. Default: `escalated_tto = "new"` for
    Incident, which iTop 3.2.0 cannot get out of that state."""


class LifecycleSection(Section):
    """Where a server's lifecycle differs from iTop's own."""

    transitions: dict[Name, dict[Name, str]] = Field(default={})
    """State → stimulus → the state it leads to; added to iTop's own. `""` takes a transition away."""
    mandatory: dict[Name, Names] = Field(default={})
    """State → the attributes that it demands; replaces iTop's own list for that state."""
    decisions: Names | None = None
    """States that only a person's decision leads to; replaces the default list."""
    broken: tuple[tuple[Name, Name], ...] | None = None
    """Pairs of state and stimulus that are never sent, such as `[["escalated_tto", "ev_assign"]]`, the default for Incident."""


class LifecyclesSection(Section):
    """Lifecycles by side."""

    external: LifecycleSection = LifecycleSection()
    """Where the external class's lifecycle was changed."""
    internal: LifecycleSection = LifecycleSection()
    """Where the internal class's lifecycle was changed."""


class ClassSection(Section):
    """One external ticket class. An empty table takes every default."""

    internal: Name | None = None
    """The class of its copies in internal. Default: the same. Several external classes may share one."""
    like: Name | None = None
    """For a class that iTop does not ship: the one of iTop's own whose lifecycle and attributes it has."""
    scope: Text = ""
    """OQL condition on this class, besides `scope.condition`."""
    since_attribute: Name | None = None
    """What `scope.since` is compared with. Default: `start_date`; for changes `creation_date`."""
    form: Names | None = None
    """The attributes of the form. Default: title, description, impact, urgency; for changes title, description."""
    on_create: Names | None = None
    """Which of `internal.defaults` a new copy takes. Default: all that the internal class has."""
    logs: tuple[LogSection, ...] | None = None
    """Which case logs are paired, instead of `logs`."""
    attributes: dict[Name, AttributeSection] = Field(default={})
    """How single attributes are carried, by their external name."""
    states: StatesSection = StatesSection()
    """How states correspond."""
    companions: dict[Name, Names] = Field(default={})
    """State (external) → the attributes that travel with it; replaces the default list for that state. They go the way of
    the state."""
    lifecycle: LifecyclesSection = LifecyclesSection()
    """Where a server's lifecycle was changed."""
