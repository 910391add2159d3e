"""Requests and answers, free of any transport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: What becomes of an answer: it arrives, the connection breaks, or the client waits in vain.
Fate = Literal["answered", "broken", "timed out"]


@dataclass(frozen=True, slots=True)
class SimRequest:
    """One HTTP request. ``query`` is the raw query string; header names are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class SimResponse:
    """One HTTP answer. ``fate`` other than ``answered`` means that the client never sees it; ``delay`` is in seconds."""

    status: int
    headers: dict[str, str]
    body: bytes
    fate: Fate = "answered"
    delay: float = 0.0
