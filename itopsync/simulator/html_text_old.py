"""Converts HTML to plain text as iTop before 3.2 does, by a simpler converter than the later one."""

from __future__ import annotations

import re
from typing import Any, cast

from itopsync.simulator.html import parse

_AROUND_LINE_END = re.compile(r"[ \t]*\n[ \t]*")
_AROUND_TAB = re.compile(r" *\t *")
_BLANK_LINES = re.compile(r"\n\n\n*")
_WHITESPACE = re.compile(r"[\t\n\f\r ]+")
_PHP_TRIM = " \t\n\r\0\x0b"
_RULE = "-" * 63 + "\n"
_SILENT = frozenset(["style", "head", "title", "meta", "script"])
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_BEFORE = {**dict.fromkeys((*_HEADINGS, "ol", "ul", "tr", "p", "div"), "\n"), "td": "\t", "th": "\t", "li": "- "}


def html_to_text(markup: str) -> str:
    """The ``message`` that iTop shows beside ``message_html``."""
    spaces = markup.replace("&nbsp;", " ").replace("\xa0", " ")
    root = parse(spaces.replace("\r\n", "\n").replace("\r", "\n"))
    if root is None:
        return ""
    text = _AROUND_TAB.sub("\t", _AROUND_LINE_END.sub("\n", _render(root)))
    return _BLANK_LINES.sub("\n\n", text).strip(_PHP_TRIM)


def _plain(text: str | None) -> str:
    return _WHITESPACE.sub(" ", text or "")


def _render(element: Any) -> str:
    name = cast(str, element.tag).lower()
    if name in _SILENT or name == "hr":
        return _RULE if name == "hr" else ""
    parts = [_BEFORE.get(name, ""), _plain(element.text)]
    for child in element:
        if isinstance(child.tag, str):
            parts.append(_render(child))
        parts.append(_plain(child.tail))
    output = "".join(parts)
    following = next((other.tag.lower() for other in element.itersiblings() if isinstance(other.tag, str)), None)
    if _ends_line(name, following):
        return output + "\n"
    if name == "a":
        return _link(element, output.strip(_PHP_TRIM)) + ("\n" if following in _HEADINGS else "")
    if name == "img":
        label = element.get("title") or element.get("alt")
        return f"[{label}]" if label else ""
    return output


def _ends_line(name: str, following: str | None) -> bool:
    if name == "div":
        return following not in ("div", None)
    return name in _HEADINGS or name == "li" or (name in ("p", "br") and following != "div")


def _link(element: Any, text: str) -> str:
    title, href = element.get("title"), element.get("href")
    if text.startswith("[") and text.endswith("]"):
        text = title or text[1:-1]
    text = text or title or ""
    if not href:
        return f"[{text}]" if element.get("name") else text
    if href in (text, f"mailto:{text}", f"http://{text}", f"https://{text}"):
        return text
    return f"[{text}]({href})" if text else href
