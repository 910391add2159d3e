"""The file of pairs: CSV, two tickets that belong together on each line, in the columns ``external`` and ``internal``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from itopsync.config.csv_rows import read_rows
from itopsync.config.faults import Faults
from itopsync.engine.proposing import Proposal
from itopsync.engine.taking_over import Row
from itopsync.errors import clip
from itopsync.model import Side

COMMENT = "#"
"""Begins a line that is not a pair, such as a doubtful proposal that a person has not approved yet."""
_HEADER = "The first line names the columns: external,internal"


def read_pairs(path: Path, faults: Faults) -> tuple[Row, ...]:
    """Read the pairs in a file, and add what is wrong with it to *faults*. Other columns are for people to read."""
    rows: list[Row] = []
    columns: Sequence[str] = ()
    for line, cells, at in read_rows(path, "", faults):
        if line == 1:
            columns = _columns(cells, at)
        elif columns and not cells[0].startswith(COMMENT):
            row = _row(columns, line, cells, at)
            rows += [row] if row is not None else []
    return tuple(rows)


def write_pairs(file: TextIO, proposals: Sequence[Proposal]) -> None:
    """Write proposed pairs as such a file; the doubtful ones come last, as comments, so that none is linked unseen."""
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow((*Side, "reason"))
    for doubtful in (False, True):
        for each in proposals:
            if each.doubtful is doubtful:
                external, internal = (place.number or str(place.ref) for place in (each.external, each.internal))
                rows.writerow((f"{COMMENT} {external}" if doubtful else external, internal, each.reason))


def _columns(cells: Sequence[str], faults: Faults) -> Sequence[str]:
    names = [name.lower() for name in cells]
    for side in Side:
        if names.count(side) != 1:
            how_many = "no column" if side not in names else "more than one column"
            faults.add(side, f"there is {how_many} of this name", _HEADER)
    return [] if faults.any_below("") else names


def _row(columns: Sequence[str], line: int, cells: Sequence[str], faults: Faults) -> Row | None:
    if len(cells) > len(columns) and any(cells[len(columns) :]):
        faults.add("", f"it has {len(cells)} cells, and there are {len(columns)} columns", "Put what contains commas in quotes")
        return None
    named = dict(zip(columns, cells, strict=False))
    for side in Side:
        if not named.get(side):
            faults.add(side, "it names no ticket", "Name both tickets of the pair, or remove the line")
    return None if faults.any_below("") else Row(line, clip(named[Side.EXTERNAL]), clip(named[Side.INTERNAL]))
