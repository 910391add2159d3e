"""The context of one request: its account and its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from itopsync.simulator.dates import local, timestamp_of
from itopsync.simulator.oql_expressions import Context
from itopsync.simulator.reading import Surroundings, friendly_name
from itopsync.simulator.rights import Account, allowed_organizations, sees
from itopsync.simulator.schema import Schema
from itopsync.simulator.store import Row, Store


@dataclass(slots=True)
class Session:
    """One request or act of a person. ``moment`` is its time in UTC, which stays the same throughout."""

    account: Account
    store: Store
    around: Surroundings
    moment: datetime
    database_now: Callable[[], datetime]
    by: str = "rest"
    comment: str = ""
    class_name: str = ""
    organizations: frozenset[int] | None = None

    def __post_init__(self) -> None:
        self.organizations = allowed_organizations(self.account, self.store)

    @property
    def schema(self) -> Schema:
        return self.store.schema

    @property
    def app_root(self) -> str:
        return self.around.app_root

    @property
    def timezone(self) -> ZoneInfo:
        return self.around.timezone

    @property
    def timestamp(self) -> int:
        return int(self.moment.timestamp())

    @property
    def now(self) -> str:
        """The server's local time in the stored form."""
        return local(self.timestamp, self.timezone)

    @property
    def author(self) -> tuple[str, int]:
        """The author's name and account id for log entries."""
        person = self.store.get("Person", self.account.contact_id)
        name = friendly_name(person, self.store) if person is not None else self.account.login
        return name, self.account.user_id

    def seconds_since(self, stored: str | None) -> int | None:
        """Seconds from a stored local date until now; None if there is no date."""
        return None if not stored else max(0, self.timestamp - timestamp_of(stored, self.timezone))

    def name_of_user(self, user: Row) -> str:
        person = self.store.get("Person", user.get("contactid") or 0)
        return friendly_name(person, self.store) if person is not None else str(user.get("login", ""))

    def sees(self, row: Row) -> bool:
        if self.schema[row["finalclass"]].administrators_only and not self.account.is_administrator:
            return False
        return sees(row, self.organizations, self.schema)

    def see(self, class_name: str, key: int) -> Row | None:
        """The object, if the account may see it."""
        row = self.store.get(class_name, key)
        return row if row is not None and self.sees(row) else None

    def context(self) -> Context:
        visible = self.sees if self.organizations is not None else None
        return Context(self.store, self.database_now, self.timezone, visible, self._argument)

    def _argument(self, name: str) -> Any:
        """The value of ``:current_contact_id``, ``:current_contact->code`` or ``:current_user->code`` in a query."""
        if name == "current_contact_id":
            return self.account.contact_id
        owner, _, code = name.partition("->")
        kind, key = ("Person", self.account.contact_id) if owner == "current_contact" else ("User", self.account.user_id)
        return (self.store.get(kind, key) or {}).get(code)
