"""The simulator: one iTop server in memory.

:meth:`Simulator.handle` is the whole server as a function of a request; transports only pass requests to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from itopsync.simulator.agents import Agent
from itopsync.simulator.dates import http_date
from itopsync.simulator.front import Front
from itopsync.simulator.instance import Instance
from itopsync.simulator.messages import SimRequest, SimResponse
from itopsync.simulator.mishaps import Mishaps
from itopsync.simulator.reading import snapshot_of
from itopsync.simulator.rights import Account, Action, is_allowed
from itopsync.simulator.store import Store
from itopsync.simulator.web import serve


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A backup of the data and the accounts, without writes that are still on their way."""

    store: Store
    accounts: dict[str, Account]


class Simulator(Instance):
    """One simulated iTop server, constructed with the parameters of :class:`~itopsync.simulator.instance.Instance`."""

    # -- serving -----------------------------------------------------------------------------------------------

    def handle(self, request: SimRequest) -> SimResponse:
        """Serve one request. Thread-safe; does no I/O and never sleeps unless ``think_time`` is set."""
        with self.exclusively():
            self.served += 1
            self.land(due_only=True)
            response = Front(self, Mishaps(self)).serve(request)
            response.headers.setdefault("date", http_date(self.now()))
            for listener in self.listeners:
                listener(request, response)
            return response

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[str]:
        """Run a threaded HTTP server on 127.0.0.1 inside the context; yields its address, which becomes ``url``."""
        with serve(self.handle, port) as url:
            self.url = url
            yield url

    # -- people, and inspection --------------------------------------------------------------------------------

    def agent(self, login: str = "agent", *, by: str = "web") -> Agent:
        """A person at the web interface."""
        return Agent(self, self.accounts[login], by)

    def ticket(self, class_name: str, key: int) -> dict[str, Any]:
        """The object as stored, with ``attachments`` as a list of such objects; logs are tuples of entries.

        Raises KeyError if it does not exist.
        """
        with self.exclusively():
            row = self.store.get(class_name, key)
            if row is None:
                raise KeyError(f"{class_name}::{key}")
            files = self.store.find("Attachment", ("item_class", "item_id"), (row["finalclass"], key))
            attachments = [snapshot_of(file, self.store.schema) for file in files]
            return {**snapshot_of(row, self.store.schema), "attachments": attachments}

    def tickets(self, class_name: str = "Ticket") -> list[dict[str, Any]]:
        """All objects of the class and its subclasses, ordered by id, as from :meth:`ticket`."""
        with self.exclusively():
            keys = sorted((row["id"], row["finalclass"]) for row in self.store.rows(class_name))
            return [self.ticket(final_class, key) for key, final_class in keys]

    def allows(self, login: str, class_name: str, action: Action) -> bool:
        """Whether the account may do this to the class at present."""
        return is_allowed(self.accounts[login], class_name, action, self.access_mode, self.store.schema)

    def snapshot(self) -> Snapshot:
        """Make a backup of the data, which is cheap since rows are shared."""
        with self.exclusively():
            return Snapshot(self.store.copy(), dict(self.accounts))

    def restore(self, backup: Snapshot) -> None:
        """Restore a backup. Ids and references assigned since will be assigned again, and writes on their way are dropped."""
        with self.exclusively():
            self.store = backup.store.copy()
            self.accounts = dict(backup.accounts)
            self._pending.clear()

    def clean_up_drafts(self) -> int:
        """Delete expired drafts, as iTop's background task does; return how many."""
        with self.exclusively():
            now = self.session(next(iter(self.accounts.values())), "web").now
            expired = [
                (row["finalclass"], row["id"])
                for kind in ("Attachment", "InlineImage")
                for row in self.store.rows(kind)
                if not row.get("item_id") and (row.get("expire") or now) < now
            ]
            for class_name, key in expired:
                self.store.remove(class_name, key)
            return len(expired)
