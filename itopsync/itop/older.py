"""Attributes as iTop before 3.2 reads and takes them, turned into what 3.2 does.

Such a server answers an HTML attribute (not a log) with each ``&`` written as ``&amp;``, and the solution of a request or an
incident is plain text there. Both were measured on 3.1.2, and read from the sources of 2.7.9 and 3.0.4.
"""

from __future__ import annotations

import re
from html import escape

from itopsync.reconcile.markup import BLOCKS, Open, Text, read

OLDER = frozenset({"2.7", "3.0", "3.1"})
PLAIN = frozenset({"solution"})
"""HTML from 3.2 on."""


def may_differ(name: str, text: str) -> bool:
    """Whether an HTML attribute that reads *text* would read otherwise from 3.2 on."""
    return bool(text) and (name in PLAIN or 0 < text.count("&") == text.count("&amp;"))


def as_html(name: str, text: str) -> str:
    """What an HTML attribute reads from 3.2 on."""
    if name not in PLAIN:
        return text.replace("&amp;", "&")
    lines = escape(text.replace("\r\n", "\n"), quote=False).split("\n")
    return f"<p>{'<br>'.join(lines)}</p>"


def as_text(fragment: str) -> str:
    """A fragment of HTML as plain text: a line for each block, and pictures told in words."""
    parts: list[str] = []
    for piece in read(fragment):
        if isinstance(piece, Text):
            parts.append(" ".join(re.split(r"\s+", piece.text)))
        elif piece.tag == "br" or piece.tag in BLOCKS:
            parts.append("\n")
        elif isinstance(piece, Open) and piece.tag == "img":
            parts.append(f"[picture: {piece.attributes.get('alt') or '?'}]")
    lines = (line.strip() for line in "".join(parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
