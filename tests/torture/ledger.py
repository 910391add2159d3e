"""What people wrote, kept beside the servers, and what must be true of both in the end."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from itopsync.model import Link, LinkStatus, Ref, Side
from itopsync.reconcile import by_hand
from itopsync.reconcile.files import COPIES_GONE, ORIGINALS_GONE
from itopsync.simulator import Simulator
from itopsync.store.store import Store
from tests.engine.pair import Pair
from tests.torture.directions import TEXTS_OF_STATES, against_the_rules
from tests.torture.leaks import leaks

Place = tuple[str, int]
"""Class and number of an external ticket."""
FORM = {
    **dict.fromkeys(("UserRequest", "Incident", "Problem"), ("title", "description", "impact", "urgency")),
    "NormalChange": ("title", "description"),
}
"""A change's impact is a text that goes with its state."""
_MARKED = re.compile(r'^<p><a name="([^"]+)"')
_FROM_PARENT = re.compile(r"^(?:<p>Copied from \[\[[^]]*\]\]</p>)+")
_COPY = re.compile(r"itopsync-demo-a-([ei])(\d+)(?:\.\d+)?")
_PASTED = re.compile(r'data-img-id="(\d+)"')
_ATTACHED = re.compile(r"class=Attachment&(?:amp;)?field=contents&(?:amp;)?id=(\d+)")
_FIX = re.compile(r"https://vendor\.example/fix\?id=\d+")
_MAY_WAIT = {"state", "field:start_date", "field:end_date"}
"""A state that cannot be reached, and a date that the other server cannot hold, are parked."""
_COUNTS_AS = {("Incident", "escalated_tto"): "new"}


