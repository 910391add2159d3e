"""What a form brings: its fields, and the files beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

LONGEST = 2_000_000
"""Bytes of a form; the guard refuses more."""


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
    """Read a form.

    :raises HTTPException: it is none
    """
    form = Form()
    async with request.form(max_files=2, max_fields=20, max_part_size=LONGEST) as sent:
        for name, value in sent.items():
            if not isinstance(value, UploadFile):
                form.fields[name] = value.replace("\r\n", "\n")
            elif value.filename:
                form.files[name] = Upload(value.filename, value.content_type or "application/octet-stream", await value.read())
    if not form.fields:
        raise HTTPException(400)
    return form
