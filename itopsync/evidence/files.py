"""Reports as files: written with a checksum, and later compared with the store."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from itertools import chain, islice
from typing import BinaryIO

from itopsync import __version__
from itopsync.evidence.formats import Format, body, closing, words
from itopsync.evidence.lines import Figures, Frame, arrivals, beginning
from itopsync.store.store import Store

TOLD = 20
"""So many lines that differ are told, of each kind."""
_SEAL = re.compile(
    rb"itopsync-report month=(?P<month>\d{4}-\d\d) made=(?P<made>[\dT:.+-]+) format=(?P<format>html|csv|json) "
    rb"itopsync=(?P<version>[\w.+-]+) sha256=(?P<digest>[0-9a-f]{64})"
)


class NoReport(Exception):
    """A file has no line with a report's checksum."""


def write(store: Store, frame: Frame, form: Format, out: BinaryIO) -> None:
    """Write a report. What is long of it waits in a temporary file, so that memory grows by eight bytes an arrival only."""
    figures, digest = Figures(), hashlib.sha256()
    with tempfile.TemporaryFile("w+") as waiting:
        waiting.writelines(f"{json.dumps(line)}\n" for line in arrivals(store, frame, figures))
        waiting.seek(0)
        lines = chain(beginning(store, frame, figures), map(json.loads, waiting))
        for piece in body(form, f"itopsync {frame.pair}: {frame.month}", lines):
            out.write(piece.encode())
            digest.update(piece.encode())
    out.write(_closing(frame, form, __version__, digest.hexdigest()))


@dataclass(frozen=True)
class Checked:
    """The result of comparing a file with the store."""

    changed: bool
    """The file is not as it was made."""
    same: bool
    """The store says the very same."""
    version: str
    """The itopsync that made it."""
    only_file: list[str]
    """Lines that the file alone has, at most :data:`TOLD`; as text."""
    only_store: list[str]
    """Lines that it should have by the store."""


def check(store: Store, file: BinaryIO, frame: Callable[[str, datetime], Frame]) -> Checked:
    """Compare a report with the store; *frame* makes what it is about, of its month and of when it was made.

    :raises NoReport: it is none
    """
    digest, seal, last = hashlib.sha256(), None, b""
    for line in file:
        if seal is None and (seal := _SEAL.search(line)):
            last = line
        elif seal is None:
            digest.update(line)
        else:
            last += line
    if seal is None:
        raise NoReport
    try:
        about = frame(seal["month"].decode(), _made(seal["made"].decode()))
    except ValueError:
        raise NoReport from None
    form, version = Format(seal["format"].decode()), seal["version"].decode()
    changed = last != _closing(about, form, version, digest.hexdigest())
    with tempfile.TemporaryFile() as anew:
        write(store, about, form, anew)
        ours, theirs = _lines(anew), _lines(file)
        only_file = list(islice(_missing(file, ours), TOLD))
        only_store = list(islice(_missing(anew, theirs), TOLD))
    return Checked(changed, not (only_file or only_store), version, only_file, only_store)


def _made(text: str) -> datetime:
    """When a report says that it was made. :raises ValueError: it is no time that every timezone has"""
    made = datetime.fromisoformat(text)
    if made.tzinfo is None or made.year == MAXYEAR:
        raise ValueError(text)
    return made


def _closing(frame: Frame, form: Format, version: str, before: str) -> bytes:
    """The last line; *before* is the digest of all others."""
    about = f"itopsync-report month={frame.month} made={frame.made.isoformat()} format={form} itopsync={version} sha256="
    return closing(form, about + hashlib.sha256(f"{before} {about}".encode()).hexdigest()).encode()


def _told(file: BinaryIO) -> Iterator[str]:
    file.seek(0)
    for line in file:
        if _SEAL.search(line):
            return
        if text := words(line.decode(errors="replace")):
            yield text


def _lines(file: BinaryIO) -> set[bytes]:
    """The digests of all lines: eight bytes of each are enough to tell them apart."""
    return {_short(line) for line in _told(file)}


def _missing(file: BinaryIO, others: set[bytes]) -> Iterator[str]:
    return (line for line in _told(file) if _short(line) not in others)


def _short(line: str) -> bytes:
    return hashlib.blake2b(line.encode(), digest_size=8).digest()
