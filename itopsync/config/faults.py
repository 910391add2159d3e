"""Collects everything that is wrong with a ``sync.toml``, so that it can be fixed in one go."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from itopsync.errors import ConfigurationError, Fault, clip

_LONGEST = 600
"""The maximum length of a key, of a fault's description and of its remedy."""
_SHOWN = 10
"""How many lines with the same fault are named."""


class Faults:
    """The faults of one file. Each wrong key is reported once, and nothing below it is reported."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, tuple[str, str]] = {}
        self._excused: set[str] = set()
        self._lines: list[tuple[int, Faults]] = []

    def in_line(self, path: Path, number: int) -> Faults:
        """The faults of one line of another file, which are reported with these."""
        faults = Faults(path)
        self._lines.append((number, faults))
        return faults

    def add(self, key: str, what: str, remedy: str) -> None:
        """Record what is wrong with *key* (dotted; empty for the whole file), and the remedy."""
        if not self.known(key):
            sentence = _line(remedy)
            self._found[key] = (_line(what).rstrip("."), sentence if sentence.endswith((".", "?")) else f"{sentence}.")

    def excuse(self, key: str) -> None:
        """Do not report *key*: whether it is wrong depends on another key that is."""
        self._excused.add(key)

    def known(self, key: str) -> bool:
        """Whether *key*, or a table that contains it, is known to be wrong."""
        parts = key.split(".")
        return key in self._excused or any(".".join(parts[:length]) in self._found for length in range(1, len(parts) + 1))

    def any_below(self, key: str) -> bool:
        """Whether *key*, a table that has it, or anything below it is known to be wrong; for an empty key, anything at all."""
        return self.known(key) or any(not key or found.startswith(f"{key}.") for found in self._found)

    def raise_if_any(self, *, but: Collection[str] = ()) -> tuple[Fault, ...]:
        """Return the faults of the keys in *but*.

        :raises ConfigurationError: with all faults, if there are any besides these
        """
        found = (*self._told(), *self._told_of_lines())
        if len(found) > sum(key in but for key in self._found):
            raise ConfigurationError(found)
        return found

    def _told(self) -> Iterator[Fault]:
        for key, (what, remedy) in self._found.items():
            yield Fault(f"{self._path}: {_line(key)}" if key else str(self._path), what, remedy)

    def _told_of_lines(self) -> Iterator[Fault]:
        """Report a fault that several lines share only once, with all their numbers."""
        alike: dict[tuple[Path, str, str, str], list[int]] = {}
        for number, faults in self._lines:
            for key, (what, remedy) in faults._found.items():
                alike.setdefault((faults._path, key, what, remedy), []).append(number)
        for (path, key, what, remedy), numbers in alike.items():
            yield Fault(f"{path}: {_numbered(numbers)}{f': {_line(key)}' if key else ''}", what, remedy)


def _numbered(lines: Sequence[int]) -> str:
    """``line 7``, or ``lines 7, 8, 9 and 300 more``."""
    shown = ", ".join(map(str, lines[:_SHOWN]))
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}"


def _line(text: str) -> str:
    """Return *text* on one line, without terminal control sequences."""
    return clip(text, _LONGEST)
