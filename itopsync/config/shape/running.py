"""When what runs, how the work goes about, and what is told of it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from itopsync.config.quantities import Duration, Poll, Size
from itopsync.config.shape.base import Section
from itopsync.engine.settings import EngineSettings

_ENGINE = EngineSettings()


class ScheduleSection(Section):
    """When what runs."""

    poll: Poll = timedelta(seconds=15)
    """How often both servers are asked what changed and all that is due is carried, while something moves: a duration, or a cron
    expression in UTC, such as `"*/5 * * * *"`, which holds at all times."""
    poll_quiet: Duration = timedelta(minutes=1)
    """How seldom, in quiet hours: after each cycle in which nothing moved the next one waits a quarter longer than the last did,
    up to this; the first thing that moves brings it back to `poll`. The same as `poll` where that is longer."""
    jitter: Duration = timedelta(seconds=5)
    """At most so much is added to each waiting time, by chance. Must be shorter than `poll`; a cron expression has none."""

    sweep: Poll = timedelta(hours=6)
    """How often everything in scope or linked is looked at, whatever changed: likewise a duration or a cron expression. Each
    sweep finds what no poll can see."""


class EngineSection(Section):
    """How the work goes about. The defaults suit most servers."""

    workers: Annotated[StrictInt, Field(ge=1, le=32)] = _ENGINE.workers
    """How many tickets are worked on at once. How many calls that makes is bounded for each server by its `connections`."""
    file_budget: Size = _ENGINE.file_budget
    """How many bytes of files are held in memory at once; a file counts as `limits.file_size` until its size is known."""
    overlap: Duration = _ENGINE.overlap
    """How far back of a server's clock each poll reads again: late commits, and the hour that comes twice in autumn. When
    it ends, each ticket that changed is looked at once more."""
    look_again: Duration = _ENGINE.look_again
    """A ticket that changed so shortly before it was read is read once more; longer than a minute where `date_format` has no
    seconds."""
    deep: Annotated[StrictInt, Field(ge=0)] = _ENGINE.deep
    """How many links each sweep reads in full, one part of all after the other."""
    lookback: Duration = _ENGINE.lookback
    """How long attachment ids below the highest one are looked for: slow uploads show up late."""
    pause: Duration = _ENGINE.pause
    """How long something waits that was refused for want of a right."""
    first_back_off: Duration = _ENGINE.first_back_off
    """How long a failed ticket waits the first time; twice as long each time after."""
    longest_back_off: Duration = _ENGINE.longest_back_off
    """The longest such wait."""


class Level(StrEnum):
    """How much is told."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LoggingSection(Section):
    """What the program itself tells."""

    level: Level = Level.INFO
    """The least that is logged: `debug`, `info`, `warning` or `error`. `--log-level` goes before it."""
