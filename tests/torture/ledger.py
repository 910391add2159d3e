"""What people wrote, kept beside the servers, and what must be true of both in the end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from itopsync.model import LinkStatus, Ref, Side
from itopsync.simulator import FaultKind, Simulator
from tests.engine.rig import Rig

FORM = ("title", "description", "impact", "urgency")
NEVER_TO_EXTERNAL = (*FORM, "org_id", "caller_id")
_MARKED = re.compile(r'^<p class="(itopsync-[^"]+)"')
_COPY = re.compile(r"itopsync-demo-a-([ei])(\d+)")
_LOSES_ENTRIES = (FaultKind.LATE_COMMIT, FaultKind.OVERWRITES)
"""Faults through which a person's save, or ours, wipes out what a person wrote in between: iTop has no lock."""
_CHANGES_ORDER = (*_LOSES_ENTRIES, FaultKind.OVERWRITTEN)


@dataclass
class Ledger:
    """Everything by (class, number of the external ticket)."""

    rig: Rig
    tickets: list[tuple[str, int]] = field(default_factory=list)
    own: list[int] = field(default_factory=list)
    """Internal's own tickets."""
    notes: dict[tuple[Side, str, int], list[str]] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    edited: set[tuple[str, int]] = field(default_factory=set)
    """Tickets whose form somebody edited in internal."""
    gone: set[tuple[str, int]] = field(default_factory=set)
    """Tickets of which somebody deleted one side's."""
    deleted_copies: int = 0

    def struck(self, *kinds: FaultKind) -> bool:
        return any(simulator.faults.counts[kind] for simulator in (self.rig.external, self.rig.internal) for kind in kinds)

    def violations(self) -> Iterator[str]:
        """Whatever is not as it must be, once all is at rest."""
        yield from self._tickets()
        for cls, number in self.tickets:
            if (cls, number) not in self.gone:
                yield from self._notes(cls, number)
                yield from self._state(cls, number)
        yield from self._files()
        yield from self._directions()
        shown = str([{**ticket, "attachments": ()} for ticket in self.rig.external.tickets()])
        yield from (f"leaked: {secret}" for secret in self.secrets if secret in shown)

    def _tickets(self) -> Iterator[str]:
        gone = {self.rig.external.ticket(cls, number)["ref"] for cls, number in self.gone if self._is_there(cls, number)}
        edited = {self.rig.external.ticket(cls, number)["ref"] for cls, number in self.edited if self._is_there(cls, number)}
        for item in self.rig.differences(besides=tuple(self.own)):
            besides: dict[str, set[str]] = {"number of tickets": set(), "copy": gone} | dict.fromkeys(FORM, gone | edited)
            if item.what in besides and item.ticket not in besides[item.what]:
                yield f"{item.ticket} {item.what}: {item.external} and {item.internal}"

    def _is_there(self, cls: str, number: int) -> bool:
        return self.rig.external.store.get(cls, number) is not None

    def _logs(self, cls: str, number: int) -> dict[Side, list[str]]:
        copy = self.rig.link(number, cls).internal
        assert copy is not None
        return {
            Side.EXTERNAL: self.rig.texts(Side.EXTERNAL, number, cls),
            Side.INTERNAL: self.rig.texts(Side.INTERNAL, copy.id, copy.cls),
        }

    def _notes(self, cls: str, number: int) -> Iterator[str]:
        logs = self._logs(cls, number)
        for side in Side:
            own = [text for text in logs[side] if not _MARKED.match(text)]
            mirrored = [text for text in logs[side.other] if (found := _MARKED.match(text)) and "-n-" in found[1]]
            written = self.notes.get((side, cls, number), [])
            where = f"{cls} {number} of {side}"
            for text in dict.fromkeys(written):
                here, there = (sum(f"{text}<" in one for one in log) for log in (own, mirrored))
                if here > there or (there > here and not self.struck(*_LOSES_ENTRIES)):
                    yield f"{where}: '{text}' stands {here} times there and {there} times mirrored"
                if here != written.count(text) and not self.struck(*_LOSES_ENTRIES):
                    yield f"{where}: '{text}' was written {written.count(text)} times and stands there {here} times"
            meanwhile = [re.sub("<[^>]+>", "", text) for text in own if "Meanwhile" in text]
            yield from (f"{where}: {text} not mirrored once" for text in meanwhile if sum(text in one for one in mirrored) != 1)
            order = [text for one in own for text in written if f"{text}<" in one]
            arrived = [text for one in mirrored for text in written if f"{text}<" in one]
            if order != arrived and not self.struck(*_CHANGES_ORDER):
                yield f"{where}: {order} arrived as {arrived}"
            marked = Counter(found[1] for text in logs[side] if (found := _MARKED.match(text)))
            yield from (f"{where}: {marker} {count} times" for marker, count in marked.items() if count > 1)

    def _state(self, cls: str, number: int) -> Iterator[str]:
        link = self.rig.link(number, cls)
        assert link.internal is not None
        states = self.rig.external.ticket(cls, number)["status"], self.rig.internal.ticket(cls, link.internal.id)["status"]
        parked = [one for one in link.obstacles if one.key == "state" and one.parked and one.reason]
        if states[0] != states[1] and not parked:
            yield f"{cls} {number}: {states} and nothing is parked"
        yield from (f"{cls} {number}: {one.key} parked: {one.reason}" for one in link.obstacles if one.key != "state")
        if link.status is not LinkStatus.LINKED or link.unsettled:
            yield f"{cls} {number}: {link.status}, unsettled {link.unsettled}"

    def _files(self) -> Iterator[str]:
        sides = {Side.EXTERNAL: self.rig.external, Side.INTERNAL: self.rig.internal}
        linked = {side: self._linked(side) for side in Side}
        for side, simulator in sides.items():
            files = {one["id"]: one for one in _files_of(simulator, linked[side])}
            copies = list(_copies(sides[side.other], linked[side.other], side))
            counted = Counter(number for number, _ in copies)
            yield from (f"file {number} of {side}: {count} copies" for number, count in counted.items() if count > 1)
            for number, copy in copies:
                if number not in files:
                    yield f"file {number} of {side} is gone, its copy is there"
                elif files[number]["contents"].data != copy["contents"].data:
                    yield f"file {number} of {side}: its copy differs"
            missing = files.keys() - counted.keys()
            if len(missing) > self.deleted_copies + sum(
                one.faults.counts[FaultKind.VANISHING_ATTACHMENT] for one in sides.values()
            ):
                yield f"files {sorted(missing)} of {side} have no copy"

    def _linked(self, side: Side) -> set[tuple[str, int]]:
        refs = (self.rig.link(number, cls).ref(side) for cls, number in self.tickets if (cls, number) not in self.gone)
        return {(ref.cls, ref.id) for ref in refs if isinstance(ref, Ref)}

    def _directions(self) -> Iterator[str]:
        for written in self.rig.writes(Side.EXTERNAL):
            against = sorted(set(written.fields) & set(NEVER_TO_EXTERNAL)) if written.class_name != "Attachment" else []
            if against or (written.verb == "create" and written.class_name != "Attachment"):
                yield f"external {written.class_name} {written.id}: {written.verb} of {against}"
        for written in self.rig.writes(Side.INTERNAL):
            if written.fields.get("team_id", 39) != 39 or written.fields.get("agent_id", 9) != 9:
                yield f"internal {written.class_name} {written.id}: {written.fields}"


def _files_of(simulator: Simulator, tickets: set[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    for cls, number in sorted(tickets):
        for one in simulator.ticket(cls, number)["attachments"]:
            if not str(one["temp_id"]).startswith("itopsync-"):
                yield one


def _copies(simulator: Simulator, tickets: set[tuple[str, int]], origin: Side) -> Iterator[tuple[int, dict[str, Any]]]:
    for cls, number in sorted(tickets):
        for one in simulator.ticket(cls, number)["attachments"]:
            found = _COPY.fullmatch(str(one["temp_id"]))
            if found and found[1] == origin[0]:
                yield int(found[2]), one
