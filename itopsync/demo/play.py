"""Plays the demo: prints each step, what itopsync carried for it, and the comparison at the end."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import StringIO

import structlog
from rich.console import Console
from rich.table import Table
from rich.text import Text

from itopsync.demo.compare import Item, compare
from itopsync.demo.desk import Desk, Versions, open_desk
from itopsync.demo.story import Story


@dataclass(frozen=True)
class Result:
    """The result of the day."""

    items: tuple[Item, ...]
    idle: bool
    """Whether a further cycle wrote nothing."""
    leaked: tuple[str, ...]
    """Internal's own tickets that were written to external."""

    @property
    def agreed(self) -> bool:
        return self.idle and not self.leaked and all(item.agrees for item in self.items)


def play(*, short: bool, as_json: bool, versions: Versions) -> bool:
    """Play the story; return whether both servers agree at the end and a further cycle writes nothing."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    console = Console(file=StringIO() if as_json else None, markup=False, emoji=False)
    with open_desk(versions=versions) as desk:
        console.print(f"external {desk.external.url} · internal {desk.internal.url} · files in {desk.configuration.parent}\n")
        steps = _perform(console, desk, short=short)
        result = _judge(desk)
    if as_json:
        print(_as_json(result, steps))
    else:
        _show(console, result, steps)
    return result.agreed


def _perform(console: Console, desk: Desk, *, short: bool) -> int:
    """Play all steps, with a cycle after each; return how many there were."""
    steps = Story(desk).steps(short=short)
    for number, step in enumerate(steps, 1):
        console.print(Text(f"{number:>3}  {desk.clock.now:%H:%M}  {step.what}"))
        step.act()
        report = desk.sync()
        counts = ", ".join(f"{count} {name}" for name, count in report.counts.items() if count and name not in _NOT_SHOWN)
        console.print(Text(f"            itopsync: {counts or 'nothing to do'}", style="dim"))
        for problem in report.problems.values():
            console.print(Text(f"            {problem}", style="red"))
    return len(steps)


_NOT_SHOWN = {"bytes", "links", "changed", "new"}


def _judge(desk: Desk) -> Result:
    before = _written(desk)
    desk.sync()
    secret = next(ticket for ticket in desk.internal.tickets() if ticket["title"] == Story.ONLY_INTERNAL)
    leaked = tuple(ticket["ref"] for ticket in desk.external.tickets() if ticket["title"] == secret["title"])
    return Result(compare(desk.external, desk.internal, besides={int(secret["id"])}), _written(desk) == before, leaked)


def _written(desk: Desk) -> int:
    return len(desk.external.audit) + len(desk.internal.audit)


def _show(console: Console, result: Result, steps: int) -> None:
    table = Table(title="\nBoth servers, item by item", title_justify="left")
    for heading in ("ticket", "what", "external", "internal", "agrees"):
        table.add_column(heading)
    for item in result.items:
        mark = Text("yes", style="green") if item.agrees else Text("NO", style="bold red")
        table.add_row(item.ticket, item.what, Text(item.external), Text(item.internal), mark)
    console.print(table)
    differing = [item for item in result.items if not item.agrees]
    idle = "A further cycle wrote nothing." if result.idle else "A further cycle still wrote something."
    leaked = f" Leaked: {', '.join(result.leaked)}." if result.leaked else " Nothing of internal's own reached external."
    verdict = "Both servers agree" if not differing else f"{len(differing)} of {len(result.items)} items differ"
    console.print(f"{verdict} after {steps} steps: {len(result.items)} items compared. {idle}{leaked}")


def _as_json(result: Result, steps: int) -> str:
    items: Sequence[dict[str, object]] = [asdict(item) for item in result.items]
    outcome = {"agreed": result.agreed, "idle": result.idle, "leaked": result.leaked, "steps": steps, "items": items}
    return json.dumps(outcome, ensure_ascii=False, indent=2)
