"""The logs: each person's entry has one mirror on the other side, unless there is a reason why not."""

from __future__ import annotations

import re
from bisect import insort
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import cached_property
from operator import itemgetter

from itopsync.model import Entry, ItemKind, Link, NoteRecord, Side, Ticket
from itopsync.reconcile.rules import LogRule, Rules
from itopsync.verify.findings import Findings
from itopsync.verify.words import Text, text_of, without_pictures

_ANY_PAIR = "itopsync-"
_TAG = re.compile(r"<[^<>]+>")
_KIND = re.compile(rf"{_ANY_PAIR}[a-z0-9]+-([a-z])-[\w.]")
"""The kind of a marker of any pair."""


class Writer(Enum):
    """Who wrote an entry, judged by its account and the names of the markers in it."""

    PERSON = auto()
    UNSURE = auto()
    """Bears a marker of ours but is by another account: a person's, unless it exactly mirrors an entry on the other side."""
    MIRROR = auto()
    OTHER_LINK = auto()
    """The mirror of another ticket's entry: iTop copies a parent's entries into its children."""
    NOTICE = auto()
    """A notice of ours."""
    BARE = auto()
    """Ours, without a marker."""


@dataclass(frozen=True)
class Line:
    """One entry of a log, or an attachment that was sent instead."""

    where: str
    """``entry:internal:private_log:3``, from 1; ``file:external:17``."""
    entry: Entry | None
    html: str
    writer: Writer
    markers: tuple[str, ...] = ()

    @cached_property
    def text(self) -> Text:
        """What it says."""
        return text_of(self.html)

    @property
    def notes(self) -> int:
        """How many entries it may mirror; 0 if unknown."""
        return sum(marker.startswith("n-") for marker in self.markers)

    @property
    def label(self) -> str:
        """Where it is, in words."""
        kind, side, *rest = self.where.split(":")
        return f"{side}: {kind} {rest[1]} of {rest[0]}" if kind == "entry" else f"{side}: attachment {rest[0]}"


@dataclass(frozen=True)
class Mirrored:
    """A person's entry and its mirror."""

    origin: Line
    mirror: Line


@dataclass(frozen=True)
class Logs:
    """The two logs of one rule, each line with its writer."""

    rule: LogRule
    lines: dict[Side, list[Line]]
    deleted: Mapping[str, datetime] = field(default_factory=dict)
    """Place → when it was carried, for entries that were sent as a file that somebody deleted."""
    elsewhere: frozenset[str] = frozenset()
    """The places of entries that were carried while their log was paired with another."""

    def by(self, side: Side, *writers: Writer) -> list[Line]:
        """The lines of *side* by any of *writers*."""
        return [line for line in self.lines[side] if line.writer in writers]


def markers_in(html: str, pair: str) -> tuple[str, ...]:
    """The markers of *pair* in tags anywhere in *html*, without their common prefix: ``n-17.0123456789abcdef``."""
    return tuple(re.findall(rf"{_ANY_PAIR}{re.escape(pair)}-([a-z]-[\w.]+)", _tags(html)))


def _tags(html: str) -> str:
    """The tags in *html*; in words, a person may write of a marker."""
    return "".join(_TAG.findall(html)) if _ANY_PAIR in html else ""


def lines_of(ticket: Ticket, log: str, link: Link, rules: Rules) -> list[Line]:
    """The entries of one log, each with its writer."""
    ours = our_accounts(rules, ticket.ref.side)
    seen: set[str] = set()
    lines = []
    for place, entry in enumerate(ticket.logs.get(log, ()), 1):
        markers = markers_in(entry.html, rules.pair)
        writer = _writer(entry, markers, link, ours, seen)
        seen.update(markers)
        lines.append(Line(f"entry:{ticket.ref.side}:{log}:{place}", entry, entry.html, writer, markers))
    return lines


def our_accounts(rules: Rules, side: Side) -> frozenset[str]:
    """The ids of our accounts on *side*; empty if unknown."""
    return rules.of(side).accounts


def _writer(entry: Entry, markers: Sequence[str], link: Link, ours: frozenset[str], seen: set[str]) -> Writer:
    is_ours = entry.author_id in ours if ours else bool(markers) and seen.isdisjoint(markers)
    if not is_ours:
        return Writer.UNSURE if markers else Writer.PERSON
    kinds = {marker[0] for marker in markers} or set(_KIND.findall(_tags(entry.html)))
    if not kinds:
        return Writer.BARE
    if "n" not in kinds or "h" in kinds:  # of a link: it names what stays where it is
        return Writer.NOTICE
    if not markers:  # another pair may use the same account: what it carried counts as a person's
        return Writer.PERSON
    notes = [marker for marker in markers if marker.startswith("n-")]
    return Writer.OTHER_LINK if all(_of_another(marker, link) for marker in notes) else Writer.MIRROR


def _of_another(marker: str, link: Link) -> bool:
    number, dot, _ = marker[2:].partition(".")
    return bool(dot) and number != str(link.external.id)


