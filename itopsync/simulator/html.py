"""What iTop does to HTML: sanitising on the way in, plain text and image addresses on the way out.

iTop 3.2.0 parses with PHP's DOM (libxml2 2.9) and drops what is not on its list of allowed tags, attributes and
style properties. lxml drives the same library, in a later version, so only a few habits of 2.9 are added here.
"""

from __future__ import annotations

import html as html_entities
import re
from functools import lru_cache
from typing import Any, cast

from lxml import etree

_TEXT_STYLE = ("style", "class")
_CELL = ("style", "class", "colspan", "rowspan")
#: Allowed tags and, for each, its allowed attributes. A tag that is not here goes with all its contents.
ALLOWED: dict[str, tuple[str, ...]] = {
    "html": (), "body": (),
    "a": ("href", "name", "style", "class", "target", "title", "data-role", "data-object-class", "data-object-id"),
    "p": _TEXT_STYLE, "blockquote": _TEXT_STYLE, "span": _TEXT_STYLE, "div": _TEXT_STYLE, "br": (),
    "b": ("class",), "i": ("class",), "u": ("class",), "em": ("class",), "strong": ("class",),
    "img": ("src", "style", "class", "alt", "title", "width", "height"),
    "ul": _TEXT_STYLE, "ol": ("reversed", "start", "style", "class", "type"), "li": ("style", "class", "value"),
    "h1": _TEXT_STYLE, "h2": _TEXT_STYLE, "h3": _TEXT_STYLE, "h4": _TEXT_STYLE,
    "nav": _TEXT_STYLE, "section": _TEXT_STYLE, "code": _TEXT_STYLE,
    "table": ("style", "class", "width", "summary", "align", "border", "cellpadding", "cellspacing"),
    "colgroup": (), "col": ("style",), "thead": _TEXT_STYLE, "tbody": _TEXT_STYLE,
    "tr": _CELL, "td": _CELL, "th": _CELL, "fieldset": _TEXT_STYLE, "legend": _TEXT_STYLE,
    "font": ("face", "color", "style", "class", "size"),
    "big": (), "small": (), "tt": (), "kbd": (), "samp": (), "var": (), "del": (), "s": (), "ins": (), "cite": (),
    "q": (), "hr": _TEXT_STYLE, "pre": ("class",), "center": (), "figure": _TEXT_STYLE, "figcaption": ("class",),
    "mark": ("class",),
}  # fmt: skip
ALLOWED_STYLES = frozenset(
    {
        "aspect-ratio", "background-color", "border", "border-collapse", "bordercolor", "cellpadding", "cellspacing",
        "color", "float", "font", "font-family", "font-size", "font-style", "height", "margin", "padding",
        "text-align", "vertical-align", "width", "white-space",
    }
)  # fmt: skip
_SOURCE = re.compile(r"^(http:|https:|data:)", re.IGNORECASE)
# An unanchored search in iTop, so that only the beginning of an address counts: scheme and host of three characters,
# a mail address, or a notification placeholder such as $this->ref$.
_HREF = re.compile(
    r"(?:https?|ftp)://(?:[\w+!*(),;?&=$.:-]+@)?[a-z0-9.-]{3,}"
    r"|mailto:[a-z0-9._&'-]+@[a-z0-9.-]+\.[a-z0-9-]{2,}"
    r"|(?:\$|%24)[\w-]*(?:->\w*(?:\([\w-]*?\))?)?(?:\$|%24)",
    re.IGNORECASE | re.ASCII,
)
_INLINE_IMAGE = re.compile(r"pages/ajax\.document\.php\?operation=download_inlineimage&id=([0-9]+)&s=([0-9a-f]+)")
_OFFICE_EMPTY_LINE = re.compile(r"<o:p>(\s|&nbsp;)*</o:p>")
# What stands before the first contents and leaves nothing: stray closing tags, comments, scripts and styles.
_CLOSING_FIRST = re.compile(
    r"^(?:[ \t\r\n\f]+|</(?!p>)[a-zA-Z][^>]*>|<!--.*?-->|<(script|style)\b[^>]*>.*?</\1>)*",
    re.IGNORECASE | re.DOTALL,
)
_UNFINISHED_ENTITY = re.compile(r"&(?=[A-Za-z][A-Za-z0-9._:-]*(?![A-Za-z0-9._:;-]))")
_CARRIAGE_RETURN = "\ue00d"
#: What libxml2 prints for a document without a body: an empty text is stored as this.
_NOTHING = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.0 Transitional//EN" "http://www.w3.org/TR/REC-html40/loose.dtd">\n'
    '<?xml encoding="UTF-8"?>\n'
)
_STARTS_WITH_MARKUP = re.compile(r"<[a-zA-Z/!?]")
_IMAGE_WITH_ID = re.compile(r'<img ([^>]*)data-img-id="([0-9]+)"([^>]*)>', re.IGNORECASE)
_IMAGE_SECRET = re.compile(r'data-img-secret="([0-9a-f]+)"')
_IMAGE_SOURCE = re.compile(r'src="[^"]+"')
#: Longer texts are not kept in the cache: a pasted picture may be megabytes of text.
_CACHEABLE = 4_000


