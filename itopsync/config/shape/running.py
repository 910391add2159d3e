"""When what runs, how the work goes about, and what is told of it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from itopsync.config.quantities import Duration
from itopsync.config.shape.base import Section
from itopsync.engine.settings import EngineSettings

_ENGINE = EngineSettings()


class ScheduleSection(Section):
    """When what runs."""

    poll: Duration = timedelta(seconds=60)
    """How often both servers are asked what changed."""
    sweep: Duration = timedelta(hours=6)
    """How often everything in scope and linked is listed, to find what no poll shows."""
    deep_sweep: Duration = timedelta(days=7)
    """The time in which every linked ticket is compared in full once."""
    jitter: Duration = timedelta(seconds=5)
    """At most so much is added to each waiting time, by chance. Must be shorter than `poll`."""


class EngineSection(Section):
    """How the work goes about. The defaults suit most servers."""

    workers: Annotated[StrictInt, Field(ge=1, le=32)] = _ENGINE.workers
    """How many tickets are written to at once."""
    overlap: Duration = _ENGINE.overlap
    """How far back each poll reads again. At least 65 minutes where a server's clock changes to winter time."""
    look_again: Duration = _ENGINE.look_again
    """A ticket that changed so shortly before it was read is read once more; longer than a minute where `date_format` has no
    seconds."""
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


class Format(StrEnum):
    """How it is written."""

    TEXT = "text"
    JSON = "json"


class LoggingSection(Section):
    """What the program itself tells."""

    level: Level = Level.INFO
    """`debug`, `info`, `warning` or `error`."""
    format: Format = Format.TEXT
    """`text` for people, or `json` for machines."""
