"""Collects everything that is wrong with a ``sync.toml``, so that it can be fixed in one go."""

from __future__ import annotations

from pathlib import Path

from itopsync.errors import ConfigurationError, Fault, clip

_LONGEST = 600
"""The maximum length of a key, of a fault's description and of its remedy."""


class Faults:
    """The faults of one file. Each wrong key is reported once, and nothing below it is reported."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, Fault] = {}
        self._excused: set[str] = set()

    def add(self, key: str, what: str, remedy: str) -> None:
        """Record what is wrong with *key* (dotted; empty for the whole file), and the remedy."""
        if not self.known(key):
            where = f"{self._path}: {_line(key)}" if key else str(self._path)
            sentence = _line(remedy)
            self._found[key] = Fault(
                where, _line(what).rstrip("."), sentence if sentence.endswith((".", "?")) else f"{sentence}."
            )

    def excuse(self, key: str) -> None:
        """Do not report *key*: whether it is wrong depends on another key that is."""
        self._excused.add(key)

    def known(self, key: str) -> bool:
        """Whether *key*, or a table that contains it, is known to be wrong."""
        parts = key.split(".")
        return key in self._excused or any(".".join(parts[:length]) in self._found for length in range(1, len(parts) + 1))

    def any_below(self, key: str) -> bool:
        """Whether *key*, a table that contains it, or anything below it is known to be wrong."""
        return self.known(key) or any(found.startswith(f"{key}.") for found in self._found)

    def raise_if_any(self) -> None:
        """:raises ConfigurationError: with all faults, if there are any."""
        if self._found:
            raise ConfigurationError(tuple(self._found.values()))


def _line(text: str) -> str:
    """Return *text* on one line, without terminal control sequences."""
    return clip(text, _LONGEST)
