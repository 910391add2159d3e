"""What the people at a desk do: what they type as iTop's editor saves it, and what a button needs filled in."""

from __future__ import annotations

from html import escape
from typing import Any

from itopsync.demo.desks.forms import Form
from itopsync.model import Ref
from itopsync.simulator import Agent

CLASSES = ("UserRequest", "Incident")
"""What can be opened."""
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
TIMERS = frozenset({"ev_timeout", "ev_autoresolve"})
"""Stimuli that the server gives itself: there is no button for them."""
_TEAM = {"team_id": 39, "agent_id": 9}
NEEDED: dict[str, dict[str, Any]] = {
    "ev_assign": _TEAM,
    "ev_reassign": _TEAM,
    "ev_pending": {"pending_reason": "A part is on order"},
    "ev_resolve": {"solution": "<p>It works again.</p>", "resolution_code": "assistance", "service_id": 1},
    "ev_close": {"user_satisfaction": "1", "user_comment": "Thank you"},
}
"""What is filled in when a button is pressed."""


class Unfit(Exception):
    """Something that cannot be done; the message says why."""


def markup(text: str) -> str:
    """Plain text as HTML."""
    return "".join(f"<p>{escape(part).replace(chr(10), '<br>')}</p>" for part in text.split("\n\n") if part)


def open_ticket(agent: Agent, form: Form) -> tuple[str, int]:
    """Open a ticket; return its class and id. :raises Unfit: it has no title, or a class that it cannot have"""
    cls, title = form.get("class"), form.get("title")[:200]
    if cls not in CLASSES or not title:
        raise Unfit("A ticket needs a title.")
    return cls, agent.create(cls, title=title, description=markup(form.get("description") or title))


def write(agent: Agent, ticket: Ref, form: Form) -> None:
    """Write a note, with a picture below it or without. :raises Unfit: it has neither, or shows something else"""
    text, picture = markup(form.get("text")), form.files.get("picture")
    if picture is not None and picture.mimetype not in PICTURES:
        raise Unfit("A picture is a PNG, JPEG, GIF or WebP; add anything else as a file.")
    if picture is not None:
        text += agent.paste_image(ticket.cls, ticket.id, picture.name, picture.mimetype, picture.data)
    if not text:
        raise Unfit("A note needs a text or a picture.")
    agent.note(ticket.cls, ticket.id, text)


def attach(agent: Agent, ticket: Ref, form: Form) -> None:
    """Add a file. :raises Unfit: none was chosen"""
    file = form.files.get("file")
    if file is None:
        raise Unfit("Choose a file first.")
    agent.attach(ticket.cls, ticket.id, file.name, file.mimetype, file.data)


def press(agent: Agent, ticket: Ref, form: Form) -> None:
    """Press a button that moves the state."""
    stimulus = form.get("stimulus")
    agent.stimulus(ticket.cls, ticket.id, stimulus, **NEEDED.get(stimulus, {}))
