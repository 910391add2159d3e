"""Compares both servers, item by item, from the simulators' own data and independently of itopsync's planner."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from itopsync.simulator import Simulator
from itopsync.simulator.schema import Attribute

PAIR = "demo"
_TICKET_MARKER = re.compile(rf'name="itopsync-{PAIR}-t-(\w+)\.(\d+)"')
_MARKER = re.compile(rf'<p><a name="(itopsync-{PAIR}-[^"]+)"')
_HEADER = re.compile(r"^<p[^>]*>.*?</p>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_COUNTS_AS = {"Incident": {"escalated_tto": "new"}}
_FORM = ("title", "description", "impact", "urgency")
_COMPANIONS = (
    *("solution", "resolution_code", "pending_reason", "user_comment", "user_satisfaction"),
    *("acceptance_comment", "approval_comment", "fallback", "outage"),
)
_OF_STATES = {"pending_reason": ("pending",)}
"""Attributes that belong to certain states, and are leftovers in others."""
_WIDTH = 40


@dataclass(frozen=True)
class Item:
    """One compared item."""

    ticket: str
    what: str
    agrees: bool
    external: str
    internal: str


def copies(internal: Simulator) -> dict[tuple[str, int], int]:
    """External class and id → the internal copy's id, from the first ticket marker in its log."""
    found = {}
    for ticket in internal.tickets():
        marks = (mark for entry in ticket["private_log"] for mark in _TICKET_MARKER.findall(entry.text))
        for cls, number in itertools.islice(marks, 1):
            found[cls, int(number)] = int(ticket["id"])
    return found


def compare(external: Simulator, internal: Simulator, *, besides: Collection[int] = ()) -> tuple[Item, ...]:
    """Compare every external ticket with its copy. A ticket without a copy differs, and so does a surplus copy.

    *besides* are the ids of internal's own tickets.
    """
    linked = copies(internal)
    schemas = external.store.schema, internal.store.schema
    items: list[Item] = []
    for ticket in external.tickets():
        key = (str(ticket["finalclass"]), int(ticket["id"]))
        copy = internal.ticket(key[0], linked[key]) if key in linked else None
        items.append(Item(ticket["ref"], "copy", copy is not None, ticket["ref"], copy["ref"] if copy else "none"))
        if copy is not None:
            items += _compare(ticket, copy)
            items += _companions(ticket, copy, [schema[key[0]].attributes for schema in schemas])
    count = sum(int(ticket["id"]) not in besides for ticket in internal.tickets())
    return (*items, Item("all", "number of tickets", count == len(linked), str(len(external.tickets())), str(count)))


def _compare(ticket: dict[str, Any], copy: dict[str, Any]) -> Iterator[Item]:
    number = str(ticket["ref"])
    for name in _FORM:
        if name in ticket:
            yield _item(number, name, _text(str(ticket[name])), _text(str(copy[name])))
    counts = _COUNTS_AS.get(str(ticket["finalclass"]), {})
    yield _item(number, "state", *(counts.get(str(side["status"]), str(side["status"])) for side in (ticket, copy)))
    yield _notes(number, "notes to internal", ticket, copy)
    yield _notes(number, "notes to external", copy, ticket)
    yield from _files(number, ticket, copy)


def _companions(ticket: dict[str, Any], copy: dict[str, Any], attributes: Sequence[Mapping[str, Attribute]]) -> Iterator[Item]:
    """The state's companions, word for word. Before 3.2, a solution is plain text, where somebody may have typed a tag."""
    for name in _COMPANIONS:
        if (ticket.get(name) or copy.get(name)) and ticket["status"] in _OF_STATES.get(name, (ticket["status"],)):
            words = [_words(str(side[name]), its[name]) for side, its in zip((ticket, copy), attributes, strict=True)]
            yield _item(str(ticket["ref"]), name, *words)


def _words(value: str, attribute: Attribute) -> str:
    return _text(value) if attribute.type == "html" else " ".join(value.split())


def _item(number: str, what: str, external: str, internal: str) -> Item:
    return Item(number, what, external == internal, _short(external), _short(internal))


def _notes(number: str, what: str, origin: dict[str, Any], target: dict[str, Any]) -> Item:
    """Compare people's entries with their mirrors: one for each, in the same order, with the same words."""
    own = [_text(entry.text) for entry in origin["private_log"] if not _MARKER.match(entry.text)]
    own = [text for text in own if not text.startswith("#internal")]
    mirrored = [_text(_HEADER.sub("", entry.text, count=1)) for entry in target["private_log"] if _is_note(entry.text)]
    return Item(number, what, own == mirrored, str(len(own)), str(len(mirrored)))


def _is_note(markup: str) -> bool:
    found = _MARKER.match(markup)
    return found is not None and f"itopsync-{PAIR}-n-" in found[1]


def _files(number: str, ticket: dict[str, Any], copy: dict[str, Any]) -> Iterator[Item]:
    """Compare the files, byte for byte, and count pasted pictures against the files that they became on the other side."""
    ours, theirs = (
        sorted((file["contents"].filename, file["contents"].data) for file in side["attachments"] if not _is_picture(file))
        for side in (ticket, copy)
    )
    yield Item(number, "files", ours == theirs, str(len(ours)), str(len(theirs)))
    for what, origin, target in (("pictures to internal", ticket, copy), ("pictures to external", copy, ticket)):
        pasted = sum(entry.text.count("<img") for entry in origin["private_log"] if not _MARKER.match(entry.text))
        carried = sum(_is_picture(file) for file in target["attachments"])
        if pasted or carried:
            yield Item(number, what, pasted == carried, str(pasted), str(carried))


def _is_picture(attachment: dict[str, Any]) -> bool:
    return str(attachment["temp_id"]).startswith(f"itopsync-{PAIR}-p-")


def _text(markup: str) -> str:
    """The words of a text, with one symbol for each picture."""
    words = _TAG.sub(" ", re.sub(r"<img[^>]*>", " ▣ ", markup))
    return " ".join(html.unescape(words).split())


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
