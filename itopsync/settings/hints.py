"""What was probably meant by a name that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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
