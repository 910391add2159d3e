"""iTop's own ticket classes: the defaults for everything that a configuration does not say about a class.

Taken from the data model of iTop 3.2.0 (``datamodels/2.x/itop-*-mgmt*``, ``itop-tickets``). The lifecycles are beside this
module in ``lifecycles.json``: class → state → stimuli with their target states, and the attributes that the state demands.
A customised data model is described in ``sync.toml``, not here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from itopsync.reconcile.rules import Kind, Lifecycle

STRING_LIMIT = 255
"""Characters in an ``AttributeString``."""
TEXT_LIMIT = 65_535
"""The limit of an ``AttributeText``, plain or HTML."""

ORGANISATION_AND_PEOPLE = frozenset(
    {
        "org_id",
        "caller_id",
        "agent_id",
        "team_id",
        "approver_id",
        "requestor_id",
        "changemanager_id",
        "manager_group_id",
        "manager_id",
        "supervisor_group_id",
        "supervisor_id",
    }
)
"""Organisations, teams and people are never carried: each side has its own."""
_SHOWN_OF_THEM = tuple(
    f"{name.removesuffix('id')}{shown}"
    for name in ORGANISATION_AND_PEOPLE
    for shown in ("name", "first_name", "email", "id_friendlyname")
)
"""What iTop shows of them in further attributes."""


def is_of_organisation_or_people(name: str) -> bool:
    """Whether an attribute holds an organisation, a team or a person, or what iTop shows of one."""
    return name in ORGANISATION_AND_PEOPLE or name in _SHOWN_OF_THEM


KEPT_BY_ITOP = frozenset(
    {
        "id",
        "ref",
        "finalclass",
        "friendlyname",
        "status",
        "operational_status",
        "last_update",
        "close_date",
        "assignment_date",
        "resolution_date",
        "last_pending_date",
        "time_spent",
        "priority",
    }
)
"""A ticket's identity, and what the server computes: never in the form, never a companion."""

LAST_RESORT = frozenset({"ev_autoresolve", "ev_timeout"})
"""Stimuli sent by the server's timers and by a parent's resolution."""

_DECISIONS = frozenset({"approved", "rejected", "validated", "notapproved"})
_TIMERS = frozenset({"escalated_tto", "escalated_ttr"})


@dataclass(frozen=True)
class Attribute:
    """One attribute of a class, as declared in the data model."""

    kind: Kind
    limit: int | None = None
    """The maximum length that iTop accepts."""
    values: tuple[str, ...] = ()
    """The values of an enumeration, as iTop ships it."""


@dataclass(frozen=True)
class TicketClass:
    """One ticket class and its defaults."""

    name: str
    lifecycle: Lifecycle
    attributes: Mapping[str, Attribute]
    """The attributes that can be carried, without logs and keys."""
    keys: frozenset[str]
    """External keys, whose ids mean nothing on the other server."""
    logs: tuple[str, ...]
    form: tuple[str, ...]
    companions: Mapping[str, tuple[str, ...]]
    """State → its companions."""
    since_attribute: str
    left_out: Mapping[str, str]


_STRING = Attribute(Kind.TEXT, STRING_LIMIT)
_TEXT = Attribute(Kind.TEXT, TEXT_LIMIT)
_HTML = Attribute(Kind.HTML, TEXT_LIMIT)
_DATE = Attribute(Kind.DATE)
_YES_NO = Attribute(Kind.CODE, values=("yes", "no"))


def _enumeration(*values: str) -> Attribute:
    return Attribute(Kind.CODE, values=values)


_TICKET = {"title": _STRING, "description": _HTML, "start_date": _DATE, "end_date": _DATE}
_TICKET_KEYS = frozenset({"org_id", "caller_id", "team_id", "agent_id"})

_RATED = _TICKET | {"impact": _enumeration("1", "2", "3"), "urgency": _enumeration("1", "2", "3", "4")}
_SERVICE_KEYS = _TICKET_KEYS | {"service_id", "servicesubcategory_id"}

_SUPPORT = _RATED | {
    "origin": _enumeration("in_person", "chat", "mail", "phone", "portal", "monitoring"),
    "escalation_flag": _YES_NO,
    "escalation_reason": _STRING,
    "pending_reason": _TEXT,
    "resolution_code": _enumeration(
        "assistance", "other", "software patch", "training", "hardware repair", "system update", "bug fixed"
    ),
    "solution": _HTML,
    "user_satisfaction": _enumeration("1", "2", "3", "4"),
    "user_comment": _TEXT,
}
_RESOLVED = ("solution", "resolution_code")
_SUPPORT_COMPANIONS = {
    "pending": ("pending_reason",),
    "resolved": _RESOLVED,
    "closed": (*_RESOLVED, "user_satisfaction", "user_comment"),
}

_CHANGE = _TICKET | {
    "creation_date": _DATE,
    "reason": _STRING,
    "impact": _STRING,
    "outage": _YES_NO,
    "fallback": _TEXT,
}
_CHANGE_KEYS = _TICKET_KEYS | {"requestor_id", "supervisor_group_id", "supervisor_id", "manager_group_id", "manager_id"}
_APPROVED_CHANGE = _CHANGE | {"approval_date": _DATE, "approval_comment": _STRING}
_NORMAL_CHANGE = _APPROVED_CHANGE | {"acceptance_date": _DATE, "acceptance_comment": _TEXT}
_PLANNED = ("start_date", "end_date", "impact", "outage", "fallback")
_APPROVAL = ("approval_comment", "approval_date")
_ACCEPTANCE = ("acceptance_comment", "acceptance_date")


