"""Each command loads what it needs when it needs it: help, `--version` and a typing error come at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "alembic",
    "apprise",
    "apscheduler",
    "argon2",
    "httpx",
    "jinja2",
    "prometheus_client",
    "sqlalchemy",
    "starlette",
    "uvicorn",
}


def _loaded_by(module: str) -> set[str]:
    program = f"import sys, {module}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("module", ["itopsync.cli.app", "itopsync.config"])
def test_what_only_some_commands_need_is_not_loaded_by_all(module: str) -> None:
    loaded = _loaded_by(module)
    assert "pydantic" in loaded
    assert HEAVY & loaded == set()
