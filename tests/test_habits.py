"""What the next developer relies on: targets that are listed, hooks that fetch nothing, recipes that can be typed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text()
DEVELOP = (ROOT / "docs" / "how-to" / "develop.md").read_text()


def _targets() -> set[str]:
    (listed,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    return set(listed.split())


def test_help_lists_every_target() -> None:
    told = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in told.splitlines()} == _targets()


def test_hooks_run_what_is_here_and_fetch_nothing() -> None:
    assert set(re.findall(r"- repo: (\S+)", HOOKS)) == {"local"}
    assert set(re.findall(r"language: (\S+)", HOOKS)) == {"system"}
    assert [entry for entry in re.findall(r"entry: (\S+)", HOOKS) if not entry.startswith(".venv/bin/")] == []


def test_hooks_run_what_must_pass_anyway() -> None:
    for program in ("ruff check", "ruff format --check", "mypy", "lint-imports"):
        assert f".venv/bin/{program}" in HOOKS
        assert f"$(BIN)/{program}" in MAKEFILE


def test_every_target_that_is_told_of_is_there() -> None:
    named = {target for line in re.findall(r"`make ([a-z ]+)`", DEVELOP) for target in line.split()}
    assert named <= _targets()


def test_every_file_that_is_told_of_is_there() -> None:
    named = re.findall(r"`((?:itopsync|tests|docs|systemd|migrations)/[\w/.-]+)`", DEVELOP)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
