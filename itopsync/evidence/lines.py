"""The report, line by line: the same lines in every format. Ids, numbers, times and states; no word of a ticket."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from itopsync.evidence.delays import DELAYS, Refusals, Spells, shares
from itopsync.model import BySide, ItemKey, ItemKind, Side
from itopsync.store.records import ActivityRecord, Cause, RequestKind, SpellRecord, WriteKind, WriteOutcome

if TYPE_CHECKING:
    from itopsync.store.store import Store  # not at run time: `itopsync --help` and the like load no database

Line = Mapping[str, str | int | float]
"""The columns that a line has, by name."""
CLOCKS = ("since_external", "since_internal", "at_external", "at_internal")
COLUMNS = (
    "part",
    "external",
    "internal",
    "what",
    "value",
    "side",
    *CLOCKS,
    "seconds",
    *(name.replace(" ", "_") for name in DELAYS),
)
_FIRST_YEAR = 2006
"""iTop did not exist before."""
PARTS = {
    "report": "About this report",
    "figure": "The month in figures",
    "note": "How to read it, and what is not known",
    "outage": "When a side, or the bridge, did not work",
    "parked": "What was parked: it waited for a person",
    "arrival": "What arrived, and when",
}
"""The parts of a report, in their order, with their headings."""


@dataclass(frozen=True)
class Frame:
    """What a report is about."""

    pair: str
    month: str
    """``2026-11``, by internal's timezone."""
    made: datetime
    """When it is made; nothing later is included."""
    timezones: BySide[ZoneInfo]
    labels: BySide[str]
    keep: timedelta
    """How long the store keeps the record of writes."""

    def __post_init__(self) -> None:
        """Check the month. :raises ValueError: it does not exist, or is older than iTop"""
        # Python would read "2026-11-30-01" as one o'clock on the 30th
        if not re.fullmatch(r"\d{4}-\d\d", self.month, re.ASCII) or self.begin.year < _FIRST_YEAR:
            raise ValueError(self.month)

    @property
    def begin(self) -> datetime:
        """The first moment of the month."""
        return datetime.fromisoformat(f"{self.month}-01").replace(tzinfo=self.timezones.internal)

    @property
    def end(self) -> datetime:
        """The first moment after the month, or when the report was made, if that was before."""
        return min((self.begin + timedelta(days=32)).replace(day=1), self.made)

    def clocks(self, since: datetime | None, at: datetime | None) -> Line:
        """A time from one moment to another, as both sides' clocks show it."""
        told: dict[str, str] = {}
        for name, moment in (("since", since), ("at", at)):
            if moment is not None:
                for side in Side:
                    local = moment.astimezone(self.timezones.of(side))
                    told[f"{name}_{side}"] = local.isoformat(sep=" ", timespec="seconds")
        return told


@dataclass
class Figures:
    """The totals over all arrivals; keeps eight bytes of each."""

    tickets: int = 0
    created: int = 0
    arrived: Counter[str] = field(default_factory=Counter)
    """What arrived, as ``to internal: note``."""
    refused: Counter[str] = field(default_factory=Counter)
    """Writes that were not carried out, as ``external: read-only``."""
    delays: array[float] = field(default_factory=lambda: array("d"))
    by_cause: dict[str, float] = field(default_factory=lambda: dict.fromkeys(DELAYS, 0.0))
    unmeasured: int = 0


def arrivals(store: Store, frame: Frame, figures: Figures) -> Iterator[Line]:
    """A line for each write of the month that arrived, ticket by ticket; *figures* are complete at the end."""
    begin, end = frame.begin, frame.end
    spells = Spells(store.spells.between(begin - frame.keep, end), end)
    link, refusals, carried = 0, Refusals(), 0
    for write, external, internal in store.activity.by_link(end):
        if write.link != link:
            link, refusals = write.link, Refusals()
        refused = refusals.hear(write)
        if write.at < begin:
            continue
        if write.outcome != WriteOutcome.DONE:
            figures.refused[f"{write.side}: {write.outcome}"] += 1
            continue
        figures.tickets += write.link != carried
        carried = write.link
        numbers = {"external": external or f"link {write.link}", "internal": internal}
        yield {"part": "arrival", **numbers, **_arrived(write, figures), **_delayed(write, refused, spells, frame, figures)}


def _arrived(write: ActivityRecord, figures: Figures) -> Line:
    what = _parts(write)
    figures.created += write.action == WriteKind.CREATE
    figures.arrived.update({f"to {write.side}: {name}": count for name, count in what.items()})
    return {"what": _words(what), "side": str(write.side)}


def _delayed(write: ActivityRecord, refused: datetime | None, spells: Spells, frame: Frame, figures: Figures) -> Line:
    if write.age is None:
        figures.unmeasured += 1
        return frame.clocks(None, write.at)
    saved, seconds = write.at - write.age, write.age.total_seconds()
    figures.delays.append(seconds)
    delay = shares(saved, write.at, write.side, refused, spells)
    for name, share in delay.items():
        figures.by_cause[name] += share
    parts = {name.replace(" ", "_"): round(delay[name], 1) for name in DELAYS if delay.get(name)}
    return {**frame.clocks(saved, write.at), "seconds": round(seconds, 1), **parts}


def _parts(write: ActivityRecord) -> Counter[str]:
    """What a write carried, in words."""
    if write.action == WriteKind.CREATE:
        return Counter(["ticket"])
    if write.action == WriteKind.REMOVE:
        return Counter(["file deleted"])
    words = {ItemKind.FIELD: "form", ItemKind.LINK_NOTICE: "notice", ItemKind.WHOLE: "file", ItemKind.OVERFLOW: "file"}
    return Counter(
        f"state {key.which}".strip() if key.kind is ItemKind.STATE else words.get(key.kind, key.kind)
        for key in write.items
        if not key.tells_how
    )


