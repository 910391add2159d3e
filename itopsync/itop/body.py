"""The form that carries a request, built piece by piece.

It is ``multipart/form-data``, which needs no escaping. A file is encoded as base64 while it is sent, so that an upload needs no
memory beyond the file itself. ``json_data`` is a field rather than an uploaded file, since PHP limits the latter by
``upload_max_filesize`` (2 MB by default) in addition to ``post_max_size`` (8 MB).
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Iterator, Mapping
from secrets import token_hex

from itopsync.settings.secrets import Secret

PIECE = 3 * 2**15
"""Bytes of a file that are encoded at a time; a multiple of three, so that there is no padding in between."""


class Contents:
    """A file's contents, to be put into a document where iTop expects base64."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def __len__(self) -> int:
        """The length of the base64."""
        return (len(self._data) + 2) // 3 * 4

    def release(self) -> None:
        """Release the file: httpx keeps a sent request until garbage collection, since its response and the response's stream
        refer to each other."""
        self._data.release()

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._data), PIECE):
            yield b2a_base64(self._data[start : start + PIECE], newline=False)


class Body:
    """A form with a document and, if the login requires it, user and password.

    It can be iterated repeatedly.
    """

    def __init__(self, document: Mapping[str, object], login: Mapping[str, Secret], contents: Contents | None = None) -> None:
        """*document* may contain *contents* once, at any depth."""
        self._boundary = token_hex(16)
        self._login = login
        self._contents = contents
        place = token_hex(16)

        def instead(value: object) -> str:
            if value is contents:
                return place
            raise TypeError(f"{type(value).__name__} cannot be written as JSON")

        # Escapes keep it ASCII, so that the server refuses a lone surrogate, instead of an exception here.
        text = json.dumps(document, default=instead, separators=(",", ":")).encode("ascii")
        self._before, _, self._after = text.partition(place.encode("ascii"))
        self.length = sum(len(part) for part in self._parts()) + (len(contents) if contents is not None else 0)

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={self._boundary}"

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[bytes]:
        """Few pieces, since each is a system call; but no long ones, since the unsent rest of a piece is copied."""
        small = b""
        for part in self._parts():
            if len(small) + len(part) <= PIECE:
                small += part
            else:
                yield small
                yield from (part[start : start + PIECE] for start in range(0, len(part), PIECE))
                small = b""
            if part is self._before and self._contents is not None:
                yield small
                yield from self._contents
                small = b""
        yield small

    def __repr__(self) -> str:
        return f"<Body of {self.length} bytes>"

    def _parts(self) -> Iterator[bytes]:
        for name, secret in self._login.items():
            yield self._head(name)
            yield secret.encode()
            yield b"\r\n"
        yield self._head("json_data")
        yield self._before
        yield self._after
        yield f"\r\n--{self._boundary}--\r\n".encode("ascii")

    def _head(self, name: str) -> bytes:
        return f'--{self._boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode("ascii")
