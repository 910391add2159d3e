"""Pieces of queries in iTop's OQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

NAME = re.compile(r"[A-Za-z_]\w*")


def literal(text: str) -> str:
    r"""Return *text* as an OQL string, with quotes and backslashes escaped by a backslash."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def name(cls: str) -> str:
    """Return a name unchanged. :raises ValueError: it cannot be a name in OQL."""
    if not NAME.fullmatch(cls):
        raise ValueError(f"{cls!r} cannot be the name of a class")
    return cls


def names(classes: Iterable[str]) -> str:
    """Return ``('UserRequest','Incident')``."""
    return "(" + ",".join(literal(name(cls)) for cls in classes) + ")"


def ids(numbers: Iterable[int]) -> str:
    """Return ``(1,2,3)``."""
    return "(" + ",".join(str(int(number)) for number in numbers) + ")"


def batches(numbers: Iterable[int], size: int) -> Iterator[Sequence[int]]:
    """Split *numbers*, without duplicates and in ascending order, into pieces of at most *size*."""
    ordered = sorted(set(numbers))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
