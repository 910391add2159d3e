"""The console's pages before an empty, a small and a large store: how long each takes, and how much it asks the store."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench.idle import counted
from tests.bench.measure import Row, Sizes, processor, row
from tests.web import busy
from tests.web.desk import NOW, Desk

SMALL = 1_000
TIMES = 15
MOST = 0.2


def console(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Every page, from the request to its last byte; the store is in a file, so processor time is all that it takes."""
    took: dict[int, dict[str, float]] = {}
    asked: dict[int, dict[str, int]] = {}
    for links in (0, SMALL, sizes.shown):
        desk = Desk(folder / f"console-{links}")
        if links:
            busy.fill(desk.store, links, NOW)
            busy.rich(desk.store, links, NOW)
        took[links], asked[links] = _measure(desk, pages(desk, links))
        desk.close()
        print(f"    {links} links: {took[links]}", flush=True)
    told = ", ".join(f"{links:,}" for links in took)
    slowest = max(max(times.values()) for times in took.values())
    yield row(
        "console", f"a page of the console at {told} links, the slowest: own CPU", "≤ 200 ms", slowest, MOST, unit=" s", took=took
    )
    many, few = asked[sizes.shown], asked[SMALL]
    most = max(many[page] / few[page] for page in few)
    what = f"a page of the console, store queries: {sizes.shown:,} links beside {SMALL:,}"
    yield row("console", what, "1 ×", most, 1, unit=" ×", asked=asked)


def pages(desk: Desk, links: int) -> dict[str, str]:
    """Each page by its address; of the latest of so many links, if there is one."""
    found = {name.strip("/") or "overview": f"/p/demo{name}" for name in ("", "/attention", "/activity", "/cycles", "/verify")}
    for link in desk.store.links.get([links]):
        found |= {"ticket": f"/p/demo/t/{link.id}", "requests": "/p/demo/activity?show=requests"}
        found |= {"search": f"/t?q={link.internal_number}", "writes": f"/p/demo/activity?q={link.external_number}"}
    return found


def _measure(desk: Desk, addresses: dict[str, str]) -> tuple[dict[str, float], dict[str, int]]:
    took, asked = {}, {}
    for name, address in addresses.items():
        desk.get(address)
        with counted() as queries:
            answer = desk.get(address)
        assert answer.status_code in (200, 303), answer.text
        asked[name] = len(queries)
        took[name] = round(processor(partial(_several, desk, address)) / TIMES, 4)
    return took, asked


def _several(desk: Desk, address: str) -> None:
    for _ in range(TIMES):
        desk.get(address)
