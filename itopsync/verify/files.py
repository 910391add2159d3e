"""The attachments: each original has one copy, unless there is a reason why not, and no copy outlives its original."""

from __future__ import annotations

import re
from collections import Counter

from itopsync.model import FilePair, FileStatus, Observation, Side, Ticket
from itopsync.reconcile.rules import Deletion, Rules
from itopsync.verify.findings import Findings
from itopsync.verify.reading import Library


def compare_files(findings: Findings, seen: Observation, rules: Rules, library: Library | None) -> None:
    """Match copies to originals; with a *library*, compare names and bytes too."""
    for origin in Side:
        here, there = seen.of(origin), seen.of(origin.other)
        if here is None or there is None or not rules.attachments.allows(origin):
            continue
        originals = [file.id for file in here.attachments if f"itopsync-{rules.pair}-" not in file.temp_id]
        copies = _copies(there, rules.pair, origin)
        counted = Counter(number for number, _ in copies)
        findings.counts[f"{origin} files"] += len(originals)
        findings.counts[f"{origin} files copied"] += sum(number in counted for number in originals)
        for number in originals:
            item = f"file:{origin}:{number}"
            if counted[number] > 1:
                findings.differs(item, f"{origin}: attachment {number} has {counted[number]} copies")
            elif not counted[number]:
                _report_missing(findings, origin, number)
        for number in sorted(counted.keys() - set(originals)):
            held = findings.obstacle(f"file:{origin}:{number}") or findings.obstacle("deletions")
            if rules.deletion is not Deletion.NEVER and not findings.waits and held is None:
                what = f"{origin}: attachment {number} is gone, but its copy is still there"
                findings.differs(f"file:{origin}:{number}", what)
        if library is not None:
            _compare_bytes(findings, origin, [pair for pair in copies if pair[0] in originals], library)


def _copies(ticket: Ticket, pair: str, origin: Side) -> list[tuple[int, int]]:
    """The id of the original and of the copy, for each copy on *ticket*."""
    named = [(re.fullmatch(rf"itopsync-{re.escape(pair)}-a-([ei])(\d+)", file.temp_id), file.id) for file in ticket.attachments]
    return [(int(name[2]), number) for name, number in named if name is not None and name[1] == origin[0]]


def _report_missing(findings: Findings, origin: Side, number: int) -> None:
    item = f"file:{origin}:{number}"
    pair = next((known for known in findings.link.files if (known.origin, known.original_id) == (origin, number)), None)
    if (why := _reason(pair)) is not None:
        findings.excuse(item, why)
    elif (obstacle := findings.obstacle(item)) is not None:
        findings.excuse(item, "it is parked" if obstacle.parked else "it waits")
    elif findings.waits:
        findings.excuse(item, "it waits")
    else:
        findings.differs(item, f"{origin}: attachment {number} has no copy on {origin.other}")


def _reason(pair: FilePair | None) -> str | None:
    if pair is None:
        return None
    if pair.status is FileStatus.KEPT:
        return "it was there before the two were linked by hand"
    if pair.status is FileStatus.COPY_DELETED or pair.copy_id is not None:
        return "somebody deleted its copy"
    return None


def _compare_bytes(findings: Findings, origin: Side, copies: list[tuple[int, int]], library: Library) -> None:
    for original, copy in copies:
        prints = library.attachment(origin, original), library.attachment(origin.other, copy)
        item = f"file:{origin}:{original}"
        findings.counts["files compared by their bytes"] += 1
        if prints[0] is None or prints[1] is None:
            findings.differs(item, f"{origin}: attachment {original} or its copy cannot be read")
        elif not prints[0].is_that_of(prints[1]):
            findings.differs(item, f"{origin}: attachment {original} and its copy are not the same file")
