"""The HTML of descriptions and log entries: what it says, what pictures it shows, and how it reads on the other server.

Parsed by lexbor (HTML5, as browsers do). iTop sanitises what it stores: ``name`` of an ``a`` survives in every version;
``id``, ``data-*`` and relative addresses do not, before 3.2 ``class`` neither; and it rewrites the addresses of images on
reading. So nothing here depends on those staying as written.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from itopsync.errors import clip
from itopsync.model import Ref
from itopsync.reconcile.identity import MARK, digest, picture_marker, prefix
from itopsync.reconcile.inert import make_inert

_PICTURE = "\N{OBJECT REPLACEMENT CHARACTER}"
_PLACEHOLDER = re.compile(r'(?<=<img src=")itopsync-picture:([A-Za-z0-9_.-]+)')
"""Only where :func:`carry` puts it: what a person writes is no placeholder, whatever it says."""
_SHOWN = re.compile(r'<img src="itopsync-picture:([A-Za-z0-9_.-]+)" alt="([^"]*)"[^>]*>')
_MENTION = re.compile(r"\[\[\w+:[^\[\]|]*\|([^\[\]]*)\]\]|\[\[\w+:([^\[\]|]*)\]\]")
_ADDRESS = re.compile(r"""\s(?:src|data-img-\w+)=("[^"]*"|'[^']*')""")
_ANCHOR = r"""<a(?:\s[^<>]*)?\sname="([^"<>]*)\""""
_ANYWHERE = re.compile(_ANCHOR)
_HEAD = re.compile(rf"\s*(?:<(?:p|div|span)(?:\s[^<>]*)?>\s*)*{_ANCHOR}")
_ENDS_A_WORD = frozenset({"p", "div", "br", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "figure"})


@dataclass(frozen=True)
class InlineImage:
    """A picture that was pasted into iTop's editor."""

    id: int
    secret: str = field(repr=False)


@dataclass(frozen=True)
class DataImage:
    """A picture that stands in the text itself, as a ``data:`` address."""

    mimetype: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class AttachedImage:
    """A picture that is an attachment of the origin's server."""

    id: int


PictureSource = InlineImage | DataImage | AttachedImage


@dataclass(frozen=True)
class Picture:
    """A picture in a text, and the marker that its copy bears."""

    marker: str
    source: PictureSource
    alt: str = field(default="", repr=False)


@dataclass(frozen=True)
class Carried:
    """A text as it is to read on the other server; pictures stand in it as placeholders until their ids are known."""

    html: str = field(repr=False)
    pictures: tuple[Picture, ...]


def _body(fragment: str) -> LexborNode | None:
    return LexborHTMLParser(fragment).body


def plain(fragment: str) -> str:
    """What a fragment of HTML says: its words on one line, with a sign for each picture."""
    if "<" not in fragment:
        text = html.unescape(fragment)
    else:
        body = _body(fragment)
        words: list[str] = []
        for node in body.traverse(include_text=True) if body else ():
            if node.is_text_node:
                words.append(node.text_content or "")
            elif node.tag == "img":
                words.append(f" {_PICTURE} ")
            elif node.tag in _ENDS_A_WORD:
                words.append(" ")
        text = "".join(words)
    return " ".join(unicodedata.normalize("NFC", text).split())


def fingerprint(author_id: str, fragment: str) -> str:
    """The fingerprint of an entry: its author's account and its normalised text.

    Not its date, which the server formats in its current timezone, nor the addresses of pictures, which it rewrites.
    """
    return digest(author_id, plain(fragment))


def value_fingerprint(value: str) -> str:
    """The fingerprint of an attribute's value; the addresses of pictures, which iTop rewrites on reading, do not count."""
    return digest(_ADDRESS.sub("", value) if "<" in value else value)


