"""Generates the reference page *Configuration* and the JSON Schema for editors from the models.

``python -m itopsync.config.docs > docs/reference/configuration.md`` regenerates the page.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import StringConstraints
from pydantic.fields import FieldInfo

from itopsync.config.catalogue import TicketClass, classes
from itopsync.config.schema import SyncFile
from itopsync.settings.quantities import write_duration
from itopsync.settings.section import Required, Section, Written, holds_many, section_in

WIDTH = 120
FRAME = Path(__file__).with_name("configuration.md")
"""The page around the keys."""
Mark = TypeVar("Mark")
_PLAIN = {str: "text", int: "number", bool: "`true` or `false`", NoneType: ""}


def reference() -> str:
    """Return the text of the page."""
    before, after = FRAME.read_text(encoding="utf-8").split("{keys}\n")
    parts = [before + "## At the top", *_keys(SyncFile), *_tables(SyncFile, ""), after, *map(_class, classes().values())]
    return "\n".join(part if part.endswith("\n") else f"{part}\n" for part in parts).rstrip("\n") + "\n"


def json_schema() -> str:
    """Return the JSON Schema of ``sync.toml``, with meanings, defaults and examples."""
    whole = SyncFile.model_json_schema()
    sections = {section.__name__: section for section in _sections(SyncFile)}
    for name, schema in [("SyncFile", whole), *whole["$defs"].items()]:
        if name not in sections:
            continue  # an enumeration
        meaning = meanings(sections[name])
        for key, info in sections[name].model_fields.items():
            place = schema["properties"][key]
            place.pop("default", None)
            place["description"] = meaning[key]
            if section_in(info.annotation) is None and (default := default_of(info)) is not None:
                place["default"] = tomllib.loads(f"it = {default}")["it"]
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def meanings(section: type[Section]) -> dict[str, str]:
    """The text below each key. Pydantic could read it too, but only at every start of the program."""
    found: dict[str, str] = {}
    for cls in reversed(section.__mro__):
        if issubclass(cls, Section):
            body = cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]).body
            for key, text_below in pairwise(body):
                match key, text_below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        found[name] = " ".join(text.split())
    return found


def default_of(info: FieldInfo) -> str | None:
    """A key's default in TOML; None if it has none."""
    if _written(info.metadata, Required) or info.default is None:
        return None
    written = _written(info.metadata, Written)
    return literal(written.show(info.default) if written and written.show else info.default)


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
            parts = ", ".join(f"{_name(name)} = {literal(part)}" for name, part in value.items())
            return f"{{ {parts} }}" if parts else "{}"
        case tuple() | list():
            return f"[{', '.join(literal(part) for part in value)}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _name(key: str) -> str:
    return key if key.isidentifier() else json.dumps(key)


def _sections(section: type[Section]) -> Iterator[type[Section]]:
    yield section
    for info in section.model_fields.values():
        if inner := section_in(info.annotation):
            yield from _sections(inner)


def _tables(section: type[Section], place: str) -> Iterator[str]:
    written: set[type[Section]] = set()
    for info in section.model_fields.values():
        inner = section_in(info.annotation)
        if inner is None or inner in written:
            continue
        written.add(inner)
        twins = [other for other, twin in section.model_fields.items() if section_in(twin.annotation) is inner]
        heads = [_head(f"{place}.{twin}".lstrip("."), info) for twin in twins]
        if keys := tuple(_keys(inner)):
            yield f"## {' and '.join(f'`{head}`' for head in heads)}"
            yield _wrapped(" ".join(meanings(section)[twin] for twin in twins))
            yield from keys
        yield from _tables(inner, heads[0].strip("[]") if len(twins) == 1 else f"{place}.<side>".lstrip("."))


def _head(place: str, info: FieldInfo) -> str:
    """The header of a table, as written in TOML."""
    if not holds_many(info.annotation):
        return f"[{place}]"
    return f"[[{place}]]" if "tuple" in str(info.annotation) else f"[{place}.<name>]"


def _keys(section: type[Section]) -> Iterator[str]:
    meaning = meanings(section)
    for name, info in section.model_fields.items():
        if section_in(info.annotation) is None:
            shown = f" For example `{name} = {literal(info.examples[0])}`." if info.examples else ""
            yield f"`{name}` ({'; '.join(_facts(info))})\n{_wrapped(meaning[name] + shown, ': ')}"


def _facts(info: FieldInfo) -> Iterator[str]:
    yield _words(info.annotation, info.metadata)
    default = default_of(info)
    if _written(info.metadata, Required):
        yield "**required**"
    elif default not in (None, '""', "{}", "[]"):
        yield f"default `{default}`"


def _words(annotation: Any, metadata: Sequence[object]) -> str:
    """The type of a key's value, in a word or two."""
    if written := _written(metadata, Written):
        return written.word
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if any(isinstance(constraint, StringConstraints) and constraint.pattern for constraint in metadata):
        return "name"
    return _words_of_parts(annotation) or _PLAIN[annotation] + _bounds(metadata)


def _words_of_parts(annotation: Any) -> str:
    parts = get_args(annotation)
    match get_origin(annotation):
        case origin if origin is Annotated:
            return _words(parts[0], parts[1:])
        case origin if origin in (Union, UnionType):
            return "; or ".join(word for part in parts if (word := _words(part, ())))
        case origin if origin is dict:
            return f"table: name = {_words(parts[1], ())}"
        case origin if origin is tuple:
            return f"list of {_plural(_words(parts[0], ()))}"
    return ""


def _plural(word: str) -> str:
    return word if word.startswith("`") else f"{word}s"


def _bounds(metadata: Sequence[object]) -> str:
    low, high = _written(metadata, Ge), _written(metadata, Le)
    return f", {low.ge:,} to {high.le:,}" if low and high else ""


def _written(metadata: Sequence[object], kind: type[Mark]) -> Mark | None:
    flat = [part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
    return next((part for part in flat if isinstance(part, kind)), None)


def _class(cls: TicketClass) -> str:
    lines = [f"### {cls.name}", "", "| what | by default |", "| --- | --- |"]
    lines += [f"| the form | {_names(cls.form)} |", f"| `since` compares | `{cls.since_attribute}` |"]
    lines += [f"| travels with `{state}` | {_names(names)} |" for state, names in cls.companions.items()]
    lines += [f"| left out | `{state}`, which counts as `{before}` |" for state, before in cls.left_out.items()]
    if cls.lifecycle.decisions:
        lines.append(f"| only a person decides on | {_names(sorted(cls.lifecycle.decisions))} |")
    lines.append(f"| a new copy takes from `internal.defaults` | {_names(sorted(cls.keys))}, and any attribute that it has |")
    return "\n".join(lines)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _wrapped(text: str, before: str = "") -> str:
    """Wrap *text* after *before*, and indent the later lines by its length."""
    after = " " * len(before)
    return textwrap.fill(
        text, WIDTH, initial_indent=before, subsequent_indent=after, break_long_words=False, break_on_hyphens=False
    )


if __name__ == "__main__":
    print(reference(), end="")
