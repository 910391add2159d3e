"""``sync.toml.example`` is short and right; the reference page and the schema for editors hold every key."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from itopsync import config
from itopsync.config.docs import default_of, json_schema, literal, meanings, reference
from itopsync.config.faults import Faults
from itopsync.config.loader import check
from itopsync.config.schema import SyncFile
from itopsync.errors import ConfigurationError, Fault
from itopsync.settings.section import Section, Surroundings, holds_many, section_in
from tests.config.making import NOW

ROOT = Path(__file__).parents[2]
EXAMPLE = config.example()
PAGE = ROOT / "docs" / "reference" / "configuration.md"
COMMENTED = re.compile(r"^#(?=[\w\[])", re.MULTILINE)
"""The mark before a key or a table that is not given; before words stands a mark and a space."""
Place = tuple[str, ...]


def keys(section: type[Section] = SyncFile, place: Place = ()) -> Iterator[tuple[Place, type[Section]]]:
    """Every key that there is, with the model that declares it; tables by name have one called ``UserRequest`` or ``urgency``."""
    for name, info in section.model_fields.items():
        inner = section_in(info.annotation)
        if inner is None:
            yield (*place, name), section
            continue
        here = (*place, name)
        if "dict" in str(info.annotation):
            here = (*here, "UserRequest" if name == "classes" else "urgency")
        yield from keys(inner, here)


KEYS = dict(keys())


def shown(place: Place) -> Any:
    """A value that the key can have: its example, or its default."""
    info = KEYS[place].model_fields[place[-1]]
    text = literal(info.examples[0]) if info.examples else default_of(info)
    assert text is not None, place
    return tomllib.loads(f"it = {text}")["it"]


def put(table: dict[str, Any], place: Place, value: object) -> None:
    """Put *value* at its place in *table*, where lists have one item."""
    here = table
    section: type[Section] = SyncFile
    for step in place[:-1]:
        info = section.model_fields.get(step)
        inner = section_in(info.annotation) if info else None
        if info and inner and holds_many(info.annotation) and "tuple" in str(info.annotation):
            (here,) = here.setdefault(step, [{}])
        else:
            here = here.setdefault(step, {})
        section = inner or section
    here[place[-1]] = value


def whole() -> dict[str, Any]:
    """A file with every key that there is."""
    table: dict[str, Any] = {}
    for place in KEYS:
        put(table, place, shown(place))
    return table


def found_wrong(table: dict[str, Any], folder: Path) -> set[str]:
    """The faults of each table by itself, apart from what is missing and from files that are not there."""
    faults = Faults(folder)
    check(SyncFile, table, Surroundings(folder, {}, NOW), faults)
    try:
        faults.raise_if_any()
    except ConfigurationError as error:
        return {str(fault) for fault in error.faults if not _is_outside(fault)}
    return set()


def _is_outside(fault: Fault) -> bool:
    return bool(re.search("is missing|No such file|CREDENTIALS_DIRECTORY|is not set|no folder|cannot be run", fault.what))


# what init writes


def test_the_file_at_the_top_is_what_init_writes() -> None:
    assert (ROOT / "sync.toml.example").read_text() == EXAMPLE, "cp itopsync/config/sync.toml.example ."


def test_the_example_can_be_loaded_once_its_secrets_are_there(tmp_path: Path) -> None:
    path = tmp_path / "sync.toml"
    path.write_text(EXAMPLE)
    for name in ("external", "internal"):
        (tmp_path / name).write_text("secret")
    loaded = config.load(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)}, now=NOW)
    assert [cls.external for cls in loaded.rules.classes] == ["UserRequest", "Incident"]


def test_nothing_that_the_example_gives_need_not_be_given(tmp_path: Path) -> None:
    given = tomllib.loads(EXAMPLE)
    classes = given.pop("classes")
    places = list(_places(given))
    assert all(not value for value in classes.values())
    for place in places:
        path = tmp_path / "sync.toml"
        table = tomllib.loads(EXAMPLE)
        here = table
        for step in place[:-1]:
            here = here[step]
        del here[place[-1]]
        path.write_text("\n".join(f"{name} = {literal_of(value)}" for name, value in table.items()))
        with pytest.raises(ConfigurationError, match="is missing"):
            config.load(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)}, now=NOW)


def _places(table: dict[str, Any], place: Place = ()) -> Iterator[Place]:
    for name, value in table.items():
        if isinstance(value, dict) and (*place, name)[-2:-1] != ("defaults",):
            yield from _places(value, (*place, name))
        else:
            yield (*place, name)


def literal_of(value: object) -> str:
    """A value of TOML in one line."""
    return value.isoformat() if hasattr(value, "isoformat") else _inline(value) if isinstance(value, dict) else literal(value)


def _inline(table: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{name} = {literal_of(value)}" for name, value in table.items()) + "}"


def test_what_the_example_shows_can_be_taken_as_it_stands(tmp_path: Path) -> None:
    shows = tomllib.loads(COMMENTED.sub("", EXAMPLE))
    assert found_wrong(shows, tmp_path) == set()
    assert len(shows["classes"]) == 7


@pytest.mark.parametrize("name", ["schedule", "rules", "headers", "limits"])
def test_what_the_example_shows_of_what_has_defaults_are_the_defaults(name: str, tmp_path: Path) -> None:
    shows = tomllib.loads(COMMENTED.sub("", EXAMPLE))[name]
    file = check(SyncFile, {name: shows}, Surroundings(tmp_path, {}, NOW), Faults(tmp_path))
    assert shows
    assert getattr(file, name) == getattr(SyncFile(), name)


def test_the_example_is_short_and_fits_a_terminal() -> None:
    lines = EXAMPLE.splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 110


# every key


def test_every_key_is_explained_and_can_be_shown() -> None:
    assert [place for place, section in KEYS.items() if not meanings(section).get(place[-1])] == []
    assert [place for place in KEYS if shown(place) is None] == []


@pytest.mark.parametrize("place", KEYS, ids=".".join)
def test_every_example_and_default_can_be_taken_as_it_stands(place: Place, tmp_path: Path) -> None:
    table: dict[str, Any] = {}
    put(table, place, shown(place))
    if place[-1] == "allow_http":
        put(table, (*place[:-1], "url"), f"http://{shown(place)}")
    if place[-1] == "allow_remote":
        put(table, (*place[:-1], "listen"), f"{shown(place)}:9464")
    assert found_wrong(table, tmp_path) == set()


def test_the_reference_page_is_what_the_models_say() -> None:
    assert PAGE.read_text() == reference(), f"python -m itopsync.config.docs > {PAGE.relative_to(ROOT)}"


def test_the_reference_page_holds_every_key_with_type_default_and_meaning() -> None:
    told = set(re.findall(r"^`(\w+)` \([^\n]+\)\n: \S", reference(), re.MULTILINE))
    assert told == {place[-1] for place in KEYS}


# the schema for editors


def test_the_schema_holds_every_key_with_its_meaning() -> None:
    schema = json.loads(json_schema())
    for place in KEYS:
        assert _property(schema, place)["description"], place


def test_the_schema_says_what_must_be_given_and_the_defaults_as_they_are_written() -> None:
    schema = json.loads(json_schema())
    assert schema["required"] == ["pair"]
    assert schema["$defs"]["ServerSection"]["required"] == ["url", "timezone"]
    assert _property(schema, ("schedule", "poll"))["default"] == "15s"
    assert _property(schema, ("limits", "file_size"))["default"] == "20MB"
    assert schema["additionalProperties"] is False
    pattern = _property(schema, ("limits", "landing"))["pattern"]
    assert [bool(re.search(pattern, text)) for text in ("1h 30m", "5m", "5 weeks", "5")] == [True, True, False, False]


def test_the_example_names_the_schema_as_editors_look_for_it() -> None:
    assert EXAMPLE.startswith("#:schema ./sync.schema.json\n")
    assert "itopsync init --schema > sync.schema.json" in EXAMPLE


def _property(schema: dict[str, Any], place: Place) -> dict[str, Any]:
    here = schema
    for step in place:
        here = _tables_in(schema, here)
        here = here["properties"][step] if step in here.get("properties", {}) else next(iter(here["patternProperties"].values()))
    return here


def _tables_in(schema: dict[str, Any], here: dict[str, Any]) -> dict[str, Any]:
    """What a part of the schema stands for: what it refers to, what may be there beside nothing, or what a list holds."""
    while True:
        if "$ref" in here:
            here = schema["$defs"][here["$ref"].rpartition("/")[2]]
        elif "anyOf" in here and "properties" not in here:
            here = here["anyOf"][0]
        elif "items" in here:
            here = here["items"]
        else:
            return here
