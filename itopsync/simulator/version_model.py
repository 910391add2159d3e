"""How the data models of other iTop versions differ from ``data/model.json``, which is that of 3.2.0.

Taken from the data model's sources of 2.7.9, 3.0.4, 3.1.2 and 3.2.0. The attributes of tickets and attachments, their order and
their defaults were compared with running 2.7.11, 3.0.4, 3.1.2 and 3.2.0; the work orders of 2.7 and 3.0 were not. The changes in
3.3 are from its release notes, since its source was not available.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

Json = dict[str, Any]
_MODEL = "3.2"
_RESOLVE = {
    "target": "resolved",
    "actions": [
        ["SetCurrentDate", "resolution_date"],
        ["SetElapsedTime", "time_spent", "start_date", "DefaultWorkingTimeComputer"],
        ["ResolveChildTickets"],
    ],
}
_ORIGINS = ("mail", "phone", "portal")
_SPENT = {"type": "subitem", "item": "timespent"}


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute that changed in version ``since``: its differing properties before and after, None if it did not exist."""

    since: str
    class_name: str
    code: str
    before: Json | None
    after: Json | None


@dataclass(frozen=True, slots=True)
class Step:
    """A transition that changed in version ``since``; None if it did not exist."""

    since: str
    class_name: str
    state: str
    stimulus: str
    before: Json | None
    after: Json | None


@dataclass(frozen=True, slots=True)
class NewClass:
    """A core class of iTop from version ``since`` on, which only administrators may read."""

    since: str
    class_name: str


_Change = TypeVar("_Change", Field, Step)
FIELDS = (
    Field("3.0", "WorkOrder", "end_date", {"null": False}, {"null": True}),
    Field("3.0", "WorkOrder", "ticket_id", {"null": False}, {"null": True}),
    Field("3.1", "UserRequest", "origin", {"values": [*_ORIGINS]}, {"values": ["in_person", "chat", *_ORIGINS]}),
    Field(
        "3.1", "Incident", "origin",
        {"values": [*_ORIGINS, "monitoring"]}, {"values": ["in_person", "chat", *_ORIGINS, "monitoring"]},
    ),
    Field("3.1", "Problem", "priority", {"default": "1"}, {"default": "4"}),
    Field("3.1", "lnkContactToTicket", "contact_name", None, {"type": "extfield", "key": "contact_id", "field": "name"}),
    Field(
        "3.1", "lnkCustomerContractToService", "provider_id",
        None, {"type": "extfield", "key": "customercontract_id", "field": "provider_id"},
    ),
    # Plain text before that: input is neither sanitised nor wrapped.
    Field("3.2", "UserRequest", "solution", {"type": "text"}, {"type": "html"}),
    Field("3.2", "Incident", "solution", {"type": "text"}, {"type": "html"}),
    # Before that, it shows the team's e-mail address.
    Field("3.2", "Ticket", "team_name", {"field": "email"}, {"field": "name"}),
    Field("3.2", "Ticket", "team_email", None, {"type": "extfield", "key": "team_id", "field": "email"}),
    Field(
        "3.2", "Attachment", "contact_id",
        {"type": "extfield", "key": "user_id", "field": "contactid"},
        {"type": "extkey"},
    ),
    # N°7755 in the release notes; that they belong to the stopwatches is inferred.
    *(
        Field("3.3", cls, f"{watch}_time_spent", None, {**_SPENT, "key": watch, "label": f"{watch.upper()} time spent"})
        for cls in ("UserRequest", "Incident") for watch in ("tto", "ttr")
    ),
)  # fmt: skip
_ASSIGN: Json = {"target": "assigned", "actions": [["SetCurrentDate", "assignment_date"]]}
STEPS = (
    Step(
        "3.0", "WorkOrder", "open", "ev_close",
        {"target": "closed", "actions": []}, {"target": "closed", "actions": [["SetCurrentDateIfNull", "end_date"]]},
    ),
    # 3.2 removed the method that this transition calls. The result is in the model; ``develop`` has it fixed.
    Step(
        "3.2", "Incident", "escalated_tto", "ev_assign",
        _ASSIGN, {"target": "assigned", "actions": [["SetAssignedDate"]]},
    ),
    Step("3.3", "Incident", "escalated_tto", "ev_assign", None, _ASSIGN),
    # N°9063 in the release notes, for both classes. Its target and actions are inferred from the other states.
    Step("3.3", "UserRequest", "escalated_tto", "ev_autoresolve", None, _RESOLVE),
    Step("3.3", "Incident", "escalated_tto", "ev_autoresolve", None, _RESOLVE),
)  # fmt: skip
#: Classes that reveal a server's version: it says that a class does not exist, or that this account may not read it.
CLASSES = (
    NewClass("3.0", "TriggerOnObjectMention"),
    NewClass("3.1", "AuditDomain"),
    NewClass("3.1", "TriggerOnAttributeBlobDownload"),
    NewClass("3.2", "ActionNewsroom"),
    NewClass("3.2", "lnkActionNotificationToContact"),
)


def adapt(model: Json, version: str) -> None:
    """Convert the decoded ``data/model.json`` to the data model of ``version``."""
    classes: Json = model["classes"]
    for new in CLASSES:
        if new.since <= version:
            classes[new.class_name] = {
                "parent": None, "abstract": False, "naming": [], "obsolescence": False, "readable": "admin", "fields": [],
            }  # fmt: skip
    for field in _applying(FIELDS, version):
        fields: list[Json] = classes[field.class_name]["fields"]
        _put_field(fields, field.code, field.after if field.since <= version else field.before)
    for step in _applying(STEPS, version):
        transitions = classes[step.class_name]["lifecycle"][step.state]["transitions"]
        content = step.after if step.since <= version else step.before
        if content is None:
            transitions.pop(step.stimulus, None)
        else:
            transitions[step.stimulus] = deepcopy(content)
    if version < "3.1":
        classes["lnkContactToTicket"]["naming"] = ["ticket_ref"]


def _applying(changes: tuple[_Change, ...], version: str) -> Iterator[_Change]:
    """The changes between the model's version and the other, in the order in which to apply them."""
    if version > _MODEL:
        return (change for change in changes if _MODEL < change.since <= version)
    return (change for change in reversed(changes) if version < change.since <= _MODEL)


def _put_field(fields: list[Json], code: str, content: Json | None) -> None:
    place = next((number for number, item in enumerate(fields) if item["code"] == code), None)
    if content is None:
        if place is not None:
            fields.pop(place)
    elif place is None:
        fields.append({"code": code, **content})
    else:
        fields[place] = {**fields[place], **content}