@dataclass
class Ledger:
    """Everything by class and number of the external ticket."""

    pair: Pair
    tickets: list[Place] = field(default_factory=list)
    own: list[int] = field(default_factory=list)
    """Internal's own tickets."""
    own_files: list[int] = field(default_factory=list)
    """Their files."""
    notes: dict[tuple[Side, str, int], list[str]] = field(default_factory=dict)
    """In the private log."""
    public: dict[tuple[Side, str, int], list[str]] = field(default_factory=dict)
    """In the public one."""
    secrets: list[str] = field(default_factory=list)
    """What may be nowhere on external: words, ids, names; the server's addresses are added."""
    inside: tuple[str, ...] = ()
    """Further addresses of internal's."""
    us: dict[Side, set[int]] = field(default_factory=lambda: {side: set() for side in Side})
    """The accounts that itopsync had before."""
    edited: set[Place] = field(default_factory=set)
    """Tickets whose form somebody edited in internal."""
    corrected: dict[tuple[str, int, str], str] = field(default_factory=dict)
    """By ticket and attribute: what somebody corrected of what had gone with a state, and nobody has said otherwise since."""
    gone: set[Place] = field(default_factory=set)
    """Tickets of which somebody deleted one side's."""
    replaced: set[str] = field(default_factory=set)
    """The markers of copies whose originals' ids other files of the ticket got: such a copy may be the last one, and stays."""
    late: set[tuple[Side, str, int]] = field(default_factory=set)
    """Tickets of a side on which a save of somebody's became visible late, over what others had written meanwhile."""
    parents: set[tuple[Side, str, int]] = field(default_factory=set)
    children: set[tuple[Side, str, int]] = field(default_factory=set)
    """Tickets of a side into which iTop copies the entries of another one."""

    def violations(self) -> Iterator[str]:
        """Whatever is not as it must be, once all is at rest."""
        yield from self._tickets()
        without = [
            link
            for link in (self.pair.link(*ticket[::-1]) for ticket in self.tickets if ticket not in self.gone)
            if not link.internal
        ]
        if without:
            yield from (f"{link.external} has no copy: {link.status} {link.obstacles}" for link in without)
            return
        for cls, number in self.tickets:
            if (cls, number) not in self.gone:
                yield from self._link(cls, number)
                yield from self._notes(cls, number)
                yield from self._solutions(cls, number)
                yield from self._echoes(cls, number)
        yield from self._corrections()
        yield from self._files()
        yield from self._pictures()
        for side in Side:
            yield from against_the_rules(side, self.pair.simulator(side))
        yield from self.leaks()

    def leaks(self) -> Iterator[str]:
        """What may not leave internal and did."""
        yield from leaks(self.pair.external, [*self.secrets, *(urlsplit(address).netloc for address in self.addresses)])

    @property
    def addresses(self) -> tuple[str, ...]:
        """Under which internal is reached."""
        return (self.pair.internal.url, *self.inside)

    # tickets, form, states

    def _tickets(self) -> Iterator[str]:
        refs = {self.pair.external.ticket(*ticket)["ref"]: ticket for ticket in self.tickets if self._is_there(ticket)}
        for item in self.pair.differences(besides=tuple(self.own)):
            ticket = refs.get(item.ticket)
            form = FORM[ticket[0]] if ticket else ()
            excused = ticket in self.gone or (ticket in self.edited and item.what in form)
            if item.what in (*form, "number of tickets", "copy") and not excused:
                yield f"{item.ticket} {item.what}: {item.external} and {item.internal}"

    def _is_there(self, ticket: Place) -> bool:
        return self.pair.external.store.get(*ticket) is not None

    def _link(self, cls: str, number: int) -> Iterator[str]:
        link = self.pair.link(number, cls)
        assert link.internal is not None
        there = (self.pair.external.ticket(cls, number), self.pair.internal.ticket(cls, link.internal.id))
        states = tuple(_COUNTS_AS.get((cls, ticket["status"]), ticket["status"]) for ticket in there)
        if states[0] != states[1] and not _state_is_parked(link):
            yield f"{cls} {number}: {states} and nothing is parked"
        yield from (
            f"{cls} {number}: {obstacle.key}: {obstacle.reason}" for obstacle in link.obstacles if obstacle.key not in _MAY_WAIT
        )
        if link.status is not LinkStatus.LINKED or link.in_doubt:
            yield f"{cls} {number}: {link.status}, in_doubt {link.in_doubt}"

    def _solutions(self, cls: str, number: int) -> Iterator[str]:
        """Both sides' solutions lead to the same pages; where their states cannot meet, what goes with them is apart, too."""
        link = self.pair.link(number, cls)
        copy = link.internal
        assert copy is not None
        if _state_is_parked(link):
            return
        both = self.pair.external.ticket(cls, number), self.pair.internal.ticket(cls, copy.id)
        if all(ticket["status"] in ("resolved", "closed") for ticket in both):
            external, internal = (set(_FIX.findall(html.unescape(str(ticket.get("solution"))))) for ticket in both)
            if external != internal:
                yield f"{cls} {number}: the solution of external leads to {external}, that of internal to {internal}"

    def _echoes(self, cls: str, number: int) -> Iterator[str]:
        """What goes with a state is written to a side only if somebody wrote it on the other, by the servers' audit trails."""
        link, ours, theirs = self.pair.link(number, cls), dict[Side, set[str]](), dict[Side, set[str]]()
        for side in Side:
            ref = link.ref(side)
            assert ref is not None
            trail = self.pair.simulator(side).audit.select(class_name=cls, id=ref.id, done=True)
            ours[side] = {name for write in trail if write.by == "rest" for name in TEXTS_OF_STATES & write.fields.keys()}
            theirs[side] = {name for write in trail if write.by != "rest" for name in TEXTS_OF_STATES & write.fields.keys()}
        for side in Side:
            echoes = sorted(ours[side] - theirs[side.other])
            yield from (f"{cls} {number}: {name} on {side} is written by nobody on the other side" for name in echoes)

    def _corrections(self) -> Iterator[str]:
        """What was corrected stands on both sides, as long as both are where it belongs."""
        for (cls, number, name), value in self.corrected.items():
            family = {relative for relative in (*self.parents, *self.children) if relative[1:] == (cls, number)}
            late = any(ticket[1:] == (cls, number) for ticket in self.late)
            if (cls, number) in self.gone or family or late or _state_is_parked(self.pair.link(number, cls)):
                continue  # a parent's solution goes to its children, and a save that comes late brings back what was before
            refs = {side: self.pair.link(number, cls).ref(side) for side in Side}
            there = {side: self.pair.simulator(side).ticket(cls, ref.id) for side, ref in refs.items() if ref is not None}
            if all(ticket["status"] in ("resolved", "closed") for ticket in there.values()):
                missing = [side for side, ticket in there.items() if value not in str(ticket[name])]
                yield from (f"{cls} {number}: the corrected {name} {value!r} is not on {side}" for side in missing)

    # notes

    def _notes(self, cls: str, number: int) -> Iterator[str]:
        for side in Side:
            own = [text for text, is_ours in self._log(side, cls, number) if not is_ours]
            ours = [text for text, is_ours in self._log(side.other, cls, number) if is_ours]
            mirrored = [text for text in ours if any("-n-" in marker for marker in _markers(text))]
            where = f"{cls} {number} of {side}"
            yield from self._each_once(side, (cls, number), own, mirrored)
            inherited = (side.other, cls, number) in self.children  # healed ones twice
            marked = Counter(marker for text in ours for marker in _markers(text) if not inherited)
            yield from (f"{where}: {marker} {count} times" for marker, count in marked.items() if count > 1)
            yield from (f"{where}: an entry of ours bears no marker" for text in ours if not _markers(text))
            yield from self._public(side, (cls, number))

    def _public(self, side: Side, ticket: Place) -> Iterator[str]:
        """What was written into the public log stands in that of the other side, once."""
        for text in dict.fromkeys(self.public.get((side, *ticket), ())):
            here = sum(f"{text}<" in entry for entry, is_ours in self._log(side, *ticket, "public_log") if not is_ours)
            there = sum(f"{text}<" in entry for entry, is_ours in self._log(side.other, *ticket, "public_log") if is_ours)
            if here > there or (there > here and not self._may_lose_entries(side, ticket)):
                yield f"{ticket[0]} {ticket[1]} of {side}: '{text}' stands {here} times in public and {there} times mirrored"

    def _each_once(self, side: Side, ticket: Place, own: list[str], mirrored: list[str]) -> Iterator[str]:
        where, written = f"{ticket[0]} {ticket[1]} of {side}", self.notes.get((side, *ticket), [])
        lost, disordered = self._may_lose_entries(side, ticket), self._may_lose_entries(side.other, ticket)
        inherited = (
            {"Thanks."} if {(side, *ticket), (side.other, *ticket)} & self.children else set()
        )  # from a parent, who knows how often
        for text in dict.fromkeys(written):
            here, there = (sum(f"{text}<" in entry for entry in log) for log in (own, mirrored))
            if here > there or (there > here and not lost and text not in inherited):
                yield f"{where}: '{text}' stands {here} times there and {there} times mirrored"
            if here != written.count(text) and not lost and text not in inherited:
                yield f"{where}: '{text}' was written {written.count(text)} times and stands there {here} times"
        meanwhile = [re.sub("<[^>]+>", "", text) for text in own if "Meanwhile" in text]
        yield from (f"{where}: {text} not mirrored once" for text in meanwhile if sum(text in entry for entry in mirrored) != 1)
        told = [text for text in written if text not in inherited]
        order, arrived = ([text for entry in log for text in told if f"{text}<" in entry] for log in (own, mirrored))
        if order != arrived and not lost and not disordered:
            yield f"{where}: {order} arrived as {arrived}"

    def _log(self, side: Side, cls: str, number: int, log: str = "private_log") -> list[tuple[str, bool]]:
        """The entries of a ticket, and whether they are ours: by who wrote them, not by what itopsync goes by."""
        ref, simulator = self.pair.link(number, cls).ref(side), self.pair.simulator(side)
        assert ref is not None
        us = self.us[side] | {simulator.accounts["sync"].user_id}
        return [(entry.text, entry.user_id in us) for entry in simulator.ticket(cls, ref.id)[log]]

    def _may_lose_entries(self, side: Side, ticket: Place) -> bool:
        """Whether a save wiped out what others wrote meanwhile on this ticket of *side*: iTop has no lock."""
        ref = self.pair.link(ticket[1], ticket[0]).ref(side)
        assert ref is not None
        overwritten = self.pair.simulator(side).audit.select(by="fault", class_name=ref.cls, id=ref.id)
        return bool(overwritten) or (side, *ticket) in self.late

    # files

    def _files(self) -> Iterator[str]:
        linked = {side: self._linked(side) for side in Side}
        for side in Side:
            files = {file["id"]: file for file in _files_of(self.pair.simulator(side), linked[side]) if not _is_ours(file)}
            there = self.pair.simulator(side.other)
            named = [(_COPY.fullmatch(str(file["temp_id"])), file) for file in _files_of(there, linked[side.other])]
            copies = [(int(found[2]), copy) for found, copy in named if found and found[1] == side[0]]
            copies = [(number, copy) for number, copy in copies if copy["temp_id"] not in self.replaced]
            counted = Counter(number for number, _ in copies)
            yield from (f"file {number} of {side}: {count} copies" for number, count in counted.items() if count > 1)
            for number, copy in copies:
                if number not in files:
                    yield f"file {number} of {side} is gone, its copy is there"
                elif files[number]["contents"].data != copy["contents"].data:
                    yield f"file {number} of {side}: its copy differs"
            deleted = _copies_that_people_deleted(there)
            missing = {number for number in files.keys() - counted.keys() if marker_of(side, files[number]) not in deleted}
            yield from (f"file {number} of {side} has no copy" for number in sorted(missing))

    def _pictures(self) -> Iterator[str]:
        """Each pasted picture is one file of the side that it was carried to, and is shown where it was."""
        for cls, number in self.tickets:
            for side in Side if (cls, number) not in self.gone else ():
                where, ref = f"{cls} {number} of {side}", self.pair.link(number, cls).ref(side.other)
                assert ref is not None
                there = self.pair.simulator(side.other).ticket(cls, ref.id)
                files = Counter(file["contents"].data for file in there["attachments"] if _is_picture(file))
                yield from (f"{where}: a picture {count} times" for count in files.values() if count > 1)
                told = [text for text, is_ours in self._log(side, cls, number) if not is_ours]
                told = [text for text in told if not any(secret in text for secret in self.secrets)]
                pasted = {picture for text in told for picture in self._shown(side, text)}
                if pasted - files.keys() and not any(
                    map(_is_picture_marker, _copies_that_people_deleted(self.pair.simulator(side.other)))
                ):
                    yield f"{where}: {len(pasted)} pictures, {len(pasted & files.keys())} carried"
            if (cls, number) not in self.gone | self.edited:
                yield from self._described(cls, number)

    def _described(self, cls: str, number: int) -> Iterator[str]:
        """Both descriptions show the same pictures."""
        copy = self.pair.link(number, cls).internal
        assert copy is not None
        texts = self.pair.external.ticket(cls, number)["description"], self.pair.internal.ticket(cls, copy.id)["description"]
        shown = self._shown(Side.EXTERNAL, texts[0])
        files = {file["id"]: file["contents"].data for file in self.pair.internal.ticket(cls, copy.id)["attachments"]}
        there = [files.get(int(found)) for found in _ATTACHED.findall(texts[1])]
        if _copies_that_people_deleted(self.pair.internal):
            shown = [picture for picture in shown if picture in files.values()]
            there = [picture for picture in there if picture is not None]
        if shown != there and "not carried" not in texts[1]:
            yield f"{cls} {number}: the description shows {len(shown)} pictures, and {len(there)} others there"

    def _shown(self, side: Side, text: str) -> list[bytes]:
        """The pasted pictures that a text shows, as far as they are there."""
        rows = (self.pair.simulator(side).store.get("InlineImage", int(found)) for found in _PASTED.findall(text))
        return [row["contents"].data for row in rows if row is not None]

    def _linked(self, side: Side) -> set[Place]:
        refs = (self.pair.link(number, cls).ref(side) for cls, number in self.tickets if (cls, number) not in self.gone)
        return {(ref.cls, ref.id) for ref in refs if isinstance(ref, Ref)}


