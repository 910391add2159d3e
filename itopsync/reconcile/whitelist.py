"""Writes HTML that every iTop keeps and that neither acts nor fetches by itself.

iTop drops an element that it does not know *with all its content*, and 2.7 to 3.1 know fewer than 3.2: no ``figure``, no
``mark``, no ``class``. So we write only what 2.7.9, 3.0.4, 3.1.2, 3.2.0 and the development branch all keep (read in
their sources); of anything else, only the words stay. nh3 (ammonia) checks the output against the same list again, since no
iTop sanitises a text that is carried as a file.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping

import nh3

from itopsync.reconcile.markup import BLOCKS, VOID, Close, Open, Piece, Text, names

PICTURE_SCHEME = "itopsync-picture"
"""The scheme in the address of a picture whose attachment is not known yet."""
KEPT: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(names("br b i u em strong big small tt kbd samp var del s ins cite q pre center"), frozenset[str]()),
    **dict.fromkeys(names("p blockquote span div ul h1 h2 h3 h4 nav section thead tbody fieldset legend hr"), names("style")),
    **dict.fromkeys(names("tr td th"), names("style colspan rowspan")),
    "a": names("href title target style"),
    "img": names("src alt title style"),
    "ol": names("style start reversed type"),
    "li": names("style value"),
    "code": names("style class"),
    "table": names("style width summary align border cellpadding cellspacing"),
    "font": names("face color size style"),
}
"""Elements and their attributes. ``start``, ``reversed``, ``type`` and ``value`` of lists survive only from 3.1 or 3.2 on;
``name``, which every version keeps on ``a``, is for markers."""
STYLES = names(
    "background-color border border-collapse color float font font-family font-size font-style height margin padding "
    "text-align vertical-align width white-space"
)
SCHEMES = names(f"http https mailto tel ftp sip {PICTURE_SCHEME}")
_READ_AS: Mapping[str, tuple[str, str]] = {
    "mark": ("span", "background-color:#ffff00"),
    "sub": ("span", "vertical-align:sub"),
    "sup": ("span", "vertical-align:super"),
    "h5": ("h4", ""),
    "h6": ("h4", ""),
    "strike": ("s", ""),
    "tfoot": ("tbody", ""),
    "dir": ("ul", ""),
    "menu": ("ul", ""),
    "listing": ("pre", ""),
    "xmp": ("pre", ""),
    "plaintext": ("pre", ""),
}
"""Replacements for elements that not every iTop knows."""
_DEEPEST = 100
"""How deep elements may nest; libxml2 loses anything deeper than 256."""
_LINK = re.compile(r"(?:https?|mailto|tel|ftp|sip):|#|\Z", re.IGNORECASE)
_FETCHING_STYLE = re.compile(r"[\\@<&]|url|expression|image|import|behavior|binding|/\*|//", re.IGNORECASE)
_LANGUAGE = re.compile(r"language-[\w+#-]{1,40}")
_CLEANER = nh3.Cleaner(
    tags=set(KEPT),
    attributes={tag: set(names) for tag, names in KEPT.items() if names},
    url_schemes=set(SCHEMES),
    filter_style_properties=set(STYLES),
    link_rel=None,
)


def write(pieces: Iterable[Piece]) -> str:
    """Write a text's pieces so that every iTop keeps what it says."""
    text = "".join(_written(_captions_first(pieces)))
    return _CLEANER.clean(text.lstrip("\ufeff"))  # a byte order mark says nothing, and the cleaner drops only the first


def _captions_first(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Move a table's caption, which no iTop's whitelist contains, in front of the table."""
    tables: list[list[Piece]] = []
    captions: list[list[Piece]] = []
    captioned = 0
    for piece in pieces:
        if isinstance(piece, Open) and piece.tag == "table":
            tables.append([])
            captions.append([])
        elif isinstance(piece, Open) and piece.tag == "caption" and tables:
            captioned = len(tables)
            captions[-1].append(Open("p"))
            continue
        elif isinstance(piece, Close) and piece.tag == "caption" and tables:
            captioned = 0
            captions[-1].append(Close("p"))
            continue
        if not tables:
            yield piece
            continue
        (captions if captioned == len(tables) else tables)[-1].append(piece)
        if isinstance(piece, Close) and piece.tag == "table":
            whole = [*captions.pop(), *tables.pop()]
            if not tables:
                yield from whole
            else:
                (captions if captioned == len(tables) else tables)[-1].extend(whole)


def _written(pieces: Iterable[Piece]) -> Iterator[str]:
    ends: list[str] = []
    depth = 0
    for piece in pieces:
        match piece:
            case Text():
                yield html.escape(piece.text, quote=False)
            case Close():
                end = ends.pop() if ends else ""
                depth -= end != ""
                yield end
            case Open():
                tag, style = _READ_AS.get(piece.tag, (piece.tag, ""))
                if tag not in KEPT:
                    tag = "div" if piece.tag in BLOCKS else ""
                begin = f"<{tag}{_attributes(tag, piece.attributes, style)}>" if tag and depth < _DEEPEST else ""
                if tag in VOID or piece.tag in VOID:
                    yield begin
                    continue
                if not begin and tag and piece.tag in BLOCKS:
                    begin = "<br>"
                    ends.append("")
                else:
                    ends.append(f"</{tag}>" if begin else "")
                    depth += begin != ""
                yield begin


def _attributes(tag: str, given: Mapping[str, str], style: str) -> str:
    kept = {name: value for name, value in given.items() if name in KEPT[tag] and name != "style" and _may_stay(name, value)}
    styles = ";".join(part for part in (style, _styles(given.get("style", "")), _size(tag, given)) if part)
    if styles and "style" in KEPT[tag]:
        kept["style"] = styles
    return "".join(f' {name}="{html.escape(value)}"' for name, value in kept.items())


def _may_stay(name: str, value: str) -> bool:
    match name:
        case "src":
            return value.startswith(f"{PICTURE_SCHEME}:")
        case "href":
            return _LINK.match(value.strip()) is not None
        case "class":
            return _LANGUAGE.fullmatch(value) is not None
    return True


def _styles(given: str) -> str:
    return ";".join(
        rule.strip()
        for rule in given.split(";")
        if rule.partition(":")[0].strip().lower() in STYLES and not _FETCHING_STYLE.search(rule)
    )


def _size(tag: str, given: Mapping[str, str]) -> str:
    """A picture's size as a style, which every iTop keeps; versions before 3.2 drop the attributes for it."""
    if tag != "img" or "style" in given:
        return ""
    sizes = {name: given.get(name, "") for name in ("width", "height")}
    return ";".join(
        f"{name}:{size}{'' if size.endswith(('px', '%')) else 'px'}"
        for name, size in sizes.items()
        if re.fullmatch(r"[0-9]{1,5}(?:px|%)?", size)
    )
