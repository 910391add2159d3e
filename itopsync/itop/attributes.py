"""Which attributes of a ticket are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from itopsync.reconcile.rules import Kind

ALWAYS = ("id", "ref", "last_update", "finalclass", "org_id")
"""What every ticket is asked for."""


@dataclass(frozen=True)
class Attributes:
    """The attributes of one ticket class on one server, beside :data:`ALWAYS`."""

    state: str = "status"
    fields: Mapping[str, Kind] = field(default_factory=lambda: MappingProxyType({}))
    logs: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, each once: iTop costs 25 times as much when it is asked for everything (``*+``)."""
        return tuple(dict.fromkeys((*ALWAYS, self.state, *self.fields, *self.logs)))

    def kind(self, name: str) -> Kind:
        return self.fields.get(name, Kind.CODE)


def is_key(name: str) -> bool:
    """Whether an attribute of this name is an external key, by iTop's custom of ending their names in ``_id``."""
    return name.endswith("_id")
