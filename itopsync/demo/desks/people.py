"""What the people at a desk do: their texts as iTop's editor saves them, and the values that a button fills in."""

from __future__ import annotations

from html import escape
from typing import Any

from itopsync.demo.desks.forms import Form
from itopsync.model import Ref
from itopsync.simulator import Agent

CLASSES = ("UserRequest", "Incident")
"""The classes of tickets that can be opened."""
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
TIMERS = frozenset({"ev_timeout", "ev_autoresolve"})
"""Stimuli that only the server's timers apply: they have no button."""
_TEAM = {"team_id": 39, "agent_id": 9}
NEEDED: dict[str, dict[str, Any]] = {
    "ev_assign": _TEAM,
    "ev_reassign": _TEAM,
    "ev_pending": {"pending_reason": "A part is on order"},
    "ev_resolve": {"solution": "<p>It works again.</p>", "resolution_code": "assistance", "service_id": 1},
    "ev_close": {"user_satisfaction": "1", "user_comment": "Thank you"},
}
"""The values that pressing a stimulus's button fills in."""


class Unfit(Exception):
    """The action is not possible; the message says why."""


def markup(text: str) -> str:
    """Convert plain text to HTML: paragraphs at empty lines, ``<br>`` at other ends of line."""
    return "".join(f"<p>{escape(part).replace(chr(10), '<br>')}</p>" for part in text.split("\n\n") if part)


def open_ticket(agent: Agent, form: Form) -> tuple[str, int]:
    """Open a ticket; return its class and id. :raises Unfit: it has no title, or its class cannot be opened"""
    cls, title = form.get("class"), form.get("title")[:200]
    if cls not in CLASSES or not title:
        raise Unfit("A ticket needs a title.")
    return cls, agent.create(cls, title=title, description=markup(form.get("description") or title))


def write(agent: Agent, ticket: Ref, form: Form) -> None:
    """Write a note with a text, a picture or both. :raises Unfit: there is neither, or the file is not a picture"""
    text, picture = markup(form.get("text")), form.files.get("picture")
    if picture is not None and picture.mimetype not in PICTURES:
        raise Unfit("A picture is a PNG, JPEG, GIF or WebP; add anything else as a file.")
    if picture is not None:
        text += agent.paste_image(ticket.cls, ticket.id, picture.name, picture.mimetype, picture.data)
    if not text:
        raise Unfit("A note needs a text or a picture.")
    agent.note(ticket.cls, ticket.id, text)


def attach(agent: Agent, ticket: Ref, form: Form) -> None:
    """Attach a file. :raises Unfit: none was chosen"""
    file = form.files.get("file")
    if file is None:
        raise Unfit("Choose a file first.")
    agent.attach(ticket.cls, ticket.id, file.name, file.mimetype, file.data)


def press(agent: Agent, ticket: Ref, form: Form) -> None:
    """Press the button of a stimulus, which changes the state."""
    stimulus = form.get("stimulus")
    agent.stimulus(ticket.cls, ticket.id, stimulus, **NEEDED.get(stimulus, {}))
