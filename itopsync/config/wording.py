"""How a key's type and default are put into words, for the example and the reference page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BeforeValidator, StringConstraints
from pydantic.fields import FieldInfo

from itopsync.config.quantities import read_duration, read_moment, read_poll, read_size, write_duration, write_size
from itopsync.config.shape.base import read_key_value

_READ_AS: Mapping[Callable[..., object], str] = {
    read_duration: "duration",
    read_size: "size",
    read_moment: "date",
    read_poll: "duration or cron expression",
    read_key_value: "id, criterion or query",
}
_PLAIN = {str: "text", int: "number", bool: "`true` or `false`", NoneType: ""}


def type_of(field: FieldInfo) -> str:
    """What may be written for a key that is no table of its own, in a word or two."""
    return _words(field.annotation, tuple(field.metadata))


def default_of(field: FieldInfo) -> str | None:
    """A key's default as it stands in ``sync.toml``; None where it is left out."""
    if field.default is None:
        return None
    sizes = any(isinstance(one, BeforeValidator) and one.func is read_size for one in field.metadata)
    return literal(write_size(field.default) if sizes else field.default)


def is_required(field: FieldInfo) -> bool:
    """Whether a key must be given."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("required"))


def literal(value: object) -> str:
    """Write *value* in TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case timedelta():
            return f'"{write_duration(value)}"'
        case Enum():
            return f'"{value.value}"'
        case Mapping():
            parts = ", ".join(f"{name} = {literal(part)}" for name, part in value.items())
            return f"{{ {parts} }}" if parts else "{}"
        case tuple() | list():
            return f"[{', '.join(literal(part) for part in value)}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _words(annotation: Any, metadata: tuple[object, ...]) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{one.value}`" for one in annotation)
    if read := [_READ_AS[one.func] for one in metadata if isinstance(one, BeforeValidator) and one.func in _READ_AS]:
        return read[0]
    if any(isinstance(one, StringConstraints) and one.pattern for one in metadata):
        return "name"
    return _words_of_parts(annotation) or _PLAIN[annotation] + _bounds(metadata)


def _words_of_parts(annotation: Any) -> str:
    parts = get_args(annotation)
    match get_origin(annotation):
        case origin if origin is Annotated:
            return _words(parts[0], parts[1:])
        case origin if origin in (Union, UnionType):
            return next(word for part in parts if (word := _words(part, ())))
        case origin if origin is dict:
            return f"table: name = {_words(parts[1], ())}"
        case origin if origin is tuple and parts[-1] is ...:
            return f"list of {_plural(_words(parts[0], ()))}"
        case origin if origin is tuple:
            return f"pair of {_plural(_words(parts[0], ()))}"
    return ""


def _plural(word: str) -> str:
    if word.startswith("`"):
        return word
    first, _, rest = word.partition(" ")
    return " ".join((f"{first}s", rest)).strip()


def _bounds(metadata: tuple[object, ...]) -> str:
    bounds = list(_flat(metadata))
    low = [one.ge for one in bounds if isinstance(one, Ge)]
    high = [one.le for one in bounds if isinstance(one, Le)]
    return f", {low[0]:,} to {high[0]:,}" if low and high else ""


def _flat(metadata: tuple[object, ...]) -> Iterator[object]:
    for one in metadata:
        if isinstance(one, FieldInfo):
            yield from one.metadata
        else:
            yield one
