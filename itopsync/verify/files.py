"""The attachments: each original has one copy unless there is a reason why not, and no copy outlives its original."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from itopsync.model import Attachment, FilePair, FileStatus, Observation, Side, Ticket
from itopsync.reconcile.rules import Deletion, Rules
from itopsync.verify.findings import Findings
from itopsync.verify.reading import Library
from itopsync.verify.secrets import names_an_address


@dataclass(frozen=True)
class _Copy:
    """An attachment whose marker names its original."""

    id: int
    original: int
    born: str
    """When the original was created; empty for the marker of an older copy."""


def compare_files(findings: Findings, seen: Observation, rules: Rules, library: Library | None) -> None:
    """Match copies to originals; with a *library*, compare names and bytes too."""
    for origin in Side:
        here, there = seen.of(origin), seen.of(origin.other)
        if here is None or there is None or not rules.attachments.allows(origin):
            continue
        originals = {file.id: file for file in here.attachments if f"itopsync-{rules.pair}-" not in file.temp_id}
        known: dict[int, list[FilePair]] = defaultdict(list)
        for pair in findings.link.files:
            if pair.origin is origin:
                known[pair.original_id].append(pair)
        told = _copies(there, rules.pair, origin)
        copies = [copy for copy in told if _is_of(copy, originals.get(copy.original), known[copy.original])]
        counted = Counter(copy.original for copy in copies)
        findings.counts[f"{origin} files"] += len(originals)
        findings.counts[f"{origin} files copied"] += sum(number in counted for number in originals)
        for number, original in originals.items():
            item = f"file:{origin}:{number}"
            if counted[number] > 1:
                findings.differs(item, f"{origin}: attachment {number} has {counted[number]} copies")
            elif not counted[number]:
                _report_missing(findings, origin, original, known[number])
        for number in sorted({copy.original for copy in told if copy not in copies and _was_linked(copy, known[copy.original])}):
            held = any(map(findings.obstacle, (f"file:{origin}:{number}", f"gone:{origin}:{number}", "deletions")))
            if rules.deletion is not Deletion.NEVER and not findings.waits and not held:
                what = f"{origin}: attachment {number} is gone, but its copy is still there"
                findings.differs(f"file:{origin}:{number}", what)
        if library is not None:
            _compare_bytes(findings, origin, [(copy.original, copy.id) for copy in copies], library, rules)


def _copies(ticket: Ticket, pair: str, origin: Side) -> list[_Copy]:
    """The copies on *ticket* of *origin*'s attachments."""
    mark = rf"itopsync-{re.escape(pair)}-a-{origin[0]}(\d+)(?:\.(\d+))?"
    named = [(re.fullmatch(mark, file.temp_id), file.id) for file in ticket.attachments]
    return [_Copy(number, int(name[1]), name[2] or "") for name, number in named if name is not None]


def _is_of(copy: _Copy, original: Attachment | None, known: Iterable[FilePair]) -> bool:
    """Whether *copy* is that of *original*, and not of an earlier file with the same id."""
    if original is None:
        return False
    if copy.born or not any(pair.born for pair in known):
        return _alike(copy.born, original.born)
    return any(pair.copy_id == copy.id and _alike(pair.born, original.born) for pair in known)


def _was_linked(copy: _Copy, known: Iterable[FilePair]) -> bool:
    """Whether its original was on the ticket once, so that the copy should have been deleted with it."""
    stays = (FileStatus.KEPT, FileStatus.LEFT)
    named = [pair for pair in known if pair.copy_id == copy.id or _alike(copy.born, pair.born)]
    return any(pair.status not in stays for pair in named) and not any(
        pair.status in stays and pair.copy_id == copy.id for pair in named
    )


def _alike(date: str, other: str) -> bool:
    """Whether two dates are the same, as far as both are known."""
    return all(left == right for left, right in zip(date, other, strict=False))


def _report_missing(findings: Findings, origin: Side, original: Attachment, known: Iterable[FilePair]) -> None:
    number, item = original.id, f"file:{origin}:{original.id}"
    if (why := next(filter(None, (_reason(pair, original) for pair in known)), None)) is not None:
        findings.excuse(item, why)
    elif (obstacle := findings.obstacle(item) or findings.obstacle(f"gone:{origin}:{number}")) is not None:
        findings.excuse(item, "it is parked" if obstacle.parked else "it waits")
    elif findings.waits:
        findings.excuse(item, "it waits")
    else:
        findings.differs(item, f"{origin}: attachment {number} has no copy on {origin.other}")


def _reason(pair: FilePair, original: Attachment) -> str | None:
    if not _alike(pair.born, original.born):
        return None
    if pair.status is FileStatus.KEPT:
        return "it was there before the two were linked by hand"
    if pair.status is FileStatus.COPY_DELETED or pair.copy_id is not None:
        return "somebody deleted its copy"
    return None


def _compare_bytes(findings: Findings, origin: Side, copies: list[tuple[int, int]], library: Library, rules: Rules) -> None:
    for original, copy in copies:
        prints = library.attachment(origin, original), library.attachment(origin.other, copy)
        item = f"file:{origin}:{original}"
        findings.counts["files compared by their bytes"] += 1
        if prints[0] is None or prints[1] is None:
            findings.differs(item, f"{origin}: attachment {original} or its copy cannot be read")
        elif not prints[0].is_that_of(prints[1]):
            findings.differs(item, f"{origin}: attachment {original} and its copy are not the same file")
        elif origin is Side.INTERNAL and names_an_address(prints[1].name, rules):
            findings.leaks(item, f"external: the name of attachment {copy} names an address of internal")
