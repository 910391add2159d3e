"""Which picture an ``<img>`` shows: where its bytes are, and how it is identified regardless of its present address."""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from itopsync.reconcile.addresses import points_into, trimmed

_ID_DIGITS = 10
"""The most digits of a MySQL unsigned INT."""
_IMAGE = re.compile(r"""<img(?=[\s/>])(?:[^>"']|"[^"]*"|'[^']*')*+>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\s([\w-]+)\s*=\s*("[^"]*"|'[^']*')""")
_OF_THE_ADDRESS = frozenset({"src", "data-img-id", "data-img-secret"})


@dataclass(frozen=True)
class InlineImage:
    """A picture pasted into iTop's editor."""

    id: int
    secret: str = field(repr=False)


@dataclass(frozen=True)
class DataImage:
    """A picture in the text itself, as a ``data:`` address."""

    mimetype: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class AttachedImage:
    """A picture that is an attachment on the origin's server."""

    id: int


PictureSource = InlineImage | DataImage | AttachedImage


def source_of(attributes: Mapping[str, str], addresses: tuple[str, ...]) -> PictureSource | None:
    """Where a picture's bytes are; None if they are neither in the text nor on the server with these *addresses*."""
    source = _source(attributes)
    src = attributes.get("src", "")
    embedded = isinstance(source, DataImage) or (isinstance(source, InlineImage) and _named(attributes) is not None)
    return source if embedded or points_into(src, addresses) else None


def name_of(source: PictureSource) -> str:
    """A picture's name, by which its copy is recognised."""
    if isinstance(source, DataImage):
        return f"data:{hashlib.sha256(source.data).hexdigest()}"
    return f"{'inline' if isinstance(source, InlineImage) else 'attachment'}:{source.id}"


def identity(attributes: Mapping[str, str]) -> str:
    """A picture's identity, without its server's name and path or its secret, which iTop rewrites on reading."""
    source = _source(attributes)
    if source is not None:
        return name_of(source)
    return re.split(r"[/\\]", trimmed(attributes.get("src", "")))[-1]


def with_identities(value: str) -> str:
    """*value*, HTML as iTop stores it, with each picture's address replaced by its identity."""

    def identified(found: re.Match[str]) -> str:
        attributes = {match[1].lower(): html.unescape(match[2][1:-1]) for match in _ATTRIBUTE.finditer(found[0])}
        rest = _ATTRIBUTE.sub(lambda match: "" if match[1].lower() in _OF_THE_ADDRESS else match[0], found[0])
        return f"{rest}{identity(attributes)}"

    return _IMAGE.sub(identified, value)


def _source(attributes: Mapping[str, str]) -> PictureSource | None:
    src = trimmed(attributes.get("src", ""))
    if src[:5].lower() == "data:":
        return _data_image(src)
    return _named(attributes) or _downloaded(src)


def _downloaded(src: str) -> InlineImage | AttachedImage | None:
    """The picture that an iTop address requests, on whichever server."""
    try:
        query = {name: values[0] for name, values in parse_qs(urlsplit(src).query).items()}
    except ValueError:
        return None
    if not _is_id(query.get("id", "")):
        return None
    if query.get("operation") == "download_inlineimage" and query.get("s"):
        return InlineImage(int(query["id"]), query["s"])
    if query.get("operation") == "download_document" and query.get("class") == "Attachment":
        return AttachedImage(int(query["id"]))
    return None


def _named(attributes: Mapping[str, str]) -> InlineImage | None:
    """The pasted picture that iTop itself recorded on the element."""
    number, secret = attributes.get("data-img-id", ""), attributes.get("data-img-secret", "")
    return InlineImage(int(number), secret) if _is_id(number) and secret else None


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
