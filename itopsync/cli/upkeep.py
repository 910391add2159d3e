"""The commands that maintain the store: db upgrade, downgrade, check, prune, backup."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from itopsync.cli.asking import Yes, ask
from itopsync.cli.durations import read
from itopsync.cli.session import Options, servers, store_to_steer, utc_now
from itopsync.cli.text import counted
from itopsync.exits import ExitCode
from itopsync.model import Side

db = typer.Typer(help="Maintain the store.", no_args_is_help=True)


@db.command()
def upgrade(context: typer.Context) -> None:
    """Upgrade an older store to this itopsync's schema, after copying an SQLite file next to the original."""
    from itopsync.engine.lease import this_process
    from itopsync.store import migrate, upkeep

    url = _own_url(context)
    with upkeep.at_rest(url, this_process()):
        before, after = migrate.upgrade(url)
    typer.echo(f"The store is at {after}." if before == after else f"The store went from {before} to {after}.")


@db.command()
def downgrade(
    context: typer.Context,
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="An older revision; base: delete everything.")],
    yes: Yes = False,
) -> None:
    """Downgrade the store to an older schema, after copying an SQLite file next to the original."""
    from itopsync.engine.lease import this_process
    from itopsync.store import migrate, upkeep

    url = _own_url(context)
    with upkeep.at_rest(url, this_process()):
        migrate.refuse_downgrade(url, revision)
    lost = "everything in it is deleted" if revision == "base" else "what only the newer schema can hold is lost"
    ask(f"The store goes from {migrate.current(url)} to {revision}: {lost}.", yes=yes)
    with upkeep.at_rest(url, this_process()):  # taken again: the lease lasts minutes, and the answer may take hours
        before, after = migrate.downgrade(url, revision)
    typer.echo(f"The store went from {before} to {after}.")


@db.command()
def check(context: typer.Context) -> None:
    """Check that the store has this itopsync's schema and is intact. Writes nothing."""
    from itopsync.store import migrate, upkeep

    options: Options = context.obj
    url = _own_url(context)
    faults = upkeep.faults(url)
    for fault in faults:
        typer.echo(fault)
    if faults:
        typer.echo("Stop the service and restore a backup; without one, name another store.url and run `itopsync rebuild`.")
        raise typer.Exit(ExitCode.STORE)
    with store_to_steer(options.configuration(servers=False)) as store:
        links = sum(store.links.counts().values())
    typer.echo(f"The store is at {migrate.head()}, this itopsync's schema, and sound: {counted(links, 'link')}.")


@db.command()
def prune(
    context: typer.Context,
    older_than: Annotated[
        timedelta, typer.Option(parser=read, metavar="TIME", show_default="90d", help="The minimum age.")
    ] = timedelta(days=90),
    yes: Yes = False,
) -> None:
    """Delete old records, and old tombstones whose external ticket is gone. Contacts external, and asks first."""
    from itopsync.engine.reused import without_original

    options: Options = context.obj
    configuration = options.configuration()
    before = utc_now() - older_than
    with servers(configuration) as both, store_to_steer(configuration) as store:
        ids = without_original(store.tombstones.old(before), both[Side.EXTERNAL], configuration.rules)
        counts = {
            **store.history.count_old(before),
            "activity": store.activity.count_old(before),
            "requests": store.requests.count_old(before),
            "spells": store.spells.count_old(before),
            "tombstones": len(ids),
        }
        if not any(counts.values()):
            typer.echo(f"Nothing is older than {before:%Y-%m-%d %H:%M} UTC.")
            return
        ask(f"Older than {before:%Y-%m-%d %H:%M} UTC, to be deleted: {_listed(counts)}.", yes=yes)
        deleted = {
            **store.history.prune(before),
            "activity": store.activity.prune(before),
            "requests": store.requests.prune(before),
            "spells": store.spells.prune(before),
            "tombstones": store.tombstones.forget(ids),
        }
    typer.echo(f"Deleted: {_listed(deleted)}.")


@db.command()
def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; an existing file is not overwritten.")],
) -> None:
    """Copy a snapshot of an SQLite store, even while the service runs. For PostgreSQL, print what to run instead."""
    from itopsync.store import migrate, upkeep

    upkeep.copy(_own_url(context), file)
    typer.echo(f"Wrote {file}: {file.stat().st_size:,} bytes, at {migrate.head()}.")


def _own_url(context: typer.Context) -> str:
    """The URL of the store, at whatever revision.

    :raises StoreError: it belongs to another pair
    """
    from itopsync.engine.store_guard import PAIR, refuse_other_name
    from itopsync.store import upkeep
    from itopsync.store.connection import Address

    options: Options = context.obj
    configuration = options.configuration(servers=False)
    url = configuration.store_url
    refuse_other_name(Address.parse(url).name, upkeep.fact_of(url, PAIR), configuration.rules)
    return url


_NAMES = {
    "cycles": "records of cycles",
    "activity": "records of writes",
    "requests": "requests",
    "spells": "records of what lasted",
    "sightings": "notes of tickets out of scope",
    "tombstones": "tombstones",
}


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[name]} {words}" for name, words in _NAMES.items())
