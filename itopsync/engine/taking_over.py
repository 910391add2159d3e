"""Takes over tickets that were kept in step before: many pairs, examined together before any of them is linked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from itopsync.engine import linking
from itopsync.engine.inspect import Inspector
from itopsync.engine.linking import CannotLink
from itopsync.engine.observe import observe
from itopsync.engine.pair import Pair
from itopsync.errors import ItopsyncError
from itopsync.model import Link, Ref, Side
from itopsync.reconcile.by_hand import Joined
from itopsync.reconcile.copied import Bridge


@dataclass(frozen=True)
class Row:
    """Two tickets that an operator wants linked, as named on a line of a file."""

    line: int
    external: str
    internal: str

    def name(self, side: Side) -> str:
        """The name given for the ticket on *side*."""
        return side.pick(self.external, self.internal)


@dataclass(frozen=True)
class Flaw:
    """Why a row cannot be linked."""

    line: int
    side: Side | None
    """The side, and so the column, of the ticket at fault; None if the pair is."""
    what: str
    remedy: str


@dataclass
class Examined:
    """What linking the rows would do."""

    flaws: list[Flaw] = field(default_factory=list)
    linked: list[Link] = field(default_factory=list)
    """The links of rows whose tickets are already linked with each other."""
    to_link: list[tuple[Row, Joined]] = field(default_factory=list)


def examine(inspector: Inspector, rows: Sequence[Row], *, history: Bridge | None) -> Examined:
    """Look up and read the tickets of all *rows*, and find out what would become of each row. Nothing is written anywhere.

    :raises SideUnavailable: a server does not answer
    """
    pair, examined = inspector.pair, Examined()
    refs = {side: linking.locate(pair.servers[side], pair.rules, [row.name(side) for row in rows]) for side in Side}
    sound: list[tuple[Row, tuple[Ref, Ref]]] = []
    flaws = [*_unknown(rows, refs), *_repeated(rows, refs)]
    examined.flaws += flaws
    faulty = {flaw.line for flaw in flaws}
    for row in rows:
        external, internal = (refs[side][row.name(side)] for side in Side)
        if isinstance(external, CannotLink) or isinstance(internal, CannotLink):
            continue
        if (link := linking.linked(pair.store, external, internal)) is not None:
            examined.linked.append(link)
        elif (why := linking.why_not(pair, external, internal)) is not None:
            examined.flaws.append(_flaw(row, why))
        elif row.line not in faulty:
            sound.append((row, (external, internal)))
    chunk = pair.settings.chunk
    for start in range(0, len(sound), chunk):
        part = sound[start : start + chunk]
        told = linking.compare_all(inspector, [pairs for _, pairs in part], history=history)
        for (row, _), joined in zip(part, told, strict=True):
            if isinstance(joined, Joined):
                examined.to_link.append((row, joined))
            else:
                examined.flaws.append(_flaw(row, joined))
        if pair.progress is not None:
            pair.progress(start + len(part), len(sound))
    return examined


def writers(pair: Pair, links: Sequence[Link]) -> Iterator[tuple[Side, str]]:
    """The side and account of each entry on tickets that are already linked; read lazily, in batches.

    :raises SideUnavailable: a server does not answer
    """
    chunk = pair.settings.chunk
    for start in range(0, len(links), chunk):
        for each in observe(pair, links[start : start + chunk]):
            for side in Side:
                ticket = each.seen.of(side)
                yield from ((side, entry.author_id) for log in ticket.logs.values() for entry in log) if ticket else ()


def _flaw(row: Row, why: CannotLink | ItopsyncError) -> Flaw:
    if isinstance(why, ItopsyncError):  # its message names the side
        return Flaw(row.line, None, str(why).rstrip("."), "link it once it can be read")
    return Flaw(row.line, why.side, why.what, why.remedy)


def _unknown(rows: Sequence[Row], refs: Mapping[Side, Mapping[str, Ref | CannotLink]]) -> Iterator[Flaw]:
    for row in rows:
        for side in Side:
            found = refs[side][row.name(side)]
            if isinstance(found, CannotLink):
                yield _flaw(row, found)


def _repeated(rows: Sequence[Row], refs: Mapping[Side, Mapping[str, Ref | CannotLink]]) -> Iterator[Flaw]:
    """The rows that name a ticket of an earlier row, by whatever name: a ticket is in one link at most."""
    first: dict[Ref, int] = {}
    for row in rows:
        for side in Side:
            found = refs[side][row.name(side)]
            if isinstance(found, CannotLink):
                continue
            line = first.setdefault(found, row.line)
            if line != row.line:
                remedy = "a ticket is in one link only: remove one of the two lines"
                yield Flaw(row.line, side, f"{found} is on line {line} too", remedy)
