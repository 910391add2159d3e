"""Whatever stands in the file: it is loaded, or its faults are told. Nothing else ever happens."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itopsync import config
from itopsync.config.catalogue import classes
from itopsync.errors import ConfigurationError
from tests.config.making import ENVIRON, NOW, document
from tests.config.test_example import EXAMPLE, whole

WHOLE: dict[str, Any] = whole()
"""A file with every key that there is."""

anything = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def every_place(table: Mapping[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of *table*, with the tables that it stands in."""
    for name, value in table.items():
        yield (*place, name)
        if isinstance(value, dict):
            yield from every_place(value, (*place, name))


PLACES = sorted(every_place(WHOLE))
NAMES = sorted({name for place in PLACES for name in place} | classes().keys() | {"org_id", "title", "x", ""})
WORDS = [
    *NAMES,
    *("both", "never", "to_internal", "90s", "0s", "9999d", "20MB", "*/5 * * * *", "* * 31 2 *", "Europe/Paris", "Europe", "UTC"),
    *(
        "https://example.com",
        "http://127.0.0.1",
        "http://[::1]:0/",
        "https://[",
        "sqlite://",
        "sqlite:///x",
        "postgresql://u@h/d",
    ),
    *(
        "postgresql://[/d",
        "sqlite:///\0",
        "{value}",
        "{",
        "{0}",
        "{side!r}",
        "%",
        "Y-m-d H:i:s",
        "Y",
        "\\",
        "SELECT",
        "(",
        "'",
        "\0",
    ),
    *("../x", "/", "~nobody/x", "2026-01-01", "0001-01-01", "9999-12-31T23:59:59-23:59", "EXTERNAL_PASSWORD", "א\u202e", "\n"),
    *classes()["UserRequest"].lifecycle.transitions,
]
LOCAL = datetime.fromisoformat("2026-03-29T02:30")
MOMENTS = [date(1, 1, 1), date(9999, 12, 31), LOCAL, datetime(1970, 1, 1, tzinfo=UTC), time(3, 4)]
SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=20),
    st.integers(-(2**70), 2**70),
    st.integers(-1, 100),
    st.floats(),
    st.booleans(),
    st.sampled_from(MOMENTS),
)
KEYS = st.one_of(st.sampled_from(NAMES), st.text(max_size=8))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8)
CHANGES = st.lists(
    st.tuples(st.sampled_from(["put", "put", "put", "take", "add"]), st.sampled_from(PLACES), KEYS, VALUES), max_size=4
)


def change(table: dict[str, Any], how: str, place: tuple[str, ...], name: str, value: object) -> None:
    """Change *table* at one place, if the place is still there."""
    here: Any = table
    for step in place[:-1]:
        here = here.get(step) if isinstance(here, dict) else None
    if not isinstance(here, dict):
        return
    if how == "put":
        here[place[-1]] = value
    elif how == "take":
        here.pop(place[-1], None)
    elif isinstance(inner := here.get(place[-1]), dict):
        inner[name] = value


def loads_or_tells(path: Path) -> bool:
    """Whether *path* is loaded; if not, that every fault is on one line and says what to do."""
    environ = ENVIRON | {"CREDENTIALS_DIRECTORY": str(path.parent)}
    try:
        loaded = config.load(path, environ, now=NOW)
    except ConfigurationError as error:
        faults = error.faults
    else:
        assert loaded.rules.classes
        assert all(rules.logs for rules in loaded.rules.classes)
        assert loaded.external.password.reveal()
        return True
    assert faults
    assert all(str(fault).isprintable() and fault.what and fault.remedy for fault in faults)
    return False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file is written to, with secrets beside it."""
    for name in ("external", "internal", "store"):
        (tmp_path / name).write_text("secret")
    return tmp_path / "sync.toml"


@anything
@given(changes=CHANGES)
def test_a_file_with_anything_anywhere(path: Path, changes: list[tuple[str, tuple[str, ...], str, object]]) -> None:
    table = deepcopy(tomllib.loads(EXAMPLE))
    for how, place, name, value in changes:
        change(table, how, place, name, value)
    path.write_text(document(table))
    loads_or_tells(path)


@anything
@given(changes=CHANGES)
def test_a_file_with_everything_and_anything(path: Path, changes: list[tuple[str, tuple[str, ...], str, object]]) -> None:
    table = deepcopy(WHOLE)
    for how, place, name, value in changes:
        change(table, how, place, name, value)
    path.write_text(document(table))
    loads_or_tells(path)


@anything
@given(table=st.dictionaries(KEYS, VALUES, max_size=6))
def test_a_file_of_any_shape(path: Path, table: dict[str, object]) -> None:
    path.write_text(document(table))
    assert not loads_or_tells(path)


@anything
@given(contents=st.binary(max_size=200))
def test_a_file_of_any_bytes(path: Path, contents: bytes) -> None:
    path.write_bytes(contents)
    assert not loads_or_tells(path)


@anything
@given(start=st.integers(0, len(EXAMPLE)), length=st.integers(0, 80), text=st.text(max_size=12))
def test_the_example_with_a_piece_torn_out(path: Path, start: int, length: int, text: str) -> None:
    path.write_text(EXAMPLE[:start] + text + EXAMPLE[start + length :], errors="surrogatepass")
    loads_or_tells(path)
