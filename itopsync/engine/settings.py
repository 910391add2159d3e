"""How a cycle goes about its work, and when it comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from itopsync.settings.quantities import Poll, Span, at_least_a_second
from itopsync.settings.section import Section, Wrong

LONGEST_JITTER = timedelta(seconds=5)
LONGEST_QUIET = timedelta(minutes=1)


def _check_poll(when: timedelta | str, info: ValidationInfo) -> timedelta | str:
    if isinstance(when, timedelta):
        return at_least_a_second(when) if info.context is not None else when
    from itopsync.settings.cron import cron

    if info.context is not None and cron(when).get_next_fire_time(None, info.context.now) is None:
        raise Wrong("such a day never comes", 'Write it like "*/5 * * * *"')
    return when


When = Annotated[Poll, AfterValidator(_check_poll)]


class Schedule(Section):
    """When what runs."""

    poll: When = timedelta(seconds=15)
    """How often both servers are asked what changed and all that is due is carried, while something moves: a duration, or a cron
    expression in UTC, such as `"*/5 * * * *"`. By a duration, each cycle in which nothing moved makes the next one wait a quarter
    longer, up to `poll_quiet`; the first thing that moves brings it back."""
    poll_quiet: Span | None = Field(default=None, examples=["15s"])
    """The longest wait between cycles while nothing moves: the first change after a quiet time may wait so long. Default: four
    times `poll`, at most a minute. A value no longer than `poll` keeps to `poll`, and asks both servers as often all night."""
    sweep: When = timedelta(hours=6)
    """How often everything in scope or linked is looked at, whatever changed: likewise a duration or a cron expression. Each
    sweep finds what no poll can see."""

    @property
    def slowest(self) -> timedelta:
        """The longest time from one cycle to the next while nothing moves; it is not for cron expressions."""
        if not isinstance(self.poll, timedelta):
            return LONGEST_QUIET
        return max(self.poll, min(4 * self.poll, LONGEST_QUIET) if self.poll_quiet is None else self.poll_quiet)

    @property
    def jitter(self) -> timedelta:
        """At most so much is added to a waiting time while nothing moves, by chance, so that several pairs do not go in step."""
        return min(self.poll / 3, LONGEST_JITTER) if isinstance(self.poll, timedelta) else timedelta()


class ActivitySection(Section):
    """What is remembered of what was written."""

    keep: Span = timedelta(days=90)
    """How long each write is remembered, without its content, for `itopsync activity` to tell of; older ones go by themselves."""


@dataclass(frozen=True)
class EngineSettings:
    """Time windows and sizes. ``sync.toml`` has no such table; ``workers``, ``look_meanwhile`` and ``keep_activity`` follow from
    others there.

    What is carried is governed by :class:`itopsync.reconcile.rules.Rules`.
    """

    overlap: timedelta = timedelta(minutes=70)
    """How far before the cursor each poll reads again: for clocks, late commits, the autumn hour. After this time, each changed
    ticket is looked at once more."""
    same_second: timedelta = timedelta(seconds=3)
    """A ticket read this soon after a change is read once more after that time: a second change may have the same time, and no
    poll would see it. Longer than a second, because a server's clock is known only to the second. Does not apply to a copy just
    made of an older ticket, as in a backfill."""
    look_again: timedelta = timedelta(seconds=90)
    """And once more after this time, for changes that are committed late. More than a minute, since some servers' dates have no
    seconds."""
    lookback: timedelta = timedelta(minutes=30)
    """How long attachment ids below the highest are looked for: a large upload shows up after smaller, later ones."""
    pause: timedelta = timedelta(minutes=5)
    """How long an item waits that was refused for lack of a right."""
    first_back_off: timedelta = timedelta(minutes=1)
    longest_back_off: timedelta = timedelta(hours=6)
    chunk: int = 100
    """How many links are observed and planned at once, while the previous ones are written."""
    deep: int = 2_000
    """How many links each sweep reads in full, taking turns."""
    workers: int = 8
    """How many links are worked on at once, plus as many that have come to their files. The resulting calls are bounded per
    server by its ``connections``; there are more workers, so that one reading here takes no slot there."""
    file_budget: int = 100_000_000
    """How many bytes of files are held at once. Until its contents are read, a file counts as the largest allowed."""
    look_meanwhile: timedelta = timedelta(seconds=15)
    """A cycle that takes longer polls again, and what people touched comes first."""
    keep_history: timedelta = timedelta(days=30)
    """How long cycles are kept, for ``status`` to tell of."""
    keep_activity: timedelta = timedelta(days=90)
    """How long each write is remembered."""
    rounds: int = 8
    """How often a link is replanned within a cycle before the rest is left to the next."""