class Matching:
    """Finds the mirror of each person's entry; a line mirrors as many entries as it has markers."""

    def __init__(self, mirrors: Sequence[Line]) -> None:
        self._room = {id(line): line.notes or 1 for line in mirrors}
        self.lines = list(mirrors)
        self._ends: dict[int, list[int]] = {}
        """For each line that joins several entries, where in its words those found end, in order."""
        self.found: list[Mirrored] = []

    @property
    def left(self) -> list[Line]:
        """The lines that mirror nothing."""
        used = {id(mirrored.mirror) for mirrored in self.found}
        return [line for line in self.lines if id(line) not in used]

    def match_exactly(self, people: Sequence[Line]) -> list[Line]:
        """Match *people*'s entries to lines that say the same and nothing else; return the entries without a match.

        Of entries with the same words, the one with the nearest date is matched: others may stand in lines that join several.
        """
        alone = [mirror for mirror in self.lines if mirror.notes <= 1]
        fits = [
            (_apart(line, mirror), place, mirror)
            for place, line in enumerate(people)
            for mirror in alone
            if line.text.is_said_by(mirror.text.body)
        ]
        chosen: dict[int, Line] = {}
        for _, place, mirror in sorted(fits, key=itemgetter(0, 1)):
            if place not in chosen and self._room[id(mirror)]:
                chosen[place] = mirror
                self._room[id(mirror)] -= 1
        self.found += [Mirrored(people[place], mirror) for place, mirror in sorted(chosen.items(), key=itemgetter(0))]
        return [line for place, line in enumerate(people) if place not in chosen]

    def match(self, people: Sequence[Line]) -> list[Line]:
        """Match *people*'s entries to lines; return the entries without a match."""
        left = [line for line in self.match_exactly(people) if not self._take(line, self._among_others(line))]
        by_length = sorted(left, key=lambda line: len(line.text.words))  # what is a link alone is said by any note
        linked = {id(line) for line in by_length if self._take(line, self._among_others_with_links(line))}
        left = [line for line in left if id(line) not in linked]
        return [line for line in left if not self._take(line, self._alone(line, _ends_with))]

    def _alone(self, line: Line, says: Callable[[Text, str], bool]) -> Line | None:
        fits = [
            mirror for mirror in self.lines if mirror.notes <= 1 and self._room[id(mirror)] and says(line.text, mirror.text.body)
        ]
        return min(fits, key=lambda mirror: _apart(line, mirror), default=None)

    def _among_others(self, line: Line) -> Line | None:
        """A line that joins several entries, in order."""
        return self._joining(lambda joined, ends: _next_end(line.text, joined, ends[-1] if ends else 0))

    def _among_others_with_links(self, line: Line) -> Line | None:
        """A line that joins several entries and has a link in this one, which stands between others that were found."""
        return self._joining(line.text.linked_in)

    def _joining(self, end_in: Callable[[Text, Sequence[int]], int | None]) -> Line | None:
        for mirror in self.lines:
            if mirror.notes > 1 and self._room[id(mirror)]:
                ends = self._ends.setdefault(id(mirror), [])
                end = end_in(mirror.text, ends)
                if end is not None:
                    insort(ends, end)
                    return mirror
        return None

    def _take(self, line: Line, mirror: Line | None) -> bool:
        if mirror is None:
            return False
        self._room[id(mirror)] -= 1
        self.found.append(Mirrored(line, mirror))
        return True


def _next_end(text: Text, joined: Text, start: int) -> int | None:
    """Where *text*, looked for from *start* on, ends in the words of *joined*; the next note is tried first."""
    end = text.next_in(joined, start)
    found = text.found_in(joined.words, start) if end is None else None
    return found.end if found is not None else end


def _ends_with(text: Text, body: str) -> bool:
    """Whether *body* ends with the text: iTop 3.3 puts a line before an entry that it copies from a parent."""
    return bool(text.letters) and without_pictures(body).endswith(text.letters)


def _apart(line: Line, mirror: Line) -> float:
    """The seconds between two lines: a mirror has its original's date."""
    if line.entry is None or mirror.entry is None:
        return 1.0
    return abs((line.entry.at - mirror.entry.at).total_seconds())


