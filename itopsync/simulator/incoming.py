"""A request that got past the login."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from itopsync.simulator.rights import Account


@dataclass(frozen=True, slots=True)
class Incoming:
    """An admitted request, with the properties by which faults select requests."""

    account: Account
    version: str
    parameters: Any

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.parameters if isinstance(self.parameters, dict) else {}

    @property
    def verb(self) -> str:
        return str(self.fields.get("operation", ""))

    @property
    def class_name(self) -> str:
        return str(self.fields.get("class", ""))

    @property
    def logs(self) -> tuple[str, ...]:
        """The logs that the request writes to."""
        fields = self.fields.get("fields")
        return tuple(log for log in ("private_log", "public_log") if isinstance(fields, dict) and fields.get(log))
