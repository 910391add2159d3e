"""Converts attributes between iTop before 3.2 and 3.2.

An older server returns an HTML attribute (not a log) with each ``&`` written as ``&amp;``, and the solution of a request or an
incident is plain text there. Both were observed on 2.7.11, 3.0.4 and 3.1.2.
"""

from __future__ import annotations

from html import escape

OLDER = frozenset({"2.7", "3.0", "3.1"})
PLAIN = frozenset({"solution"})
"""Plain-text attributes that are HTML from 3.2 on."""


def may_differ(name: str, text: str) -> bool:
    """Whether an HTML attribute with the value *text* would have another value from 3.2 on."""
    return bool(text) and (name in PLAIN or 0 < text.count("&") == text.count("&amp;"))


def as_html(name: str, text: str) -> str:
    """The value of an HTML attribute, as from 3.2 on."""
    if name not in PLAIN:
        return text.replace("&amp;", "&")
    lines = escape(text.replace("\r\n", "\n"), quote=False).split("\n")
    return f"<p>{'<br>'.join(lines)}</p>"
