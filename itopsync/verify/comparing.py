"""Reads links from both servers and compares them. Writes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from itopsync.itop.server import Server
from itopsync.model import Attachment, Link, Observation, Ref, Side, Ticket
from itopsync.reconcile.rules import LogRule, Rules
from itopsync.verify.entries import Line, Logs, Mirrored, Writer, compare_logs, lines_of
from itopsync.verify.files import compare_files
from itopsync.verify.findings import Findings
from itopsync.verify.form import compare_fields, compare_states
from itopsync.verify.pictures import compare_fields_pictures, compare_notes_pictures
from itopsync.verify.reading import Case, Fingerprint, Library, Shown, read
from itopsync.verify.secrets import Outside, held_back, look_for_addresses, look_for_leaks

_IN_ATTACHMENTS = re.compile(r"The whole text is in the attachments (note-[\d-]+)\.1-of-(\d+)\.html to ")
"""Where a note that is too long for one request is."""
Kept = Mapping[int, Collection[str]]
Names = Callable[[Link, Observation, Side, LogRule], Mapping[int, str]]
"""A function that returns place → marker under which the store knows the entry, for people's entries in one log."""


class Comparison:
    """Compares the two tickets of each link."""

    def __init__(
        self,
        servers: Mapping[Side, Server],
        rules: Rules,
        reload: Callable[[Sequence[int]], Sequence[Link]],
        names: Names,
        fingerprint: Fingerprint,
        *,
        deep: bool = False,
    ) -> None:
        """*rules* include our accounts; *reload* rereads links from the store; *deep*: compare files and pictures by bytes."""
        self._servers, self._rules, self._reload, self._names, self._deep = servers, rules, reload, names, deep
        self._fingerprint = fingerprint

    def compare(self, links: Sequence[Link], kept: Kept | None = None) -> dict[int, Findings]:
        """Compare *links*, whose status is linked; return the findings for each.

        *kept*: link → keys of the items that stay as somebody edited them in internal or as a one-way rule leaves them, which
        only the store knows. Whatever differs is read again before it is reported, since people and the service may be working
        on it.

        :raises SideUnavailable: a server cannot be asked
        """
        found = self._look(links, kept or {})
        again = [number for number, findings in found.items() if findings.differences]
        if again:
            found |= self._look(self._reload(again), kept or {})
        return found

    def _look(self, links: Sequence[Link], kept: Kept) -> dict[int, Findings]:
        shown = read(links, self._servers, self._rules)
        library = Library(self._servers)
        return {link.id: self._compare(link, shown, library, kept.get(link.id, ())) for link in links}

    def _compare(self, link: Link, shown: Shown, library: Library, kept: Collection[str]) -> Findings:
        findings = Findings(link)
        tickets = {side: self._ticket(findings, shown, link.ref(side)) for side in Side}
        external, internal = tickets[Side.EXTERNAL], tickets[Side.INTERNAL]
        if external is None or internal is None:
            return findings
        case = Case(self._rules, self._rules.for_external(link.external.cls), library, self._fingerprint, kept)
        if any(obstacle.parked and obstacle.key.startswith("restored:") for obstacle in link.obstacles):
            apart = Findings(link)
            self._compare_logs(apart, case, external, internal)
            findings.differences += apart.leaked
            findings.excuse("ticket", "it is parked")
            return findings
        compare_states(findings, case, external, internal)
        fields = compare_fields(findings, case, external, internal)
        mirrored = self._compare_logs(findings, case, external, internal)
        compare_files(findings, Observation(external, internal), self._rules, library if self._deep else None)
        if self._deep:
            compare_notes_pictures(findings, case, mirrored, Observation(external, internal))
            compare_fields_pictures(findings, case, fields, internal)
        return findings

    def _compare_logs(self, findings: Findings, case: Case, external: Ticket, internal: Ticket) -> list[Mirrored]:
        link, rules = findings.link, self._rules
        tickets = {Side.EXTERNAL: external, Side.INTERNAL: internal}
        files = {side: self._texts(ticket, case.library) for side, ticket in tickets.items()}
        mirrored: list[Mirrored] = []
        is_marked = False
        for rule in case.cls.logs:
            lines = {
                side: [self._whole(line, ticket, case.library) for line in lines_of(ticket, rule.of(side), link, rules)]
                for side, ticket in tickets.items()
            }
            seen = Observation(external, internal)
            logs = Logs(rule, lines, self._deleted(link, seen, rule), self._elsewhere(link, seen, rule))
            is_marked = is_marked or _is_marked(logs, link)
            held = held_back(logs, rules)
            found = compare_logs(findings, logs, files, set(held), rules.limits.gather_most)
            outside = _outside(external, internal, logs, files[Side.EXTERNAL], found)
            look_for_leaks(findings, case, held.values(), outside)
            look_for_addresses(findings, rules, outside.ours)
            mirrored += found
            used = {id(mirrored_line.mirror) for mirrored_line in found}
            files = {side: [line for line in lines if id(line) not in used] for side, lines in files.items()}
        if not is_marked and not findings.obstacle("link-notice"):
            findings.differs("link-notice", f"internal: no entry of {' or '.join(case.cls.internal_logs)} has the link's marker")
        return mirrored

    def _deleted(self, link: Link, seen: Observation, rule: LogRule) -> dict[str, datetime]:
        """Place of an entry → when it was carried, for entries that, by the store, were sent as a file that is now missing."""
        deleted: dict[str, datetime] = {}
        for origin in Side:
            there = seen.of(origin.other)
            sent = {marker: record for marker, record in link.base.notes.items() if record.as_file and record.origin is origin}
            if there is None or not sent:
                continue
            held = {f"itopsync-{self._rules.pair}-{name}" for file in there.attachments for name in self._held(file)}
            for place, marker in self._names(link, seen, origin, rule).items():
                record = sent.get(marker)
                if record is not None and record.carried_at is not None and marker not in held:
                    deleted[f"entry:{origin}:{rule.of(origin)}:{place}"] = record.carried_at
        return deleted

    def _elsewhere(self, link: Link, seen: Observation, rule: LogRule) -> frozenset[str]:
        """The places of entries that, by the store, were carried while their log was paired with another."""
        elsewhere: set[str] = set()
        for origin in Side:
            into = rule.renamed(origin.other)
            entries = ((marker, record) for marker, record in link.base.notes.items() if record.carried_at and not record.as_file)
            sent = {marker for marker, record in entries if record.log != into}
            if sent:
                places = self._names(link, seen, origin, rule)
                elsewhere |= {f"entry:{origin}:{rule.of(origin)}:{place}" for place, name in places.items() if name in sent}
        return frozenset(elsewhere)

    def _held(self, file: Attachment) -> tuple[str, ...]:
        """The markers, without their common prefix, of the entries in a file of ours; none for any other file."""
        head = f"itopsync-{self._rules.pair}-"
        if not file.temp_id.startswith(f"{head}n-"):
            return ()
        link, *digests = file.temp_id.removeprefix(head).split(".")
        return tuple(f"{link}.{each}" for each in digests)

    def _whole(self, line: Line, ticket: Ticket, library: Library) -> Line:
        """*line*; or, if it is ours and says that its text is in several attachments, the line with that text."""
        told = _IN_ATTACHMENTS.search(line.html) if line.writer is Writer.MIRROR else None
        if told is None:
            return line
        ours = (file for file in ticket.attachments if file.temp_id.startswith(f"itopsync-{self._rules.pair}-o-"))
        texts = dict(filter(None, (library.named_text(ticket.ref.side, file.id) for file in ours)))
        name, count = told.groups()
        pieces = [texts.get(f"{name}.{number}-of-{count}.html") for number in range(1, int(count) + 1)]
        return line if None in pieces else replace(line, html="".join(filter(None, pieces)))

    def _texts(self, ticket: Ticket, library: Library) -> list[Line]:
        """The entries that were carried as files because the log was full."""
        side, lines = ticket.ref.side, []
        for file in ticket.attachments:
            markers = self._held(file)
            if markers and (text := library.text(side, file.id)) is not None:
                lines.append(Line(f"file:{side}:{file.id}", None, text, Writer.MIRROR, markers))
        return lines

    def _ticket(self, findings: Findings, shown: Shown, ref: Ref | None) -> Ticket | None:
        if ref is None:
            return None
        if ref in shown.unreadable:
            findings.differs("ticket", f"{ref.side}: the server fails to show {ref.cls}::{ref.id}")
            return None
        if ref not in shown.tickets:
            findings.differs("ticket", f"{ref.side}: {ref.cls}::{ref.id} does not exist, or the account may not see it")
        return shown.tickets.get(ref)


def _outside(external: Ticket, copy: Ticket, logs: Logs, files: Sequence[Line], found: Sequence[Mirrored]) -> Outside:
    ours = logs.by(Side.EXTERNAL, Writer.MIRROR, Writer.BARE, Writer.NOTICE, Writer.OTHER_LINK)
    used = {id(mirrored.mirror) for mirrored in found}
    surplus = [line for line in ours if line.writer in {Writer.MIRROR, Writer.BARE} and id(line) not in used]
    return Outside(external, copy, logs.by(Side.EXTERNAL, Writer.PERSON), [*ours, *files], surplus)


def _is_marked(logs: Logs, link: Link) -> bool:
    """Whether an entry of internal's log has the link's marker; a server that loses markers is reported elsewhere."""
    marker = f"t-{link.external.cls}.{link.external.id}"
    return any(marker in line.markers for line in logs.lines[Side.INTERNAL]) or bool(logs.by(Side.INTERNAL, Writer.BARE))
