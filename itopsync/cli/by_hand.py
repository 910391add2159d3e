"""The commands that link two existing tickets and unlink them: link, unlink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from itopsync.cli.asking import Yes, ask
from itopsync.cli.links import Meant, meant_one
from itopsync.cli.session import Options, looking, open_store
from itopsync.model import LinkStatus, Ref, Side
from itopsync.reconcile.rules import Rules

if TYPE_CHECKING:
    from itopsync.itop.server import Server
    from itopsync.reconcile.by_hand import Joined


def link(
    context: typer.Context,
    external: Annotated[str, typer.Argument(metavar="EXTERNAL", help="R-000123, or external:UserRequest:17.")],
    internal: Annotated[str, typer.Argument(metavar="INTERNAL", help="R-000456, or internal:UserRequest:42.")],
    history: Annotated[
        bool, typer.Option("--history", help="Also carry their existing log entries and files, both ways.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Link two existing tickets. Existing differences stay; changes from now on are carried."""
    from itopsync.cli.asked import ask_for
    from itopsync.engine import linking
    from itopsync.store.records import RequestKind

    options: Options = context.obj
    with looking(options.configuration()) as inspector:
        pair = inspector.pair
        try:
            original = _the_ticket(pair.servers[Side.EXTERNAL], pair.rules, external)
            copy = _the_ticket(pair.servers[Side.INTERNAL], pair.rules, internal)
            made = linking.compare(inspector, original, copy, history=history)
            _tell(made, history=history)
            ask("From now on, notes, files and states are carried between the two, and what was carried stays there.", yes=yes)
        except linking.CannotLink as error:
            raise typer.BadParameter(str(error)) from None
        arguments = {ref.side.value: f"{ref.cls}:{ref.id}" for ref in (original, copy)} | ({"history": "yes"} if history else {})
        ask_for(pair.store, pair.rules, RequestKind.LINK, arguments=arguments, inspector=inspector)


def unlink(
    context: typer.Context,
    ref: Meant,
    no_notice: Annotated[
        bool,
        typer.Option("--no-notice", help="Write to neither ticket; if the store is lost and rebuilt, the two are linked again."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Stop carrying anything between two tickets, and make no other copy. Only a note is added, to the internal ticket."""
    from itopsync.cli.asked import ask_for
    from itopsync.store.records import RequestKind

    options: Options = context.obj
    configuration = options.configuration()
    with open_store(configuration) as store:
        found = meant_one(store, ref)
        name = f"link {found.id}, {found.external_number} ({found.external})"
        pair = f"link {found.id}, {found.external_number} → {found.internal_number or 'no copy yet'}"
        if found.status is LinkStatus.TOMBSTONE or (found.status is LinkStatus.UNLINKING and not no_notice):
            typer.echo(f"{name} is {found.status}: nothing to do.")
            return
        ask(f"{pair}: from now on, nothing is carried between the two, nor made up for later.", yes=yes)
        arguments = {"notice": "no"} if no_notice else {}
        ask_for(store, configuration.rules, RequestKind.UNLINK, link=found.id, arguments=arguments)


def _the_ticket(server: Server, rules: Rules, text: str) -> Ref:
    from itopsync.engine import linking

    places = linking.locate(server, rules, text)
    if not places:
        raise linking.CannotLink(f"{server.side} has no ticket {text!r} of a synced class that our account may see")
    if len(places) > 1:
        raise linking.CannotLink(f"{text!r} may be {' or '.join(str(place) for place in places)}: name one of these")
    return places[0].ref


def _tell(made: Joined, *, history: bool) -> None:
    from itopsync.engine import linking

    typer.echo(f"{made.link.external_number} ({made.link.external}) and {made.link.internal_number} ({made.link.internal})")
    goes = "is carried to the other side" if history else "stays where it is"
    typer.echo(f"{linking.told(made.notes, 'notes')}; {linking.told(made.files, 'files')}: this {goes}.")
    if made.differs:
        typer.echo(f"The two differ in {', '.join(made.differs)}: each stays as it is until it is changed.")
