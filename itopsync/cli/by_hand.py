"""The commands that link two existing tickets and unlink them: link, unlink."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itopsync.cli.asking import Yes, ask
from itopsync.cli.links import Meant, meant_one
from itopsync.cli.session import Options, looking, open_store, store_to_read, store_to_steer
from itopsync.config import Configuration
from itopsync.model import LinkStatus, Ref, Side
from itopsync.reconcile.rules import Rules
from itopsync.store.records import RequestKind

if TYPE_CHECKING:
    from itopsync.itop.server import Server
    from itopsync.reconcile.by_hand import Joined
    from itopsync.reconcile.copied import Bridge

History = Annotated[bool, typer.Option("--history", help="Also carry their existing log entries and files, both ways.")]
CopiedBy = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SIDE:ID", help="An account with which an older bridge wrote copies, such as external:12; may be repeated."
    ),
]
Within = Annotated[
    int | None,
    typer.Option(
        min=0, max=10_080, metavar="MINUTES", help="How far apart an entry and its copy, or two matching tickets, may be in time."
    ),
]


def link(
    context: typer.Context,
    *,
    external: Annotated[str | None, typer.Argument(metavar="EXTERNAL", help="R-000123, or external:UserRequest:17.")] = None,
    internal: Annotated[str | None, typer.Argument(metavar="INTERNAL", help="R-000456, or internal:UserRequest:42.")] = None,
    pairs: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Link every pair in this CSV file, with the columns external and internal."),
    ] = None,
    match: Annotated[
        bool, typer.Option("--match", help="Print which tickets may belong together, as a file for --from. Links nothing.")
    ] = False,
    field: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With --match: the attribute of internal tickets that holds external's number."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="With --match: only tickets that began then or later."),
    ] = None,
    history: History = False,
    copied_by: CopiedBy = None,
    within: Within = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be linked and carried. Links nothing.")] = False,
    yes: Yes = False,
) -> None:
    """Link two existing tickets, or many pairs at once. Existing differences stay; changes from now on are carried."""
    from itopsync.cli import taking_over
    from itopsync.cli.joining import read_history

    options: Options = context.obj
    bridge = read_history(copied_by or (), within, history=history)
    if sum((pairs is not None, match, external is not None)) > 1:
        raise typer.BadParameter("give two tickets, --from or --match: one of them")
    if not match and (field or since):
        raise typer.BadParameter("--field and --since are for --match")
    if within is not None and not (match or history):
        raise typer.BadParameter("--within is for --history and --match")
    if match:
        taking_over.propose(options.configuration(), field, within, since.date() if since else None)
    elif pairs is not None:
        taking_over.take_over(options.configuration(), pairs, bridge, dry_run=dry_run, yes=yes)
    elif external is None or internal is None:
        raise typer.BadParameter("give two tickets, external's first, or --from, or --match")
    else:
        _link_two(options.configuration(), (external, internal), bridge, dry_run=dry_run, yes=yes)


def _link_two(configuration: Configuration, named: tuple[str, str], history: Bridge | None, *, dry_run: bool, yes: bool) -> None:
    from itopsync.cli.asked import ask_for
    from itopsync.cli.joining import refuse_strangers
    from itopsync.engine import linking

    with looking(configuration, store_to_read if dry_run else open_store) as inspector:
        pair = inspector.pair
        inspector.refuse_wrong_store()
        try:
            original, copy = (_the_ticket(pair.servers[side], pair.rules, text) for side, text in zip(Side, named, strict=True))
            made = linking.compare(inspector, original, copy, history=history)
        except linking.CannotLink as error:
            raise typer.BadParameter(str(error)) from None
        refuse_strangers([made], history)
        _tell(made, history)
        if dry_run:
            typer.echo("Nothing was linked.")
            return
        ask("From now on, notes, files and states are carried between the two, and what was carried stays there.", yes=yes)
        arguments = linking.arguments_of([(original, copy)], history)
        ask_for(configuration, pair.store, RequestKind.LINK, arguments=arguments, inspector=inspector)


def unlink(
    context: typer.Context,
    ref: Meant,
    no_notice: Annotated[
        bool,
        typer.Option("--no-notice", help="Write to neither ticket; if the store is lost and rebuilt, the two are linked again."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Stop carrying anything between two tickets, and make no other copy. Writes only a notice, on the internal ticket."""
    from itopsync.cli.asked import ask_for

    options: Options = context.obj
    configuration = options.configuration(servers=False)
    with store_to_steer(configuration) as store:
        found = meant_one(store, ref)
        name = f"link {found.id}, {found.external_number} ({found.external})"
        pair = f"link {found.id}, {found.external_number} → {found.internal_number or 'no copy yet'}"
        if found.status is LinkStatus.TOMBSTONE or (found.status is LinkStatus.UNLINKING and not no_notice):
            typer.echo(f"{name} is {found.status}: nothing to do.")
            return
        ask(f"{pair}: from now on, nothing is carried between the two, nor made up for later.", yes=yes)
        arguments = {"notice": "no"} if no_notice else {}
        ask_for(configuration, store, RequestKind.UNLINK, link=found.id, arguments=arguments)


def _the_ticket(server: Server, rules: Rules, text: str) -> Ref:
    from itopsync.engine import linking

    found = linking.locate(server, rules, [text])[text]
    if isinstance(found, linking.CannotLink):
        raise found
    return found


def _tell(made: Joined, history: Bridge | None) -> None:
    from itopsync.cli.joining import tell, tell_differing

    name = f"{made.link.external_number} ({made.link.external}) and {made.link.internal_number} ({made.link.internal})"
    typer.echo(name)
    tell([(name, made)], history)
    if made.differs:
        typer.echo(f"The two differ in {', '.join(made.differs)}: each stays as it is until it is changed.")
        tell_differing([made])
