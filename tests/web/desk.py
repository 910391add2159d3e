"""A pair's store with something of everything in it, and a console before it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from itopsync.engine import stops
from itopsync.model import (
    STATE,
    Agreed,
    Base,
    FilePair,
    FileStatus,
    ItemKey,
    ItemKind,
    Link,
    LinkStatus,
    NoteRecord,
    Obstacle,
    Ref,
    Side,
)
from itopsync.store.records import ActivityRecord, CycleRecord, RequestRecord, SideState
from itopsync.store.store import Store
from itopsync.web import pairs, settings
from itopsync.web.app import make
from itopsync.web.guard import Guard
from tests.engine.rig import CONFIGURATION

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOTE = ItemKey.of(ItemKind.NOTE, "itopsync-demo-n-1")
TOO_LARGE = "a file of 21.5 MB is more than limits.file_size allows (20 MB)"
STOP = stops.Stop(
    "creations", "53 new tickets are more than limits.creations (50)", NOW, frozenset({"creations 7", "creations 8"})
)
STORE = "store.sqlite"
ORIGIN = "http://localhost:8642"
PROXY = f"""
origin = "{ORIGIN}"
[proxy]
peers = ["127.0.0.1"]
[roles]
operators = ["alice", "group:leads"]
"""
PROXIED = {"X-Auth-Request-Email": "alice"}
ACCOUNTS = """
[accounts]
file = "accounts"
[roles]
operators = ["alice"]
"""


@dataclass
class Desk:
    """A folder with a pair's configuration and store, and a console; ``now`` and ``monotonic`` are its clocks."""

    folder: Path
    web: str = PROXY
    name: str = "demo"
    now: datetime = NOW
    monotonic: float = 0.0
    pair: Path = field(init=False)
    store: Store = field(init=False)
    app: Guard = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pair = self.folder / "sync.toml"
        text = CONFIGURATION.format(store=self.folder / STORE, more="")
        self.pair.write_text(text.replace('pair = "demo"', f'pair = "{self.name}"'))
        self.store = Store.open(f"sqlite:///{self.folder / STORE}")
        self.store.facts.put("pair", self.name)
        self.configure(self.web)

    def configure(self, web: str, *more: Path) -> None:
        """Make the console anew, by another ``web.toml``, with the configurations of *more* pairs."""
        path = self.folder / "web.toml"
        path.write_text(f"pairs = {[str(each) for each in (self.pair, *more)]}\n{web}")
        loaded = settings.load(path, {})
        self.watched = pairs.load(loaded, {})  # no environment: the passwords that sync.toml names are not there
        self.app = make(loaded, self.watched, lambda: self.now, lambda: self.monotonic)

    def close(self) -> None:
        self.store.close()
        for watched in self.watched.values():
            watched.close()

    def fill(self) -> None:
        """Something of everything, and of the same cause twice."""
        too_large = Obstacle(ItemKey.of(ItemKind.FILE, "external:17"), "f", TOO_LARGE, 1, True, None)
        refused = Obstacle(STATE, "f", "internal: it is refused: <b>bold</b>", 3, False, NOW + 9 * MINUTE)
        for number, obstacles, status in (
            (1, (), LinkStatus.LINKED),
            (2, (too_large,), LinkStatus.LINKED),
            (3, (replace(too_large, reason=TOO_LARGE.replace("21.5", "33")),), LinkStatus.LINKED),
            (4, (refused,), LinkStatus.LINKED),
            (5, (), LinkStatus.PARKED),
        ):
            self.add(number, obstacles, status)
        for minutes, outcome in ((50, "well"), (30, "unavailable"), (1, "troubled")):
            at = NOW - minutes * MINUTE
            self.store.history.record(CycleRecord(None, "poll", at, at + timedelta(seconds=2), outcome, {"write": 1}))
        self.store.polls.record(
            SideState(Side.EXTERNAL, cursor=NOW, ok_at=NOW - MINUTE), versions={}, due=(), new=(), ignored=(), now=NOW
        )
        self.store.polls.record(
            SideState(Side.INTERNAL, cursor=NOW, ok_at=NOW - MINUTE), versions={}, due=(), new=(), ignored=(), now=NOW
        )

    def add(self, number: int, obstacles: tuple[Obstacle, ...] = (), status: LinkStatus = LinkStatus.LINKED) -> int:
        """A link whose numbers are R-00000N and I-00000N, with a note and a file that were carried."""
        base = Base(
            Agreed("assigned", "assigned"), {"title": Agreed("a", "b")}, {NOTE.which: NoteRecord(Side.EXTERNAL, NOW - MINUTE)}
        )
        files = (FilePair(Side.EXTERNAL, number, number + 10, FileStatus.CARRIED),)
        external, internal = Ref(Side.EXTERNAL, "UserRequest", number), Ref(Side.INTERNAL, "UserRequest", number + 100)
        made = Link(0, external, internal, status, f"R-{number:06}", f"I-{number:06}", base, files, obstacles)
        self.store.links.add([made], NOW)
        (saved,) = self.store.links.find(f"R-{number:06}")
        write = ActivityRecord(
            NOW - MINUTE, saved.id, Side.INTERNAL, "write", "done", (NOTE, STATE), timedelta(seconds=12), NOW - MINUTE
        )
        self.store.links.save(replace(saved, due_at=None), now=NOW, live=True, activity=[write])
        return saved.id

    def ask(
        self,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        *,
        peer: str | None = "127.0.0.1",
        headers: Mapping[str, str] | list[tuple[str, str]] = PROXIED,
        origin: str = ORIGIN,
    ) -> httpx.Response:
        """One request, as a browser sends it that was shown a page of ours."""
        transport = httpx.ASGITransport(_from(self.app, peer))
        own = {"Sec-Fetch-Site": "same-origin"} if method == "POST" and not _names_a_site(headers) else {}
        content = urlencode(form or {}) if method == "POST" else None

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url=origin) as client:
                sent = [*(headers.items() if isinstance(headers, Mapping) else headers), *own.items()]
                return await client.request(method, path, content=content, headers=sent)

        return asyncio.run(send())

    def get(self, path: str, **more: Any) -> httpx.Response:
        """A page."""
        return self.ask("GET", path, **more)

    def post(self, path: str, form: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        """A form that was sent."""
        return self.ask("POST", path, form, **more)

    def asked(self) -> list[RequestRecord]:
        """All requests, the oldest first."""
        return list(reversed(self.store.requests.latest(100)))


def _names_a_site(headers: Mapping[str, str] | list[tuple[str, str]]) -> bool:
    names = headers if isinstance(headers, Mapping) else [name for name, _ in headers]
    return any(name in ("Sec-Fetch-Site", "Origin") for name in names)


def _from(app: Guard, peer: str | None) -> ASGIApp:
    """The console as it sees somebody who comes from *peer*; None: by the socket."""

    async def through(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "client": None if peer is None else (peer, 1)}, receive, send)

    return through
