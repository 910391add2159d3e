"""``sync.toml.example`` and the reference page hold every key, and say what the program says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from itopsync import config
from itopsync.config.faults import Faults
from itopsync.config.reading import check_shape
from itopsync.config.reference import reference
from itopsync.config.shape import SyncFile
from itopsync.config.shape.base import Section, section_in
from tests.config.making import NOW

ROOT = Path(__file__).parents[2]
EXAMPLE = config.example()
PAGE = ROOT / "docs" / "reference" / "configuration.md"
COMMENTED = re.compile(r"^#(?=[\w\[])", re.MULTILINE)
"""The mark before a key or a table that is not given; before words stands a mark and a space."""


def keys(section: type[Section], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of the shape, with the tables that it stands in."""
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        yield (*place, name)
        if inner is not None:
            yield from keys(inner, (*place, name))


def places(table: dict[str, Any], section: type[Section], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of the shape that *table* holds."""
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        if name not in table:
            continue
        yield (*place, name)
        for one in _tables(table[name], inner):
            assert inner is not None
            yield from places(one, inner, (*place, name))


def _tables(value: Any, inner: type[Section] | None) -> list[dict[str, Any]]:
    if inner is None:
        return []
    if isinstance(value, list):
        return value
    return [value] if set(value) & inner.model_fields.keys() else list(value.values())


def lines_with_their_tables() -> Iterator[tuple[str, str]]:
    """Each key that is not given, with the head of its table."""
    head = ""
    for line in EXAMPLE.splitlines():
        if re.match(r"#?\[", line):
            head = line.removeprefix("#")
        elif COMMENTED.match(line):
            yield head, line.removeprefix("#")


def test_the_file_at_the_top_is_what_init_writes() -> None:
    assert (ROOT / "sync.toml.example").read_text() == EXAMPLE, "rm sync.toml.example && itopsync init sync.toml.example"


def test_the_example_can_be_loaded_once_its_secrets_are_there(tmp_path: Path) -> None:
    path = tmp_path / "sync.toml"
    path.write_text(EXAMPLE)
    for name in ("external", "internal"):
        (tmp_path / name).write_text("secret")
    loaded = config.load(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)}, now=NOW)
    assert [one.external for one in loaded.rules.classes] == ["UserRequest", "Incident"]


def test_the_example_says_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "sync.toml"
    path.write_text(EXAMPLE)
    short = tmp_path / "short.toml"
    given = [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")]
    heads = {"external", "internal", "internal.defaults", "scope", "classes.UserRequest", "classes.Incident"}
    short.write_text("\n".join(line for line in given if not line.startswith("[") or line.strip("[]") in heads))
    for name in ("external", "internal"):
        (tmp_path / name).write_text("secret")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert config.load(path, environ, now=NOW).rules == config.load(short, environ, now=NOW).rules


def test_every_key_stands_in_the_example() -> None:
    whole = tomllib.loads(COMMENTED.sub("", EXAMPLE))
    assert set(keys(SyncFile)) == set(places(whole, SyncFile))


@pytest.mark.parametrize(("head", "line"), list(lines_with_their_tables()))
def test_every_line_of_the_example_can_be_taken_as_it_stands(head: str, line: str, tmp_path: Path) -> None:
    faults = Faults(tmp_path)
    check_shape(tomllib.loads(f"{head}\n{line}"), faults)
    faults.raise_if_any()


@pytest.mark.parametrize("name", ["schedule", "rules", "headers", "limits", "engine", "logging"])
def test_what_the_example_shows_of_what_has_defaults_are_the_defaults(name: str) -> None:
    whole = tomllib.loads(COMMENTED.sub("", EXAMPLE))[name]
    whole.pop("classes", None)
    faults = Faults(Path())
    assert getattr(check_shape({name: whole}, faults), name) == getattr(SyncFile(), name)
    faults.raise_if_any()


def test_every_key_is_explained() -> None:
    for place in keys(SyncFile):
        section: type[Section] = SyncFile
        for step in place[:-1]:
            inner = section_in(section.model_fields[step].annotation)
            assert inner is not None
            section = inner
        assert section.model_fields[place[-1]].description, place


def test_no_line_of_the_example_is_too_long_for_a_terminal() -> None:
    assert max(map(len, EXAMPLE.splitlines())) <= 100


# the page


def test_the_reference_page_is_what_the_shape_says() -> None:
    assert PAGE.read_text() == reference(), f"python -m itopsync.config.reference > {PAGE.relative_to(ROOT)}"


def test_the_reference_page_holds_every_key_with_type_default_and_meaning() -> None:
    told = set(re.findall(r"^`(\w+)` \([^\n]+\)\n: \S", reference(), re.MULTILINE))
    assert told == {place[-1] for place in keys(SyncFile) if not _is_table(place)}


def _is_table(place: tuple[str, ...]) -> bool:
    section: type[Section] = SyncFile
    for step in place:
        inner = section_in(section.model_fields[step].annotation)
        if inner is None:
            return False
        section = inner
    return True
