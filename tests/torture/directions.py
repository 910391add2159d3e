"""What itopsync may write to each side, held against the servers' audit trail."""

from __future__ import annotations

from collections.abc import Iterator

from itopsync.model import Side
from itopsync.simulator import Simulator
from itopsync.simulator.audit import Written

FORM = frozenset({"title", "description", "impact", "urgency", "request_type"})
OF_STATES = frozenset(
    {
        *("solution", "resolution_code", "pending_reason", "user_comment", "user_satisfaction", "reason"),
        *("acceptance_comment", "acceptance_date", "approval_comment", "approval_date", "fallback", "outage", "impact"),
        *("start_date", "end_date"),
    }
)
TEXTS_OF_STATES = frozenset({"solution", "pending_reason", "user_comment", "acceptance_comment", "approval_comment", "fallback"})
DEFAULTS = {
    **dict.fromkeys(("team_id", "manager_group_id", "supervisor_group_id"), 39),
    **dict.fromkeys(("agent_id", "manager_id", "supervisor_id"), 9),
    "service_id": 1,
}
"""What the rig's configuration names: nothing else may ever be written there."""
ON_CREATE = frozenset({"org_id", "caller_id"})
LOGS = frozenset({"private_log", "public_log"})
OF_FILES = frozenset({"item_class", "item_id", "item_org_id", "contents", "temp_id", "expire", "creation_date"})
PROBE = "itopsync-no-such-attribute"
"""What no server takes: asked for to learn whether it takes anything at present."""


def against_the_rules(side: Side, simulator: Simulator) -> Iterator[str]:
    """Every write of ours that the rules forbid, refused or not: fields against their direction, and what is people's own."""
    written = simulator.audit.select(account="sync", by="rest")
    ours = {write.id for write in written if write.class_name == "Attachment" and write.verb == "create" and write.done}
    for write in written:
        if PROBE in write.fields and not write.done:
            continue
        for what in _wrong(side, write, ours):
            yield f"{side} {write.class_name} {write.id}: {write.verb} {what}"


def _wrong(side: Side, written: Written, ours: set[int]) -> Iterator[str]:
    if written.class_name == "Attachment":
        yield from _wrong_file(written, ours)
        return
    if written.verb == "delete":
        yield "of a ticket"
    if written.verb == "create" and side is Side.EXTERNAL:
        yield "of a ticket in external"
    if any("items" in value for value in _logs(written)) and written.verb != "create":
        yield "replaces a whole log"
    allowed = set(OF_STATES | LOGS)
    if side is Side.INTERNAL:
        allowed |= FORM | (ON_CREATE if written.verb == "create" else set())
    for name, value in written.fields.items():
        if name in DEFAULTS:
            if value != DEFAULTS[name]:
                yield f"of {name}, which is not our default"
        elif name not in allowed:
            yield f"of {name}"


def _logs(written: Written) -> Iterator[dict[str, object]]:
    for name in LOGS & written.fields.keys():
        value = written.fields[name]
        yield value if isinstance(value, dict) else {}


def _wrong_file(written: Written, ours: set[int]) -> Iterator[str]:
    if written.verb == "delete" and written.done and written.id not in ours:
        yield "of a file that is a person's"
    if written.verb == "create" and not str(written.fields.get("temp_id", "")).startswith("itopsync-"):
        yield "without a marker"
    if written.verb == "update" or set(written.fields) - OF_FILES:
        yield f"of {sorted(written.fields)}"
