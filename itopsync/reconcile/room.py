"""What fits into one request: PHP drops the whole content of a larger one, and iTop finds neither ticket nor password in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from itopsync.model import Side
from itopsync.reconcile.rules import Rules

_AROUND = 10_000
"""Bytes of a request besides its texts: login, names, ids, the names of the attributes to return."""
_AROUND_A_TEXT = 200
"""Bytes around one text: its name, an entry's date, the difference between pictures' addresses and their placeholders."""


_WITHIN_A_LETTER = 0b10000000
"""The first bits of a UTF-8 continuation byte."""


def room(rules: Rules, side: Side) -> int:
    """How many bytes of text one request to *side* may carry."""
    return max(rules.of(side).request_bytes - _AROUND, 1)


def weight(*texts: object) -> int:
    """How many bytes *texts* take in a request. JSON escapes everything that is not ASCII, so one character may take six."""
    return sum(len(json.dumps(text)) + _AROUND_A_TEXT for text in texts if isinstance(text, str))


def is_long(rules: Rules, side: Side, text: str) -> bool:
    """Whether *text* must be cut: it might just fit as an entry, but as a file it takes a third more."""
    return weight(text) > room(rules, side) * 3 // 4


def pieces(text: str, most: int) -> list[str]:
    """Cut *text* so that each piece, as a base64 file, takes at most *most* bytes of a request."""
    data, size = text.encode("utf-8", "replace"), max(most // 4 * 3, 4)
    return [piece.decode() for piece in _cut(data, size)]


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = min(start + size, len(data))
        while end < len(data) and data[end] & 0b11000000 == _WITHIN_A_LETTER:
            end -= 1
        yield data[start:end]
        start = end


def groups(texts: Iterable[tuple[int, int]], size: int, most: int) -> Iterator[range]:
    """Group (index, weight) items: at most *size* per group, and at most *most* bytes unless a single item exceeds that."""
    start = count = total = 0
    for index, heavy in texts:
        if count and (count == size or total + heavy > most):
            yield range(start, index)
            start, count, total = index, 0, 0
        count, total = count + 1, total + heavy
    if count:
        yield range(start, start + count)
