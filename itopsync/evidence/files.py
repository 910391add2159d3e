"""Writes reports to files with a checksum, and later compares them with the store."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from itertools import chain, islice, zip_longest
from typing import BinaryIO

from itopsync import __version__
from itopsync.evidence.formats import Format, body, closing, words
from itopsync.evidence.lines import Figures, Frame, arrivals, beginning
from itopsync.store.store import Store

TOLD = 20
"""How many differing lines of each kind are reported."""
_SEAL = re.compile(
    rb"itopsync-report month=(?P<month>\d{4}-\d\d) made=(?P<made>[\dT:.+-]+) format=(?P<format>html|csv|json) "
    rb"itopsync=(?P<version>[\w.+-]+) sha256=(?P<digest>[0-9a-f]{64})"
)


class NoReport(Exception):
    """A file has no line with a report's checksum."""


def write(store: Store, frame: Frame, form: Format, out: BinaryIO, version: str = __version__) -> None:
    """Write a report, naming *version* as the itopsync that made it.

    The arrivals wait in a temporary file, so that each takes only eight bytes of memory.
    """
    figures, digest = Figures(), hashlib.sha256()
    with tempfile.TemporaryFile("w+") as waiting:
        waiting.writelines(f"{json.dumps(line)}\n" for line in arrivals(store, frame, figures))
        waiting.seek(0)
        lines = chain(beginning(store, frame, figures), map(json.loads, waiting))
        for piece in body(form, f"itopsync {frame.pair}: {frame.month}", lines):
            out.write(piece.encode())
            digest.update(piece.encode())
    out.write(_closing(frame, form, version, digest.hexdigest()))


@dataclass(frozen=True)
class Checked:
    """The result of comparing a file with the store."""

    frame: Frame
    """What the file says it is about."""
    sealed: bool
    """Whether its checksum matches its contents. Anybody can compute one, so this proves nothing."""
    same: bool
    """Whether the report, made again from the store, is the same file, byte for byte."""
    version: str
    """The version of itopsync that made it."""
    only_file: list[str]
    """Lines, as text, that are in the file but not in the store's report, or less often there: at most :data:`TOLD`."""
    only_store: list[str]
    """Lines that the file should have according to the store."""


def check(store: Store, file: BinaryIO, frame: Callable[[str, datetime], Frame]) -> Checked:
    """Compare a report with the store; *frame* takes its month and the time at which it was made.

    :raises NoReport: it is not a report
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
    sealed = last == _closing(about, form, version, digest.hexdigest())
    with tempfile.TemporaryFile() as anew:
        write(store, about, form, anew, version)
        same = all(line == expected for line, expected in zip_longest(_lines(file), _lines(anew)))
        only_file, only_store = list(_missing(file, anew)), list(_missing(anew, file))
    return Checked(about, sealed, sealed and same, version, only_file, only_store)


def _made(text: str) -> datetime:
    """When a report says that it was made. :raises ValueError: it has no offset, or some timezone cannot show it"""
    made = datetime.fromisoformat(text)
    if made.tzinfo is None or made.year == MAXYEAR:
        raise ValueError(text)
    return made


def _closing(frame: Frame, form: Format, version: str, before: str) -> bytes:
    """The last line; *before* is the digest of all others."""
    about = f"itopsync-report month={frame.month} made={frame.made.isoformat()} format={form} itopsync={version} sha256="
    return closing(form, about + hashlib.sha256(f"{before} {about}".encode()).hexdigest()).encode()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """All lines, without the checksum, which changes with any of them."""
    file.seek(0)
    for line in file:
        seal = _SEAL.search(line)
        yield line if seal is None else line[: seal.start("digest")] + line[seal.end("digest") :]


def _missing(file: BinaryIO, other: BinaryIO) -> Iterator[str]:
    """Lines that *file* has and *other* lacks, or has less often. Keeps eight bytes of each line."""
    there = Counter(map(_short, _lines(other)))

    def lacking(line: bytes) -> bool:
        there[_short(line)] -= 1
        return there[_short(line)] < 0

    return (words(line.decode(errors="replace")) for line in islice(filter(lacking, _lines(file)), TOLD))


def _short(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=8).digest()
