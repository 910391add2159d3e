"""A ``sync.toml`` that is right, and small changes to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from itopsync import config
from itopsync.config import Configuration
from itopsync.errors import ConfigurationError, Fault

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ENVIRON = {"EXTERNAL_PASSWORD": "one", "INTERNAL_PASSWORD": "two"}
GOOD: dict[str, Any] = {
    "pair": "acme",
    "external": {
        "url": "https://customers.example.com/itop",
        "username": "sync",
        "password_env": "EXTERNAL_PASSWORD",
        "timezone": "Asia/Jakarta",
    },
    "internal": {
        "url": "https://desk.example.com/itop",
        "username": "sync",
        "password_env": "INTERNAL_PASSWORD",
        "timezone": "Europe/Paris",
        "defaults": {"org_id": {"name": "Acme"}, "caller_id": 40},
    },
    "store": {"url": "sqlite:///store.sqlite"},
    "scope": {"since": date(2026, 11, 1)},
    "classes": {"UserRequest": {}},
}
GONE = object()
"""As a value of a change: the key is taken away."""

Changes = Mapping[str, object]
"""Dotted key → its new value. A key with dots of its own is out of reach."""

Case = tuple[str, Changes, str, str, str]
"""What is wrong, how it is brought about, and the fault that is expected: its key, what it says, and the remedy."""
TO_INCIDENT: Changes = {"classes.UserRequest.internal": "Incident"}
REQUESTS_AS_INCIDENTS: Changes = {
    **TO_INCIDENT,
    "classes.UserRequest.states.left_out": {
        "waiting_for_approval": "new",
        "approved": "new",
        "rejected": "new",
        "escalated_tto": "new",
    },
}


def changed(changes: Changes) -> dict[str, Any]:
    """The good file with *changes*."""
    table = deepcopy(GOOD)
    for key, value in changes.items():
        *path, last = key.split(".")
        here = table
        for step in path:
            here = here.setdefault(step, {})
        if value is GONE:
            del here[last]
        else:
            here[last] = value
    return table


def toml(value: object) -> str:
    """Write *value* in TOML, all tables inline."""
    match value:
        case bool():
            return "true" if value else "false"
        case date():
            return value.isoformat()
        case Mapping():
            return "{" + ", ".join(f"{json.dumps(str(key))} = {toml(part)}" for key, part in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(toml, value)) + "]"
        case str():
            return json.dumps(value).replace("\x7f", "\\u007f")
        case _:
            return str(value)


def document(table: Mapping[str, object]) -> str:
    """Write a whole file."""
    return "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in table.items())


def load(folder: Path, changes: Changes, environ: Mapping[str, str] = ENVIRON, *, servers: bool = True) -> Configuration:
    """Load the good file with *changes*."""
    path = folder / "sync.toml"
    path.write_text(document(changed(changes)))
    return config.load(path, environ, now=NOW, servers=servers)


def faults(folder: Path, changes: Changes, environ: Mapping[str, str] = ENVIRON, *, servers: bool = True) -> dict[str, Fault]:
    """What is wrong with the good file once it is changed, by key."""
    with pytest.raises(ConfigurationError) as caught:
        load(folder, changes, environ, servers=servers)
    before = f"{folder / 'sync.toml'}: "
    return {fault.where.removeprefix(before): fault for fault in caught.value.faults}


def check_fault(folder: Path, case: Case) -> None:
    """Check that a case has its fault and no other, on one line."""
    _, changes, key, what, remedy = case
    found = faults(folder, changes)
    assert list(found) == [key]
    assert what in found[key].what
    assert remedy in found[key].remedy
    assert str(found[key]).startswith(f"{folder / 'sync.toml'}: {key}: ")
    assert found[key].remedy.endswith((".", "?"))
    assert "\n" not in str(found[key])
