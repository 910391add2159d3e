"""Links, read and compared. Nothing is written anywhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from itopsync.itop.server import Server
from itopsync.model import Link, Observation, Ref, Side, Ticket
from itopsync.reconcile.rules import Rules
from itopsync.verify.entries import Line, Logs, Mirrored, Writer, compare_logs, lines_of
from itopsync.verify.files import compare_files
from itopsync.verify.findings import Findings
from itopsync.verify.form import compare_fields, compare_states
from itopsync.verify.pictures import compare_fields_pictures, compare_notes_pictures
from itopsync.verify.reading import Case, Library, Shown, read
from itopsync.verify.secrets import Outside, held_back, look_for_leaks

Kept = Mapping[int, Collection[str]]


class Comparison:
    """Holds the two tickets of links against each other."""

    def __init__(
        self,
        servers: Mapping[Side, Server],
        rules: Rules,
        reload: Callable[[Sequence[int]], Sequence[Link]],
        *,
        deep: bool = False,
    ) -> None:
        """*rules* know our accounts; *reload* reads links from the store anew; *deep*: compare files and pictures by bytes."""
        self._servers, self._rules, self._reload, self._deep = servers, rules, reload, deep

    def compare(self, links: Sequence[Link], kept: Kept | None = None) -> dict[int, Findings]:
        """Compare *links*, which are linked; return what is found of each.

        *kept* are the items of each link, by their keys, that are left as somebody edited them in internal, or by a one-way
        rule: no server tells that, only the store does. What differs is read once more before it is told, since people and
        the service may be at work.

        :raises SideUnavailable: a server cannot be asked
        """
        found = self._look(links, kept or {})
        again = [number for number, one in found.items() if one.differences]
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
        case = Case(self._rules, self._rules.for_external(link.external.cls), library, kept)
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
        for place, rule in enumerate(case.cls.logs):
            logs = Logs(rule, {side: lines_of(ticket, rule.name(side), link, rules) for side, ticket in tickets.items()})
            if place == 0 and not _is_marked(logs, link) and not findings.obstacle("link-notice"):
                findings.differs("link-notice", f"internal: no entry of {rule.internal} bears the mark of the link")
            held = held_back(logs, rules)
            found = compare_logs(findings, logs, files, set(held))
            look_for_leaks(findings, case, held.values(), _outside(external, logs, files[Side.EXTERNAL], found))
            mirrored += found
            used = {id(one.mirror) for one in found}
            files = {side: [line for line in lines if id(line) not in used] for side, lines in files.items()}
        return mirrored

    def _texts(self, ticket: Ticket, library: Library) -> list[Line]:
        """The entries that went as files, since the log was full."""
        head = f"itopsync-{self._rules.pair}-"
        side, lines = ticket.ref.side, []
        for one in ticket.attachments:
            if one.temp_id.startswith(f"{head}n-") and (text := library.text(side, one.id)) is not None:
                lines.append(Line(f"file:{side}:{one.id}", None, text, Writer.MIRROR, (one.temp_id.removeprefix(head),)))
        return lines

    def _ticket(self, findings: Findings, shown: Shown, ref: Ref | None) -> Ticket | None:
        if ref is None:
            return None
        if ref in shown.unreadable:
            findings.differs("ticket", f"{ref.side}: the server fails to show {ref.cls}::{ref.id}")
            return None
        if ref not in shown.tickets:
            findings.differs("ticket", f"{ref.side}: {ref.cls}::{ref.id} is not there, or the account may not see it")
        return shown.tickets.get(ref)


def _outside(external: Ticket, logs: Logs, files: Sequence[Line], found: Sequence[Mirrored]) -> Outside:
    ours = logs.by(Side.EXTERNAL, Writer.MIRROR, Writer.BARE, Writer.NOTICE, Writer.OTHER_LINK)
    used = {id(one.mirror) for one in found}
    surplus = [line for line in ours if line.writer in {Writer.MIRROR, Writer.BARE} and id(line) not in used]
    return Outside(external, [*ours, *files], surplus)


def _is_marked(logs: Logs, link: Link) -> bool:
    """Whether the internal ticket says whose copy it is; a server that loses marks is told with each entry that lost one."""
    mark = f"t-{link.external.cls}.{link.external.id}"
    return any(mark in line.marks for line in logs.lines[Side.INTERNAL]) or bool(logs.by(Side.INTERNAL, Writer.BARE))
