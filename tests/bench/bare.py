"""The floor: a bare script that only sends calls, with nothing to decide, as quickly as Python and httpx can."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from itopsync.config import Configuration
from itopsync.itop.settings import ServerSettings
from itopsync.model import Side

Call = dict[str, object]
Chain = Sequence[Call]
"""Calls that must follow each other; ``"KEY"`` stands for the id that the first one answered with."""

SHOWN = "id,ref,title,status,last_update,description,impact,urgency,org_id,private_log"
"""What our writes let themselves be told, more or less."""


def send(settings: ServerSettings, chains: Sequence[Chain], at_once: int) -> float:
    """Send the chains, so many at once; return how many seconds that took."""
    login = {
        "auth_user": settings.username,
        "auth_pwd": settings.password.encode().decode(),
    }
    prepared = [[json.dumps(call, separators=(",", ":")) for call in chain] for chain in chains]
    url = f"{settings.url}/webservices/rest.php?version=1.3"
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    with httpx.Client(limits=limits, timeout=120) as client, ThreadPoolExecutor(at_once) as pool:

        def run(chain: Sequence[str]) -> None:
            key = ""
            for text in chain:
                parts = {**login, "json_data": text.replace('"KEY"', key)}
                answer = client.post(url, files={name: (None, value) for name, value in parts.items()}).json()
                if answer["code"]:
                    raise RuntimeError(str(answer)[:500])
                key = key or str(next(iter((answer.get("objects") or {"": {"key": ""}}).values()))["key"])

        list(pool.map(lambda _: client.get(f"{settings.url}/nowhere"), range(at_once)))  # connections are open
        started = time.perf_counter()
        list(pool.map(run, prepared))
        return time.perf_counter() - started


def create(fields: Mapping[str, object], entries: int) -> Call:
    """A ticket with a history."""
    text = "<p>External R-000001 · Alice Agent · 2026-11-24 10:00</p><p>Entry: it still blinks, and beeps now and then.</p>"
    items = [
        {"message": f'<p><a name="itopsync-bench-n-{n:032}"></a>{text}</p>', "format": "html", "date": "2026-11-24 10:00:00"}
        for n in range(entries)
    ]
    base = {"title": "Printer", "description": "<p>It blinks.</p>", "impact": "1", "urgency": "4"}
    return {
        "operation": "core/create",
        "comment": "bench",
        "class": "UserRequest",
        "output_fields": SHOWN,
        "fields": {**base, **fields, "private_log": {"items": items}},
    }


def attach(file: bytes, name: str = "a.txt") -> Call:
    """A file for the ticket of the chain."""
    contents = {"data": base64.b64encode(file).decode(), "mimetype": "text/plain", "filename": name}
    return {
        "operation": "core/create",
        "comment": "bench",
        "class": "Attachment",
        "output_fields": "id,temp_id,item_class,item_id",
        "fields": {"item_class": "UserRequest", "item_id": "KEY", "item_org_id": 2, "temp_id": "bench", "contents": contents},
    }


def stimulus(name: str, **fields: object) -> Call:
    """A step of the chain's ticket."""
    return {
        "operation": "core/apply_stimulus",
        "comment": "bench",
        "class": "UserRequest",
        "key": "KEY",
        "stimulus": name,
        "output_fields": SHOWN,
        "fields": fields,
    }


def note(text: str) -> Call:
    """An entry on the chain's ticket."""
    return {
        "operation": "core/update",
        "comment": "bench",
        "class": "UserRequest",
        "key": "KEY",
        "output_fields": SHOWN,
        "fields": {"private_log": {"add_item": {"message": text, "format": "html", "date": "2026-11-24 10:00:00"}}},
    }


def get(cls: str, query: str, fields: str, limit: int | None = None) -> Call:
    """A read."""
    return {
        "operation": "core/get",
        "class": cls,
        "key": query,
        "output_fields": fields,
        **({} if limit is None else {"limit": limit}),
    }


def new_tickets(count: int, notes: int, file: bytes, fields: Mapping[str, object]) -> list[Chain]:
    """What customers do: tickets with entries and one file each."""
    return [[create(fields, notes), attach(file)] for _ in range(count)]


def at_once(configuration: Configuration, asked: Mapping[Side, Sequence[Mapping[str, object]]]) -> float:
    """Send single calls to both servers, all at once; return how many seconds that took."""
    calls = [
        (settings, json.dumps(call))
        for side, settings in ((Side.EXTERNAL, configuration.external), (Side.INTERNAL, configuration.internal))
        for call in asked[side]
    ]
    with httpx.Client(timeout=120) as client, ThreadPoolExecutor(len(calls)) as pool:

        def run(one: tuple[ServerSettings, str]) -> None:
            settings, text = one
            parts = {"auth_user": settings.username, "auth_pwd": settings.password.encode().decode(), "json_data": text}
            url = f"{settings.url}/webservices/rest.php?version=1.3"
            client.post(url, files={name: (None, value) for name, value in parts.items()}).json()

        list(pool.map(run, calls))  # connections are open
        started = time.perf_counter()
        list(pool.map(run, calls))
        return time.perf_counter() - started
