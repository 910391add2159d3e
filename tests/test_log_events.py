"""What is logged and the list of it agree, and the page says what the list says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.events import ALWAYS, CONTEXT, EVENTS, FIELDS, reference

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "log-events.md"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}

Logged = tuple[str, str, str, frozenset[str]]
"""Where, level, event, and the fields that are named there."""


def logged() -> Iterator[Logged]:
    """Every call of structlog in the program."""
    for path in sorted((ROOT / "itopsync").rglob("*.py")):
        source = path.read_text()
        for node in ast.walk(ast.parse(source)) if "log." in source else ():
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)) if level in LEVELS:
                    event = node.args[1 if level == "log" else 0]
                    name = event.value if isinstance(event, ast.Constant) else "?"
                    where = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield where, level, str(name), frozenset(word.arg for word in node.keywords if word.arg is not None)


CALLS = list(logged())


def test_every_event_is_in_the_list_and_no_other_is() -> None:
    assert {event for _, _, event, _ in CALLS} | {"library"} == EVENTS.keys(), "see tests/events.py"


@pytest.mark.parametrize("call", CALLS, ids=[where for where, *_ in CALLS])
def test_level_and_fields_are_those_in_the_list(call: Logged) -> None:
    _, level, name, fields = call
    event = EVENTS[name]
    known = {"exception": "error"}.get(level, level)
    assert known in event.levels or level == "log"
    assert fields - {"exc_info"} <= {*event.fields, *CONTEXT}


def test_every_field_is_explained_and_no_other_is() -> None:
    used = {*ALWAYS, *CONTEXT, *(field for event in EVENTS.values() for field in event.fields)}
    assert used == FIELDS.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_what_is_a_warning_or_worse_says_what_to_do(name: str) -> None:
    event = EVENTS[name]
    assert bool(event.do) == (event.levels != ("info",))


def test_the_page_says_what_the_list_says() -> None:
    assert PAGE.read_text() == reference(), f"python -m tests.events > {PAGE.relative_to(ROOT)}"
