"""Backfills beside bare scripts that only send the calls."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from itopsync.config import Configuration
from itopsync.engine.report import Count
from itopsync.store.records import WriteKind
from tests.bench import bare, hosts
from tests.bench.measure import Row, Sizes, row
from tests.bench.stage import Stage, engine, stage

FILE = bytes(range(256)) * 195
"""50 kB."""
PICTURE = (
    '<img src="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk'
    '+M9QDwADhgGAWjR9awAAAABJRU5ErkJg">'
)
RATIO, REAL_RATIO, MIXED_RATIO = 1.10, 1.15, 1.15


def backfill(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """New tickets, each with three entries and one file of 50 kB. On real servers the floor reads them too."""
    with stage(folder / "backfill") as on:
        if on.external is not None:
            on.seed(sizes.tickets, 3, FILE)
        fields = _defaults(on)
        chains = [[bare.create(fields, 4), bare.attach(FILE)] for _ in range(sizes.tickets)]
        pairs = list(_pairs(on, sizes, chains))
    ratios = [pair["ours"] / pair["floor"] for pair in pairs]
    median = statistics.median(ratios)
    what = f"backfill of {sizes.tickets} tickets, 3 entries and a file of 50 kB each"
    floor, most = ("writes", RATIO) if on.internal is not None else ("reads and writes", REAL_RATIO)
    yield row("backfill", f"{what}: time", f"≤ {most} × its bare {floor}", median, most, unit=" ×", ratios=ratios, pairs=pairs)
    writes = statistics.mean(pair["writes"] for pair in pairs) / sizes.tickets
    yield row("backfill", f"{what}: writes", "2 per ticket", writes, 2, unit=" per ticket")
    cpu = statistics.median(pair["cpu"] for pair in pairs) / sizes.tickets
    yield Row("backfill", f"{what}: own CPU", "named", f"{cpu * 1000:.1f} ms per ticket", None, {"value": cpu})


def mixture(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """A third plain, a third closed, a third with a picture in one of three entries."""
    third = sizes.mixture // 3
    with stage(folder / "mixture") as on:
        external, _ = on.simulated
        external.do(hosts.open_tickets, third, 3)
        external.do(hosts.open_tickets, third, 3, closed=True)
        external.do(hosts.open_tickets, third, 3, pictures=PICTURE)
        fields = _defaults(on)
        team = {"team_id": 39, "agent_id": 9}
        solved = {"solution": "<p>Done.</p>", "resolution_code": "assistance", "service_id": 1}
        steps = [
            bare.stimulus("ev_assign", **team),
            bare.stimulus("ev_resolve", **solved),
            bare.stimulus("ev_close", user_satisfaction="1"),
        ]
        # A picture takes three: a draft, the ticket that shows it, and binding one to the other.
        plain = bare.create(fields, 4)
        kinds = ([plain], [plain, *steps], [plain, bare.attach(FILE[:100]), bare.note("<p>bound</p>")])
        pairs = list(_pairs(on, sizes, [chain for chain in kinds for _ in range(third)]))
    ratios = [pair["ours"] / pair["floor"] for pair in pairs]
    median = statistics.median(ratios)
    what = f"backfill of a mixture of {3 * third}: a third closed, a third with a picture in an entry"
    writes = statistics.mean(pair["writes"] for pair in pairs) / third
    yield row(
        "mixture",
        f"{what}: time",
        f"≤ {MIXED_RATIO} × the fewest writes",
        median,
        MIXED_RATIO,
        unit=" ×",
        ratios=ratios,
        pairs=pairs,
    )
    told = f"{writes:.3g} for each three tickets"
    yield Row("mixture", f"{what}: writes", "named; the fewest are 8", told, None, {"writes": writes, "fewest": 8})


def _defaults(on: Stage) -> dict[str, object]:
    given: dict[str, object] = {"org_id": 2, "caller_id": 40, "service_id": 1}
    if on.internal is None:
        given |= {name: value for name, value in on.configuration.rules.internal.defaults.items() if name in given}
    return given


def _pairs(on: Stage, sizes: Sizes, chains: Sequence[bare.Chain]) -> Iterator[dict[str, float]]:
    """Our backfill and its floor, one after the other, on servers that are as they were before."""
    if on.internal is not None:
        on.internal.do(hosts.keep, "before")
    on.slow()
    for place in range(sizes.pairs):
        configuration = on.anew(place)
        if on.internal is None:
            floor = bare.carry(on.configuration, on.seed(sizes.tickets, 3, FILE), _defaults(on), 4)
        else:
            on.internal.do(hosts.put_back, "before")
            floor, _ = bare.send(on.configuration.internal, chains, on.configuration.internal.connections)
            on.internal.do(hosts.put_back, "before")
        pair = {"floor": floor, **_ours(on, configuration, len(chains))}
        print(
            f"    pair {place + 1}: floor {floor:.2f} s, ours {pair['ours']:.2f} s, ratio {pair['ours'] / floor:.3f}, "
            f"own CPU {pair['cpu']:.1f} s",
            flush=True,
        )
        yield pair
    on.slow(on=False)


def _ours(on: Stage, configuration: Configuration, tickets: int) -> dict[str, float]:
    """One cycle of the engine, as ``run-once`` runs it."""
    written = _writes(on)
    with engine(configuration) as opened:
        started, cpu = time.perf_counter(), time.process_time()
        report = opened.cycle()
        ours, used = time.perf_counter() - started, time.process_time() - cpu
    assert report.outcome == "well", report
    assert report.counts[WriteKind.CREATE] == tickets, report
    told = sum(report.counts[name] for name in (WriteKind.CREATE, WriteKind.UPLOAD, WriteKind.WRITE, WriteKind.STATE))
    writes = told if on.internal is None else _writes(on) - written
    return {"ours": ours, "cpu": used, "writes": writes, "links": report.counts[Count.LINKS]}


def _writes(on: Stage) -> int:
    if on.internal is None:
        return 0
    return sum(count for verb, count in on.calls().items() if verb in ("core/create", "core/update", "core/apply_stimulus"))
