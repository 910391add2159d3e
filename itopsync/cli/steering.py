"""The commands that control the running process: pause, unpause, accept, sync, sweep."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer

from itopsync.cli.asking import Yes, ask
from itopsync.cli.durations import read, read_time
from itopsync.cli.links import Meant, make_request
from itopsync.cli.session import Options, store_to_steer, utc_now
from itopsync.model import Side
from itopsync.reconcile.safety import Excess
from itopsync.store.records import RequestKind

OneSide = Annotated[Side | None, typer.Option("--side", help="Only this side; default: both.", show_default=False)]


def pause(
    context: typer.Context,
    side: OneSide = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=read_time, metavar="TIME", help="When it ends, such as 2026-11-30T22:00.", show_default=False),
    ] = None,
    length: Annotated[
        timedelta | None,
        typer.Option("--for", parser=read, metavar="TIME", help="How long it lasts, such as 2h.", show_default=False),
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason, for others to read.", show_default=False)] = "",
) -> None:
    """Pause both sides, or one: nothing is read or written there until `itopsync unpause` or the given time."""
    if until is not None and length is not None:
        raise typer.BadParameter("give only one of --until and --for")
    end = utc_now() + length if length is not None else until
    arguments = ({"side": side.value} if side else {}) | ({"until": end.isoformat()} if end else {})
    make_request(context, RequestKind.PAUSE, reason=reason, arguments=arguments)


def unpause(context: typer.Context, side: OneSide = None) -> None:
    """End a pause, and carry what has changed in the meantime."""
    make_request(context, RequestKind.UNPAUSE, arguments={"side": side.value} if side else {})


def accept(
    context: typer.Context,
    kind: Annotated[Excess, typer.Argument(metavar="KIND", help="The exceeded limit, as named in the safety stop's message.")],
    yes: Yes = False,
) -> None:
    """Allow, once, exactly what a safety limit stopped. Anything more stops the cycles again."""
    from itopsync.cli.asked import ask_for
    from itopsync.engine import stops

    options: Options = context.obj
    configuration = options.configuration(servers=False)
    with store_to_steer(configuration) as store:
        stop = stops.current(store)
        if stop is None or stop.kind != kind:
            what = "nothing" if stop is None else stop.kind
            raise typer.BadParameter(f"{what} stops the cycles now: see `itopsync status`")
        ask(f"{stop.reason.partition('. ')[0]}. This is allowed once, and nothing more.", yes=yes)
        ask_for(configuration, store, RequestKind.ACCEPT, fingerprint=stop.fingerprint, arguments={"kind": kind.value})


def sync(context: typer.Context, ref: Meant) -> None:
    """Sync one ticket now, before all others."""
    make_request(context, RequestKind.SYNC, ref)


def sweep(context: typer.Context) -> None:
    """Make the running process check everything now, not only what changed."""
    make_request(context, RequestKind.SWEEP)
