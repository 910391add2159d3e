"""What README and tutorial tell a newcomer to type, typed: each command runs, and says what it is said to say."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Desk
from tests.playground import Playground, playground

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text().partition("\n# Two real servers")[0]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Typed:
    """A command, and the lines that are shown below it."""

    line: str
    shown: tuple[str, ...]


def typed(text: str) -> Iterator[Typed]:
    """Every command of every block, in order."""
    for block in BLOCK.findall(text):
        for part in re.split(r"^ *\$ ", block, flags=re.MULTILINE)[1:]:
            line, *shown = part.strip("\n").split("\n")
            yield Typed(line.strip(), tuple(shown))


def assert_shown(step: Typed, output: str) -> None:
    """Each line that is shown stands in the output; … stands for anything."""
    for line in step.shown:
        words = [r".*".join(map(re.escape, word.split("…"))) for word in line.split()]
        assert re.search(r"\s+".join(words), output), f"{step.line}: {line!r} is not in\n{output}"


def test_the_tutorial_can_be_followed() -> None:
    steps = list(typed(TUTORIAL))
    assert len(steps) == 15
    with playground() as pair:
        for step in steps:
            assert_shown(step, _type(step.line, pair))


def _type(line: str, pair: Playground) -> str:
    if line == "make demo":
        told = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert ".venv/bin/itopsync demo" in told
        return told
    if line.endswith("itopsync demo --serve"):
        return pair.told
    if line == "curl …":
        time.sleep(1.1)  # no person types within the second
        opened, written = (_well(pair.shell(curl)) for curl in pair.curls())
        assert '"message":"created"' in opened
        assert '"code":0' in written
        return opened + written
    if line.startswith("export"):
        return line
    return _well(pair.shell(line))


def _well(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_last_line_of_the_demo_is_what_the_tutorial_says() -> None:
    (line,) = re.findall(r"^Both servers agree after .*$", TUTORIAL, re.MULTILINE)
    command = [sys.executable, "-m", "itopsync", "demo", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env={"COLUMNS": "300"})
    assert_shown(Typed("demo", (line,)), done.stdout)


def test_the_readme_can_be_followed(desk: Desk) -> None:
    """What needs root, systemd or an index is looked at; the rest is typed, with two servers at the addresses of the example."""
    for number in (1, 2):
        desk.customer.create("UserRequest", title=f"Ticket {number}")
    lines = [step.line for step in typed(README)]
    commands = [line.removeprefix("sudo ") for line in lines if re.match(r"(sudo )?(\S*/)?itopsync ", line)]
    assert [shlex.split(line)[1] for line in commands] == ["init", "check", "plan"]
    told = desk.itopsync("init", str(desk.folder / "written.toml"))
    assert told.returncode == 0
    (example,) = re.findall(r"^ *```toml\n(.+?)```", README, re.MULTILINE | re.DOTALL)
    _configure(desk, "\n".join(line.removeprefix("   ") for line in example.splitlines()))
    for line in [*commands[1:], "itopsync run-once", "itopsync status", "itopsync verify"]:
        done = desk.itopsync(*shlex.split(line)[1:])
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(desk.internal.tickets()) == 2


def _configure(desk: Desk, example: str) -> None:
    for old, new in {
        "https://customers.example.com/itop": desk.external.url,
        "https://desk.example.com/itop": desk.internal.url,
        'username = "itopsync"': 'username = "sync"',
        'timezone = "Europe/Paris"': 'timezone = "Asia/Jakarta"',
        'name = "Acme"': 'name = "Demo"',
        "customers@example.com": "agatha.christie@demo.com",
        'name = "Service Desk"': 'name = "Helpdesk"',
        "since = 2026-01-01": "since = 2020-01-01",
    }.items():
        assert old in example, old
        example = example.replace(old, new)
    head, middle, tail = example.partition('timezone = "Asia/Jakarta"\n\n[internal.defaults]')
    example = head + 'timezone = "Europe/Paris"\n\n[internal.defaults]' + tail
    assert middle
    example = re.sub(r'password_credential = "\w+"', 'password_env = "PASSWORD"', example)
    example += f'\n[store]\nurl = "sqlite:///{desk.folder / "readme.sqlite"}"\n'
    tomllib.loads(example)
    (desk.folder / "sync.toml").write_text(example)


@pytest.mark.parametrize("page", ["README.md", "README.id.md", "docs/how-to/install.md", "docs/id/install.md"])
def test_every_file_that_is_installed_is_there(page: str) -> None:
    named = re.findall(r"(?<![\w/])((?:systemd|requirements)/[\w.*-]+)", (ROOT / page).read_text())
    assert named
    assert [name for name in named if not list(ROOT.glob(name))] == []
