"""Rules as a ``sync.toml`` would give them, tickets, links, and plans of them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from itopsync.config.configuration import compile_configuration
from itopsync.config.faults import Faults
from itopsync.config.loader import check
from itopsync.config.schema import SyncFile
from itopsync.model import Attachment, Entry, Link, LinkStatus, Observation, Ref, Side, Ticket
from itopsync.reconcile import agree, planner
from itopsync.reconcile.entries import read
from itopsync.reconcile.markers import ticket_marker
from itopsync.reconcile.notes import head_line
from itopsync.reconcile.plan import Action, Create, Plan, Remove, Upload, Write
from itopsync.reconcile.richtext import marked
from itopsync.reconcile.rules import ClassRules, LogRule, Rules
from itopsync.settings.section import Surroundings

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
OPENED = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PRIVATE_LOG = "private_log"
EXTERNAL, INTERNAL = Side.EXTERNAL, Side.INTERNAL
US = {EXTERNAL: "17", INTERNAL: "23"}
"""Our own account on each side."""
CUSTOMER, OPERATOR = "101", "202"
PERSON = {EXTERNAL: CUSTOMER, INTERNAL: OPERATOR}
_PEOPLE = {CUSTOMER: "Carla Customer", OPERATOR: "Otto Operator", **dict.fromkeys(US.values(), "Sync Bridge")}
URL = {EXTERNAL: "https://customers.example.com/itop", INTERNAL: "https://desk.example.com/itop"}
PEOPLE_AND_TEAMS = {
    "team_id": 39,
    "agent_id": 9,
    "service_id": 1,
    "manager_group_id": 39,
    "manager_id": 9,
    "supervisor_group_id": 39,
    "supervisor_id": 9,
    "changemanager_id": 9,
}
FILE: Mapping[str, object] = {
    "pair": "acme",
    "external": {
        "url": URL[EXTERNAL],
        "username": "sync",
        "password_env": "PASSWORD",
        "timezone": "Asia/Jakarta",
        "label": "Customer desk",
        "defaults": PEOPLE_AND_TEAMS,
    },
    "internal": {
        "url": URL[INTERNAL],
        "public_url": "https://tickets.example.com",
        "username": "sync",
        "password_env": "PASSWORD",
        "timezone": "Europe/Paris",
        "label": "Operations",
        "defaults": {"org_id": {"name": "Acme"}, "caller_id": 40, **PEOPLE_AND_TEAMS},
    },
    "store": {"url": "sqlite:///store.sqlite"},
    "scope": {"since": date(2026, 11, 1)},
    "classes": {
        name: {} for name in ("UserRequest", "Incident", "Problem", "Change", "NormalChange", "RoutineChange", "EmergencyChange")
    },
}


def rules(**changes: object) -> Rules:
    """The rules of a whole configuration with *changes*: ``limits__creations=2``. Our accounts are known on both sides."""
    table = deepcopy(dict(FILE))
    for key, value in changes.items():
        *path, last = key.split("__")
        here: dict[str, object] = table
        for step in path:
            below = here.setdefault(step, {})
            assert isinstance(below, dict)
            here = below
        here[last] = value
    faults = Faults(Path("sync.toml"))
    around = Surroundings(Path(), {"PASSWORD": "secret"}, NOW)
    compiled = compile_configuration(check(SyncFile, table, around, faults), Path("sync.toml"), around, faults).rules
    faults.raise_if_any()
    return replace(
        compiled,
        external=replace(compiled.external, accounts=frozenset({US[EXTERNAL]})),
        internal=replace(compiled.internal, accounts=frozenset({US[INTERNAL]})),
    )


@cache
def default_rules() -> Rules:
    """The rules where nothing is configured that need not be."""
    return rules()


def of_class(these: Rules, cls: str, **changes: Any) -> Rules:
    """*these* with one class's rules changed as no configuration can."""
    changed = replace(these.for_external(cls), **changes)
    return replace(these, classes=tuple(changed if each.external == cls else each for each in these.classes))


# what stands on the servers


def entry(author: str, text: str, at: datetime = OPENED) -> Entry:
    """An entry of a log; *text* is HTML if it has a tag, and a paragraph if not."""
    return Entry(author, _PEOPLE.get(author, "Nina Newcomer"), at, text if "<" in text else f"<p>{html.escape(text)}</p>")


def ours(side: Side, *markers: str, text: str = "carried") -> Entry:
    """An entry that we wrote on *side*."""
    return entry(US[side], marked(markers, head_line("head") + f"<p>{text}</p>"))


def file(number: int, temp_id: str = "", *, cls: str = "UserRequest", ticket: int = 1) -> Attachment:
    return Attachment(number, temp_id, cls, ticket)