def compare_logs(
    findings: Findings, logs: Logs, files: dict[Side, list[Line]], held: set[str], most: timedelta
) -> list[Mirrored]:
    """Look for each person's entry in the other side's log; return those found.

    *files* are the entries carried as attachments; *held* names the entries that are kept in internal. *most*: how long
    notes for a full log may be gathered.
    """
    ours, passed_over = (Writer.MIRROR, Writer.BARE), {*held, *logs.deleted, *logs.elsewhere}
    matchings = {side: Matching([*logs.by(side, *ours), *files[side]]) for side in Side}
    people: dict[Side, list[Line]] = {}
    missing: dict[Side, list[Line]] = {}
    for origin in Side:
        people[origin] = [line for line in logs.by(origin, Writer.PERSON) if line.where not in passed_over]
        missing[origin] = matchings[origin.other].match(people[origin])
        findings.counts[f"{origin} entries"] += len(people[origin])
    for side in Side:  # an unsure entry is ours if it mirrors a person's entry that nothing else does; otherwise a person's
        unsure = [line for line in logs.by(side, Writer.UNSURE) if line.where not in passed_over]
        as_ours = Matching(unsure)
        missing[side.other] = as_ours.match_exactly(missing[side.other])
        mirrored = {id(each.origin) for each in as_ours.found}
        people[side.other] = [line for line in people[side.other] if id(line) not in mirrored]
        if as_ours.left:  # joined entries are in the order in which they were written
            people[side] = sorted((*people[side], *as_ours.left), key=_place)
            matchings[side.other] = Matching(matchings[side.other].lines)
            missing[side] = matchings[side.other].match(people[side])
    for origin in Side:
        matching = matchings[origin.other]
        findings.counts[f"{origin} entries mirrored"] += len(matching.found)
        if logs.rule.direction.allows(origin):
            _report_missing(findings, origin, missing[origin], _gathered_since(findings, logs.rule, origin, most))
        _excuse_deleted(findings, [line for line in logs.lines[origin] if line.where in logs.deleted], logs.deleted)
        for line in logs.lines[origin]:
            if line.where in logs.elsewhere:
                findings.excuse(line.where, "it was carried while its log had another partner")
        _report_doubled(findings, matching)
        for line in logs.by(origin, Writer.BARE):
            if _lost_markers(findings.link):
                findings.excuse(line.where, "a server dropped its marker; the store remembers it")
            else:
                findings.differs(line.where, f"{line.label} is by our account, but has no marker of ours")
    return [mirrored for matching in matchings.values() for mirrored in matching.found]


def _lost_markers(link: Link) -> bool:
    """Whether a server is known to have dropped markers of this link, including the ticket's, which was then rewritten."""
    return any(record.unmarked or "t" in _KIND.findall(marker) for marker, record in link.base.notes.items())


def _gathered_since(findings: Findings, rule: LogRule, origin: Side, most: timedelta) -> datetime | None:
    """The earliest time of the entries that are being gathered for the other side's full log; None if none are."""
    obstacle = findings.obstacle(f"log:{origin.other}:{rule.of(origin.other)}:notes")
    return obstacle.not_before - most if obstacle is not None and obstacle.not_before is not None else None


def _excuse_deleted(findings: Findings, lines: list[Line], deleted: Mapping[str, datetime]) -> None:
    """Excuse notes carried as files that somebody deleted, one line per file."""
    together: dict[datetime, list[Line]] = {}
    for line in lines:
        together.setdefault(deleted[line.where], []).append(line)
    for first, *others in together.values():
        more = f", and that of {len(others)} more" if others else ""
        findings.excuse(first.where, f"somebody deleted its copy, which was a file{more}")


def _report_missing(findings: Findings, origin: Side, missing: list[Line], gathered: datetime | None) -> None:
    link = findings.link
    stay = sum(_stays(marker, record, origin) for marker, record in link.base.notes.items())
    parked = sum(obstacle.parked and obstacle.key.kind is ItemKind.NOTE for obstacle in link.obstacles)
    for place, line in enumerate(sorted(missing, key=lambda line: (line.where.rpartition(":")[0], _place(line)))):
        if place < stay:
            findings.excuse(line.where, "it was there before the two were linked by hand")
        elif findings.waits:
            findings.excuse(line.where, "it waits")
        elif place < stay + parked:
            findings.excuse(line.where, "it is parked")
        elif gathered is not None and line.entry is not None and line.entry.at >= gathered:
            findings.excuse(line.where, "it goes as a file, with what else comes: the log is full")
        else:
            findings.differs(line.where, f"{line.label} has no mirror on {origin.other}")


def _stays(marker: str, record: NoteRecord, origin: Side) -> bool:
    return record.origin is origin and record.carried_at is None and "n" in _KIND.findall(marker)


def _place(line: Line) -> int:
    return int(line.where.rpartition(":")[2])


def _report_doubled(findings: Findings, matching: Matching) -> None:
    """Report what is there twice: the same words with the same date, or one marker of this link on two lines."""
    mirrors = [mirrored.mirror for mirrored in matching.found]
    used = {(mirror.text.words, mirror.entry.at) for mirror in mirrors if mirror.entry is not None}
    doubled = {
        line.where: line
        for line in matching.left
        if line.entry is not None and (line.text.words, line.entry.at) in used and line.writer is Writer.MIRROR
    }
    every = [marker for line in matching.lines for marker in set(line.markers)]
    counted = Counter(marker for marker in every if marker.startswith("n-") and "." in marker)
    for line in matching.lines:
        if any(counted[marker] > 1 for marker in line.markers) and line in matching.left:
            doubled.setdefault(line.where, line)
    for where, line in doubled.items():
        findings.differs(where, f"{line.label} is there twice")
