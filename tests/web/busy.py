"""A store as years of use leave it: very many links, months of activity, troubles of several causes, requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Table, insert

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
from itopsync.reconcile import by_hand
from itopsync.store import codec
from itopsync.store.records import RequestKind, RequestState, SideState
from itopsync.store.rows import values_of
from itopsync.store.store import Store
from itopsync.store.tables import activity, cycle, file, link, request

AT_ONCE = 10_000
POLL = timedelta(seconds=15)
CYCLES, ACTIVITY = timedelta(days=2), timedelta(days=90)
"""So far they go back."""
WRITES = 2
"""For each link."""
NAMES = {"UserRequest": "R", "Incident": "I"}
TROUBLES = (
    (ItemKind.FILE, "a file of {mb}.5 MB is more than limits.file_size allows (20 MB)", True),
    (ItemKind.STATE, "internal: no way leads from waiting_for_approval to assigned: approve it in internal", True),
    (ItemKind.NOTE, "internal: it is refused: the attribute team_id of R-{n:06} is mandatory", True),
    (ItemKind.NOTE, "external: gave no answer within 30 s", False),
)
REQUESTS = (
    (RequestKind.PAUSE, "anna", "upgrade of iTop to 3.2.1", "both sides are paused by {actor}: {reason}."),
    (RequestKind.UNPAUSE, "anna", "", "external and internal: worked with again."),
    (RequestKind.SWEEP, "web:made@example.com", "", "everything is looked at by the next cycle."),
    (RequestKind.VERIFY, "web:made@example.com", "", "{agree} of {all} linked tickets agree, 3 differ. Run itopsync verify."),
    (RequestKind.RETRY, "web:rina@example.com", "", "7 things are tried again by the next cycle."),
)


def fill(store: Store, links: int, now: datetime) -> None:
    """Fill an empty store; with the same figures it becomes the same store."""
    chance = Random(links)
    for ids in _parts(links):
        _add(store, link, [_link(number, now, chance) for number in ids])
        _add(store, file, [_file(number) for number in ids if number % 3 == 0])
    for ids in _parts(links * WRITES):
        _add(store, activity, [_write(number, links * WRITES, links, now, chance) for number in ids])
    cycles = CYCLES // POLL
    for ids in _parts(cycles):
        _add(store, cycle, [_cycle(cycles + 1 - number, now, chance) for number in ids])
    _add(store, request, list(_requests(links, now)))
    for side in Side:
        seen = SideState(side, cursor=now, ok_at=now - timedelta(seconds=chance.randrange(3, 15)))
        store.polls.record(seen, versions={}, due=(), new=(), ignored=(), now=now)


def rich(store: Store, number: int, now: datetime) -> None:
    """Let one link have something of everything that a ticket's page shows."""
    notes = {f"itopsync-demo-n-{place}": NoteRecord(side, now - ago) for place, (side, ago) in enumerate(_NOTES)}
    notes["itopsync-demo-n-9"] = NoteRecord(Side.INTERNAL, now - timedelta(minutes=4), as_file=True)
    (found,) = store.links.get([number])
    large = Obstacle(ItemKey.of(ItemKind.FILE, "external:4118"), "f", TROUBLES[0][1].format(mb=33), 1, True, None)
    fields = dict.fromkeys(("title", "description", "impact", "urgency"), Agreed("a", "b"))
    base = replace(found.base, fields=fields, notes=notes)
    files = (
        FilePair(Side.EXTERNAL, 4102, 9311, FileStatus.CARRIED),
        FilePair(Side.INTERNAL, 9340, 4130, FileStatus.CARRIED),
        FilePair(Side.EXTERNAL, 4118, None, FileStatus.WAITING),
    )
    store.links.save(replace(found, base=base, files=files, obstacles=(large,), due_at=None), now=now, live=True, activity=[])
    others = (ItemKind.FIELD, "urgency"), (ItemKind.FILE, "external:4102"), (ItemKind.FILE, "internal:9340")
    keys = [*(ItemKey.of(ItemKind.NOTE, name) for name in notes), STATE, *(ItemKey.of(*other) for other in others)]
    times = [now - timedelta(minutes=3 * place + 4) for place in range(len(keys))]
    _add(store, activity, [_written(at, number, "write", (key,), 6.0) for at, key in zip(times, keys, strict=True)])
    asked = {"kind": RequestKind.RETRY, "actor": "web:made@example.com", "link_id": number}
    _add(store, request, [_request(asked, now - timedelta(hours=2), "1 thing is tried again by the next cycle.")])


_NOTES = (
    (Side.EXTERNAL, timedelta(hours=5)),
    (Side.INTERNAL, timedelta(hours=4, minutes=12)),
    (Side.EXTERNAL, timedelta(minutes=31)),
)


