"""What is told in Indonesian is what is told in English: the same commands, files, keys, messages and exit codes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "README.id.md",
    "docs/how-to/install.md": "docs/id/install.md",
    "docs/how-to/dispatch.md": "docs/id/dispatch.md",
    "docs/how-to/take-over.md": "docs/id/take-over.md",
    "docs/how-to/run.md": "docs/id/run.md",
    "docs/how-to/steer.md": "docs/id/steer.md",
    "docs/how-to/web.md": "docs/id/web.md",
    "docs/how-to/report.md": "docs/id/report.md",
    "docs/how-to/runbook.md": "docs/id/runbook.md",
    "docs/reference/versions.md": "docs/id/versions.md",
}
FENCED = re.compile(r"^ *```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
BOTH = pytest.mark.parametrize(("english", "indonesian"), PAGES.items(), ids=lambda name: Path(name).stem)


def text(name: str) -> str:
    return (ROOT / name).read_text()


def blocks(name: str) -> list[tuple[str, list[str]]]:
    """Every block of code, without what is said in its comments."""
    return [(kind, [re.sub(r"\s+# .*", "", line) for line in block.splitlines()]) for kind, block in FENCED.findall(text(name))]


def spans(name: str) -> set[str]:
    """Everything that stands in the text as code."""
    return {" ".join(span.split()) for span in re.findall(r"`([^`]+)`", FENCED.sub("", text(name)))}


def tables(name: str) -> Iterator[list[str]]:
    """The first cells of each table where they are code or numbers, which are not translated."""
    for table in re.findall(r"(?:^\|.*\n)+", text(name), re.MULTILINE):
        cells = [row.split(" | ")[0].strip("| ") for row in table.splitlines()[2:]]
        yield [" ".join(re.findall(r"`[^`]+`|^\d+$", cell)) for cell in cells]


@BOTH
def test_the_commands_and_files_are_the_same(english: str, indonesian: str) -> None:
    assert blocks(indonesian) == blocks(english)


@BOTH
def test_every_name_is_told_in_both(english: str, indonesian: str) -> None:
    assert spans(english) - spans(indonesian) == set()


@BOTH
def test_the_tables_have_the_same_rows(english: str, indonesian: str) -> None:
    assert list(tables(indonesian)) == list(tables(english))


@BOTH
def test_the_parts_are_the_same(english: str, indonesian: str) -> None:
    def levels(name: str) -> list[int]:
        return [len(marks) for marks in re.findall(r"^(#+) ", FENCED.sub("", text(name)), re.MULTILINE)]

    assert levels(indonesian) == levels(english)


@BOTH
def test_each_leads_to_the_other(english: str, indonesian: str) -> None:
    def way(page: str, other: str) -> str:
        return os.path.relpath(other, Path(page).parent)

    assert f"]({way(indonesian, english)})" in text(indonesian)
    assert f"]({way(english, indonesian)})" in text(english)
