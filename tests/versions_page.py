"""The pages on iTop's versions: what was run on which is written from ``docs/reference/versions.json``.

``python -m tests.versions_page`` writes it anew. What ran on real servers stands in that file, a run a line; on which simulated
versions a suite runs, the suites say.
"""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

from itopsync.simulator.versions import VERSIONS
from tests.engine.pair import DEEP, MIXED

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "reference" / "versions.json"
PAGES = {"en": ROOT / "docs" / "reference" / "versions.md", "id": ROOT / "docs" / "id" / "versions.md"}
READMES = {"en": ROOT / "README.md", "id": ROOT / "README.id.md"}
BEGIN, END = "<!-- runs: written by python -m tests.versions_page -->", "<!-- end of runs -->"
BY_HAND = "by hand"
SIMULATED = {
    "tests/contract": set(VERSIONS),
    "tests/engine/test_the_sop.py": set(chain.from_iterable(MIXED)),
    "tests/torture/test_every_boundary.py": set(chain.from_iterable(DEEP)),
}
"""On which simulated versions each suite runs by itself."""
WORDS = {
    "en": {
        "what": "what",
        "date": "date",
        "on": "on",
        "came of it": "came of it",
        "real": "real",
        "simulated": "simulated",
        "ok": "all well",
        "mended": "mended since",
        "and": "and",
        "last": "itopsync needs Python 3.11 or newer, and is tested against real iTops {real}, and\n"
        "against simulated ones from {oldest} to {newest}: see [iTop versions](docs/reference/versions.md). MIT licence.",
    },
    "id": {
        "what": "apa",
        "date": "tanggal",
        "on": "pada",
        "came of it": "hasilnya",
        "real": "nyata",
        "simulated": "simulasi",
        "ok": "semua baik",
        "mended": "sudah diperbaiki",
        "and": "dan",
        "last": "itopsync memerlukan Python 3.11 atau lebih baru, dan diuji terhadap iTop nyata {real}, serta\n"
        "simulasi {oldest} sampai {newest}:\n"
        "[daftar versi](docs/id/versions.md). Lisensi MIT.",
    },
}


def results() -> dict[str, Any]:
    """What is recorded: ``versions`` (each with the simulated one), ``suites`` (each with what it is), and ``real``, the runs."""
    return dict(json.loads(RESULTS.read_text()))


def table(language: str) -> str:
    """What was run on which version, and each run on real servers."""
    words, told = WORDS[language], results()
    suites = told["suites"]
    lines = [f"| iTop | {' | '.join(suites[suite][language] for suite in suites)} |", "| --- " * (len(suites) + 1) + "|"]
    for version, simulated in told["versions"].items():
        cells = []
        for suite in suites:
            real = any(run["suite"] == suite and version in run["versions"] for run in told["real"])
            played = simulated in SIMULATED.get(suite, ())
            cells.append(", ".join(words[how] for how, so in (("real", real), ("simulated", played)) if so) or "–")
        lines.append(f"| `{version}` | {' | '.join(cells)} |")
    lines += ["", f"| {words['date']} | {words['on']} | {words['what']} | commit | {words['came of it']} |", "| --- " * 5 + "|"]
    for run in told["real"]:
        kind, _, what = run["result"].partition(": ")
        suite = suites[run["suite"]][language] + ("" if run["suite"] == BY_HAND else f" (`{run['suite']}`)")
        result = words[kind] + (f": {what}" if what else "")
        lines.append(f"| {run['date']} | {' → '.join(run['versions'])} | {suite} | `{run['commit']}` | {result} |")
    return "\n".join(lines)


def last_line(language: str) -> str:
    """What a README ends with."""
    words, told = WORDS[language], results()
    real = [version for version in told["versions"] if any(version in run["versions"] for run in told["real"])]
    *all_but_one, last = real
    simulated = sorted(set().union(*SIMULATED.values()))
    listed = f" {words['and']} ".join(filter(None, (", ".join(all_but_one), last)))
    return words["last"].format(real=listed, oldest=simulated[0], newest=simulated[-1])


def shown(language: str) -> str:
    """What stands in a page between the two marks."""
    text = PAGES[language].read_text()
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()


def write() -> None:
    """Write both pages, and the ends of both READMEs."""
    for language, page in PAGES.items():
        before, _, rest = page.read_text().partition(BEGIN)
        page.write_text(f"{before}{BEGIN}\n\n{table(language)}\n\n{END}{rest.partition(END)[2]}")
        readme = READMES[language]
        readme.write_text(readme.read_text().rstrip().rpartition("\n\n")[0] + f"\n\n{last_line(language)}\n")


if __name__ == "__main__":
    write()
