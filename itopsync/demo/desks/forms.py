"""Reads a submitted form: its fields and its files."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

LONGEST = 2_000_000
"""The maximum size of a form in bytes; the guard rejects larger ones."""


@dataclass(frozen=True)
class Upload:
    """An uploaded file."""

    name: str
    mimetype: str
    data: bytes


@dataclass(frozen=True)
class Form:
    """A submitted form."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    """Only the file inputs in which a file was chosen."""

    def get(self, name: str) -> str:
        """Return a field without surrounding blanks; empty if it is missing."""
        return self.fields.get(name, "").strip()


async def read(request: Request) -> Form:
    """Read the form that *request* submits.

    :raises HTTPException: it contains no form
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
