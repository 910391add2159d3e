"""The HTML that each version of iTop allows: a list for 2.7, and the additions of each later version.

Taken from iTop's sources of 2.7.9, 3.0.4, 3.1.2 and 3.2.0. What becomes of texts was tested on running 2.7.11, 3.0.4, 3.1.2 and
3.2.0. The source of 3.3 was not available: it is assumed to allow what 3.2 allows, which its release notes do not contradict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_STYLE = ("style",)
_CELL = ("style", "colspan", "rowspan")
_TAGS_2_7: dict[str, tuple[str, ...]] = {
    "html": (), "body": (),
    "a": ("href", "name", "style", "target", "title"),
    "p": _STYLE, "blockquote": _STYLE, "span": _STYLE, "div": _STYLE, "br": (),
    "b": (), "i": (), "u": (), "em": (), "strong": (),
    "img": ("src", "style", "alt", "title"),
    "ul": _STYLE, "ol": _STYLE, "li": _STYLE,
    "h1": _STYLE, "h2": _STYLE, "h3": _STYLE, "h4": _STYLE,
    "nav": _STYLE, "section": _STYLE, "code": ("style", "class"),
    "table": ("style", "width", "summary", "align", "border", "cellpadding", "cellspacing"),
    "thead": _STYLE, "tbody": _STYLE, "tr": _CELL, "td": _CELL, "th": _CELL, "fieldset": _STYLE, "legend": _STYLE,
    "font": ("face", "color", "style", "size"),
    "big": (), "small": (), "tt": (), "kbd": (), "samp": (), "var": (), "del": (), "s": (), "ins": (), "cite": (),
    "q": (), "hr": _STYLE, "pre": (), "center": (),
}  # fmt: skip
_STYLES_2_7 = (
    "background-color", "border", "border-collapse", "bordercolor", "cellpadding", "cellspacing", "color", "float",
    "font", "font-family", "font-size", "font-style", "height", "margin", "padding", "text-align", "vertical-align",
    "width", "white-space",
)  # fmt: skip
#: Tags that may have a ``class`` from 3.2 on, since its editor needs it.
_CLASSED = (
    "a", "p", "blockquote", "span", "div", "b", "i", "u", "em", "strong", "img", "ul", "ol", "li", "h1", "h2", "h3",
    "h4", "nav", "section", "table", "thead", "tbody", "tr", "td", "th", "fieldset", "legend", "font", "hr", "pre",
)  # fmt: skip
#: version -> tag -> attributes allowed since that version
_ADDED: dict[str, dict[str, tuple[str, ...]]] = {
    "2.7": {},
    "3.0": {"a": ("data-role", "data-object-class", "data-object-id")},
    "3.1": {"ol": ("reversed", "start", "type"), "li": ("value",)},
    "3.2": {
        **dict.fromkeys(_CLASSED, ("class",)),
        "img": ("class", "width", "height"),
        "colgroup": (), "col": ("style",),
        "figure": ("style", "class"), "figcaption": ("class",), "mark": ("class",),
    },
    "3.3": {},
}  # fmt: skip
_ADDED_STYLES: dict[str, tuple[str, ...]] = {"3.2": ("aspect-ratio",)}


@dataclass(frozen=True, slots=True, eq=False)
class WhiteList:
    """The allowed tags with their attributes, and style properties. Other tags are removed with all their contents."""

    tags: Mapping[str, frozenset[str]]
    styles: frozenset[str]


def _white_lists() -> dict[str, WhiteList]:
    tags = {tag: frozenset(attributes) for tag, attributes in _TAGS_2_7.items()}
    styles = frozenset(_STYLES_2_7)
    lists = {}
    for version, added in _ADDED.items():
        tags = tags | {tag: tags.get(tag, frozenset()) | set(attributes) for tag, attributes in added.items()}
        styles |= set(_ADDED_STYLES.get(version, ()))
        lists[version] = WhiteList(tags, styles)
    return lists


WHITE_LISTS = _white_lists()
