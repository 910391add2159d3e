"""Checks the values that tickets get on a side: organisation, caller, team, agent and whatever else is configured."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from itopsync.config.catalogue import KEPT_BY_ITOP, TicketClass
from itopsync.config.faults import Faults
from itopsync.errors import clip
from itopsync.model import Side
from itopsync.settings.hints import meant_or

_HINTS = {
    "org_id": '{ name = "Acme" }',
    "caller_id": '{ email = "customers@example.com" }',
}

_NAMED = ("org_id", "team_id", "service_id", "servicesubcategory_id")
"""Keys of objects that a name alone identifies."""


def check_defaults(
    side: Side, defaults: Mapping[str, object], classes: Sequence[TicketClass], besides: Collection[str], faults: Faults
) -> None:
    """Check that the side's *classes* have the attribute of each default; *besides* are attributes that the file itself names."""
    known = {name for cls in classes for name in (*cls.keys, *cls.attributes)} | set(besides)
    keys = {name for cls in classes for name in cls.keys}
    for name, value in defaults.items():
        key = f"{side}.defaults.{name}"
        if name in KEPT_BY_ITOP:
            faults.add(key, f"iTop keeps {name} itself", "Remove it")
        elif classes and name not in known:
            demand = f"classes.<class>.lifecycle.{side}.mandatory"
            remedy = meant_or(name, known, f"Remove it, or say in {demand} which state demands it")
            faults.add(key, f"none of the synced classes has an attribute {name}", remedy)
        elif name in keys and isinstance(value, str) and not _is_key(value):
            hint = f'{{ {_criterion(name, value)} = "{clip(value, 40)}" }}'
            faults.add(key, f"{clip(repr(value), 40)} is neither an id nor an OQL query", f"Write {hint}, if that is its name")


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
