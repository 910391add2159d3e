"""Converts HTML to plain text as iTop does for a log entry's ``message``, beside its ``message_html``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, cast

from itopsync.simulator.html import CACHEABLE, parse


def html_to_text(markup: str) -> str:
    """The ``message`` that iTop shows beside ``message_html``: without tags, each block on its own lines."""
    if len(markup) <= CACHEABLE:
        return _html_to_text_cached(markup)
    return _html_to_text(markup)


def _html_to_text(markup: str) -> str:
    root = parse(markup.replace("\r\n", "\n").replace("\r", "\n").strip(" \t\n\r\0\x0b"))
    if root is None:
        return ""
    return _tidy(_render(root, None, False, None))


_html_to_text_cached = lru_cache(maxsize=20_000)(_html_to_text)

_SPACE_AROUND_TAB = re.compile(r" *\t *")
_LEADING_SPACE = re.compile(r"\n[ \t]*")
_TRAILING_SPACE = re.compile(r"[ \t]*\n")
_BLANK_LINES = re.compile(r"\n\n\n*")
_WHITESPACE = re.compile(r"[\t\n\f\r ]+")
_PHP_TRIM = " \t\n\r\0\x0b"
_DOUBLE_BREAK_BEFORE = frozenset(["h1", "h2", "h3", "h4", "h5", "h6", "ol", "ul", "pre", "p"])
_DOUBLE_BREAK_AFTER = frozenset(["h1", "h2", "h3", "h4", "h5", "h6", "pre", "p"])
_SILENT = frozenset(["style", "head", "title", "meta", "script"])


def _plain_spaces(text: str) -> str:
    return text.replace("\xa0", " ").replace("\u200c", "")


def _blank(text: str) -> bool:
    return not _plain_spaces(text).strip("\n\r\t ")


def _tidy(text: str) -> str:
    text = _SPACE_AROUND_TAB.sub("\t", text).lstrip(_PHP_TRIM)
    text = _plain_spaces(_LEADING_SPACE.sub("\n", text)).rstrip(_PHP_TRIM)
    text = _TRAILING_SPACE.sub("\n", text).replace("\r\n", "\n").replace("\r", "\n")
    return _BLANK_LINES.sub("\n\n", text)


def _render_text(text: str, previous: str | None, preformatted: bool) -> str:
    if preformatted:
        kept = "\n" + _plain_spaces(text).strip("\n\r\t ") + "\n"
        return _TRAILING_SPACE.sub("\n", kept).replace("\n", "\r")  # \r shields the line ends from tidying
    text = _WHITESPACE.sub(" ", _plain_spaces(text))
    return "\n" + text if previous in ("p", "div") and not _blank(text) else text


def _children(element: Any) -> list[tuple[str, Any]]:
    """Child nodes as (name, node); a text node is ("#text", its text)."""
    nodes: list[tuple[str, Any]] = []
    if element.text:
        nodes.append(("#text", element.text))
    for child in element:
        if isinstance(child.tag, str):
            nodes.append((child.tag.lower(), child))
        if child.tail:
            nodes.append(("#text", child.tail))
    return nodes


def _render(element: Any, previous: str | None, preformatted: bool, following: str | None) -> str:
    name = cast(str, element.tag).lower()
    if name == "hr":
        return ("\n" if previous is not None else "") + "-" * 63 + "\n"
    if name in _SILENT:
        return ""
    output = ""
    if name in _DOUBLE_BREAK_BEFORE:
        output = "\n\n"
    elif name in ("td", "th"):
        output = "\t"
    elif name == "tr" or (name == "div" and previous is not None):
        output = "\n"
    elif name == "li":
        output = "- "
    output += _render_children(element, preformatted or name == "pre")
    if name in _DOUBLE_BREAK_AFTER:
        output += "\n\n"
    elif name in ("br", "li"):
        output += "\n"
    elif name == "a":
        output = _render_link(element, output, following)
    elif name == "img":
        label = element.get("title") or element.get("alt")
        output = f"[{label}]" if label else ""
    elif name == "blockquote":
        quoted = ("\n" + _tidy(output)).replace("\n", "\n> ").replace("\n> >", "\n>>")
        output = "\n" + quoted + "\n\n"
    return output


def _render_children(element: Any, preformatted: bool) -> str:
    nodes = _children(element)
    parts: list[str] = []
    names: list[str] = []
    trailing = 0
    previous: str | None = None
    for position, (name, node) in enumerate(nodes):
        if name == "#text":
            text = _render_text(node, previous, preformatted)
        else:
            text = _render(node, previous, preformatted, _next_name(nodes, position))
        if name == "#text" and _blank(text):
            trailing += 1
        else:
            previous = name
            names.append(name)
            trailing = 0
        parts.append(text)
    if trailing:
        del parts[-trailing:]
    # A line break at the end of a block would add an empty line, so it is dropped after text.
    if names[-2:] == ["#text", "br"]:
        parts.pop()
    return "".join(parts)


def _next_name(nodes: list[tuple[str, Any]], position: int) -> str | None:
    for name, node in nodes[position + 1 :]:
        if name != "#text" or not _blank(node):
            return name
    return None


def _render_link(element: Any, output: str, following: str | None) -> str:
    output = output.strip(_PHP_TRIM)
    title = element.get("title")
    if output.startswith("[") and output.endswith("]"):
        output = title or output[1:-1]
    output = output or title or ""
    href = element.get("href")
    if not href:
        if element.get("name"):
            output = f"[{output}]"
    elif href not in (output, f"mailto:{output}", f"http://{output}", f"https://{output}"):
        output = f"[{output}]({href})" if output else href
    if following in ("h1", "h2", "h3", "h4", "h5", "h6"):
        output += "\n"
    return output
