"""Everything that external holds, and ever was sent, searched for what may not leave internal."""

from __future__ import annotations

import base64
import html
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from itopsync.simulator import Simulator
from itopsync.simulator.caselog import CaseLog
from itopsync.simulator.store import Document

_INVISIBLE = frozenset({"Cf", "Mn", "Me", "Cc"})


def leaks(external: Simulator, secrets: Iterable[str]) -> Iterator[str]:
    """Each of *secrets* that stands anywhere on *external*, or was in anything that itopsync sent there, refused or not."""
    places: dict[str, str] = {}
    for where, text in _everything(external):
        places.setdefault(folded(text), where)
    for secret in dict.fromkeys(secrets):
        sought = folded(secret)
        yield from (f"leaked: {secret!r} in {where}" for text, where in places.items() if sought in text)


def folded(text: str) -> str:
    """*text* as whoever reads it may see it: escapes, spellings of a letter and what is invisible make no difference."""
    for _ in range(3):
        text = unquote(html.unescape(text))
    text = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in text if unicodedata.category(char) not in _INVISIBLE)


def _everything(external: Simulator) -> Iterator[tuple[str, str]]:
    for table in ("Ticket", "Attachment", "InlineImage"):
        for row in [*external.store.rows(table)]:
            yield from _texts(f"{row['finalclass']} {row['id']}", row)
    for written in external.audit.select(account="sync", by="rest"):
        what = f"a {written.verb} of {written.class_name} {written.id}"
        yield from _texts(what, [written.fields, [text for _, text in written.entries], written.comment])


def _texts(where: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield where, value
        case bytes():
            yield where, value.decode("utf-8", "replace")
        case Document():
            yield from _texts(f"{where}, a file", [value.filename, value.mimetype, value.data])
        case CaseLog():
            yield from ((f"{where}, an entry", f"{entry.user_login} {entry.text}") for entry in value.entries)
        case Mapping():
            for name, part in value.items():
                yield from _texts(f"{where}, {name}", base64.b64decode(part) if name == "data" else part)
        case list() | tuple():
            for part in value:
                yield from _texts(where, part)
