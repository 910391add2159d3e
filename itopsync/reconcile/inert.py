"""HTML that neither acts nor fetches by itself: what is carried is shown to people of another company, by another server.

iTop sanitises what it stores, so that little of this is ever met. But a text can come from a server that was taken over or
altered, and a long one travels as a file, which no iTop sanitises.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

ACTIVE = (
    *("script", "style", "template", "noscript", "noembed", "noframes", "title", "xmp", "plaintext", "listing", "textarea"),
    *("iframe", "frame", "frameset", "object", "embed", "applet", "portal", "link", "meta", "base", "param"),
    *("svg", "math", "audio", "video", "source", "track", "canvas", "bgsound", "marquee", "dialog"),
    *("form", "input", "button", "select", "option", "isindex", "keygen"),
)
"""Elements that act, fetch, ask for something, or are parsed by rules of their own. They go with all that is in them."""
ATTRIBUTES = frozenset(
    {
        *("href", "src", "alt", "title", "class", "style", "lang", "dir", "name", "target", "rel", "width", "height", "align"),
        *("valign", "colspan", "rowspan", "border", "cellpadding", "cellspacing", "bgcolor", "color", "size", "face"),
        *("start", "type", "value", "reversed", "cite", "datetime", "span", "scope", "summary"),
    }
)
"""Attributes that may stay; ``data-*`` and the like go, and so does whatever runs on an event."""
_ANY_ACTIVE = ", ".join(ACTIVE)
_LINK = re.compile(r"(?:https?|mailto|tel|ftp|sip):|#|\Z", re.IGNORECASE)
_FETCHING_STYLE = re.compile(r"[\\@<]|url|expression|image|import|behavior|binding|/\*", re.IGNORECASE)


def make_inert(body: LexborNode) -> None:
    """Take out of *body* what acts or fetches by itself. Pictures are the caller's: ``src`` of an ``img`` is left alone."""
    while (active := body.css_first(_ANY_ACTIVE)) is not None:  # one after the other: one may stand in another
        active.decompose()
    for node in [one for one in body.traverse() if one.is_comment_node]:
        node.decompose()
    for node in body.css("*"):
        for name, value in node.attributes.items():
            if not _may_stay(node.tag or "", name, value or ""):
                del node.attrs[name]


def _may_stay(tag: str, name: str, value: str) -> bool:
    if name not in ATTRIBUTES:
        return False
    match name:
        case "src":
            return tag == "img"
        case "href":
            return tag == "a" and _LINK.match(value.strip()) is not None
        case "style":
            return not _FETCHING_STYLE.search(value)
    return True
