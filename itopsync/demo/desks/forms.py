"""What a form brings: its fields, and the files beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request

LONGEST = 2_000_000
"""Bytes of a form; the guard refuses more."""
_BOUNDARY = re.compile(r'multipart/form-data; *boundary="?([^";]+)"?')
_NAMED = re.compile(r'^content-disposition: form-data; name="([^"]*)"(?:; filename="([^"]*)")?', re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(r"^content-type: *([\w.+-]+/[\w.+-]+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Upload:
    """A file."""

    name: str
    mimetype: str
    data: bytes


@dataclass(frozen=True)
class Form:
    """What was sent."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    """Only those that somebody chose."""

    def get(self, name: str) -> str:
        """A field; empty: it is not there."""
        return self.fields.get(name, "").strip()


async def read(request: Request) -> Form:
    """Read a form as browsers encode it (``multipart/form-data``, RFC 7578).

    :raises HTTPException: it is none
    """
    found = _BOUNDARY.match(request.headers.get("content-type", ""))
    parts = (b"\r\n" + await request.body()).split(b"\r\n--" + found[1].encode()) if found else []
    form = Form()
    for part in parts[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        headers = head.decode("utf-8", "replace").replace("\r\n", "\n")
        named, kind = _NAMED.search(headers), _TYPE.search(headers)
        if named and named[2]:
            form.files[named[1]] = Upload(unquote(named[2]), kind[1] if kind else "application/octet-stream", data)
        elif named and named[2] is None:
            form.fields[named[1]] = data.decode("utf-8", "replace").replace("\r\n", "\n")
    if not form.fields:
        raise HTTPException(400)
    return form
