"""Requests and responses, independent of any transport."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: The fate of a response: it arrives, the connection breaks, or the client times out.
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
    """One HTTP response. With a ``fate`` other than ``answered``, the client never sees it; ``delay`` is in seconds."""

    status: int
    headers: dict[str, str]
    body: bytes
    fate: Fate = "answered"
    delay: float = 0.0


HTML = "text/html; charset=UTF-8"
MAINTENANCE = {"data": [{"code": 100, "message": "This application is currently under maintenance."}], "scripts": []}
PHP_ERROR = "<p>iTop: An error occurred, check server error log for more information.</p>\n"


_BLANKS = re.compile("> +<")


def json_response(answer: Mapping[str, Any], status: int = 200, *, drop_blanks: bool = False) -> SimResponse:
    """A JSON response. ``drop_blanks``: without the blanks between ``>`` and ``<``, as iTop 3.0 sends it."""
    text = json.dumps(answer, separators=(",", ":"))
    if drop_blanks:
        text = _BLANKS.sub("><", text)
    return SimResponse(status, {"content-type": "application/json"}, text.encode())


def html_response(page: str, status: int = 200, content_type: str = HTML) -> SimResponse:
    """An HTML page."""
    return SimResponse(status, {"content-type": content_type}, page.encode())


def never(fate: Fate) -> SimResponse:
    """A response that does not arrive."""
    return SimResponse(200, {}, b"", fate)
