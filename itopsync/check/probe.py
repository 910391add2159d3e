"""Writes a test ticket to one server, reads it back, reports what the server kept, and deletes the ticket.

Everything rests on the markers, so this tests the actual server, with its version, its settings and any proxy before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from itopsync.check.finding import Finding, Findings, Level, fault, message_and_remedy, ok, warning
from itopsync.errors import AccessRefused, Refused, RemoteError
from itopsync.itop import oql
from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import Entry, File, NewEntry, Side, Ticket
from itopsync.reconcile.markers import PROBE, probe_marker
from itopsync.reconcile.plan import LostMarker
from itopsync.reconcile.richtext import any_markers, attachment_address, marked
from itopsync.reconcile.rules import ClassRules, Kind, Rules

_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000000000200015e0d0a2d0000000049454e44ae426082"
)
"""A picture of one pixel."""
_LOST = (
    "Look for a changed sanitiser, an extension or a proxy, and fix it: without markers, itopsync cannot recognise what it "
    "wrote, so it writes nothing there."
)


@dataclass
class _Probe:
    """Our test ticket on one server."""

    server: Server
    rules: Rules
    cls: ClassRules
    now: datetime

    @property
    def log(self) -> str:
        return self.cls.logs[0].of(self.server.side)

    def marker(self, what: str) -> str:
        return probe_marker(self.rules.pair, what)

    def entry(self, what: str, html: str = "") -> NewEntry:
        return NewEntry(self.now, marked((self.marker(what),), f"<p><em>{PROBE}{what}</em></p>{html}"))


@dataclass(frozen=True)
class Probed:
    """The result of a probe."""

    findings: tuple[Finding, ...]
    lost: tuple[LostMarker, ...]
    """The markers that did not come back."""

    @property
    def keeps_markers(self) -> bool:
        """Whether everything was written and came back with its marker."""
        return not self.lost and all(finding.level is not Level.FAULT for finding in self.findings)


def probe(server: Server, rules: Rules, clock: Callable[[], datetime]) -> Probed:
    """Create a ticket with a marked entry, a marked file and a picture; report what the server kept; delete the ticket."""
    findings, lost = Findings(server), list[LostMarker]()
    findings.look("the probe", lambda: _probe(server, rules, clock, lost))
    return Probed(tuple(findings.found), tuple(lost))


def _probe(server: Server, rules: Rules, clock: Callable[[], datetime], lost: list[LostMarker]) -> Iterator[Finding]:
    side, cls = server.side, rules.classes[0]
    work = _Probe(server, rules, cls, clock().replace(microsecond=0))
    fields = _fields(work)
    if fields is None:
        what = f"there is no {cls.of(side)} from which the probe could take an organisation and a caller"
        yield fault(side, what, "Create one ticket of that class there by hand, and probe again.")
        return
    wanted = _wanted(cls, side)
    try:
        ticket = server.create(cls.of(side), fields, {work.log: [work.entry("create")]}, wanted)
    except Refused as error:
        what, _ = message_and_remedy(error)
        yield fault(
            side, f"the probe could not be written: {what}", f"Check {side}.defaults and the class's mandatory attributes."
        )
        return
    try:
        yield from _look(work, ticket, lost)
    finally:
        gone = _delete(work, ticket)
    yield gone


def _look(work: _Probe, ticket: Ticket, lost: list[LostMarker]) -> Iterator[Finding]:
    server, side, cls = work.server, work.server.side, work.cls
    wanted = _wanted(cls, side)
    organisation = int(ticket.fields.get("org_id") or 0)
    file = server.create_attachment(ticket.ref, organisation, File("probe.png", "image/png", _PNG), work.marker("file"))
    address = attachment_address(work.rules.of(side).public_url, file.id)
    picture = f'<p><img src="{address.replace("&", "&amp;")}" alt="probe"></p>'
    server.update(
        ticket.ref, {"description": f"<p>Seen &amp; kept.</p>{picture}"}, {work.log: work.entry("update", picture)}, wanted
    )
    there = server.tickets(ticket.ref.cls, [ticket.ref.id], wanted)[ticket.ref.id]
    entries = there.logs[work.log]
    for what in ("create", "update"):
        found = _entry_kept(side, what, work.marker(what), entries)
        if found.level is Level.FAULT:
            lost.append(LostMarker(ticket.ref, work.marker(what), ""))
        yield found
    files = {
        attached.id: attached
        for attached in server.attachments_where(f"item_id = {ticket.ref.id} AND item_class = {oql.literal(ticket.ref.cls)}")
    }
    if file.id in files and files[file.id].temp_id == work.marker("file"):
        yield ok(side, "keeps the marker of a file")
    else:
        lost.append(LostMarker(ticket.ref, work.marker("file"), ""))
        yield fault(side, "loses the marker of a file (its temp_id)", _LOST)
    same = server.attachment_file(file.id).data == _PNG
    yield (
        ok(side, "keeps a file as it was sent")
        if same
        else fault(side, "does not return a file as it was sent", "Look for a proxy or an extension that changes files.")
    )
    shown = {"an entry": entries[-1].html if entries else "", "a description": there.fields.get("description", "")}
    for where, html in shown.items():
        if f"id={file.id}" in html and "<img" in html:
            yield ok(side, f"keeps a picture in {where}")
        else:
            yield warning(
                side, f"does not keep a picture in {where}", "Pictures are carried as attachments, but not shown in the text."
            )


def _entry_kept(side: Side, what: str, marker: str, entries: tuple[Entry, ...]) -> Finding:
    found = [entry for entry in entries if f"{PROBE}{what}" in entry.html]
    if any(marker in any_markers(entry.html) for entry in found):
        return ok(side, f"keeps the marker of an entry that came with {'an' if what == 'update' else 'a'} {what}")
    kept = "the entry without it" if found else "no such entry"
    return fault(side, f"loses our markers: it was sent {marker} with {what}, and returned {kept}", _LOST)


def _delete(work: _Probe, ticket: Ticket) -> Finding:
    server, ref = work.server, ticket.ref
    try:
        for file in server.attachments_where(f"item_id = {ref.id} AND item_class = {oql.literal(ref.cls)}"):
            server.delete_attachment(ref, file.id)
        server.delete_ticket(ref)
    except (AccessRefused, Refused):
        return warning(
            server.side,
            f"the probe, {ticket.number} ({ref}), is still there: our account may not delete tickets",
            "Delete it by hand; itopsync does not carry it.",
        )
    except RemoteError as error:
        what, _ = message_and_remedy(error)
        return warning(
            server.side, f"it is not known whether the probe, {ticket.number} ({ref}), was deleted: {what}", "Check there."
        )
    return ok(server.side, f"the probe, {ticket.number} ({ref}), was deleted again")


def _wanted(cls: ClassRules, side: Side) -> Attributes:
    wanted = Attributes.of(cls, side)
    return replace(wanted, fields={**wanted.fields, "description": Kind.HTML, "title": Kind.TEXT})


def _fields(work: _Probe) -> Mapping[str, object] | None:
    """The probe's fields: the side's defaults, or values from another ticket there; None if neither provides them."""
    side, cls = work.server.side, work.cls
    defaults = work.rules.of(side).defaults
    fields: dict[str, object] = {"title": "itopsync probe", "description": "<p>Written by `itopsync check`.</p>"}
    fields |= {name: defaults[name] for name in cls.on_create if name in defaults}
    missing = [name for name in ("org_id", "caller_id") if name in cls.on_create and name not in fields]
    if not missing:
        return fields
    name = cls.of(side)
    rows = work.server.get(name, f"SELECT {oql.name(name)}", missing, limit=1).rows
    if not rows:
        return None
    return fields | {attribute: rows[0].fields[attribute] for attribute in missing}