def _parse(markup: str) -> Any:
    """The document of ``markup``, or None when there is nothing in it."""
    stripped = _CLOSING_FIRST.sub("", markup.replace("\x00", ""), count=1)
    if not stripped:
        return None
    # Three habits of libxml2 2.9: text that comes before any element becomes a paragraph, an entity needs its
    # semicolon, and a carriage return stays.
    if not _STARTS_WITH_MARKUP.match(stripped):
        stripped = "<p>" + stripped
    if "&" in stripped:
        stripped = _UNFINISHED_ENTITY.sub("&amp;", stripped)
    stripped = stripped.replace("\r", _CARRIAGE_RETURN)
    document = f'<?xml encoding="UTF-8"?>{stripped}'.encode("utf-8", "replace")
    return etree.fromstring(document, etree.HTMLParser(encoding="utf-8", huge_tree=True))


def sanitize(markup: str, app_root: str) -> str:
    """``markup`` as iTop stores it; ``app_root`` is the server's own address, with the slash at its end."""
    if len(markup) <= _CACHEABLE:
        return _sanitize_cached(markup, app_root)
    return _sanitize(markup, app_root)


def _sanitize(markup: str, app_root: str) -> str:
    root = _parse(_OFFICE_EMPTY_LINE.sub("<br>", markup))
    if root is None:
        return _NOTHING
    _clean(root, app_root)
    body = root.find("body")
    if body is None:
        return _NOTHING
    text = str(etree.tostring(body, method="html", encoding="unicode", with_tail=False))
    return text.replace("<body>", "").replace("</body>", "").replace(_CARRIAGE_RETURN, "\r")


_sanitize_cached = lru_cache(maxsize=20_000)(_sanitize)


def _clean(element: Any, app_root: str) -> None:
    _clean_attributes(element)
    for child in list(element):
        if not isinstance(child.tag, str) or child.tag.lower() not in ALLOWED:
            if child.tag is etree.ProcessingInstruction:
                continue
            _drop(element, child)
            continue
        _clean(child, app_root)
        if child.tag == "img":
            _mark_inline_image(child, app_root)


def _clean_attributes(element: Any) -> None:
    attributes = element.attrib
    if not attributes:
        return
    allowed = ALLOWED[element.tag.lower()]
    for name in list(attributes):
        value = attributes[name]
        code = name.lower()
        if code not in allowed or (code == "src" and not _SOURCE.match(value)) or (code == "href" and not _HREF.search(value)):
            del attributes[name]
        elif code == "style":
            kept = _clean_style(value)
            if kept:
                attributes[name] = kept
            else:
                del attributes[name]


def _clean_style(style: str) -> str:
    items = (item.strip() for item in style.split(";"))
    return ";".join(item for item in items if item.split(":")[0].strip().lower() in ALLOWED_STYLES)


def _drop(parent: Any, child: Any) -> None:
    """Remove ``child`` but keep the text behind it, which lxml holds with it."""
    tail = child.tail
    if tail:
        previous = child.getprevious()
        if previous is None:
            parent.text = (parent.text or "") + tail
        else:
            previous.tail = (previous.tail or "") + tail
    parent.remove(child)


def _mark_inline_image(image: Any, app_root: str) -> None:
    source = image.get("src", "")
    found = _INLINE_IMAGE.search(source)
    if not found:
        return
    for name in ("data-img-id", "data-img-secret"):
        image.attrib.pop(name, None)
    if source.startswith(app_root):
        image.set("data-img-id", found[1])
        image.set("data-img-secret", found[2])


def fix_urls(markup: str, app_root: str) -> str:
    """Point every inline image at the server's present address, as iTop does whenever it shows a text."""
    if "data-img-id" not in markup:
        return markup

    def repoint(match: re.Match[str]) -> str:
        tag = match[0]
        secret = _IMAGE_SECRET.search(tag)
        address = f"{app_root}pages/ajax.document.php?operation=download_inlineimage&id={match[2]}"
        if secret:
            address += f"&s={secret[1]}"
        return _IMAGE_SOURCE.sub(lambda _: f'src="{html_entities.escape(address)}"', tag)

    return _IMAGE_WITH_ID.sub(repoint, markup)


def text_to_html(text: str) -> str:
    """Plain text as iTop shows it in HTML: escaped, with ``<br/>`` for each end of line."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    escaped = html_entities.escape(text, quote=True).replace("&#x27;", "&apos;")
    return escaped.replace("\n", "<br/>")


def html_to_text(markup: str) -> str:
    """The ``message`` that iTop shows beside ``message_html``: tags gone, blocks on lines of their own."""
    if len(markup) <= _CACHEABLE:
        return _html_to_text_cached(markup)
    return _html_to_text(markup)


def _html_to_text(markup: str) -> str:
    root = _parse(markup.replace("\r\n", "\n").replace("\r", "\n").strip(" \t\n\r\0\x0b"))
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
    # A line break at the very end of a block would add an empty line: it goes when it follows text.
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
