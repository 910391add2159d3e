"""What ends a single cycle when somebody asks for a pause meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

from itopsync.daemon.asked import Asked
from itopsync.engine.pauses import Pause, pauses
from itopsync.store.records import RequestKind
from itopsync.store.store import Store


class PauseWatch:
    """Notices a pause that begins, or is asked for, while a single cycle runs. Safe to use from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked = Asked(store, self._is_wanted)
        self._known: tuple[Pause, ...] | None = None

    @property
    def noticed(self) -> bool:
        """Whether there was one at the last check."""
        return self._asked.waits

    def begin(self) -> None:
        """Notice what comes on top of the pauses that are in force now."""
        self._known = pauses(self._store, datetime.now(UTC))

    def look(self) -> bool:
        """Check whether there is one, at most once a second."""
        return self._known is not None and (self.noticed or self._asked.look())

    def _is_wanted(self) -> bool:
        asked = any(request.kind is RequestKind.PAUSE for request in self._store.requests.waiting())
        return asked or not set(pauses(self._store, datetime.now(UTC))) <= set(self._known or ())
