"""Reads routes from a CSV file: each line is a route, and the first names the keys in its columns, with dots."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from itopsync.config.csv_rows import read_rows
from itopsync.config.faults import Faults
from itopsync.errors import clip

_COLUMN = re.compile(r"name|condition|when(\.[A-Za-z_]\w*){1,2}|set(\.[A-Za-z_]\w*)+", re.ASCII)
_COLUMNS = "Name the columns like name, when.org_id.name, when.request_type, condition, set.org_id.name, set.team_id"


def read_routes(path: Path, key: str, faults: Faults) -> Iterator[tuple[int, dict[str, Any], Faults]]:
    """Yield each route as (line number, table, collector of its faults). *key* names the file in ``sync.toml``."""
    columns: Sequence[str] = ()
    for number, cells, at in read_rows(path, key, faults):
        if number == 1:
            columns = _columns(cells, at)
        else:
            yield number, _table(columns, cells, at), at


def _columns(cells: Sequence[str], faults: Faults) -> Sequence[str]:
    """The columns' keys; an empty one for a column that is not usable."""
    if not any(cells):
        faults.add("", "it names no columns", _COLUMNS)
    usable: list[str] = []
    for name in cells:
        if not _COLUMN.fullmatch(name):
            faults.add(clip(name, 60) or "a column without a name", "there is no such column", _COLUMNS)
        elif name in usable:
            faults.add(name, "there are two columns of this name", "Remove one")
        usable.append(name if _COLUMN.fullmatch(name) and name not in usable else "")
    return usable


def _table(columns: Sequence[str], cells: Sequence[str], faults: Faults) -> dict[str, Any]:
    """A line as the table that would say the same in TOML."""
    table: dict[str, Any] = {}
    if len(cells) > len(columns) and any(cells[len(columns) :]):
        faults.add("", f"it has {len(cells)} cells, and there are {len(columns)} columns", "Put what contains commas in quotes")
    for column, cell in zip(columns, cells, strict=False):
        if not column or not cell:
            continue
        *path, last = column.split(".")
        here = table
        for step in path:
            inner = here.setdefault(step, {})
            here = inner if isinstance(inner, dict) else {}
        if last in here or here is not _at(table, path):
            faults.add(column, "another column gives this one a value too", "Empty one of the two cells")
        here[last] = cell
    return table


def _at(table: dict[str, Any], path: Sequence[str]) -> object:
    here: Any = table
    for step in path:
        here = here.get(step) if isinstance(here, dict) else None
    return here
