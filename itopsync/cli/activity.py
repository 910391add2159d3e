"""The command that says what was written: activity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from itopsync.cli.durations import read
from itopsync.cli.links import meant_one
from itopsync.cli.session import Options, store_to_read, utc_now
from itopsync.cli.text import as_json as to_json
from itopsync.cli.text import counted, span
from itopsync.model import ItemKey, Link

if TYPE_CHECKING:
    from itopsync.store.records import ActivityRecord


def activity(
    context: typer.Context,
    ref: Annotated[str | None, typer.Argument(metavar="[REF]", help="As for show.")] = None,
    since: Annotated[
        timedelta | None,
        typer.Option(parser=read, metavar="TIME", help="How far back, as 24h or 7d.", show_default="as far as it goes"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="At most so many lines.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for machines.")] = False,
) -> None:
    """Say what was written, when and how it ended, the newest first. Asks neither server, and tells no ticket's content."""
    options: Options = context.obj
    with store_to_read(options.configuration()) as store:
        link = meant_one(store, ref).id if ref is not None else None
        records = store.activity.latest(limit, link=link, since=utc_now() - since if since is not None else None)
        links = {link.id: link for link in store.links.get(record.link for record in records)}
    if as_json:
        typer.echo(to_json([_plain(record, links.get(record.link)) for record in records]))
    elif records:
        Console(soft_wrap=True).print(_table(records, links))
    else:
        typer.echo("Nothing was written.")


def _table(records: Sequence[ActivityRecord], links: dict[int, Link]) -> Table:
    table = Table("when", "link", "ticket", "to", "action", "outcome", "after", "carried", box=None, pad_edge=False)
    for record in records:
        link = links.get(record.link)
        table.add_row(
            f"{record.at:%Y-%m-%d %H:%M:%S}",
            str(record.link),
            (link.external_number or str(link.external)) if link else "forgotten",
            record.side,
            record.action,
            record.outcome,
            span(record.age) if record.age is not None else "",
            _carried(record.items),
        )
    return table


def _carried(items: Sequence[ItemKey]) -> str:
    """``state, 2 notes``."""
    return ", ".join(counted(count, kind) if count > 1 else kind for kind, count in Counter(key.kind for key in items).items())


def _plain(record: ActivityRecord, link: Link | None) -> dict[str, Any]:
    return {
        "at": record.at,
        "link": record.link,
        "external": str(link.external) if link else None,
        "external_number": link.external_number if link else None,
        "internal": str(link.internal) if link and link.internal else None,
        "internal_number": link.internal_number if link else None,
        "side": record.side,
        "direction": record.direction,
        "action": record.action,
        "outcome": record.outcome,
        "items": record.items,
        "age": record.age,
        "cycle": record.cycle,
    }
