"""The audit trail: every write that reached the simulated server, its author and its outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Written:
    """One requested write.

    ``verb`` is ``create``, ``update``, ``apply_stimulus`` or ``delete``. ``by`` is its origin: ``rest``, ``web`` (a person),
    ``cascade`` (iTop itself, from parent to child) or ``fault``. ``entries`` are (log, HTML as given) pairs. ``outcome`` is
    ``done`` or the refusal's text.
    """

    time: datetime
    account: str
    by: str
    verb: str
    class_name: str
    id: int
    fields: Mapping[str, Any] = field(default_factory=dict)
    entries: tuple[tuple[str, str], ...] = ()
    stimulus: str = ""
    comment: str = ""
    outcome: str = "done"

    @property
    def done(self) -> bool:
        return self.outcome == "done"


class Audit:
    """A searchable list of :class:`Written`."""

    def __init__(self) -> None:
        self._records: list[Written] = []

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Written]:
        return iter(self._records)

    def __getitem__(self, place: int) -> Written:
        return self._records[place]

    def record(self, written: Written) -> None:
        self._records.append(written)

    def clear(self) -> None:
        self._records.clear()

    def select(
        self,
        *,
        account: str | None = None,
        by: str | None = None,
        verb: str | None = None,
        class_name: str | None = None,
        id: int | None = None,
        done: bool | None = None,
    ) -> list[Written]:
        """The records that match all given criteria."""
        wanted = {"account": account, "by": by, "verb": verb, "class_name": class_name, "id": id, "done": done}
        asked = {name: content for name, content in wanted.items() if content is not None}
        return [record for record in self._records if all(getattr(record, name) == asked[name] for name in asked)]
