"""Checks the values that tickets get on a side: organisation, caller, team, agent and whatever else is configured."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from itopsync.config.catalogue import KEPT_BY_ITOP, TicketClass
from itopsync.config.faults import Faults
from itopsync.errors import clip
from itopsync.model import Side
from itopsync.reconcile.defaults import EMAIL_OF
from itopsync.settings.hints import meant_or
from itopsync.settings.section import OTHERWISE

_HINTS = {
    "org_id": '{ name = "Acme" }',
    "caller_id": '{ email = "customers@example.com" }',
}

BY_EMAIL = "email_of"

_NAMED = ("org_id", "team_id", "service_id", "servicesubcategory_id")
"""Keys of objects that a name alone identifies."""


def candidates(value: object) -> Sequence[object]:
    """What is tried for a value, in order: a criterion, then what it says after ``otherwise``."""
    if not isinstance(value, Mapping) or OTHERWISE not in value:
        return (value,)
    first = {name: part for name, part in value.items() if name != OTHERWISE}
    return (*((first,) if first else ()), *candidates(value[OTHERWISE]))


def last(defaults: Mapping[str, object]) -> dict[str, object]:
    """The values that are taken if nothing tried before them is found; the server itself looks these up."""
    return {name: candidates(value)[-1] for name, value in defaults.items()}


@dataclass(frozen=True)
class Settable:
    """The attributes of a side's tickets that may be given a value."""

    side: Side
    names: frozenset[str]
    """Empty if unknown, because no class is known."""
    keys: frozenset[str]

    @classmethod
    def of(cls, side: Side, classes: Sequence[TicketClass], besides: Collection[str]) -> Settable:
        """What the side's *classes* have; *besides* are attributes that the file itself names."""
        keys = frozenset(name for each in classes for name in each.keys)
        names = keys.union(besides, *(each.attributes for each in classes))
        return cls(side, names if classes else frozenset(), keys)


def check_defaults(settable: Settable, defaults: Mapping[str, object], faults: Faults) -> None:
    """Check a side's defaults like :func:`check_values`, and that there is a last resort for each."""
    check_values(settable, f"{settable.side}.defaults", defaults, faults)
    for name, value in last(defaults).items():
        if isinstance(value, Mapping) and BY_EMAIL in value:
            what = "there is no value for a caller whose e-mail nobody in internal has"
            faults.add(f"{settable.side}.defaults.{name}", what, f"Add one: {OTHERWISE} = {_HINTS['caller_id']}")


def check_values(settable: Settable, place: str, values: Mapping[str, object], faults: Faults) -> None:
    """Check that tickets have the attribute of each of the *values* at a *place* of the file, and take such values for it."""
    for name, value in values.items():
        for each in candidates(value):
            _check_value(settable, f"{place}.{name}", name, each, faults)


def _check_value(settable: Settable, key: str, name: str, value: object, faults: Faults) -> None:
    if isinstance(value, Mapping) and BY_EMAIL in value:
        _check_email_of(settable.side, key, name, value, faults)
    elif name in KEPT_BY_ITOP:
        faults.add(key, f"iTop keeps {name} itself", "Remove it")
    elif settable.names and name not in settable.names:
        demand = f"classes.<class>.lifecycle.{settable.side}.mandatory"
        remedy = meant_or(name, settable.names, f"Remove it, or say in {demand} which state demands it")
        faults.add(key, f"none of the synced classes has an attribute {name}", remedy)
    elif name in settable.keys and isinstance(value, str) and not _is_key(value):
        hint = f'{{ {_criterion(name, value)} = "{clip(value, 40)}" }}'
        faults.add(key, f"{clip(repr(value), 40)} is neither an id nor an OQL query", f"Write {hint}, if that is its name")
    elif isinstance(value, Mapping) and not name.endswith("_id"):
        faults.add(key, f"{name} is not a key, so nothing can be looked up for it", "Write the value itself")


def _check_email_of(side: Side, key: str, name: str, value: Mapping[str, object], faults: Faults) -> None:
    """Check that only the caller of an internal ticket is looked up by e-mail: no other person from external is."""
    if side is not Side.INTERNAL:
        faults.add(key, "nobody of internal is told to external, so nobody is looked up there by e-mail", "Remove it")
    elif name != EMAIL_OF or value[BY_EMAIL] != EMAIL_OF:
        what = "only a ticket's caller is looked up by e-mail: agents and others are never carried"
        faults.add(key, what, f'Write it as {EMAIL_OF} = {{ {BY_EMAIL} = "{EMAIL_OF}" }}, or remove it')
    elif len(value) > 1:
        faults.add(key, f"{BY_EMAIL} stands alone", f"Put the rest behind it: {OTHERWISE} = {{ … }}")


def _criterion(name: str, value: str) -> str:
    """The attribute in which to look for *value*: a person's ``name`` is only the surname."""
    if name in _NAMED:
        return "name"
    return "email" if "@" in value else "friendlyname"


def check_organisation(defaults: Mapping[str, object], faults: Faults) -> None:
    """Check that there is an organisation, without which iTop creates no ticket of any class."""
    if "org_id" not in defaults:
        _missing("org_id", faults)


def check_initial(demanded: Collection[str], defaults: Mapping[str, object], faults: Faults) -> None:
    """Check that the defaults provide the keys that iTop demands for a new copy."""
    for name in sorted({name for name in demanded if name.endswith("_id")} - defaults.keys()):
        _missing(name, faults)


def _missing(name: str, faults: Faults) -> None:
    hint = f", such as {_HINTS[name]}" if name in _HINTS else ""
    remedy = f"New internal tickets need it: give an id, a criterion or an OQL query{hint}"
    faults.add(f"internal.defaults.{name}", "it is missing", remedy)


def _is_key(value: str) -> bool:
    return value.strip().isdecimal() or value.strip().upper().startswith("SELECT ")
