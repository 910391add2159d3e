"""Case logs: the entries of ``private_log`` and ``public_log``, and the index column that can overflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from itopsync.simulator import html, html_text_old
from itopsync.simulator.dates import local
from itopsync.simulator.html_text import html_to_text
from itopsync.simulator.versions import Traits

#: The capacity in bytes of MySQL's BLOB column for the index.
INDEX_LIMIT = 65_535


@lru_cache(maxsize=100_000)
def _message(text: str, app_root: str, old_text: bool) -> tuple[str, str]:
    shown = html.fix_urls(text, app_root)
    return html_text_old.html_to_text(shown) if old_text else html_to_text(shown), shown


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: the author's name and account (0 if only a name, or nothing, was given), the time in seconds since 1970, and
    the text as stored, sanitised HTML or plain text."""

    user_login: str | None
    user_id: int
    timestamp: int
    text: str
    format: str = "html"
    _shown: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict, compare=False, repr=False)

    def show(self, app_root: str, timezone: ZoneInfo, traits: Traits) -> dict[str, Any]:
        """The entry as REST returns it. The dictionary is shared: do not change it."""
        key = (app_root, timezone.key)
        shown = self._shown.get(key)
        if shown is None:
            message, message_html = self.text, None
            if self.format == "html":
                message, message_html = _message(self.text, app_root, traits.old_text)
            elif self.format == "text":
                message_html = html.text_to_html(self.text, traits.html5_entities)
            shown = self._shown[key] = {
                "date": local(self.timestamp, timezone),
                "user_login": self.user_login,
                "user_id": str(self.user_id) if self.user_id else 0,
                "message": message,
                "message_html": message_html,
            }
        return shown

    def separator(self, timezone: ZoneInfo) -> str:
        """The line that iTop writes before the text in the log's column, which OQL can search."""
        return f"\n========== {local(self.timestamp, timezone)} : {self.user_login or ''} ({self.user_id}) ============\n\n"

    def index_bytes(self, position: int) -> int:
        """The entry's size in the serialised index, at ``position``."""
        name = len((self.user_login or "").encode())
        text_length = len(self.text.encode())
        separator_length = 52 + name + len(str(self.user_id))
        user = str(self.user_id)
        return (
            len(
                f'i:{position};a:6:{{s:9:"user_name";s:{name}:"";s:7:"user_id";s:{len(user)}:"{user}";'
                f's:4:"date";i:{self.timestamp};s:11:"text_length";i:{text_length};'
                f's:16:"separator_length";i:{separator_length};s:6:"format";s:{len(self.format)}:"{self.format}";}}'
            )
            + name
        )


class CaseLog:
    """An immutable log. Entries are listed in the order in which they were appended, whatever their dates."""

    __slots__ = ("_folded", "_index_bytes", "entries")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = tuple(entries)
        self._index_bytes: int | None = None
        self._folded: tuple[str, str] | None = None

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CaseLog) and self.entries == other.entries

    def __hash__(self) -> int:
        return hash(self.entries)

    def append(self, entry: Entry) -> CaseLog:
        result = CaseLog((*self.entries, entry))
        if self._index_bytes is not None:
            result._index_bytes = self._index_bytes + entry.index_bytes(len(self.entries))
        return result

    @property
    def index_bytes(self) -> int:
        """Bytes of the serialised index, without its opening."""
        if self._index_bytes is None:
            self._index_bytes = sum(entry.index_bytes(position) for position, entry in enumerate(self.entries))
        return self._index_bytes

    @property
    def is_too_long(self) -> bool:
        return self.index_bytes + len(f"a:{len(self.entries)}:{{}}") > INDEX_LIMIT

    def show(self, app_root: str, timezone: ZoneInfo, traits: Traits) -> dict[str, Any]:
        return {"entries": [entry.show(app_root, timezone, traits) for entry in self.entries]}

    def folded(self, timezone: ZoneInfo, fold: Callable[[str], str]) -> str:
        """The column in the form in which the database compares it; cached, since a search compares every log."""
        if self._folded is None or self._folded[0] != timezone.key:
            self._folded = (timezone.key, fold(self.text(timezone)))
        return self._folded[1]

    def text(self, timezone: ZoneInfo) -> str:
        """The whole column, latest entry first."""
        return "".join(entry.separator(timezone) + entry.text for entry in reversed(self.entries))


EMPTY = CaseLog()
