"""The page with the figures: its table and its charts are written from the results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench import charts

DOCS = Path(__file__).parents[2] / "docs"
PAGE, FOLDER = DOCS / "performance.md", DOCS / "performance"
RESULTS = FOLDER / "results.json"
BEGIN, END = "<!-- figures: written by make bench -->", "<!-- end of figures -->"


def keep(part: str, rows: Sequence[Mapping[str, Any]], run: Mapping[str, Any]) -> None:
    """Put a part's rows into the results, in the place of those that it had."""
    FOLDER.mkdir(exist_ok=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[part] = {"run": dict(run), "rows": list(rows)}
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True, default=str) + "\n")


def write(order: Sequence[str]) -> None:
    """Write the table and the charts of the page."""
    results = json.loads(RESULTS.read_text())
    parts = {part: results[part] for part in order if part in results}
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{figures(parts)}\n{END}{after}")
    for name, drawn in drawings(parts).items():
        (FOLDER / f"{name}.svg").write_text(drawn)


def figures(parts: Mapping[str, Any]) -> str:
    """The table, and what it was measured on."""
    lines = ["| what | bar | measured | |", "| --- | --- | --- | --- |"]
    for part in parts.values():
        for row in part["rows"]:
            verdict = "" if row["met"] is None else "met" if row["met"] else "**missed**"
            lines.append(f"| {row['what']} | {row['bar']} | {row['measured']} | {verdict} |")
    pictures = [f"![{title}](performance/{name}.svg)" for name, title in TITLES.items() if name in drawings(parts)]
    return "\n".join((*lines, "", _measured_on(parts), "", *(line for picture in pictures for line in (picture, ""))))


def _measured_on(parts: Mapping[str, Any]) -> str:
    runs = [part["run"] for part in parts.values()]
    machines = sorted({run["on"] for run in runs})
    loads = ", ".join(f"{name} {part['run']['load']}" for name, part in parts.items())
    dates = sorted({run["date"] for run in runs})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"Measured on {'; '.join(machines)}, {span}. Load of the machine when each part began: {loads}."


TITLES = {
    "shares": "What was measured, as a share of its bar",
    "idle": "An idle cycle beside its own calls sent bare",
    "backfill": "A backfill beside its writes sent bare",
    "freshness": "How long a save takes to the other side",
    "year": "A year, month by month: each curve as a share of its own highest month",
}


CURVES = (
    ("links", "links"),
    ("megabytes", "the store, MB"),
    ("remembered", "writes remembered"),
    ("own", "an idle cycle, s of CPU"),
    ("status", "itopsync status, s of CPU"),
    ("sweep_own", "a sweep, s of CPU"),
    ("memory", "memory after a sweep, MB"),
)
"""What of a year's months is drawn, and how it is called."""


def drawings(parts: Mapping[str, Any]) -> dict[str, str]:
    """The charts that there are figures for."""
    rows = [row for part in parts.values() for row in part["rows"]]
    drawn = {}
    limited = [row for row in rows if row["figures"].get("most")]
    if limited:
        told = [(_short(row["what"]), row["figures"]["value"] / row["figures"]["most"], row["measured"]) for row in limited]
        drawn["shares"] = charts.shares(TITLES["shares"], told)
    for row in rows:
        found = row["figures"].get("found")
        if found:
            cycles = [
                (f"{int(size):,} links", measured["floor"] * 1000, measured["ours"] * 1000)
                for size, measured in sorted(found.items(), key=lambda item: int(item[0]))
            ]
            drawn["idle"] = charts.pairs(TITLES["idle"], cycles, "ms")
        if row["part"] == "backfill" and row["figures"].get("pairs"):
            told_pairs = [(f"pair {n}", pair["floor"], pair["ours"]) for n, pair in enumerate(row["figures"]["pairs"], 1)]
            drawn["backfill"] = charts.pairs(TITLES["backfill"], told_pairs, "s")
        if row["figures"].get("months"):
            months = row["figures"]["months"]
            drawn["year"] = charts.curves(TITLES["year"], [(words, [month[name] for month in months]) for name, words in CURVES])
        if row["figures"].get("waits"):
            drawn["freshness"] = charts.distribution(TITLES["freshness"], row["figures"]["waits"], row["figures"]["most"], "s")
    return drawn


def _short(what: str) -> str:
    return what if len(what) <= 52 else f"{what[:50]}…"