def marked(markers: Sequence[str], fragment: str) -> str:
    """Put *markers* into the first line of what we write, as the name of an anchor: each iTop keeps it, none shows it.

    Commas part them: PHP's DOM escapes a blank in an anchor's name.
    """
    anchor = f'<a name="{",".join(markers)}"></a>'
    return f"<p>{anchor}{fragment.removeprefix('<p>')}" if fragment.startswith("<p>") else anchor + fragment


def head_markers(fragment: str, pair: str) -> tuple[str, ...]:
    """The markers of *pair* at the head of an entry: in the anchor that it begins with."""
    found = _HEAD.match(fragment) if prefix(pair) in fragment else None
    return tuple(name for name in found[1].split(",") if name.startswith(prefix(pair))) if found else ()


def any_markers(fragment: str) -> tuple[str, ...]:
    """The markers of whatever pair, wherever in an entry: iTop 3.3 puts a line before what it copies from a parent."""
    if MARK not in fragment:
        return ()
    return tuple(name for found in _ANYWHERE.finditer(fragment) for name in found[1].split(",") if name.startswith(MARK))


def begins_with_mark(fragment: str, marks: tuple[str, ...]) -> bool:
    """Whether what an entry says begins with one of *marks*, in whatever case."""
    words = plain(fragment).casefold()
    return any(words.startswith(mark.casefold()) for mark in marks)


@dataclass(frozen=True)
class Origin:
    """Where a text comes from, as far as it matters to its pictures and links."""

    ref: Ref
    pair: str
    addresses: tuple[str, ...]
    """Under which the origin's pages are reached."""
    attached: Mapping[int, str] = field(default_factory=dict)
    """Attachments of the same ticket → the placeholder's name for what stands for them on the other side."""
    pictures: bool = True
    """Whether pictures become attachments."""


def carry(fragment: str, origin: Origin) -> Carried:
    """Make *fragment* fit to be read on the other server.

    Pictures become placeholders (:func:`fill`), those of foreign servers are told by their address; links and mentions
    that point into the origin's server, at one of its addresses, become plain text; our own markers go, so that a pasted
    one is nobody's identity; and so does what would act or fetch by itself (:mod:`~itopsync.reconcile.inert`).
    """
    fragment = _MENTION.sub(lambda found: html.escape(html.unescape(found[1] or found[2])), fragment)
    if "<" not in fragment:
        return Carried(fragment, ())
    body = _body(fragment)
    if body is None:
        return Carried("", ())
    found: dict[str, Picture] = {}
    for node in body.css("img"):
        source = _source(node.attributes, origin.addresses)
        if source is None or not origin.pictures:
            node.replace_with(f"[picture: {_in_words(node)}]")
            continue
        picture = _picture(source, node.attributes.get("alt") or "", origin)
        found.setdefault(picture.marker, picture)
        _become_placeholder(node, picture)
    for node in body.css("a[href]"):
        if _points_into(node.attributes.get("href") or "", origin.addresses):
            node.unwrap()
    for node in body.css(f'[name*="{MARK}"]'):
        del node.attrs["name"]
    make_inert(body)
    return Carried(body.inner_html or "", tuple(found.values()))


def fill(fragment: str, address_of: Callable[[str], str | None]) -> str:
    """Put addresses in the place of placeholders; *address_of* takes a placeholder's name, as a rule a marker."""

    def address(found: re.Match[str]) -> str:
        return html.escape(address_of(found[1]) or "", quote=True)

    return _PLACEHOLDER.sub(address, fragment)


def literal(text: str) -> str:
    """A plain text in which nothing can be taken for a placeholder."""
    while _PLACEHOLDER.search(text):  # what is left of one may be another
        text = _PLACEHOLDER.sub(r"\1", text)
    return text


def unfilled(fragment: str, address_of: Callable[[str], str | None]) -> bool:
    """Whether a placeholder is left for which there is no address yet."""
    return any(address_of(found[1]) is None for found in _PLACEHOLDER.finditer(fragment))