def _change_companions(accepted: tuple[str, ...], approved: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    # A state's companions stay readable, and partly writable, in the later states, so they are carried there too.
    planned = (*accepted, *_PLANNED)
    companions = {
        "validated": accepted,
        "assigned": accepted,
        "rejected": ("reason",),
        "plannedscheduled": planned,
        "approved": (*planned, *approved),
        "notapproved": (*planned, "reason"),
        "implemented": (*planned, *approved),
        "monitored": (*planned, *approved),
        "closed": (*planned, *approved),
    }
    return {state: names for state, names in companions.items() if names}


# A simple change sets its approval_date itself on ev_approve, so that is not a companion.
_SIMPLE_PLANNED = ("start_date", "end_date", "fallback_plan", "outage")
_SIMPLE_CHANGE_COMPANIONS = {
    "planned": _SIMPLE_PLANNED,
    "approved": _SIMPLE_PLANNED,
    "rejected": (*_SIMPLE_PLANNED, "reject_reason"),
    "closed": _SIMPLE_PLANNED,
}
_SIMPLE_CHANGE = _TICKET | {
    "creation_date": _DATE,
    "category": _enumeration("hardware", "software", "system", "network", "application", "other"),
    "fallback_plan": _TEXT,
    "outage": _YES_NO,
    "reject_reason": _TEXT,
}

_RATED_FORM = ("title", "description", "impact", "urgency")
_CHANGE_FORM = ("title", "description")
"""A change's ``reason`` and ``impact`` are hidden until a later state demands them."""
_PRIVATE_LOG = ("private_log",)
_BOTH_LOGS = ("private_log", "public_log")

# For an Incident in escalated_tto, ev_assign calls SetAssignedDate, which 3.2.0 lacks: HTTP 500 on PHP 8. An incident carried
# into that state would be stuck there.
_INCIDENT_BROKEN = frozenset({("escalated_tto", "ev_assign")})
_INCIDENT_LEFT_OUT = {"escalated_tto": "new"}


@cache
def classes() -> Mapping[str, TicketClass]:
    """The seven ticket classes by name."""
    request = _SUPPORT | {"request_type": _enumeration("incident", "service_request")}
    problem = _RATED | {"product": _STRING}
    approved = _change_companions((), _APPROVAL)
    known = (
        _ticket_class(
            "UserRequest",
            request,
            _SERVICE_KEYS | {"approver_id"},
            _SUPPORT_COMPANIONS,
            form=(*_RATED_FORM, "request_type"),
            logs=_BOTH_LOGS,
        ),
        _ticket_class("Incident", _SUPPORT, _SERVICE_KEYS, _SUPPORT_COMPANIONS, logs=_BOTH_LOGS, left_out=_INCIDENT_LEFT_OUT),
        _ticket_class("Problem", problem, _SERVICE_KEYS, {"resolved": ("product",), "closed": ("product",)}),
        _change_class("Change", _SIMPLE_CHANGE, _SIMPLE_CHANGE_COMPANIONS, _TICKET_KEYS | {"changemanager_id"}),
        _change_class("NormalChange", _NORMAL_CHANGE, _change_companions(_ACCEPTANCE, _APPROVAL)),
        _change_class("RoutineChange", _CHANGE, _change_companions((), ())),
        _change_class("EmergencyChange", _APPROVED_CHANGE, approved),
    )
    return MappingProxyType({known_class.name: known_class for known_class in known})


def _change_class(
    name: str, attributes: Mapping[str, Attribute], companions: Mapping[str, tuple[str, ...]], keys: frozenset[str] = _CHANGE_KEYS
) -> TicketClass:
    # A change's start_date is its planned beginning, empty until it is planned; creation_date is set on creation.
    return _ticket_class(name, attributes, keys, companions, form=_CHANGE_FORM, since_attribute="creation_date")


def _ticket_class(
    name: str,
    attributes: Mapping[str, Attribute],
    keys: frozenset[str],
    companions: Mapping[str, tuple[str, ...]],
    *,
    form: tuple[str, ...] = _RATED_FORM,
    logs: tuple[str, ...] = _PRIVATE_LOG,
    since_attribute: str = "start_date",
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> TicketClass:
    return TicketClass(
        name,
        _lifecycle(name),
        MappingProxyType(dict(attributes)),
        keys,
        logs,
        form,
        MappingProxyType(dict(companions)),
        since_attribute,
        MappingProxyType(dict(left_out)),
    )


def _lifecycle(name: str) -> Lifecycle:
    states = json.loads(files("itopsync.config").joinpath("lifecycles.json").read_text(encoding="utf-8"))[name]
    return Lifecycle(
        initial="new",
        transitions={state: MappingProxyType(dict(entry["transitions"])) for state, entry in states.items()},
        mandatory={state: frozenset(entry["mandatory"]) for state, entry in states.items()},
        decisions=_DECISIONS & states.keys(),
        timers=_TIMERS & states.keys(),
        settled=frozenset({"resolved"}) & states.keys(),
        last_resort=LAST_RESORT,
        broken=_INCIDENT_BROKEN if name == "Incident" else frozenset(),
    )
