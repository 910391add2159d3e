"""A report in its three formats. Every line of it is one line of the file, so that two files can be compared."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from enum import StrEnum
from html import escape, unescape

from itopsync.evidence.delays import DELAYS
from itopsync.evidence.lines import COLUMNS, PARTS, Line
from itopsync.model import Side


class Format(StrEnum):
    """How a report is written."""

    HTML = "html"
    CSV = "csv"
    JSON = "json"


def body(form: Format, title: str, lines: Iterator[Line]) -> Iterator[str]:
    """The file without its last line."""
    match form:
        case Format.HTML:
            yield from _html(title, lines)
        case Format.CSV:
            yield _row(dict(zip(COLUMNS, COLUMNS, strict=True)))
            yield from map(_row, lines)
        case Format.JSON:
            before = '{\n"lines": [\n'
            for line in lines:
                yield f"{before}{json.dumps(line, ensure_ascii=False)}"
                before = ",\n"
            yield "\n],\n"


def closing(form: Format, checksum: str) -> str:
    """The last line of the file, with its checksum in it."""
    match form:
        case Format.HTML:
            return f'<p class="checksum">{escape(checksum)}</p></body></html>\n'
        case Format.CSV:
            return _row({"part": "checksum", "what": checksum})
        case Format.JSON:
            return f'"checksum": {json.dumps(checksum)}}}\n'


def words(line: str) -> str:
    """A file's line as shown to people: the words of a table row, and anything else as it is, safe for a terminal."""
    text = line.removesuffix("\n")
    if _ROW.fullmatch(text):
        text = " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())
    shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[:_LONGEST])
    return f"{shown}{'…' if len(text) > _LONGEST else ''}" if text.strip() else "(an empty line)"


_ROW = re.compile(r"<tr>(<td>[^<]*</td>)+</tr>")
_LONGEST = 400


def _row(line: Line) -> str:
    out = io.StringIO()
    csv.DictWriter(out, COLUMNS, lineterminator="\n").writerow(line)
    return out.getvalue()


_STYLE = """\
body { font: 10pt/1.4 "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; color: #1a1a1a; background: #fff; margin: 2em auto; \
max-width: 70em; padding: 0 1em; }
h1 { font-size: 16pt; margin: 0 0 1em; } h2 { font-size: 12pt; margin: 2em 0 .5em; break-after: avoid; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; } thead { display: table-header-group; }
th, td { text-align: left; vertical-align: top; padding: .25em .8em .25em 0; border-bottom: 1px solid #ddd; }
th { border-bottom: 1px solid #666; font-weight: 600; } tr { break-inside: avoid; }
.figure td + td, .figure th + th { text-align: right; padding-right: 0; } .figure td:nth-child(3) { width: 9em; }
.outage td, .parked td, .arrival td { white-space: nowrap; }
.arrival td:nth-child(3), .arrival td:last-child { white-space: normal; }
.checksum { margin-top: 2em; font: 8pt/1.4 monospace; color: #444; overflow-wrap: anywhere; }
@page { size: A4; margin: 15mm 12mm; }
@media print { body { margin: 0; padding: 0; max-width: none; font-size: 8pt; } }
"""
_CLOCKS = tuple(f"{side}'s clock" for side in Side)
_HEADS: dict[str, tuple[str, ...]] = {
    "report": ("", "", *_CLOCKS),
    "figure": ("", "", "h:mm:ss"),
    "note": (),
    "outage": ("side", "was", *_CLOCKS, "lasted"),
    "parked": ("external", "internal", "what", *_CLOCKS, "lasted"),
    "arrival": ("external", "internal", "what", "to", *_CLOCKS, "took", "of that"),
}


def _html(title: str, lines: Iterator[Line]) -> Iterator[str]:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    yield f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>\n{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n'
    part, end = "", ""
    for line in lines:
        if line["part"] != part:
            part = str(line["part"])
            heads = "".join(f"<th>{escape(name)}</th>" for name in _HEADS[part])
            yield f'{end}<h2>{PARTS[part]}</h2>\n<table class="{part}">\n' + (
                f"<thead><tr>{heads}</tr></thead>\n" if any(_HEADS[part]) else ""
            )
            end = "</table>\n"
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(part, line))}</tr>\n"
    yield end


def _cells(part: str, line: Line) -> Iterator[str]:
    """The cells of a line in HTML, as :data:`_HEADS` has them."""
    if part in ("parked", "arrival"):
        yield from (str(line.get(side, "")) for side in Side)
    if part == "outage":
        yield str(line.get("side", "the bridge"))
    yield str(line["what"])
    if part == "note":
        return
    if part in ("report", "figure"):
        yield str(line.get("value", "")) + (f" ({line['at_internal']})" if part == "figure" and "at_internal" in line else "")
    if part == "arrival":
        yield str(line["side"])
    if part != "figure":
        yield from (
            _time(str(line.get(f"since_{side}", "")), str(line.get(f"at_{side}", "")), whole=part == "report") for side in Side
        )
    if part != "report":
        yield _span(float(line["seconds"])) if "seconds" in line else "" if part == "figure" else "not known"
    if part == "arrival":
        shares = {name: line.get(name.replace(" ", "_")) for name in DELAYS}
        yield ", ".join(f"{name} {_span(float(share))}" for name, share in shares.items() if share)


def _time(since: str, at: str, *, whole: bool) -> str:
    """From when to when; in tables, without year and offset, and without the second date if it is the same day."""
    if whole or not (since or at):
        return " to ".join(filter(None, (since, at)))
    begin, end = since[5:19], at[5:19]
    if begin and end:
        return f"{begin} to {end[6:] if begin[:5] == end[:5] else end}"
    return end or f"{begin} and on"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
