"""The attributes of a ticket that are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from itopsync.model import VERSION_TIME, Side
from itopsync.reconcile.rules import ClassRules, Kind

ALWAYS = ("id", "ref", "last_update", "finalclass", "org_id")
"""The attributes read of every ticket."""


@dataclass(frozen=True)
class Attributes:
    """The attributes to read of one ticket class on one server, besides :data:`ALWAYS`."""

    state: str = "status"
    fields: Mapping[str, Kind] = field(default_factory=lambda: MappingProxyType({}))
    logs: tuple[str, ...] = ()

    @classmethod
    def of(cls, rules: ClassRules, side: Side) -> Attributes:
        """What is read of a ticket of a synced class on *side*."""
        fields = {**rules.attributes(side), VERSION_TIME: Kind.DATE}
        return cls(fields=fields, logs=tuple(log.of(side) for log in rules.logs))

    @property
    def names(self) -> tuple[str, ...]:
        """All names, each once. Asking iTop for everything (``*+``) costs 25 times as much."""
        return tuple(dict.fromkeys((*ALWAYS, self.state, *self.fields, *self.logs)))

    def kind(self, name: str) -> Kind:
        return self.fields.get(name, Kind.CODE)


def is_key(name: str) -> bool:
    """Whether an attribute is an external key: by iTop's convention, their names end in ``_id``."""
    return name.endswith("_id")
