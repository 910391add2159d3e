"""The documents say what there is: every command, option, exit code, limit and remark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from itopsync import config
from itopsync.cli.app import app
from itopsync.exits import ExitCode
from itopsync.reconcile.plan import Kept
from itopsync.reconcile.safety import Excess
from tests.commands import command_names, commands
from tests.torture.scenarios import SCENARIOS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.id.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = (ROOT / "docs" / "reference" / "commands.md").read_text()
RUNBOOK = (ROOT / "docs" / "how-to" / "runbook.md").read_text()
GUARANTEES = (ROOT / "docs" / "guarantees.md").read_text()


def sections() -> dict[str, str]:
    """What the page on commands says of each: ``""`` is what stands before the first."""
    head, *rest = re.split(r"^## `itopsync (.+)`$", COMMANDS, flags=re.MULTILINE)
    return {"": head, **dict(zip(rest[::2], rest[1::2], strict=True))}


def test_every_command_has_its_section_and_no_other_has() -> None:
    assert sections().keys() - {""} == command_names(app)


@pytest.mark.parametrize("name", sorted(commands(app)))
def test_every_option_is_explained(name: str) -> None:
    explained = set(re.findall(r"`(-[-a-z]+)[^`]*`(?=.*\n: )", sections()[name]))
    assert explained - {"--help", "-h"} == commands(app)[name] - {"--help", "-h"}


@pytest.mark.parametrize("page", ["README.md", "README.id.md", "docs/reference/commands.md"])
def test_every_exit_code_is_explained(page: str) -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", (ROOT / page).read_text(), re.MULTILINE)}
    assert told == {*ExitCode, 130}


@pytest.mark.parametrize("kind", Excess)
def test_the_runbook_says_what_to_do_about_a_safety_stop(kind: Excess) -> None:
    assert f"| `{kind}` |" in RUNBOOK


@pytest.mark.parametrize("kept", Kept)
def test_the_runbook_says_what_each_remark_means(kept: Kept) -> None:
    assert f"| `{kept}` |" in RUNBOOK


def test_every_message_in_the_runbook_is_one_that_the_program_says() -> None:
    source = "".join(path.read_text() for path in (ROOT / "itopsync").rglob("*.py"))
    said = re.sub(r'"\s*\n\s*f?"', "", source)  # texts that go over several lines
    messages = re.findall(r"^\| `(.+?)`", RUNBOOK, re.MULTILINE)
    assert len(messages) > len(Kept) + len(Excess)
    assert [message for message in messages if any(part.strip() not in said for part in message.split("…"))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_link_leads_to_a_page_that_is_there(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_command_that_is_shown_can_be_typed(page: Path) -> None:
    typed = re.findall(r"^ *\$ (?:sudo )?(?:\S*/)?itopsync (.+)$", page.read_text(), re.MULTILINE)
    names = [" ".join(word for word in line.split() if not word.startswith(("-", "/", "@"))) for line in typed]
    known = command_names(app)
    assert [name for name in names if name and not any(f"{name} ".startswith(f"{command} ") for command in known)] == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(block, id=page.stem)
        for page in PAGES
        for block in re.findall(r"^ *```toml\n(.+?)```", page.read_text(), re.M | re.S)
        if "pair =" in block
    ],
)
def test_every_configuration_that_is_shown_can_be_loaded(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("external", "internal"):
        (tmp_path / name).write_text("secret")
        (tmp_path / name).chmod(0o600)
    path = tmp_path / "sync.toml"
    path.write_text("\n".join(line.removeprefix("   ") for line in text.splitlines()))
    loaded = config.load(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert loaded.rules.pair == "acme"


def test_every_test_that_a_guarantee_names_is_there() -> None:
    named = re.findall(r"`(\w+/test_\w+\.py)::(test_\w+)`", GUARANTEES)
    assert len(named) > 20
    assert [test for test in named if f"def {test[1]}(" not in (ROOT / "tests" / test[0]).read_text()] == []


def test_every_scenario_that_a_guarantee_names_is_there() -> None:
    named = {name for row in re.findall(r"^\|.+\|$", GUARANTEES, re.MULTILINE) for name in re.findall(r"\*([^*]+)\*", row)}
    assert len(named) > 5
    assert named <= {scenario.name for scenario in SCENARIOS}


def test_every_guarantee_names_what_shows_it() -> None:
    rows = re.findall(r"^\| (.+) \| (.+) \|$", GUARANTEES, re.MULTILINE)[2:]
    assert [promise for promise, shown in rows if not re.search(r"`\w+/test_\w+\.py::|scenario", shown)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_test_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`(tests/[\w/]+)(\.py)?(?:::(\w+))?`", page.read_text())
    missing = [
        f"{path}{ending}::{name}"
        for path, ending, name in named
        if not (ROOT / f"{path}{ending}").exists() or (name and f"def {name}(" not in (ROOT / f"{path}{ending}").read_text())
    ]
    assert missing == []


def test_every_claim_about_security_names_its_test() -> None:
    rows = re.findall(r"^\| (?!it tries|---)(.+) \|$", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE)
    assert len(rows) > 20
    assert [row for row in rows if "::test_" not in row.rpartition(" | ")[2]] == []
