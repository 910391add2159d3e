"""Prints which tickets may belong together, as the very file that ``link --from`` takes, for a person to approve."""

from __future__ import annotations

import sys
from datetime import date, timedelta

import typer

from itopsync.cli.pairs_file import write_pairs
from itopsync.cli.progress import progress_bar
from itopsync.cli.session import looking, store_to_read
from itopsync.cli.text import counted
from itopsync.config import Configuration
from itopsync.reconcile.copied import WITHIN


def propose(configuration: Configuration, field: str | None, within: int | None, since: date | None) -> None:
    """Print pairs that have the same number in an internal *field*, or the same title and began at most *within* minutes apart.

    :raises typer.BadParameter: *field* is no attribute of internal's tickets
    """
    from itopsync.engine import proposing
    from itopsync.engine.linking import CannotLink
    from itopsync.itop import oql

    if field is not None and not oql.NAME.fullmatch(field):
        raise typer.BadParameter(f"{field!r} cannot be the code of an attribute, such as external_ref")
    with looking(configuration, store_to_read) as inspector, progress_bar() as inspector.pair.progress:
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
