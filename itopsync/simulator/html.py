"""What iTop does to HTML: it sanitises input, and updates image addresses in output (plain text: ``html_text.py``).

iTop parses with PHP's DOM (libxml2 2.9) and drops everything that is not on its list of allowed tags, attributes and style
properties (``version_html.py``). lxml uses a later version of the same library, so only a few peculiarities of 2.9 are added.
"""

from __future__ import annotations

import html as html_entities
import re
from functools import lru_cache
from typing import Any

from lxml import etree

from itopsync.simulator.version_html import WhiteList

_SOURCE = re.compile(r"^(http:|https:|data:)", re.IGNORECASE)
# iTop searches unanchored, so only the beginning of an address counts: a scheme and a host of three characters, a mail address,
# or a notification placeholder such as $this->ref$.
_HREF = re.compile(
    r"(?:https?|ftp)://(?:[\w+!*(),;?&=$.:-]+@)?[a-z0-9.-]{3,}"
    r"|mailto:[a-z0-9._&'-]+@[a-z0-9.-]+\.[a-z0-9-]{2,}"
    r"|(?:\$|%24)[\w-]*(?:->\w*(?:\([\w-]*?\))?)?(?:\$|%24)",
    re.IGNORECASE | re.ASCII,
)
_INLINE_IMAGE = re.compile(r"pages/ajax\.document\.php\?operation=download_inlineimage&id=([0-9]+)&s=([0-9a-f]+)")
_OFFICE_EMPTY_LINE = re.compile(r"<o:p>(\s|&nbsp;)*</o:p>", re.ASCII)
# What may precede the contents without a trace: stray characters and closing tags, comments, scripts and styles.
_CLOSING_FIRST = re.compile(
    r"^(?:[ \t\r\n\f]+|<(?![a-zA-Z/!?])|</(?!p>)[a-zA-Z][^>]*>|<!--.*?-->|<(script|style)\b[^>]*>.*?</\1>)*",
    re.IGNORECASE | re.DOTALL,
)
_UNFINISHED_ENTITY = re.compile(r"&(?=[A-Za-z][A-Za-z0-9._:-]*(?![A-Za-z0-9._:;-]))")
_CARRIAGE_RETURN = "\ue00d"
#: libxml2's output for a document without a body, as which an empty text is stored.
_NOTHING = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.0 Transitional//EN" "http://www.w3.org/TR/REC-html40/loose.dtd">\n'
    '<?xml encoding="UTF-8"?>\n'
)
_STARTS_WITH_MARKUP = re.compile(r"<[a-zA-Z/!?]")
_IMAGE_WITH_ID = re.compile(r'<img ([^>]*)data-img-id="([0-9]+)"([^>]*)>', re.IGNORECASE)
_IMAGE_SECRET = re.compile(r'data-img-secret="([0-9a-f]+)"')
_IMAGE_SOURCE = re.compile(r'src="[^"]+"')
#: Longer texts are not cached: a pasted picture may be megabytes of text.
CACHEABLE = 4_000


def parse(markup: str) -> Any:
    """The document of ``markup``, or None if it is empty."""
    stripped = _CLOSING_FIRST.sub("", markup.replace("\x00", " "), count=1)
    if not stripped:
        return None
    # Three peculiarities of libxml2 2.9: text before any element becomes a paragraph, an entity requires its semicolon, and a
    # carriage return is kept.
    if not _STARTS_WITH_MARKUP.match(stripped):
        stripped = "<p>" + stripped
    if "&" in stripped:
        stripped = _UNFINISHED_ENTITY.sub("&amp;", stripped)
    stripped = stripped.replace("\r", _CARRIAGE_RETURN)
    document = f'<?xml encoding="UTF-8"?>{stripped}'.encode("utf-8", "replace")
    return etree.fromstring(document, etree.HTMLParser(encoding="utf-8", huge_tree=True))


def sanitize(markup: str, app_root: str, allowed: WhiteList) -> str:
    """``markup`` as iTop stores it; ``app_root`` is the server's own address, with a trailing slash."""
    if len(markup) <= CACHEABLE:
        return _sanitize_cached(markup, app_root, allowed)
    return _sanitize(markup, app_root, allowed)


def _sanitize(markup: str, app_root: str, allowed: WhiteList) -> str:
    root = parse(_OFFICE_EMPTY_LINE.sub("<br>", markup))
    if root is None:
        return _NOTHING
    _end_lists_early(root)
    _clean(root, app_root, allowed)
    body = root.find("body")
    if body is None:
        return _NOTHING
    text = str(etree.tostring(body, method="html", encoding="unicode", with_tail=False))
    return text.replace("<body>", "").replace("</body>", "").replace(_CARRIAGE_RETURN, "\r")


_sanitize_cached = lru_cache(maxsize=20_000)(_sanitize)


def _end_lists_early(root: Any) -> None:
    """Imitate libxml2 2.9: a list directly inside a list of the other kind, rather than in its item, ends the latter."""
    for inner in list(root.iter("ol", "ul")):
        outer = inner.getparent()
        if {outer.tag, inner.tag} != {"ol", "ul"}:
            continue
        moving = [inner, *inner.itersiblings()]
        behind, outer.tail = outer.tail, None
        for element in reversed(moving):
            outer.addnext(element)
        moving[-1].tail = (moving[-1].tail or "") + (behind or "")


def _clean(element: Any, app_root: str, allowed: WhiteList) -> None:
    _clean_attributes(element, allowed)
    for child in list(element):
        if isinstance(child.tag, str) and ":" in child.tag:
            child.tag = child.tag.partition(":")[2]  # Office's <o:p> counts as <p>
        if not isinstance(child.tag, str) or child.tag.lower() not in allowed.tags:
            if child.tag is etree.ProcessingInstruction:
                continue
            _drop(element, child)
            continue
        _clean(child, app_root, allowed)
        if child.tag == "img":
            _mark_inline_image(child, app_root)


def _clean_attributes(element: Any, allowed: WhiteList) -> None:
    attributes = element.attrib
    if not attributes:
        return
    codes = allowed.tags[element.tag.lower()]
    for name in list(attributes):
        value = attributes[name]
        code = name.lower()
        if code not in codes or (code == "src" and not _SOURCE.match(value)) or (code == "href" and not _HREF.search(value)):
            del attributes[name]
        elif code == "style":
            kept = _clean_style(value, allowed.styles)
            if kept:
                attributes[name] = kept
            else:
                del attributes[name]


def _clean_style(style: str, allowed: frozenset[str]) -> str:
    items = (item.strip() for item in style.split(";"))
    return ";".join(item for item in items if item.split(":")[0].strip().lower() in allowed)


def _drop(parent: Any, child: Any) -> None:
    """Remove ``child`` but keep the text after it, which lxml stores with it."""
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
    """Point every inline image to the server's current address, as iTop does when it shows a text."""
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


def text_to_html(text: str, html5_entities: bool) -> str:
    """Plain text as iTop shows it in HTML: escaped, with ``<br/>`` for each end of line."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    escaped = html_entities.escape(text, quote=True).replace("&#x27;", "&apos;" if html5_entities else "&#039;")
    return escaped.replace("\n", "<br/>")
