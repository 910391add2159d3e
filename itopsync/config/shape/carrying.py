"""What is carried, which way, and what stops it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from itopsync.config.quantities import Duration, Moment, Size
from itopsync.config.shape.base import REQUIRED, Count, Name, Section, Text
from itopsync.reconcile.rules import Deletion, Direction, Headers, Limits

_LIMITS, _HEADERS = Limits(), Headers()


Threshold = Annotated[StrictInt, Field(ge=0, le=1_000_000)]


class ScopeSection(Section):
    """Which external tickets a copy is made of. Once linked, a ticket stays linked."""

    since: Moment | None = Field(default=None, json_schema_extra=REQUIRED)
    """External tickets that began earlier are not taken up, so that a first run never floods the other side: a date, or a
    date and time; without an offset it is local time of the external server."""
    condition: Text = ""
    """OQL condition on external tickets of every class, in which the ticket is called `this`: `this.org_id = 3`. Empty:
    every ticket."""


class ClassDirections(Section):
    """Directions of one class, where they differ from those of all."""

    form: Direction | None = None
    """Like `rules.form`."""
    notes: Direction | None = None
    """Like `rules.notes`."""
    state: Direction | None = None
    """Like `rules.state`."""


class RulesSection(Section):
    """What is carried, and which way: `to_internal`, `to_external`, `both` or `never`."""

    new_tickets: Direction = Direction.TO_INTERNAL
    """New tickets: `to_internal`, or `never`."""
    form: Direction = Direction.TO_INTERNAL
    """The form: title, description, impact, urgency, and what a class adds."""
    notes: Direction = Direction.BOTH
    """Entries of the case logs."""
    attachments: Direction = Direction.BOTH
    """Attachments."""
    state: Direction = Direction.BOTH
    """The state, and what travels with it. Where both moved, internal wins."""
    deletion: Deletion = Deletion.ORIGIN
    """What a deleted attachment takes along: `origin` (the copy goes with its original), `both`, or `never`."""
    images: StrictBool = True
    """Whether pictures in texts become attachments."""
    keep_internal: tuple[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)], ...] = ("#internal",)
    """A note whose first or second line begins with one of these marks never leaves internal: iTop 3.3 puts a line before what it
    copies from a parent."""
    tell_parked: StrictBool = True
    """Whether what could not be carried is told in a note on the internal ticket, once."""
    classes: dict[Name, ClassDirections] = Field(default={})
    """Directions of single classes, by the external class's name."""


class LogSection(Section):
    """A pair of case logs."""

    external: Name = "private_log"
    """The log's name in external."""
    internal: Name = "private_log"
    """The log's name in internal."""
    direction: Direction | None = None
    """Which way its entries go. Default: `rules.notes`."""


class HeadersSection(Section):
    """The line at the head of what is carried. `{side}`, `{number}`, `{author}` and `{time}` are filled in."""

    to_internal: Text = _HEADERS.to_internal
    """Over a note that goes into internal."""
    to_external: Text = _HEADERS.to_external
    """Over a note that goes into external; it names no person unless you add `{author}`."""
    copied: Text = _HEADERS.copied
    """The first entry of a new copy; it has no author."""
    time_format: Text = _HEADERS.time_format
    """How `{time}` is written, in the notation of `strftime`, in the target's local time."""


class LimitsSection(Section):
    """What stops a cycle before it writes anything, or makes one thing wait for a person."""

    creations: Threshold = _LIMITS.creations
    """More new tickets than that in one cycle stop it."""
    deletions: Threshold = _LIMITS.deletions
    """More deletions of attachments than that in one cycle stop it."""
    rewritten: Threshold = _LIMITS.rewritten
    """More tickets than that whose known notes all look different at once stop the cycle."""
    missing: Threshold = _LIMITS.missing
    """More linked tickets than that gone at once stop the cycle."""
    tries: Count = _LIMITS.tries
    """After so many failures of one thing it is parked."""
    rewrites: Count = _LIMITS.rewrites
    """How often a note of ours that vanished under somebody's save is written again."""
    file_size: Size = _LIMITS.file_bytes
    """The largest file that is carried; larger ones are told in a note."""
    log_index: Size = _LIMITS.log_bytes
    """How full a case log may become, of the 65,535 bytes of its index (about 170 bytes an entry)."""
    settle: Duration = _LIMITS.settle
    """How long a write without an answer may still land, before it is looked for and sent again."""
