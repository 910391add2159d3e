"""A route: values for the tickets that have what it demands. Both sides' tables have a list of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from itopsync.settings.conditions import Condition
from itopsync.settings.section import KeyValue, Name, Section, Text, Written


def _read_demand(value: object) -> object:
    """:raises ValueError: it is not a value, several of them, or a table of such."""
    parts = list(value.values()) if isinstance(value, dict) else [value]
    if not parts or not all(_are_values(part) for part in parts):
        raise ValueError('it must be a value, a list of values, or a table such as { name = "Acme" } or { pattern = "Acme*" }')
    return value


def _are_values(part: object) -> bool:
    several = part if isinstance(part, list) else [part]
    return bool(several) and all(type(each) in (int, str) for each in several)


Demanded = Annotated[
    Any, BeforeValidator(_read_demand), Written("value, list or table", {"type": ["integer", "string", "array", "object"]})
]
"""``int | str | list[int | str] | dict[str, int | str | list[int | str]]``."""


class RouteSection(Section):
    """Values for the external tickets that have what a route demands, instead of the `defaults`. The first route that fits is
    taken; what it does not set, and what it does not find, comes from the `defaults`."""

    name: Text = Field(default="", examples=["Acme"])
    """What `check`, `plan` and `activity` call it. Default: its place in the file."""
    when: dict[Name, Demanded] = Field(default={}, examples=[{"org_id": {"name": "Acme"}, "request_type": "incident"}])
    """What the external ticket must have, all of it: attribute → a value, a list of values, or `{ pattern = "VPN*" }` with `*`
    and `?`; `class` is its class. For a key, `{ name = "Acme" }` and `{ pattern = "Acme*" }` mean the name of what it points to,
    and any other criterion, such as `{ code = "ACME" }`, is looked up in external. Case does not count."""
    condition: Condition = Field(default="", examples=["this.priority < 3"])
    """OQL condition on the external ticket, called `this`, that must be met as well. It costs a call per hundred new tickets."""
    set: dict[Name, KeyValue] = Field(default={}, examples=[{"team_id": {"name": "Helpdesk"}}])
    """Attribute → value, as in `defaults`."""
