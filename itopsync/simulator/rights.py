"""Accounts, their profiles, and what a profile allows for each class and verb."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal

from itopsync.simulator.schema import Schema
from itopsync.simulator.store import Row, Store

Action = Literal["read", "bulk read", "write", "bulk write", "delete"]
ADMINISTRATOR = "Administrator"
REST_PROFILE = "REST Services User"


class AccessMode(IntEnum):
    """iTop's ``access_mode``: read-only for everybody, writes only for administrators, or everything.

    On a real server, 1 let everybody write, like 3.
    """

    READ_ONLY = 0
    USERS = 1
    ADMINISTRATORS_WRITE = 2
    FULL = 3


_WRITE: frozenset[Action] = frozenset({"write", "bulk write"})
_OWN: frozenset[Action] = frozenset({"write", "bulk write", "delete"})
_TICKETING = {
    "Attachment": _OWN, "WorkOrder": _OWN, "lnkContactToTicket": _OWN, "lnkFunctionalCIToTicket": _OWN,
}  # fmt: skip
_SERVICE_CLASSES = ("Contract", "ServiceFamily", "Service", "ServiceSubcategory")
#: profile -> class (and its subclasses) -> actions besides reading, which every console profile allows.
PROFILES: dict[str, dict[str, frozenset[Action]]] = {
    REST_PROFILE: {},
    "Configuration Manager": {"Organization": _OWN, "Location": _OWN, "Contact": _OWN},
    "Service Desk Agent": {**_TICKETING, "Incident": _WRITE, "UserRequest": _WRITE},
    "Support Agent": {**_TICKETING, "Incident": _WRITE, "UserRequest": _WRITE},
    "Problem Manager": {**_TICKETING, "Problem": _WRITE},
    "Change Implementor": {**_TICKETING, "Change": _WRITE},
    "Change Supervisor": {**_TICKETING, "Change": _WRITE},
    "Change Approver": {**_TICKETING, "Change": _WRITE},
    "Service Manager": dict.fromkeys(_SERVICE_CLASSES, _OWN),
    "Document author": {},
}
SYNC_PROFILES = (
    REST_PROFILE, "Support Agent", "Service Desk Agent", "Service Manager", "Change Implementor", "Change Supervisor",
    "Change Approver", "Problem Manager",
)  # fmt: skip
#: Profiles that by themselves allow nothing, not even reading.
_SILENT = frozenset({REST_PROFILE})


@dataclass(frozen=True, slots=True)
class Account:
    """A user account. ``login`` is its login name; ``user_id`` and ``contact_id`` are its User and Person.

    ``organizations`` limits what it sees (empty: everything). ``token`` is accepted in the ``Auth-Token`` header. ``denied``
    revokes rights, as (class, action) pairs.
    """

    login: str
    password: str
    user_id: int
    contact_id: int
    profiles: tuple[str, ...] = ()
    organizations: frozenset[int] = frozenset()
    token: str = ""
    denied: frozenset[tuple[str, str]] = frozenset()

    @property
    def is_administrator(self) -> bool:
        return ADMINISTRATOR in self.profiles

    @property
    def may_use_rest(self) -> bool:
        return REST_PROFILE in self.profiles

    def limited_to(self, *organizations: int) -> Account:
        """The same account, limited to these organisations."""
        return replace(self, organizations=frozenset(organizations))

    def without(self, class_name: str, *actions: Action) -> Account:
        """The same account without these rights on a class: ``read``, ``write``, ``delete`` …"""
        return replace(self, denied=self.denied | {(class_name, action) for action in actions})


def is_allowed(account: Account, class_name: str, action: Action, mode: AccessMode, schema: Schema) -> bool:
    """Whether the account may do this to the class at all; :func:`sees` decides which objects it sees."""
    itop_class = schema[class_name]
    reads = action in ("read", "bulk read")
    writers = {AccessMode.READ_ONLY: False, AccessMode.ADMINISTRATORS_WRITE: account.is_administrator}
    if not reads and not writers.get(mode, True):
        return False
    if any((ancestor, action) in account.denied for ancestor in itop_class.lineage):
        return False
    if account.is_administrator:
        return True
    if itop_class.administrators_only:
        return False
    if reads:
        return any(profile not in _SILENT for profile in account.profiles)
    return any(
        action in PROFILES.get(profile, {}).get(ancestor, frozenset())
        for profile in account.profiles
        for ancestor in itop_class.lineage
    )


def allowed_organizations(account: Account, store: Store) -> frozenset[int] | None:
    """The organisations that the account sees, including those below its own; None for all."""
    if not account.organizations or account.is_administrator:
        return None
    allowed = set(account.organizations)
    grown = True
    while grown:
        below = {row["id"] for row in store.rows("Organization") if row.get("parent_id") in allowed}
        grown = not below <= allowed
        allowed |= below
    return frozenset(allowed)


def sees(row: Row, organizations: frozenset[int] | None, schema: Schema) -> bool:
    """Whether an account limited to ``organizations`` finds the object."""
    if organizations is None:
        return True
    attribute = schema[row["finalclass"]].organization_attribute
    return attribute is None or (row.get(attribute) or 0) in organizations
