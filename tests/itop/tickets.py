"""Tickets on a real server."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import NewEntry, Ticket
from itopsync.reconcile.rules import Kind

REQUEST = Attributes(
    fields={
        "title": Kind.TEXT,
        "description": Kind.HTML,
        "impact": Kind.CODE,
        "urgency": Kind.CODE,
        "agent_id": Kind.CODE,
        "team_id": Kind.CODE,
        "start_date": Kind.DATE,
        "last_update": Kind.DATE,
        "assignment_date": Kind.DATE,
        "pending_reason": Kind.TEXT,
        "solution": Kind.HTML,
    },
    logs=("private_log", "public_log"),
)
LIGHT = Attributes()
"""Nothing but what is always read."""
DEMO = "SELECT Organization WHERE name = 'Demo'"
HELPDESK = "SELECT Team WHERE name = 'Helpdesk'"


def moment(hour: int, minute: int = 0) -> datetime:
    """A moment of a day that is past, in UTC."""
    return datetime(2026, 7, 1, hour, minute, tzinfo=UTC)


def open_request(
    server: Server,
    fields: Mapping[str, object] | None = None,
    private_log: Sequence[NewEntry] = (),
    attributes: Attributes = REQUEST,
) -> Ticket:
    form = {"org_id": DEMO, "title": "Printer", "description": "<p>It does not print.</p>", **(fields or {})}
    return server.create("UserRequest", form, {"private_log": private_log}, attributes)
