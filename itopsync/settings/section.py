"""A table of ``sync.toml``: a frozen model whose keys declare type, default, bound, meaning and example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetJsonSchemaHandler, StringConstraints
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Wrong(ValueError):
    """A value that is not valid: what is wrong, and the remedy."""

    def __init__(self, what: str, remedy: str, key: str = "", *, beside: str = "") -> None:
        """*key* is the one to fix if it contradicts another, *beside* it. It must be given in the file."""
        super().__init__(what)
        self.what, self.remedy, self.key, self.beside = what, remedy, key, beside


@dataclass(frozen=True)
class Surroundings:
    """The context in which a file is read; without it, values are taken as they are and no file or variable is read."""

    folder: Path
    """The folder of ``sync.toml``, where relative paths start."""
    environ: Mapping[str, str] = field(repr=False)
    now: datetime


@dataclass(frozen=True)
class Required:
    """Marks a key that must be given. It still has a default, so that the rest can be checked without it."""

    remedy: str


@dataclass(frozen=True, eq=False)
class Written:
    """How the values of a type are written in the file."""

    word: str
    """Their name on the reference page."""
    schema: Mapping[str, object]
    """Their JSON Schema, for editors."""
    show: Callable[[Any], str] | None = None
    """Formats a default, if it is not written like other values of its Python type."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self.schema)


def _mark_required(schema: JsonSchemaValue, model: type[BaseModel]) -> None:
    names = [name for name, info in model.model_fields.items() if any(isinstance(part, Required) for part in info.metadata)]
    if names:
        schema["required"] = names


class Section(BaseModel):
    """A table of ``sync.toml``. Frozen; an unknown key is a fault. The text below a key is its documentation."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True, json_schema_extra=_mark_required
    )

    def lacking(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """The required keys that are missing, each with the keys that could replace it, and the remedy."""
        for name, info in type(self).model_fields.items():
            for part in info.metadata:
                if isinstance(part, Required) and (name not in self.model_fields_set or not getattr(self, name)):
                    yield (name,), part.remedy


OTHERWISE = "otherwise"
"""In a criterion: the value if that finds not exactly one object."""


def read_key_value(value: object) -> object:
    """Check the value of a default. :raises ValueError: it is not an id, a text or a criterion."""
    if isinstance(value, dict):
        parts = [part for name, part in value.items() if name != OTHERWISE]
        usable = bool(value) and all(type(part) in (int, str) and part != "" for part in parts)
        if OTHERWISE in value:
            read_key_value(value[OTHERWISE])
    else:
        usable = (type(value) is int and value >= 0) or (isinstance(value, str) and bool(value.strip()))
    if not usable:
        raise ValueError('it must be an id, a criterion such as { name = "Service Desk" }, or an OQL query')
    return value


Text = Annotated[str, StringConstraints(strip_whitespace=True)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
"""The name of a class, an attribute, a state or a stimulus."""
Names = tuple[Name, ...]
Values = dict[str, str]
KeyValue = Annotated[
    Any, BeforeValidator(read_key_value), Written("id, criterion or query", {"type": ["integer", "string", "object"]})
]
"""``int | dict[str, int | str] | str``."""
PATH = Written("text", {"type": "string"})


def section_in(annotation: object) -> type[Section] | None:
    """The section in a field of this type, alone, by name or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_in(part))), None)


def holds_many(annotation: object) -> bool:
    """Whether a field of this type is a list or a table of names."""
    return get_origin(annotation) in (dict, tuple) or any(holds_many(part) for part in get_args(annotation))


def section_at(root: type[Section], place: Sequence[int | str]) -> type[Section] | None:
    """The section at *place* below *root*, or None if there can be none."""
    here, one_of_many = root, False
    for step in place:
        if one_of_many:
            one_of_many = False
            continue
        info = here.model_fields.get(str(step))
        inner = section_in(info.annotation) if info else None
        if info is None or inner is None:
            return None
        here, one_of_many = inner, holds_many(info.annotation)
    return None if one_of_many else here
