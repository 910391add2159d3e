"""How a server can lose a client's markers: by a changed sanitiser, an extension or a proxy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Part = Literal["logs", "texts", "files"]
_TAG = re.compile(r"<[a-zA-Z][^>]*>")
_CLASS = re.compile(r'\sclass="[^"]*"')
_NAME = re.compile(r'\sname="[^"]*"')


@dataclass(frozen=True, slots=True)
class LosesMarks:
    """What loses markers. In ``logs`` (case logs) and ``texts`` (descriptions and other HTML), ``class`` is removed from every
    tag, and ``name`` from every ``<a>``. In ``files`` (attachments), ``temp_id`` is removed.

    ``way``: ``in`` stores content without markers; ``out`` only returns it without, so that OQL still finds them. ``classes``
    limits it to tickets of these classes (empty: all), ``since`` to what is written or read from that moment on.
    """

    way: Literal["in", "out"] = "in"
    parts: frozenset[Part] = frozenset({"logs", "texts", "files"})
    classes: frozenset[str] = frozenset()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Losses:
    """What loses markers during one request, at the time ``now``."""

    losing: tuple[LosesMarks, ...]
    now: datetime

    def loses(self, way: str, part: Part, class_name: str) -> bool:
        """Whether markers in this part of such a ticket get lost this way."""
        return any(
            cause.way == way
            and part in cause.parts
            and (not cause.classes or class_name in cause.classes)
            and (cause.since is None or cause.since <= self.now)
            for cause in self.losing
        )

    def way_in(self, markup: str, part: Part, class_name: str) -> str:
        """Sanitised HTML as it is stored."""
        return _without_marks(markup) if self.losing and self.loses("in", part, class_name) else markup

    def way_out(self, markup: str, part: Part, class_name: str) -> str:
        """Stored HTML as it is shown."""
        return _without_marks(markup) if self.losing and self.loses("out", part, class_name) else markup

    def log_out(self, log: dict[str, Any], class_name: str) -> dict[str, Any]:
        """A case log as it is shown."""
        if not self.losing or not self.loses("out", "logs", class_name):
            return log
        entries = [{**entry, "message_html": _without_marks(entry["message_html"] or "")} for entry in log["entries"]]
        return {"entries": entries}


def _without_marks(markup: str) -> str:
    return _TAG.sub(lambda tag: _without(tag[0]), markup)


def _without(tag: str) -> str:
    tag = _CLASS.sub("", tag)
    return _NAME.sub("", tag) if tag[1:3].lower() in ("a ", "a\t", "a\n") else tag
