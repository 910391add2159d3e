"""The page of figures says what the results say, and its charts can be drawn."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from tests.bench import page
from tests.bench.__main__ import PARTS
from tests.bench.measure import Row, row

RUN = {"on": "2 cores", "date": "2026-11-24", "load": "0.10 0.20 0.30"}
IDLE = {size: {"floor": 0.07, "ours": 0.08} for size in (100, 1_000_000)}
MONTHS = [dict.fromkeys(dict(page.CURVES), month) for month in range(12)]
ROWS = {
    "idle": [row("idle", "idle cycle: calls", "≤ 6", 6, 6, found=IDLE)],
    "backfill": [
        row("backfill", "backfill: time", "≤ 1.1 ×", 1.2, 1.1, unit=" ×", pairs=[{"floor": 50.0, "ours": 60.0}]),
        Row("backfill", "backfill: own CPU", "named", "8 ms per ticket", None),
    ],
    "year": [
        row(
            "year",
            "a year: calls",
            "as in the first month",
            6,
            6,
            months=[dict.fromkeys(dict(page.CURVES), n) for n in range(12)],
        )
    ],
    "freshness": [row("freshness", "freshness", "≤ 7 s", 5.2, 7, unit=" s", waits=[0.2, 1.5, 5.2])],
}
PARTS_MEASURED = json.loads(
    json.dumps({name: {"run": RUN, "rows": [each.as_json() for each in rows]} for name, rows in ROWS.items()})
)


def test_the_page_says_what_the_results_say() -> None:
    text = page.PAGE.read_text()
    shown = text[text.index(page.BEGIN) + len(page.BEGIN) : text.index(page.END)].strip()
    if page.RESULTS.exists():
        results = json.loads(page.RESULTS.read_text())
        parts = {part: results[part] for part in PARTS if part in results}
        assert shown == page.figures(parts).strip()
        for name, drawn in page.drawings(parts).items():
            assert (page.FOLDER / f"{name}.svg").read_text() == drawn
    else:
        assert shown == ""


def test_what_is_missed_is_said() -> None:
    lines = page.figures(PARTS_MEASURED).splitlines()
    assert "| idle cycle: calls | ≤ 6 | 6 | met |" in lines
    assert "| backfill: time | ≤ 1.1 × | 1.2 × | **missed** |" in lines
    assert "| backfill: own CPU | named | 8 ms per ticket |  |" in lines
    assert any("2 cores, 2026-11-24" in line and "idle 0.10" in line for line in lines)


def test_each_chart_is_a_picture_that_says_what_it_shows() -> None:
    drawn = page.drawings(PARTS_MEASURED)
    assert drawn.keys() == page.TITLES.keys()
    for name, picture in drawn.items():
        root = ElementTree.fromstring(picture)
        assert root.get("aria-label") == page.TITLES[name]
        assert len(root) > 2
