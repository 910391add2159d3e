"""How a cycle goes about its work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class EngineSettings:
    """Windows of time and sizes. The rules of what is carried are in :class:`itopsync.reconcile.rules.Rules`."""

    overlap: timedelta = timedelta(minutes=70)
    """How far back of the cursor each poll reads again: clocks, late commits, the autumn hour. When it ends, each ticket that
    changed is looked at once more."""
    look_again: timedelta = timedelta(seconds=90)
    """A ticket that changed so shortly before it was read is read once more: a second change may bear the same time."""
    lookback: timedelta = timedelta(minutes=30)
    """How long attachment ids below the highest one are looked for: a large upload shows up after later small ones."""
    pause: timedelta = timedelta(minutes=5)
    """How long an item waits that was refused for want of a right."""
    first_back_off: timedelta = timedelta(minutes=1)
    longest_back_off: timedelta = timedelta(hours=6)
    chunk: int = 100
    """How many links are observed and planned at once, while those before them are written."""
    deep: int = 2_000
    """How many links each sweep reads in full, one part after the other."""
    workers: int = 8
    """How many links are worked on at once, and beside them as many that have come to their files. How many calls that makes is
    bounded for each server by its ``connections``: there are more workers so that one that reads here keeps no place there."""
    file_budget: int = 100_000_000
    """How many bytes of files are held at once. A file counts as the largest that is carried until its contents are read."""
    look_meanwhile: timedelta = timedelta(seconds=15)
    """A cycle that takes longer polls again, and what people touched comes first."""
    keep_history: timedelta = timedelta(days=30)
    """How long cycles are kept, for ``status`` to tell of."""
    rounds: int = 8
    """How often one link is planned anew within a cycle before the rest is left to the next."""