def _words(parts: Counter[str]) -> str:
    return ", ".join(name if count == 1 or name == "form" else f"{count} {name}s" for name, count in parts.items())


def beginning(store: Store, frame: Frame, figures: Figures) -> Iterator[Line]:
    """Everything that precedes the arrivals, once these are counted."""
    yield from _about(frame)
    spells = [_spell(frame, each) for each in store.spells.between(frame.begin, frame.end)]
    outages = [line for line in spells if line["part"] == "outage"]
    parked = [line for line in spells if line["part"] == "parked"]
    yield from _counted(figures)
    lasted: dict[str, float] = {}
    for line in outages:
        name = f"{line.get('side', 'the bridge')} {line['what']}"
        lasted[name] = lasted.get(name, 0.0) + float(line["seconds"])
    for name in sorted(lasted):
        yield {"part": "figure", "what": f"in the month: {name}", "seconds": round(lasted[name], 1)}
    yield {"part": "figure", "what": "parked in the month", "value": len(parked)}
    yield {"part": "figure", "what": "still parked at its end", "value": sum("at_external" not in line for line in parked)}
    yield _verified(store, frame)
    yield from ({"part": "note", "what": text} for text in _notes(store, frame))
    yield from (*outages, *parked)


def _about(frame: Frame) -> Iterator[Line]:
    told: dict[str, str] = {"pair": frame.pair, "month": frame.month}
    told |= {str(side): f"{frame.labels.of(side)}, timezone {frame.timezones.of(side).key}" for side in Side}
    for name, value in told.items():
        yield {"part": "report", "what": name, "value": value}
    yield {"part": "report", "what": "covers", **frame.clocks(frame.begin, frame.end)}
    yield {"part": "report", "what": "made", **frame.clocks(None, frame.made)}


def _spell(frame: Frame, spell: SpellRecord) -> Line:
    """The part of a spell that lies in the month; without an end if it continued."""
    since, end = max(spell.since, frame.begin), frame.end
    lasts = not spell.over or spell.until > end
    until = end if lasts else spell.until
    told = {"part": "outage", "what": str(spell.what.cause)}
    if spell.what.cause is Cause.PARKED:
        number = spell.external_number or f"link {spell.what.link}"
        kind = ItemKey(spell.what.item).kind
        told = {"part": "parked", "external": number, "internal": spell.internal_number, "what": kind}
    elif spell.what.side is not None:
        told["side"] = str(spell.what.side)
    clocks = frame.clocks(spell.since, None if lasts else until)
    return {**told, **clocks, "seconds": round((until - since).total_seconds(), 1)}


def _counted(figures: Figures) -> Iterator[Line]:
    counts: dict[str, int] = {"tickets that something was carried for": figures.tickets, "of these new": figures.created}
    counts |= {f"arrived, {name}": figures.arrived[name] for name in sorted(figures.arrived)}
    counts |= {f"not taken by {name}": figures.refused[name] for name in sorted(figures.refused)}
    counts |= {"arrivals with a known delay": len(figures.delays), "arrivals without a known delay": figures.unmeasured}
    for name, count in counts.items():
        yield {"part": "figure", "what": name, "value": count}
    ordered = array("d", sorted(figures.delays))
    for name, share in (("half of them within", 0.5), ("95 of 100 within", 0.95), ("all within", 1.0)):
        if ordered:
            yield {"part": "figure", "what": name, "seconds": round(ordered[max(0, ceil(share * len(ordered)) - 1)], 1)}
    for name in DELAYS:
        yield {"part": "figure", "what": f"delay in all: {name}", "seconds": round(figures.by_cause[name], 1)}


def _verified(store: Store, frame: Frame) -> Line:
    last = store.requests.last_done(RequestKind.VERIFY, frame.made)
    if last is None or last.finished_at is None:
        return {"part": "figure", "what": "last verify", "value": "none is kept"}
    return {"part": "figure", "what": "last verify", "value": last.result, **frame.clocks(None, last.finished_at)}


_NOTES = (
    "Times are the bridge's own, as both sides' clocks show them. How far a server's clock was ahead of it is not kept: a delay "
    "is reckoned on the clock of the server where the person saved, and the time of saving follows from it.",
    "iTop tells no time at which a file was attached or deleted: the delay of files is not known.",
    "Each instant of a delay counts once: for a side that could not be reached (down), else one that took no writes, else one "
    "that did not take this very thing (refused, with the waits between tries, and what the bridge's own limits kept back), else "
    "a pause, a stop, and else the bridge. Where both sides were away, it counts for the side to be written to.",
    "A side is away from the first cycle that saw it to the first one that did not. Where no cycle ran for more than 15 minutes, "
    "nobody knows how it was: that counts for the bridge.",
    "A write that had no answer (unknown) may have arrived all the same; neither it nor what was written as the bridge itself "
    "died is told as an arrival.",
    "A verify is kept where the service did it: itopsync verify --service.",
)


def _notes(store: Store, frame: Frame) -> Iterator[str]:
    yield from _NOTES
    here, kept, oldest = frame.timezones.internal, store.spells.kept_since(), frame.made - frame.keep
    if kept is not None and kept > frame.begin:
        yield f"Nothing is known of sides that were away and of what was parked before {kept.astimezone(here):%Y-%m-%d %H:%M}."
    if frame.begin < oldest:
        yield f"What was written before {oldest.astimezone(here):%Y-%m-%d %H:%M} is kept no longer: the report lacks it."
