"""Cycles in which nothing is to be done, few changes, and how both grow with what there is."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy import event

from itopsync.cli.session import open_store
from itopsync.engine.engine import Engine
from itopsync.model import Side
from itopsync.reconcile.by_hand import retried
from itopsync.store.records import CycleKind
from tests.bench import bare, hosts
from tests.bench.fill import fill
from tests.bench.measure import Row, Sizes, processor, row, seconds
from tests.bench.stage import Stage, engine, stage

REAL = 50
"""So many links are the engine's own; the others are copies of one of them."""
FIRST = 100_001
"""The ids of the copies begin here."""
VERSION = "2026-11-20 10:00:00"
CYCLES = 15


def idle(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """An idle cycle at ever more links: its calls, its time beside the same calls bare, its own processor time."""
    with stage(folder / "idle") as on:
        external, internal = on.simulated
        linked(on, REAL)
        grown = sorted({100, 1_000, 10_000, sizes.links})
        live = min(1_000, sizes.links)
        for host in (external, internal):
            host.do(hosts.multiply_last, live - REAL, FIRST, VERSION)
            host.do(hosts.listen)
        mark_attachments(on, FIRST + live)
        found: dict[int, dict[str, Any]] = {}
        there = REAL
        for size in grown:
            _grow(on, there, size, live)
            there = size
            found[size] = _measure(on)
            print(f"    {size} links: {found[size]}", flush=True)
    calls = [measured["calls"] for measured in found.values()]
    sizes_told = ", ".join(f"{size:,}" for size in found)
    yield row(
        "idle", f"idle cycle at {sizes_told} links: calls", "≤ 6 over both sides, the same at each", max(calls), 6, found=found
    )
    ratio = found[grown[-1]]["ratio"]
    yield row(
        "idle", f"idle cycle at {grown[-1]:,} links: time", "≤ 1.3 × the same calls bare, in parallel", ratio, 1.3, unit=" ×"
    )
    cpu = found[grown[-1]]["cpu"] / found[1_000]["cpu"]
    yield row("idle", f"idle cycle, own CPU: {grown[-1]:,} links beside 1,000", "≤ 1.5 ×", cpu, 1.5, unit=" ×")
    queries = found[grown[-1]]["queries"] / found[1_000]["queries"]
    yield row("idle", f"idle cycle, store queries: {grown[-1]:,} links beside 1,000", "≤ 1.5 ×", queries, 1.5, unit=" ×")


def linked(on: Stage, count: int, *, closed: bool = False) -> None:
    """Let the engine link so many tickets, with an entry and a file each, and come to rest."""
    on.simulated[0].do(hosts.open_tickets, count, 1, b"a file", closed=closed)
    on.simulated[0].do(hosts.age, VERSION)
    with engine(on.configuration) as opened:
        assert opened.cycle().outcome == "well"
    on.simulated[1].do(hosts.age, VERSION)
    _rest(on)


def _rest(on: Stage) -> None:
    """Look at everything once more, so that versions and times are those that were put: as after a restore, a person says so."""
    with engine(on.configuration) as opened:
        opened.cycle(CycleKind.SWEEP)
        links, now = opened.pair.store.links, opened.pair.clock()
        for link in links.troubled(REAL):
            links.amend(link.id, lambda known: retried(known, now), now)
        opened.cycle()
        assert links.troubled(1) == ()


def mark_attachments(on: Stage, highest: int) -> None:
    """Let polls have seen the copies' attachments long ago."""
    with open_store(on.configuration) as store:
        for which in Side:
            state = store.polls.side(which)
            assert state.cursor is not None
            store.polls.put_side(replace(state, high_water_marks=((state.cursor - timedelta(days=1), highest),)))


def _grow(on: Stage, there: int, size: int, live: int) -> None:
    with open_store(on.configuration) as store:
        like = store.links.get([1])[0]
        for begin, end, alive in ((there, min(size, live), True), (max(there, live), size, False)):
            if end > begin:
                fill(store, like, range(FIRST + begin - REAL, FIRST + end - REAL), live=alive, version=VERSION)


def _measure(on: Stage) -> dict[str, Any]:
    with engine(on.configuration) as opened:
        opened.cycle()
        before = sum(on.calls().values())
        for host in on.simulated:
            host.do(hosts.heard)
        with counted() as queries:
            opened.cycle()
        calls = sum(on.calls().values()) - before
        asked = {side: host.do(hosts.heard) for side, host in zip(Side, on.simulated, strict=True)}
        cpu = processor(lambda: _several(opened)) / CYCLES
        on.slow()
        ours, floor = [], []
        for _ in range(CYCLES):
            floor.append(bare.at_once(on.configuration, asked))
            ours.append(seconds(opened.cycle))
        on.slow(on=False)
    ratio = statistics.median(ours) / statistics.median(floor)
    return {
        "calls": calls,
        "queries": len(queries),
        "cpu": cpu,
        "ours": statistics.median(ours),
        "floor": statistics.median(floor),
        "ratio": ratio,
    }


def _several(opened: Engine) -> None:
    for _ in range(CYCLES):
        opened.cycle()


@contextmanager
def counted() -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(Database, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Database, "before_cursor_execute", note)


def changes(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """One change, and many at once."""
    many = min(1_000, sizes.tickets)
    with stage(folder / "changes") as on:
        external, _ = on.simulated
        linked(on, many)
        with engine(on.configuration) as opened:
            still = asked(on, opened)
            external.do(hosts.change_all, 2)
            first = asked(on, opened)
            external.do(hosts.change_all, 1)
            single = asked(on, opened)
            external.do(hosts.add_notes, list(range(2, many + 1)), "<p>Hello</p>")
            all_of_them = asked(on, opened)
    yield row("changes", "one change (two fields, a note, a state): writes", "1", single[1], 1)
    yield row("changes", "one change: reads beside the idle ones", "≤ 4", single[0] - still[0], 4)
    yield row("changes", "the first change after a start: reads beside those, to ask who we are", "≤ 4", first[0] - single[0], 4)
    reads, writes, most = all_of_them[0] - still[0], all_of_them[1], 4 + (many - 1) / 25
    yield row(
        "changes",
        f"{many - 1:,} changed tickets of a class: reads beside the idle ones",
        f"≤ {most:.0f}",
        reads,
        most,
        writes=writes,
    )


def asked(on: Stage, opened: Engine, kind: CycleKind = CycleKind.POLL) -> tuple[int, int]:
    """How many reads and writes a cycle sends."""
    before = on.calls()
    opened.cycle(kind)
    sent = {verb: count - before.get(verb, 0) for verb, count in on.calls().items()}
    writes = sum(count for verb, count in sent.items() if verb not in ("core/get", "list_operations", ""))
    return sum(sent.values()) - writes, writes
