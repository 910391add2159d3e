"""The house: what is built and shipped, and the rules that every file keeps."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tomllib
import zipfile
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from itopsync import __version__
from tests.network import NetworkForbidden

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "tests" / "contract"
"""Tried on real servers too, which may lack a class."""
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
PIN = re.compile(r"^([a-z0-9-]+)(?:\[([a-z0-9,-]+)\])?==[^ ]+(?: ;[^\n]+)? \\\n    --hash=sha256:[0-9a-f]{64}", re.MULTILINE)
"""One package of a lock file: its name, its extras."""


def files(*patterns: str) -> list[Path]:
    """What git keeps, by patterns."""
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


# the rules of the house


def test_every_module_fits_in_the_head() -> None:
    long = {path.relative_to(ROOT): lines for path in files("*.py") if (lines := len(path.read_text().splitlines())) > 500}
    assert not long


def test_a_package_that_lists_its_modules_lists_them_all() -> None:
    for path in files("itopsync/**/__init__.py"):
        listed = re.findall(r"^``(\w+)``  ", path.read_text(), re.MULTILINE)
        there = {module.stem for module in path.parent.glob("*.py")} - {"__init__"}
        assert not listed or sorted(listed) == sorted(there), path


def test_the_tests_are_a_tree_without_packages() -> None:
    assert not files("tests/**/__init__.py")


def test_nothing_is_skipped_and_what_is_silenced_says_why() -> None:
    skips = re.compile(r"pytest\.mark\.(skip|skipif|xfail)\b|pytest\.(skip|xfail)\(|pragma: no cover(?! - )")
    bare = re.compile(r"#\s*type:\s*ignore(?!\[[\w,-]+\]\s+#)")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in files("*.py")
        if path != Path(__file__)
        for line in path.read_text().splitlines()
        if skips.search(line) or bare.search(line)
    ]
    assert found == []


def test_no_test_reaches_another_machine() -> None:
    with socket.socket() as connection, pytest.raises(NetworkForbidden):
        connection.connect(("192.0.2.1", 80))
    with pytest.raises(NetworkForbidden):
        socket.getaddrinfo("itop.org", 443)
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("nowhere.invalid", 443)


# versions and dependencies


def test_no_console_takes_square_brackets_for_markup() -> None:
    """What is printed holds people's words: a name could set a link, or end the command with a traceback."""
    made = [call for path in files("itopsync/**/*.py") for call in re.findall(r"\bConsole\([^\n]*", path.read_text())]
    assert made
    assert [call for call in made if "markup=False, emoji=False" not in call] == []


def test_the_changelog_speaks_of_this_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert __version__ in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_all_that_is_installed_is_pinned_with_hashes_and_names_no_index(lock: Path) -> None:
    text = lock.read_text()
    pins = re.split(r"\n(?=[a-z0-9])", text.partition("make lock\n")[2])
    assert pins
    assert [pin for pin in pins if not PIN.match(pin)] == []
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)


def test_the_pins_hold_all_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    asked = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["demo"], *groups["build"]]
    assert _names(asked) <= set(_pinned("demo"))
    every_group = [entry for group in groups.values() for entry in group if isinstance(entry, str)]
    every_extra = [entry for extra in project["project"]["optional-dependencies"].values() for entry in extra]
    assert _names([*asked, *every_group, *every_extra]) <= set(_pinned("dev"))


def test_what_a_pinned_package_asks_for_with_an_extra_is_pinned_with_it() -> None:
    """Or pip, asked for hashes, looks for a newer release of it and refuses what it finds."""
    pins = _pinned("dev")
    installed = [distribution for distribution in metadata.distributions() if distribution.name.lower() in pins]
    asked = [Requirement(text) for distribution in installed for text in distribution.requires or ()]
    applying = [
        requirement
        for requirement in asked
        if requirement.extras and (requirement.marker is None or requirement.marker.evaluate({"extra": ""}))
    ]
    assert applying, "pytest-cov asks for coverage[toml]"
    assert [str(requirement) for requirement in applying if not requirement.extras <= pins[requirement.name.lower()]] == []


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in requirements}


def _pinned(lock: str) -> dict[str, set[str]]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    return {pin[1]: set((pin[2] or "").split(",")) for pin in PIN.finditer(text)}


# what is shipped


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout without asking any index."""
    target = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir"]
    subprocess.run([*build, str(target), str(ROOT)], check=True, capture_output=True)
    (built,) = target.glob("*.whl")
    return built


def test_the_wheel_has_all_that_the_program_reads(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {path.relative_to(ROOT).as_posix() for path in files("itopsync")}
    assert package <= names
    assert any(re.fullmatch(r"itopsync/store/migrations/versions/\w+\.py", name) for name in names)
    own = {"itopsync", *(f"itopsync-{__version__}.{kind}" for kind in ("dist-info", "data"))}
    assert {name.split("/")[0] for name in names} == own


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(f"itopsync-{__version__}.dist-info/METADATA").decode()
    assert f"\nVersion: {__version__}\n" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "itopsync = itopsync.cli:main" in archive.read(f"itopsync-{__version__}.dist-info/entry_points.txt").decode()


def test_the_script_that_is_shipped_is_the_published_one() -> None:
    """By the digest of ``dist/htmx.min.js`` in htmx.org 2.0.11, of which its page of licences tells too."""
    static = ROOT / "itopsync" / "web" / "static"
    assert sha256((static / "htmx.min.js").read_bytes()).hexdigest() == HTMX
    assert (static / "htmx.LICENSE").read_text().startswith("Zero-Clause BSD")
