"""What a check finds: one line each, with its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from itopsync.model import Side


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """Works, but perhaps not as it is meant."""
    FAULT = "fault"
    """Something will not get across."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    side: Side | None
    """None: it is about the store."""
    what: str
    remedy: str = ""


def ok(side: Side | None, what: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.OK, side, what)


def warning(side: Side | None, what: str, remedy: str) -> Finding:
    """It works, but perhaps not as it is meant."""
    return Finding(Level.WARNING, side, what, remedy)


def fault(side: Side | None, what: str, remedy: str) -> Finding:
    """Something will not get across for it."""
    return Finding(Level.FAULT, side, what, remedy)
