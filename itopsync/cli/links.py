"""The commands about links: show, rebuild, retry, park, resume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from itopsync.cli import show
from itopsync.cli.session import Options, looking, rebuilding, store_to_read, store_to_steer
from itopsync.cli.tables import plain
from itopsync.cli.text import counted
from itopsync.exits import ExitCode
from itopsync.model import Link, LinkStatus, Side
from itopsync.store.records import RequestKind

if TYPE_CHECKING:
    from itopsync.engine.rebuild import AnotherBearer, UnknownAccount, Unreadable, WithoutCopy
    from itopsync.store.store import Store

_SHOWN = 5
"""How many tickets are named as examples."""

Meant = Annotated[str, typer.Argument(metavar="REF", help="R-000123, external:UserRequest:17, or a link's number.")]


def show_link(
    context: typer.Context, ref: Meant, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show where each entry, file and state of a ticket came from, and what is still to be carried. Writes nothing."""
    from itopsync.engine.story import explain, unlinked

    options: Options = context.obj
    with looking(options.configuration(), store_to_read) as inspector:
        links = inspector.pair.store.links.find(ref)
        lonely = unlinked(inspector.pair, ref)
        lonely = tuple(ticket for ticket in lonely if ticket.ref.side is Side.EXTERNAL) or (() if links else lonely)
        rules = inspector.pair.rules
        kept = [link for link in links if link.external.cls in rules.kept]
        stories = [explain(inspector.pair, planned) for link in kept for planned in inspector.inspect((link,))]
    if not links and not lonely:
        raise typer.BadParameter(
            f"no link of {ref!r} is known, and neither server shows our account such a ticket. Check the number, and the "
            "account's allowed organisations"
        )
    for ticket in lonely:
        typer.echo(show.unlinked_as_json(ticket) if as_json else f"{ticket.number} ({ticket.ref}) has no link: {ticket.why}.")
    for link in (link for link in links if link.external.cls not in rules.kept):
        typer.echo(show.resting_as_json(link) if as_json else show.resting(link))
    for story in stories:
        if as_json:
            typer.echo(show.story_as_json(story))
        else:
            show.story(plain(), story)


def rebuild(
    context: typer.Context,
    create_missing: Annotated[
        bool, typer.Option("--create-missing", help="Copy everything that has no copy, instead of parking it for a decision.")
    ] = False,
    former_account: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="An internal account that itopsync used before; may be repeated.")
    ] = None,
    person: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="An internal account that itopsync never used; may be repeated.")
    ] = None,
) -> None:
    """Recreate a lost store from the markers on both servers. Writes to neither; lists the differences for you to decide on."""
    from itopsync.engine import rebuild as finding
    from itopsync.reconcile.ends import why
    from itopsync.reconcile.rebuilding import Rebuilt

    options: Options = context.obj
    configuration = options.configuration()
    console = plain()
    total = unreadable = unknown = tickets = files = 0
    with rebuilding(configuration) as inspector:
        known = sum(inspector.pair.store.links.counts().values())
        for found in finding.rebuild(inspector, create_missing=create_missing, ours=former_account or (), people=person or ()):
            if not isinstance(found, Rebuilt):
                unknown += isinstance(found, finding.UnknownAccount)
                unreadable += isinstance(found, finding.Unreadable)
                tickets += isinstance(found, finding.WithoutCopy)
                console.print(_not_linked(found))
                continue
            if found.link.status is LinkStatus.PARKED:
                for obstacle in found.link.obstacles:
                    console.print(f"{found.link.external_number} is parked: {obstacle.reason}")
                continue
            total += 1
            if found.link.status is LinkStatus.TOMBSTONE:
                console.print(f"{found.link.internal}, copy of {found.link.external}: {why(found.link)}; it is left alone")
            elif found.differs:
                name = f"{found.link.external_number} ({found.link.external}) → {found.link.internal_number}"
                console.print(f"{name}: the sides differ in {', '.join(found.differs)}; each stays as it is until it is changed")
            for file in found.without_copy:
                files += 1
                side, number = file.key.file
                where = found.link.external_number if side is Side.EXTERNAL else found.link.internal_number
                console.print(f"attachment {number} on {side} {where} has no copy, though younger files have")
    if unknown:
        console.print("Nothing was stored yet, and no cycle runs before this is decided.")
        raise typer.Exit(ExitCode.TROUBLED)
    console.print(f"{counted(total, 'link')} found again{f'; the store knew {known} before' if known else ''}.")
    if tickets or files:
        console.print(
            f"{counted(tickets, 'ticket')} and {counted(files, 'file')} without a copy are parked: a person may have deleted "
            "it. `itopsync resume REF` copies a ticket, and `itopsync unlink REF` leaves it; `itopsync retry REF` copies a "
            "ticket's files; `itopsync rebuild --create-missing` copies all of them."
        )
    if unreadable:
        console.print("Fix what cannot be read, and run `itopsync rebuild` again before you start the service.")
        raise typer.Exit(ExitCode.TROUBLED)
    console.print("Run `itopsync verify`, then start the service.")


