"""Reads the rows of a CSV file that somebody wrote in a spreadsheet or by hand, and what is wrong with the file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from itopsync.config.faults import Faults
from itopsync.errors import clip
from itopsync.settings.addresses import refuse_special

LONGEST_FILE = 4_000_000
"""Maximum size in bytes; a larger file is rejected."""


def read_rows(path: Path, key: str, faults: Faults) -> Iterator[tuple[int, list[str], Faults]]:
    """Yield the first row and all others that are not empty, as (line number, cells, collector of its faults).

    *key* names the file in *faults*. Cells are separated by commas, or by semicolons if only these are in the first line.
    """
    text = _text(path, key, faults)
    if text is None:
        return
    lines = text.splitlines(keepends=True)
    head = lines[0] if lines else ""
    rows = csv.reader(lines, delimiter=";" if ";" in head and "," not in head else ",", strict=True)
    number = 1
    if not lines:
        yield number, [], faults.in_line(path, number)
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if number == 1 or any(cells):
                yield number, cells, faults.in_line(path, number)
            number = rows.line_num + 1
    except csv.Error as error:
        faults.in_line(path, number).add("", f"malformed CSV: {clip(str(error))}", "Fix that line; what follows it was not read")


def _text(path: Path, key: str, faults: Faults) -> str | None:
    try:
        refuse_special(path)
        with path.open("rb") as file:
            contents = file.read(LONGEST_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        faults.add(key, f"{path} cannot be read: {clip(why)}", "Check the path and who may read it")
        return None
    if len(contents) > LONGEST_FILE:
        faults.add(key, f"{path} is longer than {LONGEST_FILE:,} bytes", "Check that this is the right file")
        return None
    try:
        return contents.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = contents[: error.start].count(b"\n") + 1
        faults.in_line(path, line).add("", "this is not UTF-8", "Save the file as CSV in UTF-8")
        return None
