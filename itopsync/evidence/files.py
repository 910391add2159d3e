"""Reports as files: written with a checksum, and later compared with the store."""

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
"""How many lines that differ are reported, of each kind."""
_SEAL = re.compile(
    rb"itopsync-report month=(?P<month>\d{4}-\d\d) made=(?P<made>[\dT:.+-]+) format=(?P<format>html|csv|json) "
    rb"itopsync=(?P<version>[\w.+-]+) sha256=(?P<digest>[0-9a-f]{64})"
)


class NoReport(Exception):
    """A file has no line with a report's checksum."""


def write(store: Store, frame: Frame, form: Format, out: BinaryIO, version: str = __version__) -> None:
    """Write a report as that *version* of itopsync.

    What is long of it waits in a temporary file, so that memory grows by eight bytes an arrival only.
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
    """The file has the checksum of what it holds. Everybody can compute that: it proves nothing."""
    same: bool
    """The report, made anew from the store, is the very same file, byte for byte."""
    version: str
    """The itopsync that made it."""
    only_file: list[str]
    """Lines, as text, that are in the file but not in the store's report, or less often there: at most :data:`TOLD`."""
    only_store: list[str]
    """Lines that the file should have according to the store."""


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
    sealed = last == _closing(about, form, version, digest.hexdigest())
    with tempfile.TemporaryFile() as anew:
        write(store, about, form, anew, version)
        same = all(one == other for one, other in zip_longest(_lines(file), _lines(anew)))
        only_file, only_store = list(_missing(file, anew)), list(_missing(anew, file))
    return Checked(about, sealed, sealed and same, version, only_file, only_store)


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


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """All lines, whole, but without the checksum: that is another one wherever a line is."""
    file.seek(0)
    for line in file:
        seal = _SEAL.search(line)
        yield line if seal is None else line[: seal.start("digest")] + line[seal.end("digest") :]


def _missing(file: BinaryIO, other: BinaryIO) -> Iterator[str]:
    """Lines of a file that the other lacks, or has less often. Of each line eight bytes are kept."""
    there = Counter(map(_short, _lines(other)))

    def lacking(line: bytes) -> bool:
        there[_short(line)] -= 1
        return there[_short(line)] < 0

    return (words(line.decode(errors="replace")) for line in islice(filter(lacking, _lines(file)), TOLD))


def _short(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=8).digest()
