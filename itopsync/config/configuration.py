"""What a ``sync.toml`` says, as the program uses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from itopsync.engine.settings import EngineSettings
from itopsync.itop.settings import ServerSettings
from itopsync.reconcile.rules import Rules
from itopsync.watch.settings import HooksSettings, MetricsSettings


@dataclass(frozen=True)
class Schedule:
    """When the daemon runs its cycles."""

    poll: timedelta | str
    """How long from one to the next while something moves, or a cron expression in UTC."""
    sweep: timedelta | str
    """Likewise, for the cycles that look at everything."""
    jitter: timedelta
    """At most so much is added to each waiting time, by chance."""
    poll_quiet: timedelta
    """The longest time from one cycle to the next while nothing moves; not shorter than :attr:`poll`."""


@dataclass(frozen=True)
class Configuration:
    """Everything that is configured, checked and compiled."""

    path: Path
    rules: Rules
    external: ServerSettings
    internal: ServerSettings
    store_url: str = field(repr=False)
    """As SQLAlchemy takes it, with the password."""
    schedule: Schedule
    engine: EngineSettings
    lease: timedelta
    log_level: str
    """``debug``, ``info``, ``warning`` or ``error``."""
    metrics: MetricsSettings
    hooks: HooksSettings
