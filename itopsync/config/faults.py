"""Everything that is wrong with one ``sync.toml``, gathered so that a person mends it in one go."""

from __future__ import annotations

from pathlib import Path

from itopsync.errors import ConfigurationError, Fault, clip

_LONGEST = 600
"""Characters that are told of a key, of what is wrong with it, and of its remedy."""


class Faults:
    """The faults of one file. A key that is known to be wrong is complained of once, and so is nothing that hangs below it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, Fault] = {}
        self._excused: set[str] = set()

    def add(self, key: str, what: str, remedy: str) -> None:
        """Note that *key* (dotted; empty: the file as a whole) is wrong, and how to mend it."""
        if not self.known(key):
            where = f"{self._path}: {_line(key)}" if key else str(self._path)
            mending = _line(remedy)
            self._found[key] = Fault(where, _line(what).rstrip("."), mending if mending.endswith((".", "?")) else f"{mending}.")

    def excuse(self, key: str) -> None:
        """Complain of *key* no more: whether it is wrong is not known before another one is mended."""
        self._excused.add(key)

    def known(self, key: str) -> bool:
        """Whether *key*, or a table that it stands in, is already known to be wrong."""
        parts = key.split(".")
        return key in self._excused or any(".".join(parts[:length]) in self._found for length in range(1, len(parts) + 1))

    def any_below(self, key: str) -> bool:
        """Whether something is known to be wrong with *key*, with what it stands in, or with what stands in it."""
        return self.known(key) or any(found.startswith(f"{key}.") for found in self._found)

    def raise_if_any(self) -> None:
        """:raises ConfigurationError: there are faults; it holds them all."""
        if self._found:
            raise ConfigurationError(tuple(self._found.values()))


def _line(text: str) -> str:
    """Return *text* on one line, and without anything that a terminal would take for a command."""
    return clip(text, _LONGEST)
