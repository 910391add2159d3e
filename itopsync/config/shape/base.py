"""What every table of ``sync.toml`` is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints

REQUIRED: dict[str, Any] = {"required": True}
"""Marks what must be given, for the reference page."""

Text = Annotated[str, StringConstraints(strip_whitespace=True)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
"""The name of a class, an attribute, a state or a stimulus."""
Names = tuple[Name, ...]
Values = dict[str, str]
Count = Annotated[StrictInt, Field(ge=1, le=1_000_000)]


def read_key_value(value: object) -> object:
    """Check the value of a default. :raises ValueError: it is neither an id, nor a text, nor a criterion."""
    if isinstance(value, dict):
        usable = bool(value) and all(type(part) in (int, str) and part != "" for part in value.values())
    else:
        usable = (type(value) is int and value >= 0) or (isinstance(value, str) and bool(value.strip()))
    if not usable:
        raise ValueError('it must be an id, a criterion such as { name = "Service Desk" }, or an OQL query')
    return value


KeyValue = Annotated[Any, BeforeValidator(read_key_value)]
"""An id, a criterion, an OQL query, or a plain value: ``int | dict[str, int | str] | str``."""


class Section(BaseModel):
    """A table of ``sync.toml``. Frozen; a key that it does not know is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


def section_in(annotation: object) -> type[Section] | None:
    """The section that a field of this type holds, by itself, by name or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_in(part))), None)


def holds_many(annotation: object) -> bool:
    """Whether a field of this type is a list, or a table of names."""
    return get_origin(annotation) in (dict, tuple) or any(holds_many(part) for part in get_args(annotation))


def section_at(root: type[Section], place: Sequence[int | str]) -> type[Section] | None:
    """The section that stands at *place* below *root*, or None if there can be none."""
    here, one_of_many = root, False
    for step in place:
        if one_of_many:
            one_of_many = False
            continue
        field = here.model_fields.get(str(step))
        inner = section_in(field.annotation) if field else None
        if field is None or inner is None:
            return None
        here, one_of_many = inner, holds_many(field.annotation)
    return None if one_of_many else here
