"""What a desk shows: its list of tickets and the open ticket, as the people at that desk see them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import nh3
from markupsafe import Markup

from itopsync.demo.desks.people import NEEDED, TIMERS
from itopsync.model import Ref, Side
from itopsync.simulator import Entry, FaultKind, Simulator

HIGHLIGHT = 6
"""For how many seconds something new is highlighted."""
TAGS = {"b", "blockquote", "br", "div", "em", "h2", "hr", "i", "img", "li", "ol", "p", "pre", "span", "strong", "u", "ul"}
_PICTURE = re.compile(r"operation=download_(?:inlineimage|document&class=(Attachment)).*?[?&]id=(\d+)")
_MIRROR = re.compile(r'<a name="itopsync-demo-')


class Novelties:
    """Remembers when each thing was first seen, so that a page can highlight what is new. Thread-safe."""

    def __init__(self) -> None:
        self._seen: dict[object, tuple[object, float]] = {}
        self._began = False

    def begin(self) -> None:
        """Treat everything seen so far as old."""
        self._began = True

    def age(self, thing: object, looks: object = None) -> int | None:
        """For how many seconds *thing* has looked like *looks*; None if for longer than :data:`HIGHLIGHT`."""
        now = time.monotonic()
        known = self._seen.get(thing)
        if known is None or known[0] != looks:
            known = self._seen[thing] = (looks, now if self._began else now - HIGHLIGHT)
        age = int(now - known[1])
        return age if age < HIGHLIGHT else None


@dataclass(frozen=True)
class Row:
    """One ticket in the list."""

    ref: str
    number: str
    title: str
    state: str
    age: int | None
    moved: int | None
    """For how many seconds it has been in its state, if the state is new."""


@dataclass(frozen=True)
class Note:
    """One entry of the private log."""

    who: str
    at: str
    text: Markup
    mirrored: bool
    """Whether itopsync wrote it."""
    age: int | None


@dataclass(frozen=True)
class File:
    """One attachment."""

    id: int
    name: str
    size: int
    age: int | None


@dataclass(frozen=True)
class Opened:
    """The ticket that is open."""

    row: Row
    cls: str
    description: Markup
    notes: tuple[Note, ...]
    """Newest first, as iTop shows them."""
    files: tuple[File, ...]
    buttons: tuple[tuple[str, str], ...]
    """Each stimulus with the label of its button."""


@dataclass(frozen=True)
class Desk:
    """One simulated server, as the people at that desk see it."""

    side: Side
    label: str
    simulator: Simulator
    novelties: Novelties

    @property
    def cut_off(self) -> bool:
        """Whether its REST services are cut off."""
        return bool(self.simulator.faults)

    def cut(self, *, off: bool) -> None:
        """Cut its REST services off from the network, or reconnect them. The people at the desk can continue working."""
        self.simulator.faults.clear()
        if off:
            self.simulator.faults.add(FaultKind.LOST_BEFORE)

    def rows(self) -> tuple[Row, ...]:
        """All tickets, newest first."""
        return tuple(self._row(ticket) for ticket in reversed(self.simulator.tickets()))

    def opened(self, ref: Ref | None) -> Opened | None:
        """The ticket that *ref* names; None if there is none."""
        try:
            ticket = self.simulator.ticket(ref.cls, ref.id) if ref else None
        except KeyError:
            return None
        if ref is None or ticket is None:
            return None
        lifecycle = self.simulator.store.schema[ref.cls].lifecycle
        ways = lifecycle[ticket["status"]].transitions
        pressed = [name for name, way in ways.items() if name not in TIMERS and way.target != ticket["status"]]
        entries = enumerate(ticket["private_log"])
        notes = tuple(self._note(entry, self.novelties.age((ref, "note", place))) for place, entry in entries)
        return Opened(
            self._row(ticket),
            ref.cls,
            self.clean(ticket["description"]),
            notes[::-1],
            tuple(self._file(ref, file) for file in ticket["attachments"]),
            tuple((name, _label(name)) for name in sorted(pressed, key=lambda name: (name not in NEEDED, name))),
        )

    def clean(self, html: str) -> Markup:
        """A text made safe for our page, with its pictures served by the page."""
        return Markup(nh3.clean(html, tags=TAGS, attributes={"img": {"src", "alt"}}, attribute_filter=self._picture))

    def _picture(self, _tag: str, attribute: str, value: str) -> str | None:
        if attribute != "src":
            return value
        found = _PICTURE.search(value)
        return f"/file/{self.side}/{found[1] or 'InlineImage'}/{found[2]}" if found else None

    def _row(self, ticket: dict[str, Any]) -> Row:
        ref = Ref(self.side, str(ticket["finalclass"]), int(ticket["id"]))
        for place in range(len(ticket["private_log"])):  # so that what is in it is not new when it is opened later
            self.novelties.age((ref, "note", place))
        for file in ticket["attachments"]:
            self.novelties.age((ref, "file", file["id"]))
        moved = self.novelties.age((ref, "state"), ticket["status"])
        return Row(str(ref), ticket["ref"], ticket["title"], ticket["status"], self.novelties.age(ref), moved)

    def _note(self, entry: Entry, age: int | None) -> Note:
        at = datetime.fromtimestamp(entry.timestamp, ZoneInfo(self.simulator.timezone))
        mirrored = bool(_MIRROR.search(entry.text))
        return Note(entry.user_login or "", f"{at:%H:%M:%S}", self.clean(entry.text), mirrored, age)

    def _file(self, ref: Ref, file: dict[str, Any]) -> File:
        contents = file["contents"]
        return File(file["id"], contents.filename, len(contents.data), self.novelties.age((ref, "file", file["id"])))


def _label(stimulus: str) -> str:
    """The label of a stimulus's button."""
    return stimulus.removeprefix("ev_").replace("_", " ").capitalize()
