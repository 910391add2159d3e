"""Deleted attachments and sweeps, in calls: what is found among very many, and what it takes to find that nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from itopsync.cli.session import open_store
from itopsync.store.records import CycleKind
from tests.bench import hosts
from tests.bench.fill import fill
from tests.bench.idle import FIRST, REAL, VERSION, asked, linked, mark_attachments
from tests.bench.measure import Row, Sizes, row
from tests.bench.stage import Stage, engine, stage

LIVE = 5_000
DEEP = 2_000
"""So many links a sweep reads in full by default."""


def deletions(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """A file that goes from one of 5,000 tickets that can still change; closed ones are only in the store."""
    with stage(folder / "deletions") as on:
        _many(on, REAL, LIVE - REAL, live=True)
        with open_store(on.configuration) as store:
            like = store.links.get([1])[0]
            fill(store, like, range(FIRST + LIVE, FIRST + LIVE + sizes.links - LIVE), live=False, version=VERSION)
        for host in on.simulated:
            host.do(hosts.listen)
        with engine(on.configuration) as opened:
            opened.cycle()
            for host in on.simulated:
                host.do(hosts.heard)
            still = asked(on, opened)
            counts = [sum("limit" in call for call in host.do(hosts.heard)) for host in on.simulated]
            on.simulated[0].do(hosts.delete_attachment, REAL // 2)
            first = asked(on, opened)
            opened.cycle()
            on.simulated[0].do(hosts.delete_attachment, REAL // 4)
            gone = asked(on, opened)
            left = on.simulated[1].do(hosts.attachments)
    assert left == LIVE - 2, left
    where = f"among {LIVE:,} tickets that can change and {sizes.links - LIVE:,} closed ones"
    yield row("deletions", f"finding that no attachment went, {where}: calls a side", "1", max(counts), 1)
    extra = sum(gone) - sum(still)
    yield row("deletions", f"a deleted attachment {where}, found in the next cycle: extra calls", "≤ 12", extra, 12, gone=gone)
    asking = first[0] - gone[0]
    yield row("deletions", "the first one after a start: reads beside those, to ask who we are", "≤ 4", asking, 4, first=first)


def sweep(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """A sweep of very many closed tickets with an attachment each, at rest, and one from which the attachment went."""
    real = min(DEEP, sizes.swept // 10)
    with stage(folder / "sweep") as on:
        on.configuration = replace(on.configuration, engine=replace(on.configuration.engine, deep=real))  # 2,000, if so many
        _many(on, real, sizes.swept - real, live=False)
        with engine(on.configuration) as opened:
            opened.cycle()
            before = [sum(host.do(hosts.counts).values()) for host in on.simulated]
            still = asked(on, opened, CycleKind.SWEEP)
            sides = [sum(host.do(hosts.counts).values()) - old for host, old in zip(on.simulated, before, strict=True)]
            with open_store(on.configuration) as store:
                store.facts.put("sweep.deep", None)  # the copies are none of the engine's own
            on.simulated[0].do(hosts.delete_attachment, real // 2)
            gone = asked(on, opened, CycleKind.SWEEP)
            left = on.simulated[1].do(hosts.attachments)
    assert left == sizes.swept - 1, left
    assert still[1] == 0, still
    yield row("sweep", f"sweep of {sizes.swept:,} linked tickets at rest: calls a side", "≤ 200", max(sides), 200, sides=sides)
    extra = sum(gone) - sum(still)
    what = f"a deleted attachment among {sizes.swept:,} on closed tickets, found by the next sweep: calls"
    yield row("sweep", what, "≤ 40 beside the sweep's own", extra, 40, gone=gone)


def _many(on: Stage, real: int, copies: int, *, live: bool) -> None:
    """So many tickets that the engine linked, and so many copies of one of them."""
    linked(on, real, closed=not live)
    for host in on.simulated:
        host.do(hosts.multiply_last, copies, FIRST, VERSION)
    mark_attachments(on, FIRST + copies)
    with open_store(on.configuration) as store:
        like = store.links.get([real])[0]
        fill(store, like, range(FIRST, FIRST + copies), live=live, version=VERSION)
        store.facts.put("sweep.deep", None)
