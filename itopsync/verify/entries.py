"""The logs: each entry of a person stands on the other side in one entry of ours, unless there is a reason why not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

from itopsync.model import Entry, ItemKind, Link, NoteRecord, Side, Ticket
from itopsync.reconcile.rules import LogRule, Rules
from itopsync.verify.findings import Findings
from itopsync.verify.words import Text, text_of, without_pictures

_ANY_PAIR = "itopsync-"


class Writer(Enum):
    """Who an entry is by, judged by its account and the names of the marks that stand in it."""

    PERSON = auto()
    UNSURE = auto()
    """Bears a mark of ours under another account: a person's, unless it is the exact mirror of an entry on the other side."""
    MIRROR = auto()
    OTHER_LINK = auto()
    """The mirror of an entry of another ticket: iTop copies a parent's entries into its children."""
    NOTICE = auto()
    """A word of our own."""
    BARE = auto()
    """Ours, and bears no mark."""


@dataclass(frozen=True)
class Line:
    """One entry of a log, or an attachment that stands for one."""

    where: str
    """``entry:internal:private_log:3``, from 1; ``file:external:17``."""
    entry: Entry | None
    html: str
    writer: Writer
    marks: tuple[str, ...] = ()

    @cached_property
    def text(self) -> Text:
        """What it says."""
        return text_of(self.html)

    @property
    def notes(self) -> int:
        """How many entries it may stand for; 0 where nothing tells."""
        return sum(mark.startswith("n-") for mark in self.marks)

    @property
    def told(self) -> str:
        """Where it is, in words."""
        kind, side, *rest = self.where.split(":")
        return f"{side}: {kind} {rest[1]} of {rest[0]}" if kind == "entry" else f"{side}: attachment {rest[0]}"


@dataclass(frozen=True)
class Mirrored:
    """An entry of a person and where it was found."""

    origin: Line
    mirror: Line


@dataclass(frozen=True)
class Logs:
    """The two logs of one rule, told apart by line."""

    rule: LogRule
    lines: dict[Side, list[Line]]

    def by(self, side: Side, *writers: Writer) -> list[Line]:
        """The lines of *side* that are by one of *writers*."""
        return [line for line in self.lines[side] if line.writer in writers]


def marks_in(html: str, pair: str) -> tuple[str, ...]:
    """The marks of *pair* anywhere in *html*, without what all of them begin with: ``n-17.0123456789abcdef``."""
    return tuple(re.findall(rf"{_ANY_PAIR}{re.escape(pair)}-([a-z]-[\w.]+)", html))


def lines_of(ticket: Ticket, log: str, link: Link, rules: Rules) -> list[Line]:
    """The entries of one log, told apart."""
    ours = our_accounts(rules, ticket.ref.side)
    seen: set[str] = set()
    lines = []
    for place, entry in enumerate(ticket.logs.get(log, ()), 1):
        marks = marks_in(entry.html, rules.pair)
        writer = _writer(entry, marks, link, ours, seen)
        seen.update(marks)
        lines.append(Line(f"entry:{ticket.ref.side}:{log}:{place}", entry, entry.html, writer, marks))
    return lines


def our_accounts(rules: Rules, side: Side) -> frozenset[str]:
    """The ids of our own accounts on *side*; none where they are not known."""
    return rules.side(side).accounts


def _writer(entry: Entry, marks: Sequence[str], link: Link, ours: frozenset[str], seen: set[str]) -> Writer:
    is_ours = entry.author_id in ours if ours else bool(marks) and seen.isdisjoint(marks)
    if not is_ours:
        return Writer.UNSURE if marks else Writer.PERSON
    if not marks:  # another pair of ours may use the same account: what it writes is a person's to us
        return Writer.PERSON if _ANY_PAIR in entry.html else Writer.BARE
    notes = [mark for mark in marks if mark.startswith("n-")]
    if not notes:
        return Writer.NOTICE
    return Writer.OTHER_LINK if all(_of_another(mark, link) for mark in notes) else Writer.MIRROR


def _of_another(mark: str, link: Link) -> bool:
    number, dot, _ = mark[2:].partition(".")
    return bool(dot) and number != str(link.external.id)