def _not_linked(found: UnknownAccount | Unreadable | WithoutCopy | AnotherBearer) -> str:
    from itopsync.engine import rebuild as finding

    match found:
        case finding.UnknownAccount():
            return _ask_about(found)
        case finding.Unreadable():
            return f"{found.ref}: it cannot be read, so it is not linked: {found.reason}"
        case finding.WithoutCopy():
            return f"{found.number} ({found.external}) has no copy, though younger tickets have"
        case finding.AnotherBearer():
            return (
                f"{found.number} ({found.ref}) bears the mark of {found.external} too, as a second copy or a clone does: it is "
                f"left alone. If this is the copy, unlink the other, and run `itopsync link {found.external} {found.ref}`"
            )


def _ask_about(account: UnknownAccount) -> str:
    shown = ", ".join(str(ref) for ref in account.tickets[:_SHOWN])
    more = f" and {len(account.tickets) - _SHOWN} more" if len(account.tickets) > _SHOWN else ""
    return (
        f"User {account.id} of internal wrote markers of copies on {shown}{more}. Look up in iTop who that is: if it is a former "
        f"account of itopsync, run `itopsync rebuild --former-account {account.id}`; if a person pasted them, "
        f"`itopsync rebuild --person {account.id}`."
    )


def retry(
    context: typer.Context,
    ref: Annotated[str | None, typer.Argument(metavar="REF", help="A ticket, as for show.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Retry every link that has an obstacle.")] = False,
) -> None:
    """Clear a ticket's obstacles, so that the next cycle tries again."""
    if (ref is None) is not everything:
        raise typer.BadParameter("give either a ticket or --all")
    make_request(context, RequestKind.RETRY, ref)


def park(
    context: typer.Context,
    ref: Meant,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason, for others to read.", show_default=False)] = "",
) -> None:
    """Suspend a link until it is resumed."""
    make_request(context, RequestKind.PARK, ref, reason=reason)


def resume(context: typer.Context, ref: Meant) -> None:
    """Resume a parked link, with its tickets as they are now."""
    make_request(context, RequestKind.RESUME, ref)


def make_request(
    context: typer.Context,
    kind: RequestKind,
    ref: str | None = None,
    *,
    reason: str = "",
    arguments: Mapping[str, str] | None = None,
) -> None:
    """Make a request, about one ticket or about none, and print its result."""
    from itopsync.cli.asked import ask_for

    options: Options = context.obj
    configuration = options.configuration(servers=False)
    with store_to_steer(configuration) as store:
        link = None if ref is None else meant_one(store, ref).id
        ask_for(configuration, store, kind, link=link, reason=reason, arguments=arguments)


def meant_one(store: Store, ref: str) -> Link:
    """The link that an operator means; a tombstone only if there is no other.

    :raises typer.BadParameter: there is none, or there are several
    """
    found = store.links.find(ref)
    if not found:
        raise typer.BadParameter(
            f"no link of {ref!r} is known; name it as R-000123, external:UserRequest:17 or by its link's number; "
            f"`itopsync show {ref}` says why a ticket has none"
        )
    alive = tuple(link for link in found if link.status is not LinkStatus.TOMBSTONE) or found
    if len(alive) > 1:
        several = "".join(f"\n  {show.name_of(link)}" for link in alive)
        raise typer.BadParameter(f"{ref!r} may mean several links; name one by its number:{several}")
    return alive[0]
