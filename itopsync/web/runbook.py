"""The runbook's advice on messages; ``python -m itopsync.web.runbook > itopsync/web/runbook.json`` updates it."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

_ROW = re.compile(r"^\| (`[^|]*`) .*\| ([^|]+) \|$", re.MULTILINE)
_MARKED = re.compile(r"\[([^\]]+)\]\([^)]*\)|(?<![.`])\*([^*`]+)\*")
"""A link or an emphasis, but not the star in ``classes.*.states``."""
PAGES = {"en": "docs/how-to/runbook.md", "id": "docs/id/runbook.md"}
"""Their tables have the same rows: a test checks that."""


@cache
def _rows() -> list[tuple[re.Pattern[str], dict[str, str]]]:
    rows = json.loads(files("itopsync.web").joinpath("runbook.json").read_text(encoding="utf-8"))
    return [(re.compile(_pattern(message)), does) for message, does in rows]


def remedy(reason: str, language: str) -> str | None:
    """The runbook's advice on a message; None if there is none."""
    return next((does[language] for pattern, does in _rows() if pattern.search(reason)), None)


def _pattern(message: str) -> str:
    return ".+".join(re.escape(part.strip()) for part in message.split("…") if part.strip())


def made(root: Path) -> str:
    """The contents of the file, from both pages: each message with its remedy by language."""
    tables = {language: _table((root / page).read_text(encoding="utf-8")) for language, page in PAGES.items()}
    rows = [
        [message, {language: table[message] for language, table in tables.items()}]
        for message in tables["en"]
        if len(re.findall(r"\w+", message)) > 1
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def _table(text: str) -> dict[str, str]:
    return {
        message: _MARKED.sub(lambda marked: marked[1] or marked[2], does).replace("`", "")
        for named, does in _ROW.findall(text)
        for message in re.findall(r"`([^`]+)`", named)
    }


if __name__ == "__main__":
    print(made(Path(__file__).parents[2]), end="")