class Matching:
    """Finds for each entry of a person the line of ours that says the same; each line stands for so many as its marks say."""

    def __init__(self, mirrors: Sequence[Line]) -> None:
        self._room = {id(line): line.notes or 1 for line in mirrors}
        self.lines = list(mirrors)
        self._reached: dict[int, int] = {}
        self.found: list[Mirrored] = []

    @property
    def left(self) -> list[Line]:
        """The lines that stand for nothing."""
        used = {id(one.mirror) for one in self.found}
        return [line for line in self.lines if id(line) not in used]

    def match_exactly(self, people: Sequence[Line]) -> list[Line]:
        """Find the lines that say *people*'s entries and nothing else; return those that are nowhere."""
        return [line for line in people if not self._take(line, self._alone(line, lambda text, body: text.is_said_by(body)))]

    def match(self, people: Sequence[Line]) -> list[Line]:
        """Find *people*'s entries; return those that are nowhere."""
        left = [line for line in self.match_exactly(people) if not self._take(line, self._among_others(line))]
        return [line for line in left if not self._take(line, self._alone(line, _ends_with))]

    def _alone(self, line: Line, says: Callable[[Text, str], bool]) -> Line | None:
        fits = [one for one in self.lines if one.notes <= 1 and self._room[id(one)] and says(line.text, one.text.body)]
        return min(fits, key=lambda one: _apart(line, one), default=None)

    def _among_others(self, line: Line) -> Line | None:
        """One that joins several entries in their order."""
        for one in self.lines:
            if one.notes > 1 and self._room[id(one)]:
                found = line.text.pattern.search(one.text.words, self._reached.get(id(one), 0))
                if found is not None:
                    self._reached[id(one)] = found.end()
                    return one
        return None

    def _take(self, line: Line, mirror: Line | None) -> bool:
        if mirror is None:
            return False
        self._room[id(mirror)] -= 1
        self.found.append(Mirrored(line, mirror))
        return True


def _ends_with(text: Text, body: str) -> bool:
    """Where something stands before what we wrote: iTop 3.3 marks what it copies from a parent so."""
    return bool(text.letters) and without_pictures(body).endswith(text.letters)


def _apart(line: Line, mirror: Line) -> float:
    """Seconds between two lines: a mirror bears the date of its original."""
    if line.entry is None or mirror.entry is None:
        return 1.0
    return abs((line.entry.at - mirror.entry.at).total_seconds())


def compare_logs(findings: Findings, logs: Logs, files: dict[Side, list[Line]], held: set[str]) -> list[Mirrored]:
    """Look for each person's entry in the other side's log, and return what was found.

    *files* are the texts that went as attachments; *held* says where the entries are that are kept in internal.
    """
    ours = (Writer.MIRROR, Writer.BARE)
    matchings = {side: Matching([*logs.by(side, *ours), *files[side]]) for side in Side}
    missing: dict[Side, list[Line]] = {}
    for origin in Side:
        people = [line for line in logs.by(origin, Writer.PERSON) if line.where not in held]
        missing[origin] = matchings[origin.other].match(people)
        findings.counts[f"{origin} entries"] += len(people)
    for side in Side:  # one that may be ours is, where it mirrors a person's entry that is nowhere else; else it is a person's
        unsure = [line for line in logs.by(side, Writer.UNSURE) if line.where not in held]
        as_ours = Matching(unsure)
        missing[side.other] = as_ours.match_exactly(missing[side.other])
        missing[side] += matchings[side.other].match(as_ours.left)
    for origin in Side:
        matching = matchings[origin.other]
        findings.counts[f"{origin} entries mirrored"] += len(matching.found)
        if logs.rule.direction.allows(origin):
            _tell_missing(findings, origin, missing[origin])
        _tell_doubled(findings, matching)
        for line in logs.by(origin, Writer.BARE):
            if _lost_marks(findings.link):
                findings.excuse(line.where, "a server dropped its mark; it is remembered")
            else:
                findings.differs(line.where, f"{line.told} is by our account and bears no mark of ours")
    return [one for matching in matchings.values() for one in matching.found]


def _lost_marks(link: Link) -> bool:
    """Whether a server is known to have dropped marks of this link, that of the ticket perhaps, which was written anew."""
    return any(record.unmarked or "-t-" in marker for marker, record in link.base.notes.items())


def _tell_missing(findings: Findings, origin: Side, missing: list[Line]) -> None:
    link = findings.link
    stay = sum(_stays(marker, record, origin) for marker, record in link.base.notes.items())
    parked = sum(one.parked and one.key.kind is ItemKind.NOTE for one in link.obstacles)
    for place, line in enumerate(sorted(missing, key=lambda line: (line.where.rpartition(":")[0], _place(line)))):
        if place < stay:
            findings.excuse(line.where, "it stood there before the two were linked by hand")
        elif findings.waits:
            findings.excuse(line.where, "it waits")
        elif place < stay + parked:
            findings.excuse(line.where, "it is parked")
        else:
            findings.differs(line.where, f"{line.told} has no mirror on {origin.other}")


def _stays(marker: str, record: NoteRecord, origin: Side) -> bool:
    return record.origin is origin and record.carried_at is None and "-n-" in marker


def _place(line: Line) -> int:
    return int(line.where.rpartition(":")[2])


def _tell_doubled(findings: Findings, matching: Matching) -> None:
    """What is there twice: the same words with the same date, or one mark of this link on two lines."""
    used = {(one.mirror.text.words, one.mirror.entry.at) for one in matching.found if one.mirror.entry is not None}
    doubled = {
        line.where: line
        for line in matching.left
        if line.entry is not None and (line.text.words, line.entry.at) in used and line.writer is Writer.MIRROR
    }
    counted = Counter(mark for line in matching.lines for mark in set(line.marks) if mark.startswith("n-") and "." in mark)
    for line in matching.lines:
        if any(counted[mark] > 1 for mark in line.marks) and line in matching.left:
            doubled.setdefault(line.where, line)
    for where, line in doubled.items():
        findings.differs(where, f"{line.told} is there twice")
