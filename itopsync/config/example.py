"""``sync.toml.example``: every key with its meaning and its default, written from the shape.

What must be given is written out, with values to be replaced; the rest stands behind a ``#`` and says the default.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from itopsync.config.catalogue import classes
from itopsync.config.shape import SyncFile
from itopsync.config.shape.base import Section, holds_many, read_meanings, section_in
from itopsync.config.wording import default_of

WIDTH = 100

_HEAD = """\
# The configuration of itopsync.
#
# What stands here without a # in front of it must be given. Behind a # stand the defaults, or an
# example where there is no default. Durations are written like "90s", "70m", "6h" or "7d", sizes
# like "20MB".
# `itopsync check` says what is missing or wrong.
"""
_GIVEN = {
    "pair": '"acme"',
    "external.url": '"https://customers.example.com/itop"',
    "external.username": '"itopsync"',
    "external.password_credential": '"external"',
    "external.timezone": '"Europe/Paris"',
    "internal.url": '"https://desk.example.com/itop"',
    "internal.username": '"itopsync"',
    "internal.password_credential": '"internal"',
    "internal.timezone": '"Europe/Paris"',
    "internal.defaults.org_id": '{ name = "Acme" }',
    "internal.defaults.caller_id": '{ email = "customers@example.com" }',
    "scope.since": "2026-01-01",
}
"""What the example gives, to be replaced."""
_SHOWN = {
    "external.password_file": '"/etc/itopsync/external"',
    "external.password_env": '"ITOPSYNC_EXTERNAL"',
    "external.allow_http": '"customers.example.com"',
    "external.public_url": '"https://customers.example.com/itop"',
    "external.label": '"External"',
    "external.ca_file": '"/etc/ssl/certs/example.pem"',
    "external.defaults.team_id": '{ name = "Service Desk" }',
    "external.defaults.agent_id": "17",
    "internal.password_file": '"/etc/itopsync/internal"',
    "internal.password_env": '"ITOPSYNC_INTERNAL"',
    "internal.allow_http": '"desk.example.com"',
    "internal.public_url": '"https://desk.example.com/itop"',
    "internal.label": '"Internal"',
    "internal.ca_file": '"/etc/ssl/certs/example.pem"',
    "internal.defaults.team_id": '{ name = "Service Desk" }',
    "internal.defaults.agent_id": "\"SELECT Person WHERE email = 'jo@example.com'\"",
    "internal.defaults.service_id": "3",
    "internal.defaults.servicesubcategory_id": "12",
    "external.max_request": '"64MiB"',
    "internal.max_request": '"64MiB"',
    "store.password_file": '"/etc/itopsync/store"',
    "store.password_env": '"ITOPSYNC_STORE"',
    "store.password_credential": '"store"',
    "metrics.listen": '"127.0.0.1:9464"',
    "metrics.allow_remote": '"0.0.0.0"',
    "metrics.max_age": '"5m"',
    "metrics.textfile": '"/var/lib/prometheus/node-exporter/itopsync.prom"',
    "hooks.command": '["/usr/local/bin/page-somebody", "--quiet"]',
    "hooks.webhook.url": '"https://alerts.example.com/itopsync"',
    "hooks.webhook.allow_http": '"alerts.example.com"',
    "hooks.webhook.ca_file": '"/etc/ssl/certs/example.pem"',
    "hooks.webhook.password_file": '"/etc/itopsync/webhook"',
    "hooks.webhook.password_env": '"ITOPSYNC_WEBHOOK"',
    "hooks.webhook.password_credential": '"webhook"',
    "hooks.dead_man.url": '"https://ping.example.com/{password}"',
    "hooks.dead_man.allow_http": '"ping.example.com"',
    "hooks.dead_man.ca_file": '"/etc/ssl/certs/example.pem"',
    "hooks.dead_man.password_file": '"/etc/itopsync/dead_man"',
    "hooks.dead_man.password_env": '"ITOPSYNC_DEAD_MAN"',
    "hooks.dead_man.password_credential": '"dead_man"',
    "rules.classes.UserRequest.form": '"both"',
    "rules.classes.UserRequest.notes": '"both"',
    "rules.classes.UserRequest.state": '"to_external"',
    "logs.direction": '"both"',
    "classes.UserRequest.internal": '"UserRequest"',
    "classes.UserRequest.like": '"UserRequest"',
    "classes.UserRequest.since_attribute": '"start_date"',
    "classes.UserRequest.form": '["title", "description", "impact", "urgency"]',
    "classes.UserRequest.on_create": '["org_id", "caller_id"]',
    "classes.UserRequest.companions": '{ pending = ["pending_reason"] }',
    "classes.UserRequest.logs.direction": '"both"',
    "classes.UserRequest.attributes.urgency.internal": '"urgency"',
    "classes.UserRequest.attributes.urgency.kind": '"code"',
    "classes.UserRequest.attributes.urgency.direction": '"to_internal"',
    "classes.UserRequest.attributes.urgency.template": '"[{number}] {value}"',
    "classes.UserRequest.attributes.urgency.to_internal": '{ "1" = "1", "2" = "2", "3" = "3", "4" = "3" }',
    "classes.UserRequest.attributes.urgency.to_external": '{ "3" = "3" }',
    "classes.UserRequest.attributes.urgency.limit": "255",
    "classes.UserRequest.states.to_internal": '{ escalated_tto = "new" }',
    "classes.UserRequest.states.to_external": '{ new = "new" }',
    "classes.UserRequest.states.left_out": '{ escalated_ttr = "assigned" }',
    "classes.UserRequest.lifecycle.external.transitions": '{ new = { ev_resolve = "resolved" } }',
    "classes.UserRequest.lifecycle.external.mandatory": '{ pending = ["pending_reason"] }',
    "classes.UserRequest.lifecycle.external.decisions": '["approved", "rejected"]',
    "classes.UserRequest.lifecycle.external.broken": '[["escalated_tto", "ev_assign"]]',
    "classes.UserRequest.lifecycle.internal.transitions": '{ new = { ev_assign = "" } }',
    "classes.UserRequest.lifecycle.internal.mandatory": '{ pending = ["pending_reason"] }',
    "classes.UserRequest.lifecycle.internal.decisions": '["approved", "rejected"]',
    "classes.UserRequest.lifecycle.internal.broken": '[["escalated_tto", "ev_assign"]]',
}
"""What the example shows where there is no default, or one that says little."""
_NAMES = {"rules.classes": "UserRequest", "classes": "UserRequest", "classes.UserRequest.attributes": "urgency"}
"""The name under which a table of tables is shown."""
_ALREADY_TOLD = {
    "internal": "external",
    "hooks.dead_man": "hooks.webhook",
    "classes.UserRequest.logs": "[[logs]]",
    "classes.UserRequest.lifecycle.internal": "classes.UserRequest.lifecycle.external",
}
"""Tables whose keys were explained in another one."""
_REPLACING = {"classes.UserRequest.logs"}
"""Tables that replace others as soon as they are there."""
_MORE_CLASSES = ("Incident",)


def example() -> str:
    """Return the text of ``sync.toml.example``."""
    read_meanings(SyncFile)
    lines = [_HEAD, *_keys(SyncFile, ""), *_tables(SyncFile, "")]
    others = [name for name in classes() if name not in (_NAMES["classes"], *_MORE_CLASSES)]
    lines += ["", *(f"[classes.{name}]" for name in _MORE_CLASSES), *(f"#[classes.{name}]" for name in others)]
    return "\n".join(lines) + "\n"


def _keys(section: type[Section], place: str) -> Iterator[str]:
    """The keys of one table that hold plain values."""
    told = place not in _ALREADY_TOLD
    for name, field in section.model_fields.items():
        if section_in(field.annotation) or name == "defaults":
            continue
        if told:
            yield ""
            yield from _explained(field)
        yield _written(_below(place, name), name, default_of(field))


def _tables(section: type[Section], place: str) -> Iterator[str]:
    """The tables below one table."""
    for name, field in section.model_fields.items():
        here = _below(place, name)
        inner = section_in(field.annotation)
        if name == "defaults":
            yield from _headed(field, here, f"[{here}]", _defaults(here))
        elif inner is not None:
            many = holds_many(field.annotation)
            there = _below(here, _NAMES[here]) if here in _NAMES else here
            head = f"[[{there}]]" if many and here not in _NAMES else f"[{there}]"
            if any(True for _ in _keys(inner, there)):
                yield from _headed(field, there, head, _keys(inner, there))
            yield from _tables(inner, there)


def _headed(field: FieldInfo, place: str, head: str, keys: Iterator[str]) -> Iterator[str]:
    yield ""
    yield ""
    yield from _explained(field)
    if place in _ALREADY_TOLD:
        told = _ALREADY_TOLD[place]
        yield f"# Each key means what it means in {told if told.startswith('[') else f'[{told}]'}."
    yield f"#{head}" if place in _REPLACING else head
    yield from keys


def _defaults(place: str) -> Iterator[str]:
    for values in (_GIVEN, _SHOWN):
        for key in values:
            if key.startswith(f"{place}."):
                yield _written(key, key.rpartition(".")[2], None)


def _explained(field: FieldInfo) -> Iterator[str]:
    text = " ".join((field.description or "").split())
    yield from (f"# {line}" for line in textwrap.wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False))


def _written(key: str, name: str, default: str | None) -> str:
    if key in _GIVEN:
        return f"{name} = {_GIVEN[key]}"
    return f"#{name} = {_SHOWN.get(key, default)}"


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
