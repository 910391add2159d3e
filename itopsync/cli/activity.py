"""The command that lists writes and requests: activity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from itopsync.cli.durations import read
from itopsync.cli.links import meant_one
from itopsync.cli.session import Options, store_to_read, utc_now
from itopsync.cli.show import how
from itopsync.cli.tables import for_tables
from itopsync.cli.text import as_json as to_json
from itopsync.cli.text import counted, span
from itopsync.model import ItemKey, Link
from itopsync.store.records import ActivityRecord, RequestKind, RequestRecord, RequestState


def activity(
    context: typer.Context,
    ref: Annotated[str | None, typer.Argument(metavar="REF", help="A ticket, as for show.")] = None,
    since: Annotated[
        timedelta | None,
        typer.Option(parser=read, metavar="TIME", help="How far back to look, such as 24h or 7d.", show_default="everything"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="The maximum number of lines.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List writes and requests, newest first, with their times and outcomes. Does not contact the servers."""
    options: Options = context.obj
    with store_to_read(options.configuration(servers=False)) as store:
        link = meant_one(store, ref).id if ref is not None else None
        begin = utc_now() - since if since is not None else None
        records: list[ActivityRecord | RequestRecord] = [
            *store.activity.latest(limit, link=link, since=begin),
            *store.requests.latest(limit, link=link, since=begin),
        ]
        records = sorted(records, key=lambda record: record.at, reverse=True)[:limit]
        links = {link.id: link for link in store.links.get(record.link for record in records if record.link is not None)}
    if as_json:
        typer.echo(to_json([_plain(record, links.get(record.link or 0)) for record in records]))
    elif records:
        for_tables().print(_table(records, links))
    else:
        typer.echo("There are no writes and no requests.")


def _table(records: Sequence[ActivityRecord | RequestRecord], links: dict[int, Link]) -> Table:
    table = Table("when (UTC)", "link", "ticket", "to", "action", "outcome", "delay", box=None, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    table.add_column("what", overflow="fold")
    for record in records:
        link = links.get(record.link or 0)
        ticket = (link.external_number or str(link.external)) if link else "deleted" if record.link is not None else ""
        about = (f"{record.at:%Y-%m-%d %H:%M:%S}", str(record.link or ""), ticket)
        table.add_row(*about, *(_asked(record) if isinstance(record, RequestRecord) else _written(record)))
    return table


def _written(record: ActivityRecord) -> tuple[str, ...]:
    after = span(record.age) if record.age is not None else ""
    return record.side, record.action, record.outcome, after, _carried(record.items)


def _asked(record: RequestRecord) -> tuple[str, ...]:
    """Who asked and why, and the result if it says more than that it is done."""
    who = f"by {record.actor}" + (f": {record.reason}" if record.reason else "")
    notable = record.kind is RequestKind.VERIFY or record.state is not RequestState.DONE
    result = f"; {' '.join(record.result.split())}" if notable and record.result else ""
    return "", record.kind, record.state, "", f"{who}{result}"


def _carried(items: Sequence[ItemKey]) -> str:
    """``state, 2 notes, route Acme``."""
    kinds = Counter(key.kind for key in items if not key.tells_how)
    carried = [counted(count, kind) if count > 1 else kind for kind, count in kinds.items()]
    return ", ".join((*carried, *(how(key) for key in items if key.tells_how)))


def _plain(record: ActivityRecord | RequestRecord, link: Link | None) -> dict[str, Any]:
    about = {
        "at": record.at,
        "link": record.link,
        "external": str(link.external) if link else None,
        "external_number": link.external_number if link else None,
        "internal": str(link.internal) if link and link.internal else None,
        "internal_number": link.internal_number if link else None,
    }
    if isinstance(record, RequestRecord):
        return about | {
            "request": record.kind,
            "actor": record.actor,
            "reason": record.reason,
            "arguments": dict(record.arguments),
            "state": record.state,
            "finished_at": record.finished_at,
            "result": record.result,
        }
    return about | {
        "side": record.side,
        "direction": record.direction,
        "action": record.action,
        "outcome": record.outcome,
        "items": record.items,
        "age": record.age,
        "cycle": record.cycle,
    }
