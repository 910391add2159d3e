"""Shows the effect of linking existing tickets: what is carried, what stays, and what is doubtful."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from itopsync.cli.text import counted
from itopsync.model import Side
from itopsync.reconcile.copied import Bridge, Standing

if TYPE_CHECKING:
    from itopsync.reconcile.by_hand import Joined

SHOWN = 10
"""How many pairs are named, except in a dry run."""
Counts = Mapping[tuple[Side, Standing], int]
_ACCOUNT = re.compile(r"(external|internal):([0-9]{1,10})")
_STAYS = {
    Standing.COPIED: "on both sides already",
    Standing.DOUBTFUL: "doubtful: the other side may have them",
    Standing.ALONE: "by the older bridge's accounts, and nothing like them on the other side",
    Standing.WITHHELD: "kept where they are by the rules",
}


def read_history(copied_by: Sequence[str], within: int | None, *, history: bool) -> Bridge | None:
    """How existing entries and files are carried, according to the options; None if they stay.

    :raises typer.BadParameter: the options contradict each other, or an account is malformed
    """
    if not history:
        if copied_by:
            raise typer.BadParameter("--copied-by is for --history: without it, nothing of what stands there is carried")
        return None
    named = [(text, _ACCOUNT.fullmatch(text)) for text in copied_by]
    for text, found in named:
        if found is None:
            raise typer.BadParameter(f"{text!r} names no account: write its side and its user's id, as in external:12")
    accounts = {side: frozenset(found[2] for _, found in named if found and found[1] == side) for side in Side}
    return Bridge(accounts) if within is None else Bridge(accounts, timedelta(minutes=within))


def refuse_strangers(every: Iterable[Joined], history: Bridge | None, linked: Iterable[tuple[Side, str]] = ()) -> None:
    """Check that each account of the older bridge wrote something on these tickets, or on those *linked* already.

    :raises typer.BadParameter: one did not: if it is mistyped, everything that the real one copied would count as people's own
    """
    wrote = {(side, number) for joined in every for side, number, _ in joined.writers}
    named = [(side, number) for side, numbers in history.accounts.items() for number in sorted(numbers)] if history else []
    strangers = [who for who in named if who not in wrote]
    writers = iter(linked)
    while strangers and (writer := next(writers, None)) is not None:
        strangers = [who for who in strangers if who != writer]
    for side, number in strangers[:1]:
        raise typer.BadParameter(f"--copied-by {side}:{number}: that user wrote nothing on these tickets. Check the id")


def tell(every: Sequence[tuple[str, Joined]], history: Bridge | None, *, shown: int = SHOWN) -> None:
    """Print what linking these pairs, each with its name, would do; name at most *shown*."""
    joined = [each for _, each in every]
    _tell_full([name for name, each in every if each.full], shown)
    notes, files = _total(each.notes for each in joined), _total(each.files for each in joined)
    if history is None:
        stay = [
            ", ".join(f"{counts[side, Standing.NEW]} {noun} on {side}" for side in Side)
            for counts, noun in ((notes, "notes"), (files, "files"))
        ]
        typer.echo(f"{'; '.join(stay)}: this stays where it is.")
        return
    to = [
        f"{counted(notes[side, Standing.NEW], 'entry')} and {counted(files[side, Standing.NEW], 'file')} to {side.other}"
        for side in Side
    ]
    typer.echo(f"To be carried: {', '.join(to)}.")
    for standing, why in _STAYS.items():
        told = _counts(notes, files, standing)
        if told:
            typer.echo(f"To stay, {why}: {told}.")
    doubtful = [(name, each) for name, each in every if _counts(each.notes, each.files, Standing.DOUBTFUL)]
    for name, each in doubtful[:shown]:
        typer.echo(f"  {name}: doubtful: {_counts(each.notes, each.files, Standing.DOUBTFUL)}")
    if len(doubtful) > shown:
        typer.echo(f"  and {len(doubtful) - shown} more: --dry-run names them all")
    unnamed = [side for side in Side if not history.accounts.get(side)]
    if unnamed:
        _tell_writers(joined, history)
        typer.echo(f"No --copied-by for {' and '.join(unnamed)}: a copy there whose words were changed counts as new.")


def tell_differing(every: Iterable[Joined]) -> None:
    """Print which differing attributes go with a state and stay even when the state changes."""
    names = sorted({name for each in every for name in each.with_states})
    if names:
        told = f"Of these, what goes with a state ({', '.join(names)}) stays when that moves, too"
        typer.echo(f"{told}, unless iTop demands it of a ticket that has none.")


def _tell_full(names: Sequence[str], shown: int) -> None:
    """Name the internal tickets whose logs may be too full for the link's marker."""
    for name in names[:shown]:
        typer.echo(f"{name}: internal's log is full, or nearly so. If it takes no mark of the link, nothing is carried.")
    if len(names) > shown:
        typer.echo(f"And {len(names) - shown} more with such a log: --dry-run names them all.")


def _tell_writers(joined: Iterable[Joined], history: Bridge) -> None:
    """Print who wrote the doubtful entries: an account of the older bridge stands out."""
    writers: Counter[tuple[Side, str, str]] = Counter()
    for each in joined:
        writers.update(each.writers)
    others = [(who, count) for who, count in writers.most_common() if who[1] not in history.accounts.get(who[0], ())]
    if others:
        told = ", ".join(f"{side}:{number} ({name or 'unknown'}) {count}" for (side, number, name), count in others[:SHOWN])
        typer.echo(f"Doubtful entries by user: {told}. Name those by which an older bridge wrote with --copied-by.")


def _total(counts: Iterable[Counts]) -> Counter[tuple[Side, Standing]]:
    total: Counter[tuple[Side, Standing]] = Counter()
    for each in counts:
        total.update(each)
    return total


def _counts(notes: Counts, files: Counts, standing: Standing) -> str:
    told = [
        f"{counted(number, noun)} on {side}"
        for counts, noun in ((notes, "entry"), (files, "file"))
        for side in Side
        if (number := counts.get((side, standing), 0))
    ]
    return ", ".join(told)
