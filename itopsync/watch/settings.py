"""How it is watched over: what ``[metrics]`` and ``[hooks]`` of ``sync.toml`` come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from itopsync.itop.settings import Secret


class Need(StrEnum):
    """What a person is called for."""

    PARKED = "parked"
    """Something of a ticket will not get across unless somebody does something."""
    SAFETY_STOP = "safety_stop"
    """A safety limit stopped the cycle."""
    SIDE_DOWN = "side_down"
    """A side could not be worked with for too long."""
    CYCLE_FAILED = "cycle_failed"
    """A cycle was broken off by something else."""


@dataclass(frozen=True)
class MetricsSettings:
    """Where metrics are to be had."""

    host: str | None = None
    """The address to listen on; None: no endpoint."""
    port: int = 0
    textfile: Path | None = None
    """The file for node_exporter; None: none."""
    max_age: timedelta = timedelta(minutes=5)
    """How old the last good cycle may be while ``/healthz`` says that all is well."""


@dataclass(frozen=True)
class Receiver:
    """A web address that something is sent to."""

    url: Secret
    """Whole, with the password in it where it belongs there."""
    token: Secret | None = None
    """Sent as ``Authorization: Bearer``."""
    ca_file: Path | None = None
    timeout: float = 10.0
    """Seconds."""


@dataclass(frozen=True)
class HooksSettings:
    """Who is called when a person is needed, and how often at most."""

    command: tuple[str, ...] = ()
    """A program and its arguments; empty: none."""
    webhook: Receiver | None = None
    dead_man: Receiver | None = None
    """Asked after each good cycle."""
    events: frozenset[Need] = field(default_factory=lambda: frozenset(Need))
    every: timedelta = timedelta(minutes=15)
    """So much time is at least between two calls about the same kind of need; what comes meanwhile is told together."""
    side_down: timedelta = timedelta(minutes=15)
    """A side that is down for longer needs a person."""
    timeout: timedelta = timedelta(seconds=10)
    """How long the command or a receiver may take."""