def _add(store: Store, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    with store.database.writing() as connection:
        connection.execute(insert(table), rows)


def _parts(count: int) -> Iterator[range]:
    """The numbers from 1 on, so many at once."""
    for begin in range(1, count + 1, AT_ONCE):
        yield range(begin, min(begin + AT_ONCE, count + 1))


def _link(number: int, now: datetime, chance: Random) -> dict[str, Any]:
    cls = chance.choices(list(NAMES), [2, 1])[0]
    live = number % 20 == 0
    kind, reason, parked = chance.choice(TROUBLES)
    troubled = number % 640 == 7
    told = reason.format(mb=chance.randrange(21, 60), n=number)
    obstacles = (Obstacle(ItemKey.of(kind, "x"), "f", told, 3, parked, None if parked else now + timedelta(minutes=4)),)
    state = "assigned" if live else "closed"
    made = Link(
        0,
        Ref(Side.EXTERNAL, cls, number),
        Ref(Side.INTERNAL, cls, number + 40_000),
        LinkStatus.LINKED,
        f"{NAMES[cls]}-{number:06}",
        f"{NAMES[cls]}-{number + 40_000:06}",
        Base(Agreed(state, state), {"title": Agreed("a", "b")}),
        (),
        obstacles if troubled else (),
        due_at=now - timedelta(seconds=5) if number % 15_000 == 30 else None,
    )
    if number % 9_000 == 11:
        made = by_hand.parked(made, "web:anna", "waits for the supplier")
    return values_of(made) | {"id": number, "live": live, "created_at": now, "updated_at": now}


def _file(number: int) -> dict[str, Any]:
    columns = {"origin": Side.EXTERNAL.value, "status": FileStatus.CARRIED.value, "organisation": ""}
    return columns | {"link_id": number, "original_id": number, "copy_id": number}


def _write(number: int, count: int, links: int, now: datetime, chance: Random) -> dict[str, Any]:
    """One write: the later, the closer to now."""
    action, keys = chance.choices(_WRITES, [8, 3, 2, 1])[0]
    outcome = chance.choices(["done", "refused", "unknown"], [500, 2, 1])[0]
    age = min(900.0, 3 + chance.lognormvariate(2.2, 0.8)) if outcome == "done" else None
    at = now - ACTIVITY * ((count - number) / count) - timedelta(seconds=8)
    side = chance.choices([Side.INTERNAL, Side.EXTERNAL], [3, 2])[0]
    target = links - chance.randrange(min(links, 400))
    return _written(at, target, action, keys, age) | {"outcome": outcome, "side": side.value}


_WRITES = (
    ("write", (ItemKey.of(ItemKind.NOTE, "n"),)),
    ("write", (STATE, ItemKey.of(ItemKind.NOTE, "n"))),
    ("upload", (ItemKey.of(ItemKind.FILE, "external:1"),)),
    ("create", (ItemKey.of(ItemKind.TICKET, ""), ItemKey.of(ItemKind.NOTE, "n"), ItemKey.of(ItemKind.NOTE, "m"))),
)


def _written(at: datetime, number: int, action: str, keys: Sequence[ItemKey], age: float | None) -> dict[str, Any]:
    carried = {"side": Side.INTERNAL.value, "action": action, "outcome": "done", "items": codec.items_to_json(keys)}
    return carried | {"at": at, "link_id": number, "age": age, "cycle": at}


def _cycle(number: int, now: datetime, chance: Random) -> dict[str, Any]:
    """One cycle, so many polls ago."""
    at = now - POLL * number
    hours = (now - at) / timedelta(hours=1)
    did = {"changed": 2, "looked at": 2, "write": 1} if chance.random() < 0.2 else {}
    outcome, error = "well", None
    if 15 < hours < 16:
        outcome, error = "unavailable", "internal: cannot be reached: no route to host"
    elif 9.2 < hours < 9.9:
        outcome = "paused"
    elif hours < 3.2 and did:
        outcome = "troubled"
    ended = at + timedelta(seconds=0.3 + len(did) * chance.random())
    kind = "sweep" if number % 240 == 3 else "poll"
    counts = codec.counts_to_json(did)
    return {"kind": kind, "started": at, "finished": ended, "outcome": outcome, "counts": counts, "error": error}


def _requests(links: int, now: datetime) -> Iterator[dict[str, Any]]:
    for place in range(80):
        kind, actor, reason, result = REQUESTS[place % len(REQUESTS)]
        told = result.format(actor=actor, reason=reason, agree=f"{links - 3:,}", all=f"{links:,}")
        yield _request({"kind": kind, "actor": actor, "reason": reason}, now - timedelta(hours=9 * (80 - place)), told)


def _request(values: dict[str, Any], at: datetime, result: str) -> dict[str, Any]:
    common = {"reason": "", "link_id": None, "fingerprint": "", "arguments": "{}", "state": RequestState.DONE.value}
    ended = at + timedelta(seconds=1)
    return common | values | {"at": at, "taken_at": at, "finished_at": ended, "result": result}
