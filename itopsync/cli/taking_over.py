"""Proposes pairs of tickets, and links the pairs in a file: examined all together, linked in parts, resumed where it stopped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from itopsync.cli.asking import ask
from itopsync.cli.joining import SHOWN, refuse_strangers, tell, tell_differing
from itopsync.cli.pairs_file import read_pairs, write_pairs
from itopsync.cli.progress import progress_bar
from itopsync.cli.session import looking, open_store, store_to_read, utc_now
from itopsync.cli.text import counted
from itopsync.config import Configuration
from itopsync.config.faults import Faults
from itopsync.exits import ExitCode
from itopsync.store.records import RequestKind, RequestState

if TYPE_CHECKING:
    from itopsync.engine.inspect import Inspector
    from itopsync.engine.taking_over import Examined
    from itopsync.model import Ref
    from itopsync.reconcile.copied import Bridge
    from itopsync.store.store import Store

AT_ONCE = 50
"""How many pairs one request links, in one transaction; a running process runs its cycles in between."""


def propose(configuration: Configuration, field: str | None, within: int | None, since: date | None) -> None:
    """Print which tickets may belong together, as a file for ``link --from`` that a person must approve.

    They have the same number in an internal *field*, or the same title and began at most *within* minutes apart.

    :raises typer.BadParameter: *field* is not an attribute of internal's tickets
    """
    from itopsync.engine import proposing
    from itopsync.engine.linking import CannotLink
    from itopsync.itop import oql
    from itopsync.reconcile.copied import WITHIN

    if field is not None and not oql.NAME.fullmatch(field):
        raise typer.BadParameter(f"{field!r} cannot be the code of an attribute, such as external_ref")
    with looking(configuration, store_to_read) as inspector, progress_bar() as inspector.pair.progress:
        inspector.refuse_wrong_store()
        try:
            if field is not None:
                proposals = proposing.by_field(inspector.pair, field, since)
            else:
                apart = WITHIN if within is None else timedelta(minutes=within)
                proposals = proposing.by_title(inspector.pair, apart, since)
        except CannotLink as error:
            raise typer.BadParameter(str(error)) from None
    write_pairs(sys.stdout, proposals)
    doubtful = sum(proposal.doubtful for proposal in proposals)
    told = f"{counted(len(proposals) - doubtful, 'pair')} proposed, {counted(doubtful, 'doubtful one')} below them after a #."
    typer.echo(f"{told} Nothing was linked: look at each, then give the file to `itopsync link --from`.", err=True)


def take_over(configuration: Configuration, path: Path, history: Bridge | None, *, dry_run: bool, yes: bool) -> None:
    """Link the pairs in a file, unless anything in it is faulty. Pairs that are linked already are left as they are.

    :raises ConfigurationError: with every fault in the file; nothing was linked
    :raises typer.Exit: with 1 if some are not linked
    """
    with looking(configuration, store_to_read if dry_run else open_store) as inspector:
        inspector.refuse_wrong_store()
        with progress_bar() as inspector.pair.progress:
            examined = _examine(inspector, path, history)
        _tell(path, examined, history, shown=len(examined.to_link) if dry_run else SHOWN)
        if dry_run or not examined.to_link:
            typer.echo("Nothing was linked." if dry_run else "Nothing to do.")
            return
        ask("From now on, notes, files and states are carried between these, and what was carried stays there.", yes=yes)
        refs = ((joined.link.external, joined.link.internal) for _, joined in examined.to_link)
        pairs = [(external, internal) for external, internal in refs if internal is not None]
        try:
            with progress_bar() as inspector.pair.progress:
                _link(configuration, inspector, pairs, history)
        except KeyboardInterrupt:
            done = _count_linked(inspector.pair.store, pairs)
            typer.echo(f"{counted(done, 'pair')} linked. The same command, given again, goes on with the others.", err=True)
            raise


def _examine(inspector: Inspector, path: Path, history: Bridge | None) -> Examined:
    from itopsync.engine import taking_over

    faults = Faults(Path("--from"))
    examined = taking_over.examine(inspector, read_pairs(path, faults), history=history)
    for flaw in sorted(examined.flaws, key=lambda flaw: flaw.line):
        remedy = flaw.remedy[0].upper() + flaw.remedy[1:]
        faults.in_line(path, flaw.line).add(flaw.side or "", flaw.what, remedy)
    faults.raise_if_any()
    if examined.to_link:
        written = taking_over.writers(inspector.pair, examined.linked)
        refuse_strangers([joined for _, joined in examined.to_link], history, written)
    return examined


def _tell(path: Path, examined: Examined, history: Bridge | None, *, shown: int) -> None:
    to_link, linked = len(examined.to_link), len(examined.linked)
    done = f", {counted(linked, 'pair')} linked already" if linked else ""
    typer.echo(f"{path}: {counted(to_link, 'pair')} to link{done}.")
    if not to_link:
        return
    named = [
        (f"line {row.line}, {each.link.external_number} → {each.link.internal_number}", each) for row, each in examined.to_link
    ]
    tell(named, history, shown=shown)
    differing = [(name, each) for name, each in named if each.differs]
    for name, each in differing[:shown]:
        typer.echo(f"  {name}: the two differ in {', '.join(each.differs)}")
    if len(differing) > shown:
        typer.echo(f"  and {len(differing) - shown} more that differ")
    if differing:
        typer.echo("What differs stays as it is until it is changed.")
        tell_differing(each for _, each in differing)


def _count_linked(store: Store, pairs: Sequence[tuple[Ref, Ref]]) -> int:
    from itopsync.engine import linking

    return sum(linking.linked(store, *each) is not None for each in pairs)


def _link(configuration: Configuration, inspector: Inspector, pairs: Sequence[tuple[Ref, Ref]], history: Bridge | None) -> None:
    from itopsync.cli.asked import actor, await_end
    from itopsync.engine import linking

    pair, done = inspector.pair, 0
    for start in range(0, len(pairs), AT_ONCE):
        part = pairs[start : start + AT_ONCE]
        asked = linking.arguments_of(part, history)
        number = pair.store.requests.ask(RequestKind.LINK, actor(), utc_now(), arguments=asked)
        outcome = await_end(configuration, pair.store, number, inspector)
        linked = _count_linked(pair.store, part)
        done += linked
        if outcome.state is not RequestState.DONE:
            typer.echo(outcome.result, err=True)
            break
        if linked < len(part):
            typer.echo("\n".join(outcome.result.splitlines()[1:]), err=True)
        if pair.progress is not None:
            pair.progress(done, len(pairs))
    typer.echo(f"{counted(done, 'pair')} linked: the next cycle marks them in internal, and carries what comes from now on.")
    if done < len(pairs):
        left = counted(len(pairs) - done, "pair")
        typer.echo(f"{left} not linked. The same command, given again, goes on with them.", err=True)
        raise typer.Exit(ExitCode.TROUBLED)
