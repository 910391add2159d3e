"""How a cycle works, and when cycles run."""

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
    expression in UTC, such as `"*/5 * * * *"`. With a duration, each cycle in which nothing moved makes the next wait a quarter
    longer, up to `poll_quiet`; the first change resets the wait."""
    poll_quiet: Span | None = Field(default=None, examples=["15s"])
    """The longest wait between cycles while nothing moves: the first change after a quiet time may wait this long. Default: four
    times `poll`, at most a minute. With a value no longer than `poll`, both servers are asked every `poll` even at night."""
    sweep: When = timedelta(hours=6)
    """How often everything in scope or linked is looked at, changed or not: again a duration or a cron expression. A sweep finds
    what no poll can see."""

    @property
    def slowest(self) -> timedelta:
        """The longest time between two cycles while nothing moves; meaningless with a cron expression."""
        if not isinstance(self.poll, timedelta):
            return LONGEST_QUIET
        return max(self.poll, min(4 * self.poll, LONGEST_QUIET) if self.poll_quiet is None else self.poll_quiet)

    @property
    def jitter(self) -> timedelta:
        """The maximum random delay added to an idle interval, so that several pairs do not poll at the same moment."""
        return min(self.poll / 3, LONGEST_JITTER) if isinstance(self.poll, timedelta) else timedelta()


class ActivitySection(Section):
    """How long writes stay on record."""

    keep: Span = timedelta(days=90)
    """How long each write stays on record for `itopsync activity`, without its content; older records are deleted."""


@dataclass(frozen=True)
class EngineSettings:
    """Time windows and sizes. ``sync.toml`` has no such table; ``workers``, ``look_meanwhile`` and ``keep_activity`` follow from
    others there.

    What is carried is governed by :class:`itopsync.reconcile.rules.Rules`.
    """

    overlap: timedelta = timedelta(minutes=70)
    """How far before the cursor each poll starts reading: for wrong clocks, late commits, the repeated autumn hour. This long
    after its change, each changed ticket is looked at once more."""
    same_second: timedelta = timedelta(seconds=3)
    """A ticket read this soon after a change is read again after this time: a second change may have the same time, and no poll
    would see it. Longer than a second, because a server's clock is known only to the second. Does not apply to a new copy of an
    older ticket, as in a backfill."""
    look_again: timedelta = timedelta(seconds=90)
    """Such a ticket is read once more after this time, for changes that are committed late. More than a minute, since some
    servers' dates have no seconds."""
    lookback: timedelta = timedelta(minutes=30)
    """How long attachment ids below the highest are looked for: a large upload shows up after smaller, later ones."""
    pause: timedelta = timedelta(minutes=5)
    """How long an item waits after it was refused because our account lacks a right."""
    first_back_off: timedelta = timedelta(minutes=1)
    longest_back_off: timedelta = timedelta(hours=6)
    chunk: int = 100
    """How many links are observed and planned at once, while the previous ones are written."""
    deep: int = 2_000
    """How many links each sweep reads in full, taking turns."""
    workers: int = 8
    """How many links are worked on at once, plus as many that have reached their files. ``connections`` limits the resulting
    calls per server; there are more workers than that, so that one that is busy here takes no slot there."""
    file_budget: int = 100_000_000
    """How many bytes of files are held at once. Until its contents are read, a file counts with the maximum size allowed."""
    look_meanwhile: timedelta = timedelta(seconds=15)
    """How often a long cycle polls again; recently changed tickets then come first."""
    keep_history: timedelta = timedelta(days=30)
    """How long records of cycles are kept, for ``status``."""
    keep_activity: timedelta = timedelta(days=90)
    """How long records of writes are kept."""
    rounds: int = 8
    """How many rounds of planning and writing a link gets in one cycle; the rest is left to the next cycle."""
