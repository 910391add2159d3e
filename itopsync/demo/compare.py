"""Both servers held against each other, item by item. It looks at the simulators' own data, not through itopsync's planner."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from itopsync.simulator import Simulator

PAIR = "demo"
_TICKET_MARKER = re.compile(rf'class="itopsync-{PAIR}-t-(\w+)\.(\d+)"')
_MARKER = re.compile(rf'<p class="(itopsync-{PAIR}-[^"]+)"')
_STATES = {"Incident": {"escalated_tto": "new"}}


@dataclass(frozen=True)
class Item:
    """One thing that was compared."""

    ticket: str
    what: str
    agrees: bool
    external: str
    internal: str


def copies(internal: Simulator) -> dict[tuple[str, int], int]:
    """External class and id → the internal copy's id, by the marker in its first log entry."""
    found = {}
    for ticket in internal.tickets():
        for entry in ticket["private_log"]:
            for cls, number in _TICKET_MARKER.findall(entry.html):
                found[cls, int(number)] = int(ticket["id"])
    return found


def compare(external: Simulator, internal: Simulator) -> tuple[Item, ...]:
    """Compare every external ticket with its copy; a ticket without one disagrees, and so does a copy too many."""
    linked = copies(internal)
    items = []
    for ticket in external.tickets():
        key = (str(ticket["finalclass"]), int(ticket["id"]))
        copy = internal.ticket(key[0], linked[key]) if key in linked else None
        items += [Item(ticket["ref"], "copy", copy is not None, ticket["ref"], copy["ref"] if copy else "none")]
        items += _compare(ticket, copy) if copy else ()
    count = len(internal.tickets())
    return (*items, Item("all", "number of tickets", count == len(linked), str(len(linked)), str(count)))


def _compare(ticket: dict[str, Any], copy: dict[str, Any]) -> Iterator[Item]:
    number = str(ticket["ref"])
    for name in ("title", "description", "impact", "urgency"):
        if name in ticket:
            ours, theirs = _text(str(ticket[name])), _text(str(copy[name]))
            yield Item(number, name, ours == theirs, ours[:40], theirs[:40])
    counts = _STATES.get(str(ticket["finalclass"]), {})
    states = [counts.get(str(one["status"]), str(one["status"])) for one in (ticket, copy)]
    yield Item(number, "state", states[0] == states[1], *states)
    for name in ("solution", "resolution_code", "pending_reason", "user_comment", "approval_comment"):
        if ticket.get(name) or copy.get(name):
            yield Item(number, name, ticket.get(name) == copy.get(name), str(ticket[name])[:40], str(copy[name])[:40])
    yield _entries(number, "notes to internal", ticket, copy)
    yield _entries(number, "notes to external", copy, ticket)
    yield from _files(ticket, copy)


def _entries(number: str, what: str, origin: dict[str, Any], target: dict[str, Any]) -> Item:
    """Each entry that a person wrote has exactly one mirror that ends with what it says."""
    own = [_text(one.html) for one in origin["private_log"] if not _MARKER.match(one.html)]
    own = [text for text in own if not text.startswith("#internal")]
    mirrored = [_text(re.sub(r"^<p[^>]*>.*?</p>", "", one.html, count=1)) for one in target["private_log"] if _is_note(one.html)]
    return Item(number, what, own == mirrored, str(len(own)), str(len(mirrored)))


def _is_note(markup: str) -> bool:
    found = _MARKER.match(markup)
    return found is not None and f"itopsync-{PAIR}-n-" in found[1]


def _files(ticket: dict[str, Any], copy: dict[str, Any]) -> Iterator[Item]:
    """The same files on both, byte for byte; pictures out of texts come on top on the side that they were carried to."""
    number = str(ticket["ref"])
    ours, theirs = (
        {(one["contents"].filename, one["contents"].data) for one in side["attachments"] if not _is_picture(one)}
        for side in (ticket, copy)
    )
    yield Item(number, "files", ours == theirs, str(len(ours)), str(len(theirs)))
    for name, origin, target in (("pictures to internal", ticket, copy), ("pictures to external", copy, ticket)):
        pasted = sum(one.html.count("data-img-id=") + one.html.count("download_inlineimage") // 2 for one in origin["private_log"] if not _MARKER.match(one.html))
        carried = sum(_is_picture(one) for one in target["attachments"])
        if pasted or carried:
            yield Item(number, name, bool(pasted) == bool(carried), str(pasted), str(carried))


def _is_picture(attachment: dict[str, Any]) -> bool:
    return str(attachment["temp_id"]).startswith(f"itopsync-{PAIR}-p-")


def _text(markup: str) -> str:
    """The words of a text, its pictures told as one sign each."""
    words = re.sub(r"<img[^>]*>", " ▣ ", markup)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", words)).split())
