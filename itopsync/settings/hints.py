"""Suggestions for unknown names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def meant(name: str, known: Iterable[str]) -> str:
    """Suggest which of *known* was meant by *name*, or list them all."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]}?" if close else f"There are: {listed(names)}"


def meant_or(name: str, known: Iterable[str], otherwise: str) -> str:
    """Suggest which of *known* was meant by *name*, and what to do *otherwise*."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"Did you mean {close[0]}? Otherwise {otherwise[:1].lower()}{otherwise[1:]}" if close else otherwise


def listed(names: Iterable[str]) -> str:
    """Join names with commas; ``none`` if there are none."""
    return ", ".join(names) or "none"
