"""What is shipped, tried as it is installed: a wheel in an environment of its own, completion, manual page and container."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from itopsync import __version__
from itopsync.cli.app import app
from itopsync.cli.manual import page
from itopsync.exits import ExitCode
from itopsync.store import migrate
from tests.commands import command_names, commands

ROOT = Path(__file__).parents[1]
MANUAL = ROOT / "itopsync.1"
CONTAINERFILE = (ROOT / "Containerfile").read_text()


class Installed:
    """An environment in which nothing but the wheel was installed; what it depends on is lent from ours."""

    def __init__(self, folder: Path) -> None:
        build = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--wheel-dir",
        ]
        subprocess.run([*build, str(folder), str(ROOT)], check=True, capture_output=True)
        (self.wheel,) = folder.glob("*.whl")
        self.home = folder / "environment"
        venv.create(self.home, symlinks=True)
        python = self.home / "bin" / "python"
        install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
        subprocess.run([*install, str(self.wheel)], check=True, capture_output=True)
        (packages,) = self.home.glob("lib/python*/site-packages")
        # a folder that stands in a .pth file is searched, but its own .pth files, our editable install, are not read
        (packages / "lent.pth").write_text(sysconfig.get_path("purelib"))

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, far from the checkout."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        path = f"{self.home / 'bin'}:/usr/bin:/bin"
        return subprocess.run(
            [str(self.home / "bin" / command[0]), *command[1:]],
            cwd=self.home,
            env={**kept, "PATH": path, "NO_COLOR": "1", **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"))


# the wheel


def test_what_runs_is_what_was_installed(installed: Installed) -> None:
    code = "import itopsync.store.migrate as m, itopsync; print(itopsync.__file__); print(m.migrations())"
    files = installed.run("python", "-P", "-c", code).stdout.split()
    assert len(files) == 2
    assert all(Path(file).is_relative_to(installed.home) for file in files)


def test_an_installed_wheel_plays_the_demo(installed: Installed) -> None:
    done = installed.run("itopsync", "demo", "--once")
    assert (done.returncode, done.stderr) == (ExitCode.WELL, "")
    assert "Both servers agree" in done.stdout


def test_an_installed_wheel_says_its_version_and_makes_a_store(installed: Installed, tmp_path: Path) -> None:
    assert installed.run("itopsync", "--version").stdout == f"itopsync {__version__} (store schema {migrate.head()})\n"
    assert installed.run("itopsync", "init", str(tmp_path / "sync.toml")).returncode == ExitCode.WELL
    code = f"from itopsync.store.store import Store; print(Store.open('sqlite:///{tmp_path}/new.sqlite').revision)"
    assert installed.run("python", "-P", "-c", code).stdout.strip() == migrate.head()


def test_the_wheel_brings_the_manual_page_and_all_modules(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    assert f"itopsync-{__version__}.data/data/share/man/man1/itopsync.1" in names
    assert (installed.home / "share" / "man" / "man1" / "itopsync.1").read_text() == MANUAL.read_text()


# completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_its_completion(installed: Installed, shell: str) -> None:
    done = installed.run("itopsync", _ITOPSYNC_COMPLETE=f"source_{shell}")
    assert done.returncode == ExitCode.WELL
    assert f"_ITOPSYNC_COMPLETE=complete_{shell}" in done.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("unl", {"unlink"}), ("db ", {"upgrade", "downgrade", "check", "prune", "backup"}), ("status --w", {"--watch"})],
)
def test_bash_completes_what_is_typed(installed: Installed, typed: str, offered: set[str]) -> None:
    script = installed.run("itopsync", _ITOPSYNC_COMPLETE="source_bash").stdout
    words = typed.split(" ")
    ask = (
        f"{script}\nCOMP_WORDS=(itopsync {' '.join(words)}); COMP_CWORD={len(words)}; "
        '_itopsync_completion itopsync; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{installed.home / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(["/bin/bash", "-c", ask], env={"PATH": path}, capture_output=True, text=True, check=True, timeout=60)
    assert set(done.stdout.split()) == offered


# the manual page


def test_the_manual_page_is_what_the_commands_say() -> None:
    assert MANUAL.read_text() == page(), "run `make man`"


def test_the_manual_page_has_every_command_option_and_exit_code() -> None:
    whole = MANUAL.read_text().replace(r"\-", "-")
    text = re.sub(r"\\f[BR]", " ", whole)
    shown = {re.sub(r" \[?[A-Z]+\]?", "", line.removeprefix(".SS ")) for line in text.splitlines() if line.startswith(".SS ")}
    assert shown == command_names(app)
    options = {option for those in commands(app).values() for option in those} - {"--help", "-h"}
    assert [option for option in sorted(options) if not re.search(rf"(?<![\w-]){option}(?![\w-])", text)] == []
    told = re.findall(r"^\\fB(\d+)\\fR$", whole, re.MULTILINE)
    assert {int(code) for code in told} == {*ExitCode, 130}


def test_help_names_arguments_as_the_manual_page_does() -> None:
    """In capitals, and in one pair of brackets at most."""
    runner, shown = CliRunner(), set[str]()
    for name in sorted(command_names(app)):
        usage = re.search(r"Usage: .*? ((?:[a-z-]+ )+)\[OPTIONS\](.*)", runner.invoke(app, [*name.split(), "--help"]).output)
        assert usage is not None, name
        shown.add(name + re.sub(r"[{}]", "", usage[2]).rstrip())
    headings = (line.removeprefix(".SS ") for line in MANUAL.read_text().splitlines() if line.startswith(".SS "))
    assert shown == {heading.replace(r"\-", "-") for heading in headings}


def test_the_manual_page_can_be_read() -> None:
    """By man itself where there is one; anywhere, no line is a request that is none."""
    requests = {line.split()[0] for line in MANUAL.read_text().splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".TP", ".B"}
    if reader := shutil.which("man"):
        environment = {"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [reader, "--warnings", str(MANUAL)], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "link [EXTERNAL] [INTERNAL]" in done.stdout


# the container


def test_a_container_does_not_run_as_root() -> None:
    *_, last = CONTAINERFILE.split("\nFROM ")
    (user,) = re.findall(r"^USER (\d+):\d+$", last, re.MULTILINE)
    assert int(user) > 0
    assert f"--uid {user}" in last


def test_a_container_runs_commands_that_there_are() -> None:
    (entry,) = re.findall(r'^ENTRYPOINT \["(\w+)"\]$', CONTAINERFILE, re.MULTILINE)
    (command,) = re.findall(r'^CMD \["([\w-]+)"\]$', CONTAINERFILE, re.MULTILINE)
    (health,) = re.findall(r"^HEALTHCHECK .* CMD \[(.+)\]$", CONTAINERFILE, re.MULTILINE)
    program, name, option, age = re.findall(r'"([^"]+)"', health)
    assert (entry, program, name, option) == ("itopsync", "itopsync", "status", "--max-age")
    assert {command, name} <= command_names(app)
    assert option in commands(app)[name]
    assert re.fullmatch(r"\d+m", age)


def test_all_that_a_container_is_built_from_is_there() -> None:
    copied = re.findall(r"^COPY (?!--)(\S+) \S+$", CONTAINERFILE, re.MULTILINE)
    assert copied == ["requirements", "."]
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in let_in)
    pyproject = (ROOT / "pyproject.toml").read_text()
    needed = {"itopsync", "migrations", "pyproject.toml", "README.md", "LICENSE", "itopsync.1", "requirements"}
    assert let_in == needed
    assert all(f'"{name}"' in pyproject for name in needed - {"pyproject.toml", "requirements"})
    found = re.search(r"sed -nE '(s/.+?/p)'", CONTAINERFILE)
    assert found is not None
    pins = subprocess.run(
        ["sed", "-nE", found[1], str(ROOT / "requirements" / "dev.txt")], capture_output=True, text=True, check=True
    )
    assert [line.split("==")[0] for line in pins.stdout.split()] == ["psycopg[binary]", "psycopg-binary"]