def see_to_what_is_gone(pair: Pair, store: Store, now: datetime) -> None:
    """What an operator does where files or their copies went from several tickets at once: ``itopsync retry``.

    Where people deleted the files themselves, the operator deletes the copies too.
    """
    for link in store.links.troubled(1_000):
        reasons = {obstacle.key: obstacle.reason for obstacle in link.obstacles}
        for file in link.files:
            side = file.origin.other
            if reasons.get(file.key) == ORIGINALS_GONE and pair.simulator(side).store.get("Attachment", file.copy_id or 0):
                pair.agent(side).delete_attachment(file.copy_id or 0)
        if {COPIES_GONE, ORIGINALS_GONE}.intersection(reasons.values()):
            store.links.amend(link.id, lambda known: by_hand.retried(known, now), now)


def _state_is_parked(link: Link) -> bool:
    return any(each.key == "state" and each.parked and each.reason for each in link.obstacles)


def _markers(text: str) -> list[str]:
    """The markers at an entry's head, behind what iTop 3.3 puts before an entry that it copies from a parent."""
    found = _MARKED.match(_FROM_PARENT.sub("", text))
    return [name for name in found[1].split(",") if name.startswith("itopsync-")] if found else []


def _files_of(simulator: Simulator, tickets: set[Place]) -> Iterator[dict[str, Any]]:
    for cls, number in sorted(tickets):
        yield from simulator.ticket(cls, number)["attachments"]


def _is_ours(file: dict[str, Any]) -> bool:
    return str(file["temp_id"]).startswith("itopsync-")


def _is_picture(file: dict[str, Any]) -> bool:
    return _is_picture_marker(str(file["temp_id"]))


def _is_picture_marker(marker: str) -> bool:
    return marker.startswith("itopsync-demo-p-")


def marker_of(side: Side, file: dict[str, Any]) -> str:
    """The marker of a file's copy: the id alone would be that of every file that ever bore it."""
    made = re.sub(r"\D", "", str(file["creation_date"]))
    return f"itopsync-demo-a-{side[0]}{file['id']}.{made}"


def _copies_that_people_deleted(simulator: Simulator) -> set[str]:
    """The markers of the copies that somebody else than itopsync deleted; ids may have been given again."""
    there: dict[int, str] = {}
    gone: set[str] = set()
    for written in simulator.audit.select(class_name="Attachment", done=True):
        if written.verb == "create":
            there[written.id] = str(written.fields.get("temp_id"))
        elif written.verb == "delete" and written.account != "sync" and written.id in there:
            gone.add(there[written.id])
    return gone