def without_pictures(fragment: str, markers: Collection[str]) -> str:
    """Tell the pictures of *markers* in words where they stood."""
    if not markers:
        return fragment

    def words(found: re.Match[str]) -> str:
        return f"[picture not carried: {found[2] or '?'}]" if found[1] in markers else found[0]

    return _SHOWN.sub(words, fragment)


def attachment_address(public_url: str, attachment_id: int) -> str:
    """Where a logged-in agent sees an attachment."""
    query = f"operation=download_document&class=Attachment&field=contents&id={attachment_id}"
    return f"{public_url}/pages/ajax.document.php?{query}"


def shorten(fragment: str, limit: int, remark: str) -> str:
    """The first words of a fragment of HTML, as HTML of at most *limit* bytes, with *remark* at its end."""
    end = f"… <p><em>{html.escape(remark)}</em></p>"
    room = limit - len(end.encode()) - len("<p></p>")
    words = html.escape(plain(fragment)).encode()[: max(room, 0)].decode(errors="ignore")
    words = re.sub(r"&[#\w]{0,6}$", "", words)
    return f"<p>{words}</p>{end}"


def _picture(source: PictureSource, alt: str, origin: Origin) -> Picture:
    attached = origin.attached.get(source.id) if isinstance(source, AttachedImage) else None
    return Picture(attached or picture_marker(origin.pair, origin.ref, _name(source)), source, alt[:200])


def _name(source: PictureSource) -> str:
    if isinstance(source, DataImage):
        return f"data:{hashlib.sha256(source.data).hexdigest()}"
    return f"{'inline' if isinstance(source, InlineImage) else 'attachment'}:{source.id}"


def _source(attributes: Mapping[str, str | None], addresses: tuple[str, ...]) -> PictureSource | None:
    src = (attributes.get("src") or "").strip()
    if src[:5].lower() == "data:":
        return _data_image(src)
    number, secret = attributes.get("data-img-id") or "", attributes.get("data-img-secret") or ""
    if _is_id(number) and secret:
        return InlineImage(int(number), secret)
    query = {name: values[0] for name, values in parse_qs(urlsplit(src).query).items()} if _points_into(src, addresses) else {}
    if _is_id(query.get("id", "")):
        if query.get("operation") == "download_inlineimage" and query.get("s"):
            return InlineImage(int(query["id"]), query["s"])
        if query.get("operation") == "download_document" and query.get("class") == "Attachment":
            return AttachedImage(int(query["id"]))
    return None


_ID_DIGITS = 10
"""So many an unsigned INT of MySQL has at most."""


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS


def _data_image(src: str) -> DataImage | None:
    head, comma, payload = src[5:].partition(",")
    if not comma or not head.lower().startswith("image/"):
        return None
    try:
        raw = unquote_to_bytes(payload)
        data = base64.b64decode(raw) if head.lower().endswith(";base64") else raw
    except (binascii.Error, ValueError):
        return None
    return DataImage(head.split(";")[0].lower(), data) if data else None


def _points_into(address: str, bases: tuple[str, ...]) -> bool:
    return any(address == base or address.startswith((f"{base}/", f"{base}?", f"{base}#")) for base in bases)


def _in_words(node: LexborNode) -> str:
    """A picture that is not carried: what is said of it, and its address where that is a foreign one."""
    alt, address = (node.attributes.get(name) or "" for name in ("alt", "src"))
    foreign = clip(address.strip()) if re.match(r"\s*https?://", address, re.IGNORECASE) else ""
    return " ".join(part for part in (alt, foreign) if part) or "?"


def _become_placeholder(node: LexborNode, picture: Picture) -> None:
    size = {name: node.attributes.get(name) for name in ("width", "height")}
    for name in list(node.attributes):
        del node.attrs[name]
    node.attrs["src"] = f"itopsync-picture:{picture.marker}"
    node.attrs["alt"] = picture.alt
    for name, value in size.items():
        if value and re.fullmatch(r"\d{1,5}(px|%)?", value):
            node.attrs[name] = value
