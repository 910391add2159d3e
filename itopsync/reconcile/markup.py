"""Reads HTML as a flat sequence of pieces, in linear time whatever it contains.

It is parsed by lexbor (HTML5, like browsers). Trees thousands of elements deep, elements with thousands of attributes, and
formatting that is never closed take such parsers quadratic time, so texts with these are flattened first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

DEEPEST = 200
"""How deep elements may nest; a deeper text is flattened. libxml2, iTop's parser, gives up at 256."""
_MOST_ATTRIBUTES = 100
_SMALL = 10_000
_MOST_REOPENED = 20_000
"""How many times in total later blocks may reopen formatting that was never closed."""


def names(text: str) -> frozenset[str]:
    """The space-separated names in *text*."""
    return frozenset(text.split())


BLOCKS = names(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li listing main menu nav ol optgroup option p "
    "plaintext pre search section summary table tbody td tfoot th thead tr ul xmp"
)
"""Elements that begin and end a line, or a cell."""
VOID = names("area base br col embed hr img input link meta param source track wbr")
"""Elements that hold nothing."""
UNSEEN = names(
    "script style template title noscript noembed noframes iframe frame frameset datalist object embed applet "
    "portal audio video canvas colgroup"
)
"""Elements whose content no reader sees as text; they are left out with everything in them."""
_RAW = names("script style title textarea xmp iframe noembed noframes plaintext")
"""Elements in which no tag counts except their own end."""
_SELF_CLOSING = names("p li dd dt td th tr tbody thead tfoot option body html head")
"""Elements that end where the next begins, so they do not nest by themselves."""
_FORMATTING = names("a b big code em font i nobr s small strike strong tt u")
_ATTRIBUTE = (
    r"=?+[^\t\n\f\r />=]++(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+"
    r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >"'][^\t\n\f\r >]*+)?+)?+"""
)
_TOKEN = re.compile(
    r"<(?:!--(?:-?>|.*?(?:--!?>|\Z))|[!?][^>]*+(?:>|\Z)|/[^a-zA-Z>][^>]*+(?:>|\Z)|/>"
    rf"|(?P<end>/?)(?P<name>[a-zA-Z][^\t\n\f\r />]*+)(?:[\t\n\f\r /]++|{_ATTRIBUTE}|=)*+(?:>|\Z))",
    re.DOTALL,
)
_ONE_ATTRIBUTE = re.compile(_ATTRIBUTE)


@dataclass(frozen=True, slots=True)
class Open:
    """An element begins; a void one has no end."""

    tag: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_end(self) -> bool:
        """Whether it can hold content."""
        return self.tag not in VOID


@dataclass(frozen=True, slots=True)
class Close:
    """An element ends."""

    tag: str


@dataclass(frozen=True, slots=True)
class Text:
    """Text, with entities decoded."""

    text: str = field(repr=False)


Piece = Open | Close | Text


def read(fragment: str) -> Iterator[Piece]:
    """Read a fragment of HTML: its elements and texts in order, without comments and invisible elements."""
    body = LexborHTMLParser("<body>" + _bounded(fragment)).body
    node = body.child if body is not None else None
    above: list[LexborNode] = []
    while node is not None:
        inside = None
        if node.is_text_node:
            yield Text(node.text_content or "")
        elif node.is_element_node and (tag := node.tag or "") not in UNSEEN:
            yield Open(tag, {name: value or "" for name, value in node.attributes.items()} if tag != "br" else {})
            inside = node.child if tag not in VOID else None
            if inside is None and tag not in VOID:
                yield Close(tag)
        if inside is not None:
            above.append(node)
            node = inside
            continue
        while node.next is None and above:
            node = above.pop()
            yield Close(node.tag or "")
        node = node.next


def is_flattened(fragment: str) -> bool:
    """Whether *fragment* is read flat because it nests, repeats or reopens more than a parser handles quickly."""
    small = len(fragment) < _SMALL and fragment.count("<") < DEEPEST
    return not small and not _is_bounded(fragment)


def _bounded(fragment: str) -> str:
    """*fragment*, flattened if necessary."""
    return _flat(fragment) if is_flattened(fragment) else fragment


def _tags(fragment: str) -> Iterator[re.Match[str]]:
    """Everything outside raw text that looks like a tag, a comment or the like, in order."""
    position = 0
    while (found := _TOKEN.search(fragment, position)) is not None:
        yield found
        position = found.end()
        name = (found["name"] or "").lower()
        if name in _RAW and not found["end"]:
            end = re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE).search(fragment, position)
            position = end.start() if end and name != "plaintext" else len(fragment)


def _is_bounded(fragment: str) -> bool:
    """Whether *fragment* stays within the bounds. End tags that do not match are ignored, so nesting is never underestimated."""
    nested: list[str] = []
    formatting = reopened = 0
    for found in _tags(fragment):
        name = (found["name"] or "").lower()
        if not name or name in VOID:
            continue
        if found.end() - found.start() > _MOST_ATTRIBUTES and len(_ONE_ATTRIBUTE.findall(found[0])) > _MOST_ATTRIBUTES:
            return False
        reopened += formatting if name in BLOCKS else 0
        if name in _SELF_CLOSING:
            pass
        elif not found["end"]:
            nested.append(name)
            formatting += name in _FORMATTING
        elif nested and nested[-1] == name:
            nested.pop()
            formatting -= name in _FORMATTING
        if len(nested) > DEEPEST or reopened > _MOST_REOPENED:
            return False
    return True


def _flat(fragment: str) -> str:
    """*fragment* reduced to its words, pictures and line ends."""
    flat: list[str] = []
    position = 0
    unseen = ""
    for found in _tags(fragment):
        name = (found["name"] or "").lower()
        if not unseen:
            flat.append(fragment[position : found.start()].replace("<", "&lt;"))
        position = found.end()
        if name in UNSEEN and name in _RAW:
            unseen = "" if found["end"] else name
        elif unseen:
            continue
        elif name == "img" and len(_ONE_ATTRIBUTE.findall(found[0])) <= _MOST_ATTRIBUTES:
            flat.append(found[0] if found[0].endswith(">") else "")
        elif name == "br" or name in BLOCKS:
            flat.append("<br>")
    return "".join(flat if unseen else [*flat, fragment[position:].replace("<", "&lt;")])
