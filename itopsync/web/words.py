"""The language of the pages: English is in the templates, Indonesian in ``words.id.toml``."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Protocol

LANGUAGES = ("en", "id")


class Translator(Protocol):
    """Translates a text into a reader's language, and fills in its values."""

    def __call__(self, text: str, **values: object) -> str: ...


def best(chosen: str | None, accepted: str) -> str:
    """The language to use: the chosen one, else the one of ours with the highest weight in ``Accept-Language``."""
    if chosen in LANGUAGES:
        return chosen
    weighed = []
    for place, part in enumerate(accepted[:500].split(",")):
        found = re.fullmatch(r"\s*([A-Za-z]{2,3})(?:-[\w-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*", part)
        if found and found[1].lower() in LANGUAGES:
            weighed.append((-float(found[2] or 1), place, found[1].lower()))
    return min(weighed)[2] if weighed else LANGUAGES[0]


def translator(language: str) -> Translator:
    """The translator into a language."""

    def say(text: str, **values: object) -> str:
        said = INDONESIAN.get(text, text) if language == "id" else ENGLISH.get(text, text)
        return said.format(**values) if values and "{" in said else said

    return say


ENGLISH = {
    "OK": "in step",
    "TROUBLED": "items waiting",
    "STALE": "out of touch",
    "STOPPED": "stopped",
    "PAUSED": "paused",
    "broken": "store unreadable",
    "write": "written",
    "create": "copy made",
    "state": "state",
    "upload": "file added",
    "remove": "file deleted",
    "whole": "whole text as a file",
    "overflow": "long text as a file",
    "link-notice": "note on linking",
    "notice": "our own note",
    "none": "no cycle",
    "links": "tickets",
}
"""The program's term → the English word for people."""

INDONESIAN: dict[str, str] = tomllib.loads(files("itopsync.web").joinpath("words.id.toml").read_text(encoding="utf-8"))
"""English text → Indonesian."""
