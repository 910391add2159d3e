"""What every table of ``sync.toml`` is made of."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import Annotated, Any, cast, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints

REQUIRED: dict[str, Any] = {"required": True}
"""TicketMarkers what must be given, for the reference page."""

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

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


@cache
def read_meanings(section: type[Section]) -> None:
    """Put what is written below each key of a section, and of those in it, into the fields' descriptions.

    Pydantic can do that as well, but reads all sources each time the program starts.
    """
    meanings: dict[str, str] = {}
    for cls in reversed(section.__mro__):
        if issubclass(cls, Section):
            body = cast("ast.ClassDef", ast.parse(dedent(inspect.getsource(cls))).body[0]).body
            for key, told in pairwise(body):
                match key, told:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        meanings[name] = inspect.cleandoc(text)
    for name, field in section.model_fields.items():
        field.description = meanings.get(name)
        inner = section_in(field.annotation)
        if inner is not None:
            read_meanings(inner)


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