def born(attachment: Attachment, when: str) -> Attachment:
    """The same, made then."""
    return replace(attachment, born=when)


def ticket(
    side: Side,
    state: str = "new",
    *,
    cls: str = "UserRequest",
    log: tuple[Entry, ...] = (),
    files: tuple[Attachment, ...] = (),
    **fields: str,
) -> Ticket:
    """A ticket as one server shows it. The internal one bears its mark, and says what the external one says."""
    number = 1 if side is EXTERNAL else 2
    if side is INTERNAL:
        log = (ours(INTERNAL, ticket_marker("acme", Ref(EXTERNAL, cls, 1)), text="opened"), *log)
    shown = {"title": "Printer", "description": "<p>It blinks.</p>", "impact": "1", "urgency": "1"}
    shown |= {"start_date": OPENED.isoformat(), "creation_date": OPENED.isoformat(), "last_update": OPENED.isoformat()}
    shown |= fields
    return Ticket(
        Ref(side, cls, number),
        f"R-00000{number}",
        "1",
        state,
        MappingProxyType(shown),
        MappingProxyType({"private_log": log}),
        files,
    )


def both(external: Ticket | None = None, internal: Ticket | None = None) -> Observation:
    return Observation(external or ticket(EXTERNAL), internal or ticket(INTERNAL))


def unlinked(cls: str = "UserRequest") -> Link:
    """An external ticket whose copy is not made yet."""
    return Link(1, Ref(EXTERNAL, cls, 1), None, LinkStatus.WAITING)


def linked(cls: str = "UserRequest", these: Rules | None = None) -> Link:
    """A pair whose copy was made a moment ago, when the external ticket was new."""
    these = these or default_rules()
    external, link = ticket(EXTERNAL, cls=cls), unlinked(cls)
    (action,) = creates(planner.plan_link(link, Observation(external, None), these, NOW))
    return agree.created(link, action, external, ticket(INTERNAL, cls=cls), cls=these.for_external(cls), now=NOW)


def agreed(seen: Observation | None = None, these: Rules | None = None, cls: str = "UserRequest") -> Link:
    """A pair that agrees on what *seen* shows: one look at it was taken, and there was nothing to do."""
    seen = seen or both(ticket(EXTERNAL, cls=cls), ticket(INTERNAL, cls=cls))
    looked = planner.plan_link(linked(cls, these), seen, these or default_rules(), NOW)
    assert looked.actions == ()
    return looked.link


# plans


def plan(link: Link, seen: Observation, these: Rules | None = None, *, now: datetime = NOW, singly: bool = False) -> Plan:
    return planner.plan_link(link, seen, these or default_rules(), now, singly=singly)


def plan_twice(link: Link, seen: Observation, these: Rules | None = None) -> Plan:
    """The plan at a second look, a minute after the first one: only then files count as gone."""
    first = plan(link, seen, these)
    assert removals(first) == []
    return plan(first.link, seen, these, now=NOW + timedelta(minutes=1))


def creates(planned: Plan) -> list[Create]:
    return [action for action in planned.actions if isinstance(action, Create)]


def writes(planned: Plan, side: Side | None = None) -> list[Write]:
    return [action for action in planned.actions if isinstance(action, Write) and side in (None, action.side)]


def uploads(planned: Plan) -> list[Upload]:
    return [action for action in planned.actions if isinstance(action, Upload)]


def removals(planned: Plan) -> list[Remove]:
    return [action for action in planned.actions if isinstance(action, Remove)]


def only(actions: tuple[Action, ...]) -> Action:
    (action,) = actions
    return action


def kept(planned: Plan) -> set[tuple[str, str]]:
    """What the plan leaves as it is: why, and what kind of thing."""
    return {(remark.kept.value, remark.key.split(":")[0]) for remark in planned.remarks}


def parked(planned: Plan) -> dict[str, str]:
    """What rests, with its reason."""
    return {obstacle.key: obstacle.reason for obstacle in planned.link.obstacles if obstacle.parked}


def cls_rules(cls: str = "UserRequest") -> ClassRules:
    return default_rules().for_external(cls)


# notes


def said(planned: Plan, side: Side) -> list[str]:
    """The entries that are appended on *side*, each as its words after the header."""
    html = [note.html for write in writes(planned, side) for note in write.notes]
    return [re.sub(r"<[^>]*>", " ", text.partition("</em></p>")[2]).strip() for text in html]


def markers_of(side: Side, *texts: str) -> list[str]:
    """The markers that the mirrors of these entries of one person bear, in their order."""
    log = tuple(entry(PERSON[side], text) for text in texts)
    seen = both().with_(side, ticket(side, log=log))
    return [person.marker for person in read(agreed(), seen, side, LogRule(), default_rules()).people]
