"""The floor: bare scripts that only send calls, with nothing to decide, as quickly as Python and httpx can."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import httpx

from itopsync.config import Configuration
from itopsync.itop.settings import ServerSettings
from itopsync.model import Side

Call = dict[str, object]
Chain = Sequence[Call]
"""Calls that must follow each other; ``"KEY"`` stands for the id that the first one answered with."""

SHOWN = "id,ref,title,status,last_update,description,impact,urgency,org_id,private_log"
"""What our writes let themselves be told, more or less."""
_READ_AT_ONCE = 100
"""So many tickets are read by one call."""


class Caller:
    """One server, called as quickly as can be. A context manager."""

    def __init__(self, settings: ServerSettings, at_once: int) -> None:
        self._url, self._at_once = settings.url, at_once
        self._login = {"auth_user": settings.username, "auth_pwd": settings.password.encode().decode()}
        limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
        self._client = httpx.Client(limits=limits, timeout=120)

    def open(self, pool: ThreadPoolExecutor) -> None:
        """Let all connections be open."""
        list(pool.map(lambda _: self._client.get(f"{self._url}/nowhere"), range(self._at_once)))

    def ask(self, text: str) -> dict[str, Any]:
        """The objects that the server answers with, by class and id."""
        parts = {**self._login, "json_data": text}
        url = f"{self._url}/webservices/rest.php?version=1.3"
        answer = self._client.post(url, files={name: (None, value) for name, value in parts.items()}).json()
        if answer["code"]:
            raise RuntimeError(str(answer)[:500])
        return answer.get("objects") or {}

    def follow(self, chain: Sequence[str]) -> str:
        """Send a chain's calls one after the other; return the id that the first one answered with."""
        key = ""
        for text in chain:
            answered = self.ask(text.replace('"KEY"', key))
            key = key or str(next(iter(answered.values()))["key"] if answered else "")
        return key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


def send(settings: ServerSettings, chains: Sequence[Chain], at_once: int) -> tuple[float, list[int]]:
    """Send the chains, so many at once; return how many seconds that took, and the ids that their first calls answered with."""
    prepared = [[_text(call) for call in chain] for chain in chains]
    with Caller(settings, at_once) as caller, ThreadPoolExecutor(at_once) as pool:
        caller.open(pool)
        started = time.perf_counter()
        keys = list(pool.map(caller.follow, prepared))
        return time.perf_counter() - started, [int(key) for key in keys if key]


def carry(configuration: Configuration, numbers: Sequence[int], fields: Mapping[str, object], entries: int) -> float:
    """What any bridge must do with new tickets: read them and their files from external, and write both into internal.

    So many readers and so many writers at once. Return how many seconds that took.
    """
    at_once = configuration.internal.connections
    with (
        Caller(configuration.external, at_once) as external,
        Caller(configuration.internal, at_once) as internal,
        ThreadPoolExecutor(at_once) as readers,
        ThreadPoolExecutor(at_once) as writers,
    ):
        external.open(readers)
        internal.open(writers)
        started = time.perf_counter()
        files: dict[int, int] = {}
        for begin in range(0, len(numbers), _READ_AT_ONCE):
            listed = ",".join(map(str, numbers[begin : begin + _READ_AT_ONCE]))
            external.ask(_text(get("UserRequest", f"SELECT UserRequest WHERE id IN ({listed})", SHOWN)))
            theirs = f"SELECT Attachment WHERE item_class = 'UserRequest' AND item_id IN ({listed})"
            found = external.ask(_text(get("Attachment", theirs, "id,item_id,creation_date,user_id"))).values()
            files |= {int(each["fields"]["item_id"]): int(each["key"]) for each in found}

        def read(number: int) -> bytes:
            (found,) = external.ask(_text(get("Attachment", files[number], "contents"))).values()
            return base64.b64decode(found["fields"]["contents"]["data"])

        def write(reading: Future[bytes]) -> None:
            internal.follow([_text(call) for call in (create(fields, entries), attach(reading.result()))])

        list(writers.map(write, [readers.submit(read, number) for number in numbers]))
        return time.perf_counter() - started


def _text(call: Call) -> str:
    return json.dumps(call, separators=(",", ":"))


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


def get(cls: str, query: str | int, fields: str, limit: int | None = None) -> Call:
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

        def run(call: tuple[ServerSettings, str]) -> None:
            settings, text = call
            parts = {"auth_user": settings.username, "auth_pwd": settings.password.encode().decode(), "json_data": text}
            url = f"{settings.url}/webservices/rest.php?version=1.3"
            client.post(url, files={name: (None, value) for name, value in parts.items()}).json()

        list(pool.map(run, calls))  # connections are open
        started = time.perf_counter()
        list(pool.map(run, calls))
        return time.perf_counter() - started
