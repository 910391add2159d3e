"""Parses a request as PHP does: parameters from the query string and from both kinds of forms, and HTTP Basic."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from itopsync.simulator.messages import SimRequest

_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_FIELD_NAME = re.compile(rb'name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """The parameters of a request: those of the form (``posted``), which alone may contain a login, and ``all`` of them."""

    all: dict[str, str]
    posted: dict[str, str]


def read(request: SimRequest, post_max_size: int, files: bool = True) -> Form:
    """Return the parameters; those of the form override those of the query string.

    As in PHP, a body of more than ``post_max_size`` bytes is dropped entirely, including its login. ``files``: whether iTop also
    accepts uploaded files.
    """
    posted = _posted(request, files) if request.method == "POST" and len(request.body) <= post_max_size else {}
    return Form(dict(parse_qsl(request.query, keep_blank_values=True)) | posted, posted)


def _posted(request: SimRequest, files: bool) -> dict[str, str]:
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        text = request.body.decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=1000))
    boundary = _BOUNDARY.search(content_type) if kind == "multipart/form-data" else None
    return _multipart(request.body, boundary[1].encode(), files) if boundary else {}


def _multipart(body: bytes, boundary: bytes, files: bool) -> dict[str, str]:
    """The fields of a multipart form. A file counts as its contents: iTop accepts ``json_data`` as a file."""
    fields: dict[str, str] = {}
    for part in body.split(b"--" + boundary)[1:]:
        head, separator, content = part.partition(b"\r\n\r\n")
        name = _FIELD_NAME.search(head)
        if not separator or not name or (b"filename=" in head and not files):
            continue
        fields[name[1].decode("utf-8", "replace")] = content.removesuffix(b"\r\n").decode("utf-8", "replace")
    return fields


def basic_login(request: SimRequest) -> tuple[str, str] | None:
    """Login and password of HTTP Basic, if given."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        login, separator, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (unquote(login), password) if separator else None
