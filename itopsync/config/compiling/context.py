"""What every step of the compiling has at hand."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from itopsync.config.faults import Faults


@dataclass(frozen=True)
class Context:
    """Where the file is, what surrounds it, and what is wrong so far."""

    folder: Path
    """The folder of ``sync.toml``: relative paths in it begin there."""
    environ: Mapping[str, str] = field(repr=False)
    now: datetime
    faults: Faults

    def missing(self, key: str, remedy: str) -> None:
        """Note that *key* must be given and is not."""
        self.faults.add(key, "it is missing", remedy)


def meant(name: str, known: Iterable[str]) -> str:
    """Say which of *known* was probably meant by *name*, or what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]}?" if close else f"There are: {listed(names)}"


def meant_or(name: str, known: Iterable[str], otherwise: str) -> str:
    """Say which of *known* was probably meant by *name*, and what may be done instead."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"Did you mean {close[0]}? Otherwise {otherwise[:1].lower()}{otherwise[1:]}" if close else otherwise


def listed(names: Iterable[str]) -> str:
    """Names in a row, as people read them; ``none`` if there are none."""
    return ", ".join(names) or "none"
