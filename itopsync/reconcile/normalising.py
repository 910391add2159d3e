"""Unicode normalisation in linear time, and characters replaced by rule."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

_LONGEST_RUN = 30
"""As in the Stream-Safe Text Format (Unicode Standard Annex 15): more marks than any language puts on one letter."""
_JOINER = "\N{COMBINING GRAPHEME JOINER}"
"""An invisible character past which no mark is sorted."""
_MOST_KEPT = 4096


class Replacing(dict[int, str | None]):
    """A table for :meth:`str.translate` that asks *rule* what a character becomes, once for most texts; None leaves it out."""

    def __init__(self, rule: Callable[[str], str | None]) -> None:
        super().__init__()
        self._rule = rule

    def __missing__(self, code: int) -> str | None:
        if len(self) >= _MOST_KEPT:
            self.clear()
        self[code] = becomes = self._rule(chr(code))
        return becomes


def normalise(form: Literal["NFC", "NFKC", "NFKD"], text: str) -> str:
    """*text* in a normalisation *form*, with an invisible joiner after every thirty combining marks in a row.

    ``unicodedata.normalize`` sorts the marks of a letter in quadratic time.
    """
    return unicodedata.normalize(form, text if text.isascii() else _stream_safe(text))


def _stream_safe(text: str) -> str:
    marks = "".join(map(re.escape, sorted(filter(_begins_with_mark, set(text)))))
    return re.sub(f"[{marks}]{{{_LONGEST_RUN}}}(?=[{marks}])", rf"\g<0>{_JOINER}", text) if marks else text


def _begins_with_mark(char: str) -> bool:
    """Whether a character, or what it decomposes into, begins with a combining mark."""
    return unicodedata.combining(unicodedata.normalize("NFKD", char)[0]) != 0
