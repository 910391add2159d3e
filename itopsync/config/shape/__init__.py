"""The shape of ``sync.toml``: every key, its type, its default, and what it means.

What must be given has no default here but :data:`None`, and is asked for when the rules are compiled, so that one report can hold
what is missing, what is misspelt and what contradicts itself. :mod:`itopsync.config.example` and
:mod:`itopsync.config.reference` write these models down.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from itopsync.config.shape.base import REQUIRED, Name, Section
from itopsync.config.shape.carrying import HeadersSection, LimitsSection, LogSection, RulesSection, ScopeSection
from itopsync.config.shape.classes import ClassSection
from itopsync.config.shape.running import EngineSection, LoggingSection, ScheduleSection
from itopsync.config.shape.servers import ServerSection, StoreSection
from itopsync.config.shape.watching import HooksSection, MetricsSection, ReceiverSection

__all__ = [
    "ClassSection",
    "EngineSection",
    "HeadersSection",
    "HooksSection",
    "LimitsSection",
    "LogSection",
    "LoggingSection",
    "MetricsSection",
    "ReceiverSection",
    "RulesSection",
    "ScheduleSection",
    "ScopeSection",
    "ServerSection",
    "StoreSection",
    "SyncFile",
]


def _read_pair(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[a-z0-9]{1,20}", value):
        raise ValueError("it must be 1 to 20 lower-case letters and digits")
    return value


Pair = Annotated[str, BeforeValidator(_read_pair)]


class SyncFile(Section):
    """The whole of ``sync.toml``."""

    pair: Pair | None = Field(default=None, json_schema_extra=REQUIRED)
    """The fixed name of this pair of servers: lower-case letters and digits, at most 20. It stands in every marker in iTop,
    so it must never change."""
    external: ServerSection = ServerSection()
    """The server that customers use."""
    internal: ServerSection = ServerSection()
    """The company's own server."""
    store: StoreSection = StoreSection()
    """The database."""
    scope: ScopeSection = ScopeSection()
    """Which external tickets are taken up."""
    schedule: ScheduleSection = ScheduleSection()
    """When what runs."""
    rules: RulesSection = RulesSection()
    """What is carried, and which way."""
    logs: tuple[LogSection, ...] = (LogSection(),)
    """Which case logs are paired."""
    headers: HeadersSection = HeadersSection()
    """The line at the head of what is carried."""
    limits: LimitsSection = LimitsSection()
    """What stops a cycle, or makes one thing wait for a person."""
    engine: EngineSection = EngineSection()
    """How the work goes about."""
    logging: LoggingSection = LoggingSection()
    """What the program tells."""
    metrics: MetricsSection = MetricsSection()
    """Where monitoring finds metrics."""
    hooks: HooksSection = HooksSection()
    """Who is called when a person is needed."""
    classes: dict[Name, ClassSection] = Field(default={}, json_schema_extra=REQUIRED)
    """The ticket classes to keep in step, by their external name."""
